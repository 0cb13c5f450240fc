//! The processes that are measured: started, watched and ended.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    _dir: Option<TempDir>,
}

/// mtom and where it listens.
pub(crate) struct Mtom {
    pub(crate) process: Process,
    pub(crate) mqtt: SocketAddr,
    pub(crate) live: SocketAddr,
    pub(crate) dashboard: SocketAddr,
}

impl Process {
    /// The memory it holds, in KiB.
    pub(crate) fn rss_kib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS")).context("no VmRSS")?;
        Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
    }

    /// The processor time it has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(&self.child.id().to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time of `pid` (or `self`), in seconds.
pub(crate) fn cpu_seconds(pid: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("short")?.parse()?) };
    // utime and stime, in USER_HZ, which Linux shows as 100 everywhere.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// The path of the binary under test.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("MTOM_BIN") {
        return Ok(path.into());
    }
    let beside = std::env::current_exe()?.with_file_name("mtom");
    if !beside.exists() {
        bail!("no mtom beside {}: build it, or name it in MTOM_BIN", beside.display());
    }
    Ok(beside)
}

/// Starts `mtom up` on free ports in a folder of its own.
pub(crate) fn mtom(sets: &[&str]) -> Result<Mtom> {
    let dir = tempfile::tempdir()?;
    let ready = dir.path().join("ready.json");
    let mut command = Command::new(binary()?);
    command.arg("up").arg("--ready-file").arg(&ready).current_dir(dir.path());
    for section in ["broker", "live", "history", "dashboard"] {
        command.args(["--set", &format!("{section}.listen=127.0.0.1:0")]);
    }
    for set in sets {
        command.args(["--set", set]);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start mtom")?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    if !lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("Ctrl-C")) {
        bail!("mtom ended before it was up");
    }
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&ready)?)?;
    let address = |key: &str| -> Result<SocketAddr> {
        Ok(json[key].as_str().context("no address")?.parse()?)
    };
    Ok(Mtom {
        mqtt: address("mqtt")?,
        live: address("live")?,
        dashboard: address("dashboard")?,
        process: Process { child, _dir: Some(dir) },
    })
}

/// Starts a mosquitto without limits of its own and without a disk.
pub(crate) fn mosquitto() -> Result<(Process, SocketAddr)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let dir = tempfile::tempdir()?;
    let config = dir.path().join("mosquitto.conf");
    std::fs::write(
        &config,
        format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n\
             max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\n",
            address.port()
        ),
    )?;
    let mut child = Command::new("mosquitto")
        .env("PATH", path_with_sbin())
        .arg("-c")
        .arg(&config)
        .stderr(Stdio::piped())
        .spawn()
        .context("mosquitto is not installed")?;
    let mut lines = BufReader::new(child.stderr.take().context("no output")?).lines();
    if !lines.by_ref().map_while(Result::ok).any(|line| line.contains("running")) {
        bail!("mosquitto ended before it listened");
    }
    std::thread::spawn(move || lines.for_each(drop));
    Ok((Process { child, _dir: Some(dir) }, address))
}

/// Starts one of the floors as a process of its own; it prints its addresses.
pub(crate) fn floor(name: &str) -> Result<(Process, Vec<SocketAddr>)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["floor", name])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    let addresses: Result<Vec<SocketAddr>, _> = line.split_whitespace().map(str::parse).collect();
    Ok((Process { child, _dir: None }, addresses?))
}

fn path_with_sbin() -> String {
    format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default())
}
