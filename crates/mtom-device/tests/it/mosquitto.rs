//! A real mosquitto that speaks TLS on a free port, for one test.
//!
//! Where the program is not installed the test says SKIPPED and why; in CI that is a failure.

use crate::certificates::{Shown, authority};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running broker; killed when dropped.
pub(crate) struct Mosquitto {
    process: Child,
    pub(crate) address: SocketAddr,
    _dir: tempfile::TempDir,
}

/// The program, or why the test cannot run.
fn program() -> Option<&'static str> {
    let found =
        ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "mosquitto is not installed: CI must not skip");
        eprintln!("SKIPPED: mosquitto is not installed (apt-get install mosquitto)");
    }
    found
}

impl Mosquitto {
    /// Starts one that shows `shown`; `None` where mosquitto is not installed.
    pub(crate) fn start(shown: &Shown) -> Option<Self> {
        Self::start_with(shown, "", "")
    }

    /// Starts one with lines added to its configuration and to its `openssl.cnf`.
    pub(crate) fn start_with(shown: &Shown, mosquitto: &str, openssl: &str) -> Option<Self> {
        let program = program()?;
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "listener {} {}\nallow_anonymous true\nuser root\nlog_dest stderr\nset_tcp_nodelay true\n\
             certfile {}\nkeyfile {}\ncafile {}\n{mosquitto}\n",
            address.port(),
            address.ip(),
            write("chain.pem", &shown.chain).display(),
            write("key.pem", &shown.key).display(),
            // For those who would show a certificate; with it mosquitto completes chains, so it is another.
            write("cafile.pem", &authority("of clients").pem()).display(),
        );
        let openssl = format!(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n{openssl}\n"
        );
        let mut process = Command::new(program)
            .arg("-c")
            .arg(write("mosquitto.conf", &config))
            .env("OPENSSL_CONF", write("openssl.cnf", &openssl))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its own word that it listens; then somebody has to go on reading.
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let up = lines.by_ref().map_while(Result::ok).any(|line| line.contains("running"));
        assert!(up, "mosquitto ended before it listened");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Self { process, address, _dir: dir })
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
