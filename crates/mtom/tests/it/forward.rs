//! Readings for other programs: the real binary, the script of the docs, and both of them killed.

use crate::mtom::Mtom;
use crate::{LIMIT, soon};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

const DOCS: &str = include_str!("../../../../docs/forward.md");
const TOPIC: &str = "Environ/Temperature";

/// The script, as everybody copies it.
fn script() -> &'static str {
    let (_, rest) = DOCS.split_once("```python\n").expect("docs/forward.md has a script");
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

/// The script while it runs, and each line that it prints.
struct Reader {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Reader {
    fn start(folder: &Path, address: &str) -> Self {
        let path = folder.join("readings.py");
        std::fs::write(&path, script()).unwrap();
        let mut process = Command::new("python3")
            .arg(path)
            .args([address, "kept.txt"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3, which the set-up installs");
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { process, lines }
    }

    /// The id of the next line.
    fn id(&self) -> u64 {
        let line = self.lines.recv_timeout(LIMIT).expect("a line in time");
        let (id, rest) = line.split_once(' ').unwrap();
        assert!(rest.starts_with("Environ/Temperature ") && rest.ends_with(".5 °C"), "{line}");
        id.parse().unwrap()
    }

    fn expect_ids(&self, ids: std::ops::RangeInclusive<u64>) {
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
