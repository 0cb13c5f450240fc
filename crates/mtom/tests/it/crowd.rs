//! A thousand viewers of the real binary: everybody gets everything, and nothing of them is left when they have gone.

use crate::mtom::Mtom;
use crate::{LIMIT, soon};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, yield_now};

const VIEWERS: usize = 1_000;
const BURST_LEN: usize = 100;
const ROUNDS: usize = 3;
/// `realtime` as a client's text frame under the mask 0.
const REALTIME: &[u8] = b"\x81\x88\0\0\0\0realtime";

/// One that sees the bytes as they are: a thousand of them cost little.
struct Viewer {
    tcp: TcpStream,
    /// What came behind the last frame.
    bytes: Vec<u8>,
}

impl Viewer {
    /// Opens the connection and asks for the stream.
    async fn join(live: SocketAddr) -> Self {
        let mut tcp = soon("a connection", TcpStream::connect(live)).await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {live}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        tcp.write_all(&[request.as_bytes(), REALTIME].concat()).await.unwrap();
        let mut viewer = Self { tcp, bytes: Vec::new() };
        let head_len = loop {
            if let Some(at) = viewer.bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            viewer.more().await;
        };
        assert!(viewer.bytes.starts_with(b"HTTP/1.1 101 "));
        viewer.bytes.drain(..head_len);
        viewer
    }

    async fn more(&mut self) {
        let len = soon("bytes", self.tcp.read_buf(&mut self.bytes)).await.unwrap();
        assert!(len > 0, "the gateway closed the connection");
    }

    /// The value of the next reading.
    async fn celsius(&mut self) -> f64 {
        loop {
            if let [first, len, rest @ ..] = &self.bytes[..] {
                assert_eq!(*first, 0x81);
                assert!(*len < 126);
                if let Some(text) = rest.get(..usize::from(*len)) {
                    let told: serde_json::Value = serde_json::from_slice(text).unwrap();
                    self.bytes.drain(..2 + text.len());
                    return told["response"]["temp"].as_f64().unwrap();
                }
            }
            self.more().await;
        }
    }
}

/// Lets this process have as many open files as the system lets it.
fn allow_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// Open files of a process.
fn files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Publishes all of these in one go.
async fn publish(mqtt: SocketAddr, values: impl Iterator<Item = f64>) {
    let mut bytes = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05crowd".to_vec();
    for value in values {
        let payload = value.to_string();
        let topic = b"\x00\x13Environ/Temperature";
        bytes.extend([0x30, u8::try_from(topic.len() + payload.len()).unwrap()]);
        bytes.extend([&topic[..], payload.as_bytes()].concat());
    }
    let mut sensor = TcpStream::connect(mqtt).await.unwrap();
    sensor.write_all(&bytes).await.unwrap();
    // PINGREQ: its answer, behind CONNACK, shows that the broker has taken all of it.
    sensor.write_all(&[0xc0, 0]).await.unwrap();
    let mut answers = [0; 6];
    soon("an answer", sensor.read_exact(&mut answers)).await.unwrap();
    assert_eq!(answers, [0x20, 2, 0, 0, 0xd0, 0]);
}

#[tokio::test]
async fn a_thousand_viewers_get_everything_and_leave_nothing_behind() {
    allow_files();
    let mut mtom = Mtom::up(&["simulate.sensors=0", "simulate.actuators=0"]);
    let (live, mqtt, pid) = (mtom.ready.live, mtom.ready.mqtt, mtom.pid());
    publish(mqtt, [-1.0].into_iter()).await;
    // The first of all sees that it has arrived; from then on everybody begins with the last known reading.
    let mut first = Viewer::join(live).await;
    assert_eq!(first.celsius().await, -1.0);
    let before = files(pid);
    let mut last = -1.0;
    for round in 0..ROUNDS {
        let mut viewers = Vec::new();
        for _ in 0..VIEWERS {
            let mut viewer = Viewer::join(live).await;
            assert_eq!(viewer.celsius().await, last);
            viewers.push(viewer);
        }
        assert!(files(pid) >= before + VIEWERS);
        let values = (0..BURST_LEN).map(move |number| (round * BURST_LEN + number) as f64 / 8.0);
        publish(mqtt, values.clone()).await;
        let mut all = JoinSet::new();
        for mut viewer in viewers {
            let values = values.clone();
            all.spawn(async move {
                for value in values {
                    assert_eq!(viewer.celsius().await, value);
                }
            });
        }
        while let Some(one) = all.join_next().await {
            one.unwrap();
        }
        for value in values {
            assert_eq!(first.celsius().await, value);
            last = value;
        }
        let begun = Instant::now();
        while files(pid) > before {
            assert!(begun.elapsed() < LIMIT, "{} files, {before} before", files(pid));
            yield_now().await;
        }
    }
    assert!(mtom.stop("-TERM").success());
}
