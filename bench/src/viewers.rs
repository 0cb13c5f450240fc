//! A thousand live viewers: deliveries a second beside the same bytes written raw, and the memory
//! that one viewer costs. Every reading reaches every viewer, or the run fails.

use crate::mqtt::{connect, publish};
use crate::process;
use crate::{Row, median};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const VIEWERS: u64 = 1_000;
const RATIO: f64 = 0.7;
const VIEWER_KIB: f64 = 16.0;
const LIMIT: Duration = Duration::from_secs(60);

/// What all viewers have received together.
struct Tally {
    bytes: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
}

impl Tally {
    fn new() -> Arc<Self> {
        Arc::new(Self { bytes: 0.into(), wanted: u64::MAX.into(), reached: Notify::new() })
    }

    fn add(&self, count: usize) {
        let bytes = self.bytes.fetch_add(count as u64, Ordering::AcqRel) + count as u64;
        if bytes >= self.wanted.load(Ordering::Acquire) {
            self.reached.notify_one();
        }
    }

    async fn wait(&self, bytes: u64) -> Result<()> {
        self.wanted.store(bytes, Ordering::Release);
        let reached = async {
            while self.bytes.load(Ordering::Acquire) < bytes {
                self.reached.notified().await;
            }
        };
        timeout(LIMIT, reached).await.context("a viewer misses readings")
    }
}

/// Runs all rounds, once with one reading on its way and once with many.
pub(crate) async fn run(quick: bool) -> Result<Vec<Row>> {
    let rounds = if quick { 1 } else { 3 };
    let mut rows = Vec::new();
    let mut memory = Vec::new();
    for (window, readings) in [(1, 200), (32, 1_600)] {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let (rate, kib, frame_len) = mtom(window, readings).await?;
            ours.push(rate);
            memory.push(kib);
            floor.push(raw(window, readings, frame_len).await?);
            println!("round {}: mtom {rate:.0}/s, raw {:.0}/s", round + 1, floor[round]);
        }
        let (ours, floor) = (median(&mut ours), median(&mut floor));
        rows.push(Row {
            what: format!("1,000 live viewers, {window} reading(s) on the way"),
            measured: format!("{ours:.0} deliveries/s"),
            beside: format!("raw TCP writes {floor:.0}/s"),
            target: Some((format!("{:.2} ≥ {RATIO}", ours / floor), ours >= RATIO * floor)),
        });
    }
    let kib = median(&mut memory);
    rows.push(Row {
        what: "  memory for each viewer".into(),
        measured: format!("{kib:.1} KiB"),
        beside: String::new(),
        target: Some((format!("≤ {VIEWER_KIB} KiB"), kib <= VIEWER_KIB)),
    });
    Ok(rows)
}

/// Deliveries a second, KiB a viewer, bytes of a frame.
async fn mtom(window: u64, readings: u64) -> Result<(f64, f64, u8)> {
    let mtom = process::mtom(&["simulate.sensors=0", "simulate.actuators=0", "rule=[]"])?;
    let mut publisher = connect(mtom.mqtt, "viewers").await?;
    let reading = publish("Environ/Temperature", "23.4 °C", 1);
    let before = mtom.process.rss_kib()?;
    let tally = Tally::new();
    let mut viewers = JoinSet::new();
    for _ in 0..VIEWERS {
        let socket = viewer(mtom.live).await?;
        viewers.spawn(count(socket, Arc::clone(&tally)));
    }
    let kib = (mtom.process.rss_kib()? - before) / VIEWERS as f64;
    // The first reading shows the length of a frame and that everybody is there.
    publisher.write_all(&reading).await?;
    let frame_len = first_frame_len(mtom.live).await?;
    let frame = u64::from(frame_len) * VIEWERS;
    tally.wait(frame).await?;
    let (mut reader, mut writer) = publisher.into_split();
    let acks = async {
        let mut ack = [0; 1024];
        while reader.read(&mut ack).await.is_ok_and(|count| count > 0) {}
    };
    let start = Instant::now();
    let sending = async {
        for n in 1..=readings {
            writer.write_all(&reading).await?;
            tally.wait(frame * (n + 1).saturating_sub(window)).await?;
        }
        tally.wait(frame * (readings + 1)).await
    };
    tokio::select! {
        sent = sending => sent?,
        () = acks => anyhow::bail!("the broker closed the connection"),
    }
    let rate = (readings * VIEWERS) as f64 / start.elapsed().as_secs_f64();
    viewers.shutdown().await;
    Ok((rate, kib, frame_len))
}

async fn raw(window: u64, readings: u64, frame_len: u8) -> Result<f64> {
    let (_floor, addresses) = process::floor("raw")?;
    let mut control = TcpStream::connect(addresses[0]).await?;
    control.set_nodelay(true)?;
    let tally = Tally::new();
    let mut viewers = JoinSet::new();
    for _ in 0..VIEWERS {
        let socket = TcpStream::connect(addresses[1]).await?;
        viewers.spawn(count(socket, Arc::clone(&tally)));
    }
    // Accepted are all of them once a frame has reached all of them; those who came late missed some.
    let frame = u64::from(frame_len) * VIEWERS;
    loop {
        tally.bytes.store(0, Ordering::Release);
        control.write_all(&[frame_len]).await?;
        if timeout(Duration::from_millis(500), tally.wait(frame)).await.is_ok() {
            break;
        }
    }
    tally.bytes.store(0, Ordering::Release);
    let start = Instant::now();
    for n in 1..=readings {
        control.write_all(&[frame_len]).await?;
        tally.wait(frame * n.saturating_sub(window - 1)).await?;
    }
    tally.wait(frame * readings).await?;
    let rate = (readings * VIEWERS) as f64 / start.elapsed().as_secs_f64();
    viewers.shutdown().await;
    Ok(rate)
}

async fn count(mut socket: TcpStream, tally: Arc<Tally>) {
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => tally.add(count),
        }
    }
}

/// A WebSocket that has asked for `realtime`.
async fn viewer(live: SocketAddr) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(live).await?;
    socket.set_nodelay(true)?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {live}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await?);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "no WebSocket");
    // A mask of zeros masks nothing.
    let mut frame = vec![0x81, 0x80 | 8, 0, 0, 0, 0];
    frame.extend(b"realtime");
    socket.write_all(&frame).await?;
    Ok(socket)
}

/// The length of one frame: a late viewer gets the last known reading at once.
async fn first_frame_len(live: SocketAddr) -> Result<u8> {
    let mut socket = viewer(live).await?;
    let mut head = [0; 2];
    timeout(LIMIT, socket.read_exact(&mut head)).await??;
    ensure!(head[0] == 0x81 && head[1] < 126, "not a short text frame: {head:?}");
    Ok(head[1] + 2)
}
