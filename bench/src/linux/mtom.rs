//! The binary under test as a process, in a folder of its own on a real disk.

use super::mqtt;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long it may take until it listens.
const READY_MAX: Duration = Duration::from_secs(20);
const WARM_READINGS: u32 = 6_000;
/// How long the journal may take to hold what was published.
const STORED_MAX: Duration = Duration::from_secs(60);

/// A folder that is removed when dropped.
pub(crate) struct Dir(PathBuf);

impl Dir {
    /// Beside this program, because `/tmp` is memory on many computers and a commit there costs
    /// nothing.
    pub(crate) fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let own = std::env::current_exe()?;
        let name =
            format!("bench-data-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = own.parent().context("this program is in no folder")?.join(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // It is in the build folder; `cargo clean` removes what this cannot.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `mtom up`; killed when dropped.
pub(crate) struct Mtom {
    pub(crate) mqtt: String,
    pub(crate) live: String,
    pub(crate) dashboard: String,
    pub(crate) pid: u32,
    child: Child,
    pub(crate) dir: Dir,
}

impl Mtom {
    /// Starts it on free ports without a simulated sensor, and waits until it listens.
    pub(crate) async fn start(sets: &[String]) -> Result<Self> {
        let sets = [&["simulate.sensors=0".to_owned()], sets].concat();
        Self::start_with(&sets).await
    }

    /// Starts it and publishes more than the live ring holds, so that what grows with readings is not counted as a
    /// viewer's.
    pub(crate) async fn start_warm() -> Result<Self> {
        let mtom = Self::start(&[]).await?;
        let mut sensor = mqtt::connect(&mtom.mqtt, "bench-warm").await?;
        let packet = mqtt::publish(mqtt::TOPIC, mqtt::PAYLOAD, None)?;
        for _ in 0..WARM_READINGS {
            sensor.write_all(&packet).await?;
        }
        mtom.stored(WARM_READINGS.into()).await?;
        Ok(mtom)
    }

    /// Starts it with its defaults but for the ports, and waits until it listens.
    pub(crate) async fn start_with(sets: &[String]) -> Result<Self> {
        let dir = Dir::new()?;
        let ready_file = dir.path().join("ready.json");
        let log_path = dir.path().join("mtom.log");
        let log = std::fs::File::create(&log_path)?;
        let binary = binary()?;
        let mut command = Command::new(&binary);
        command.arg("up").args(["--set", &format!("data.dir={}", dir.path().display())]);
        for port in ["broker", "live", "history", "forward.tcp", "dashboard"] {
            command.args(["--set", &format!("{port}.listen=127.0.0.1:0")]);
        }
        for set in sets {
            command.args(["--set", set]);
        }
        let mut child = command
            .arg("--ready-file")
            .arg(&ready_file)
            // A folder without an mtom.toml of somebody's.
            .current_dir(dir.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let pid = child.id().context("it has just been started")?;
        let until = Instant::now() + READY_MAX;
        let ready = loop {
            if let Ok(ready) = std::fs::read_to_string(&ready_file) {
                break ready;
            }
            if child.try_wait()?.is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                bail!("{} does not get ready:\n{log}", binary.display());
            }
            sleep(Duration::from_millis(1)).await;
        };
        let ready: Value = serde_json::from_str(&ready)?;
        let address = |key: &str| {
            let address = ready[key].as_str().map(str::to_owned);
            address.with_context(|| format!("the ready file lacks {key}"))
        };
        Ok(Self {
            mqtt: address("mqtt")?,
            live: address("live")?,
            dashboard: address("dashboard")?,
            pid,
            child,
            dir,
        })
    }

    /// A number of the account: `stored`, `rejected`, …
    pub(crate) async fn audit(&self, key: &str) -> Result<u64> {
        let body = self.get("/api/v1/audit").await?;
        let audit: Value = serde_json::from_str(&body).context("the audit is no JSON")?;
        audit[key].as_u64().with_context(|| format!("the audit has no {key}"))
    }

    /// A number without labels of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> Result<u64> {
        let body = self.get("/metrics").await?;
        let values = body.lines().filter_map(|line| line.split_once(' '));
        let value = values.filter(|(found, _)| *found == name).map(|(_, value)| value).next();
        value.and_then(|value| value.parse().ok()).with_context(|| format!("no metric {name}"))
    }

    async fn get(&self, path: &str) -> Result<String> {
        let mut socket = TcpStream::connect(&self.dashboard).await?;
        let host = &self.dashboard;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        Ok(body.to_owned())
    }

    /// Waits until `count` readings are stored.
    pub(crate) async fn stored(&self, count: u64) -> Result<()> {
        timeout(STORED_MAX, async {
            while self.audit("stored").await? < count {
                sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        })
        .await
        .with_context(|| format!("{count} readings are not stored in time"))?
    }

    /// Ends it.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.child.kill().await.context("cannot end mtom")
    }
}

/// The binary under test.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("MTOM_BIN") {
        return Ok(path.into());
    }
    let path = std::env::current_exe()?.with_file_name("mtom");
    if !path.exists() {
        bail!("no {}: build it (cargo build --release) or set MTOM_BIN", path.display());
    }
    Ok(path)
}
