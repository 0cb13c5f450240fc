//! A real mosquitto on a free port, with its own folder, for one test.
//!
//! Where the program is not installed the test says SKIPPED and why; in CI that is a failure.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running broker; killed when dropped.
pub(crate) struct Mosquitto {
    process: Child,
    pub(crate) address: SocketAddr,
    dir: tempfile::TempDir,
}

/// The program, or why the test cannot run.
pub(crate) fn program() -> Option<&'static str> {
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
    /// Starts one that keeps its sessions on disk.
    pub(crate) fn start(program: &str) -> Self {
        Self::with(program, "allow_anonymous true\n")
    }

    /// Starts one whose listener has further `lines` of configuration.
    pub(crate) fn with(program: &str, lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = format!(
            "listener {} {}\n{lines}persistence true\npersistence_location {}/\n\
             user root\nlog_dest stderr\n",
            address.port(),
            address.ip(),
            dir.path().display()
        );
        std::fs::write(config(dir.path()), text).unwrap();
        let process = run(program, dir.path());
        Self { process, address, dir }
    }

    /// Stops it as its service would, so that it writes its sessions, and starts it again.
    pub(crate) fn restart(&mut self, program: &str) {
        self.stop();
        self.start_again(program);
    }

    /// Starts it where it was stopped, with the sessions that it wrote.
    pub(crate) fn start_again(&mut self, program: &str) {
        self.process = run(program, self.dir.path());
    }

    /// Stops it and waits for its end.
    pub(crate) fn stop(&mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config(dir: &Path) -> PathBuf {
    dir.join("mosquitto.conf")
}

fn run(program: &str, dir: &Path) -> Child {
    let mut process =
        Command::new(program).arg("-c").arg(config(dir)).stderr(Stdio::piped()).spawn().unwrap();
    // Its own word that it listens; then somebody has to go on reading.
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let up = lines.by_ref().map_while(Result::ok).any(|line| line.contains("running"));
    assert!(up, "mosquitto ended before it listened");
    std::thread::spawn(move || lines.for_each(drop));
    process
}
