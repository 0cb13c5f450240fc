//! mosquitto as the peer: nothing on disk, no limits on what waits.

use super::mtom::Dir;
use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// Where Debian keeps it; a person's PATH often leaves this folder out.
const DEBIAN: &str = "/usr/sbin/mosquitto";

/// A running mosquitto; killed when dropped.
pub(crate) struct Mosquitto {
    pub(crate) address: String,
    pub(crate) pid: u32,
    child: Child,
    _dir: Dir,
}

impl Mosquitto {
    /// Starts it and waits until it accepts.
    pub(crate) async fn start() -> Result<Self> {
        let dir = Dir::new()?;
        // It cannot choose a port by itself. Nobody else here asks for one in between.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = dir.path().join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence false\n\
             max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\nlog_type none\n",
            address.port()
        );
        std::fs::write(&config, text)?;
        let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "mosquitto" };
        let mut child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start mosquitto (apt-get install mosquitto)")?;
        let address = address.to_string();
        while TcpStream::connect(&address).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("mosquitto ended with {status}");
            }
            sleep(Duration::from_millis(2)).await;
        }
        let pid = child.id().context("it has just accepted a connection")?;
        Ok(Self { address, pid, child, _dir: dir })
    }

    /// Ends it.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("cannot end mosquitto")
    }
}
