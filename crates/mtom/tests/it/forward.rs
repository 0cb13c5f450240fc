//! Readings for other programs: the real binary, the script of the docs, and both of them killed.

use crate::mtom::{Mtom, get};
use crate::{LIMIT, soon};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

const DOCS: &str = include_str!("../../../../docs/forward.md");
const TOPIC: &str = "Environ/Temperature";

/// The script below that heading, as everybody copies it.
fn script(heading: &str) -> &'static str {
    let (_, rest) = DOCS.split_once(heading).expect("docs/forward.md has it");
    let (_, rest) = rest.split_once("```python\n").expect("with a script");
    rest.split_once("```").expect("and it ends").0
}

/// Publishes so many readings and waits until the broker has them all.
fn publish(mtom: &Mtom, count: usize) {
    let address = mtom.ready.mqtt;
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
        .args(["-q", "1", "-t", TOPIC, "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("mosquitto_pub, which the set-up installs");
    let mut stdin = publisher.stdin.take().unwrap();
    for number in 0..count {
        writeln!(stdin, "{}.5 °C", number % 20).unwrap();
    }
    drop(stdin);
    assert!(publisher.wait().unwrap().success());
}

/// A script while it runs, and each line that it prints.
struct Reader {
    process: Child,
    lines: mpsc::Receiver<String>,
    /// Those that are no readings.
    remarks: mpsc::Receiver<String>,
}

/// Each line of what a process prints.
fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

impl Reader {
    fn start(folder: &Path, address: &str) -> Self {
        Self::with(script("## In Python"), folder, &[address, "kept.txt"])
    }

    fn with(script: &str, folder: &Path, arguments: &[&str]) -> Self {
        let path = folder.join("script.py");
        std::fs::write(&path, script).unwrap();
        let mut process = Command::new("python3")
            .arg(path)
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3, which the set-up installs");
        let lines = lines_of(process.stdout.take().unwrap());
        let remarks = lines_of(process.stderr.take().unwrap());
        Self { process, lines, remarks }
    }

    /// The id of the next line.
    fn id(&self) -> u64 {
        let line = self.lines.recv_timeout(LIMIT).expect("a line in time");
        let (id, rest) = line.split_once(' ').unwrap();
        assert!(rest.starts_with("Environ/Temperature ") && rest.ends_with(".5 °C"), "{line}");
        id.parse().unwrap()
    }

    fn expect_remark(&self, remark: &str) {
        assert_eq!(self.remarks.recv_timeout(LIMIT).expect("a remark in time"), remark);
    }

    fn expect_ids(&self, ids: impl IntoIterator<Item = u64>) {
        for id in ids {
            assert_eq!(self.id(), id);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_script_of_the_docs_misses_nothing_whoever_ends_and_however() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut mtom = Mtom::serve("up", data.path(), &[]);
    let address = mtom.ready.tcp.to_string();
    let again = format!("forward.tcp.listen={address}");
    publish(&mtom, 3_000);
    let reader = Reader::start(folder.path(), &address);
    // The gateway dies in the middle of it, and comes back where it was.
    reader.expect_ids(1..=500);
    mtom.kill();
    let mut mtom = Mtom::serve("up", data.path(), &[&again]);
    reader.expect_ids(501..=3_000);
    publish(&mtom, 1_000);
    // It is asked to end.
    assert!(mtom.stop("-TERM").success());
    let mtom = Mtom::serve("up", data.path(), &[&again]);
    publish(&mtom, 1_000);
    reader.expect_ids(3_001..=4_500);
    // The program dies in the middle of it: what it had not kept comes again.
    drop(reader);
    publish(&mtom, 100);
    let reader = Reader::start(folder.path(), &address);
    let first = reader.id();
    assert!((4_500..=5_001).contains(&first), "{first}");
    reader.expect_ids(first + 1..=5_100);
}

#[tokio::test]
async fn who_only_connects_gets_every_line_and_is_seen() {
    let mtom = Mtom::up(&[]);
    let mut client = TcpStream::connect(mtom.ready.tcp).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    soon("the log tells of it", async {
        loop {
            let log = mtom.get("/api/v1/log").await.to_string();
            if log.contains("viewers on tcp: 1") {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    publish(&mtom, 1);
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["id"], &line["celsius"]), (&Value::from(1), &Value::from(0.5)));
    let listens = mtom.get("/api/v1/status").await["listens"].clone();
    assert_eq!(listens["tcp"], mtom.ready.tcp.to_string());
    drop(mtom);
    assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0, "nothing else was said");
}

/// A network between a program and a gateway that loses every tenth reading.
async fn lose(near: UdpSocket, far: UdpSocket) {
    let (mut said, mut heard) = ([0; 1_024], [0; 1_024]);
    let (mut program, mut readings) = (None, 0_u64);
    loop {
        tokio::select! {
            Ok((len, from)) = near.recv_from(&mut said) => {
                program = Some(from);
                // The gateway may be away.
                let _ = far.send(&said[..len]).await;
            }
            Ok(len) = far.recv(&mut heard) => {
                let datagram = &heard[..len];
                let is_reading = datagram.starts_with(b"{\"seq\":");
                readings += u64::from(is_reading);
                if !is_reading || !readings.is_multiple_of(10) {
                    near.send_to(datagram, program.expect("it has asked")).await.unwrap();
                }
            }
            else => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_script_of_the_docs_counts_what_a_network_loses() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut mtom = Mtom::serve("up", data.path(), &["forward.udp.listen=127.0.0.1:0"]);
    let gateway = mtom.ready.udp.unwrap();
    let listens = mtom.get("/api/v1/status").await["listens"].clone();
    assert_eq!(listens["udp"], gateway.to_string());
    let [near, far] = ["127.0.0.1:0", "127.0.0.1:0"].map(UdpSocket::bind);
    let (near, far) = (near.await.unwrap(), far.await.unwrap());
    far.connect(gateway).await.unwrap();
    let address = near.local_addr().unwrap().to_string();
    let mut network = JoinSet::new();
    network.spawn(lose(near, far));
    let reader = Reader::with(script("## By UDP"), folder.path(), &[&address]);
    reader.expect_remark("0 of 0 lost");
    let arriving = |ids: RangeInclusive<u64>| ids.filter(|id| !id.is_multiple_of(10));
    for lot in 0..10 {
        // Few enough for any buffer, so that nobody else loses any.
        publish(&mtom, 50);
        reader.expect_ids(arriving(lot * 50 + 1..=lot * 50 + 50));
    }
    soon("all of it went out, and is told", async {
        loop {
            let metrics = get(mtom.ready.dashboard, "/metrics").await.1;
            let log = mtom.get("/api/v1/log").await.to_string();
            if metrics.contains("mtom_udp_subscribers 1\n")
                && metrics.contains("mtom_udp_readings_sent_total 500\n")
                && log.contains("viewers on udp: 1")
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(mtom.stop("-TERM").success());
    reader.expect_remark("50 of 500 lost");
    let again = format!("forward.udp.listen={gateway}");
    let mtom = Mtom::serve("up", data.path(), &[&again]);
    reader.expect_remark("0 of 0 lost");
    publish(&mtom, 20);
    reader.expect_ids(arriving(501..=520));
}

#[tokio::test]
async fn whom_the_configuration_names_is_sent_each_reading_unasked() {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = format!("forward.udp.targets=[\"{}\"]", receiver.local_addr().unwrap());
    let mtom = Mtom::up(&[&target]);
    assert_eq!(mtom.ready.udp, None);
    publish(&mtom, 3);
    for number in 1..=3 {
        let mut datagram = [0; 1_024];
        let len = soon("a datagram", receiver.recv(&mut datagram)).await.unwrap();
        let said: Value = serde_json::from_slice(&datagram[..len]).unwrap();
        assert_eq!((&said["seq"], &said["id"]), (&Value::from(number), &Value::from(number)));
    }
}
