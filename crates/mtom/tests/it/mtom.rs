//! The real binary as a process of the test's own.

use crate::{LIMIT, soon};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// The binary with its arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mtom"));
    command.args(arguments).env("TZ", "UTC").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    output(command(arguments))
}

/// Runs a command that is to end by itself.
pub(crate) fn output(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _limit = Limit::new(child.id(), LIMIT);
    child.wait_with_output().unwrap()
}

/// Kills a process that has not ended within its limit; its status tells then.
pub(crate) struct Limit {
    _ended: mpsc::Sender<()>,
}

impl Limit {
    pub(crate) fn new(pid: u32, limit: Duration) -> Self {
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        });
        Self { _ended: sender }
    }
}

/// A process that serves; killed when dropped.
pub(crate) struct Mtom {
    process: Child,
    pub(crate) ready: Ready,
    pub(crate) dir: PathBuf,
    _own_dir: Option<TempDir>,
}

/// Where it listens.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) mqtt: SocketAddr,
    pub(crate) live: SocketAddr,
    pub(crate) history: SocketAddr,
    pub(crate) tcp: SocketAddr,
    /// Where it is configured.
    pub(crate) udp: Option<SocketAddr>,
    pub(crate) dashboard: SocketAddr,
}

impl Mtom {
    /// `mtom up` on free ports without simulated devices, in a folder of its own.
    pub(crate) fn up(sets: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut mtom = Self::serve("up", dir.path(), sets);
        mtom._own_dir = Some(dir);
        mtom
    }

    /// `mtom up` or `mtom gateway` with its data in `dir`.
    pub(crate) fn serve(role: &str, dir: &Path, sets: &[&str]) -> Self {
        Self::start(serving(role, dir, sets), dir)
    }

    /// What [`serving`] has prepared.
    pub(crate) fn start(mut command: Command, dir: &Path) -> Self {
        let ready_file = dir.join("ready.json");
        let _ = std::fs::remove_file(&ready_file);
        let mut process =
            command.arg("--ready-file").arg(&ready_file).stdout(Stdio::piped()).spawn().unwrap();
        wait_for_line(process.stdout.take().unwrap(), "Ctrl-C stops it");
        let ready = Ready::read(&ready_file);
        Self { process, ready, dir: dir.to_owned(), _own_dir: None }
    }

    /// Its number at the system.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end with `signal` and waits.
    pub(crate) fn stop(&mut self, signal: &str) -> ExitStatus {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let _limit = Limit::new(self.process.id(), LIMIT);
        self.process.wait().unwrap()
    }

    /// GET from the HTTP API.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = get(self.ready.dashboard, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The first actuator as the API tells it, once it is as wanted; `what` says what that is.
    pub(crate) async fn actuator_when(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        soon(what, async {
            loop {
                let actuator = self.get("/api/v1/actuators").await["actuators"][0].clone();
                if wanted(&actuator) {
                    return actuator;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

impl Drop for Mtom {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ready {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let address = |key: &str| json[key].as_str().unwrap().parse().unwrap();
        Self {
            mqtt: address("mqtt"),
            live: address("live"),
            history: address("history"),
            tcp: address("tcp"),
            udp: json["udp"].as_str().unwrap().parse().ok(),
            dashboard: address("dashboard"),
        }
    }
}

/// The command line of a serving process on free ports.
pub(crate) fn serving(role: &str, dir: &Path, sets: &[&str]) -> Command {
    let mut all = vec![format!("data.dir={}", dir.display())];
    for section in ["broker", "live", "history", "forward.tcp", "dashboard"] {
        all.push(format!("{section}.listen=127.0.0.1:0"));
    }
    all.extend(["simulate.sensors=0", "simulate.actuators=0"].map(str::to_owned));
    all.extend(sets.iter().map(ToString::to_string));
    let mut command = command(&[role]);
    // A folder without an mtom.toml of somebody's.
    command.current_dir(dir);
    for set in all {
        command.args(["--set", &set]);
    }
    command
}

/// Waits until the process has printed a line with `wanted`; goes on reading after it.
pub(crate) fn wait_for_line(stdout: ChildStdout, wanted: &'static str) {
    let (seen, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        if lines.by_ref().map_while(Result::ok).any(|line| line.contains(wanted)) {
            let _ = seen.send(());
        }
        lines.for_each(drop);
    });
    wait.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("it never printed {wanted:?}"));
}

/// A bare HTTP GET.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\n"), "").await
}

/// A bare HTTP PUT.
pub(crate) async fn put(address: SocketAddr, path: &str, kind: &str, body: &str) -> (u16, String) {
    send(address, "PUT", path, kind, body).await
}

pub(crate) async fn post(address: SocketAddr, path: &str, kind: &str, body: &str) -> (u16, String) {
    send(address, "POST", path, kind, body).await
}

async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    kind: &str,
    body: &str,
) -> (u16, String) {
    let len = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n");
    ask(address, &head, body).await
}

async fn ask(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("{head}Host: {address}\r\nConnection: close\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

/// `mosquitto_pub`, acknowledged; false where it is not installed (said as SKIPPED).
pub(crate) fn mosquitto_pub(broker: SocketAddr, topic: &str, payload: &[u8]) -> bool {
    mosquitto(broker, topic, payload, &[])
}

/// The same, kept by the broker; an empty one takes back what was.
pub(crate) fn mosquitto_retain(broker: SocketAddr, topic: &str, payload: &[u8]) -> bool {
    mosquitto(broker, topic, payload, &["-r"])
}

fn mosquitto(broker: SocketAddr, topic: &str, payload: &[u8], more: &[&str]) -> bool {
    let (host, port) = (broker.ip().to_string(), broker.port().to_string());
    // It takes no empty message from its input.
    let source = if payload.is_empty() { "-n" } else { "-s" };
    let process = Command::new("mosquitto_pub")
        .args(["-h", &host, "-p", &port, "-q", "1", "-t", topic, source])
        .args(more)
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut process) = process else {
        assert!(std::env::var_os("CI").is_none(), "mosquitto_pub is missing: CI must not skip");
        eprintln!("SKIPPED: mosquitto_pub is not installed (apt-get install mosquitto-clients)");
        return false;
    };
    let mut stdin = process.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, payload).unwrap();
    drop(stdin);
    assert!(process.wait().unwrap().success());
    true
}
