//! A thousand live viewers that only count, and the publisher that keeps the server busy for them.
//!
//! One thread. The publisher keeps a window of readings between what is published and what the
//! viewers have got on average: the server always has work, and no viewer falls so far behind that it
//! would skip. In the end each viewer must have got each reading once.
//! With `kind=raw` there is no handshake: the floor sends frames from the start.

use super::counter::FrameCounter;
use super::role::{self, Words};
use super::{mqtt, proc};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const DRAIN_MAX: Duration = Duration::from_secs(20);
const ANSWER_MAX: Duration = Duration::from_secs(20);
const BUFFER_LEN: usize = 8 * 1024;
/// `realtime` as a client's text frame under the mask 0.
const REALTIME: &[u8] = b"\x81\x88\0\0\0\0realtime";

/// The role. Says what it measured, then stays connected until it is dismissed.
pub(crate) async fn play(words: &Words) -> Result<()> {
    let (live, publisher): (String, String) = (words.get("live")?, words.get("publisher")?);
    let (count, window): (usize, u64) = (words.get("viewers")?, words.get("window")?);
    let (server_pid, kind): (u32, String) = (words.get("server_pid")?, words.get("kind")?);
    let is_raw = kind == "raw";
    let shared = Arc::new(Shared::new(count, window));
    let mut tasks = JoinSet::new();
    let mut viewers = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = TcpStream::connect(&live).await.context("cannot connect a viewer")?;
        viewers.push(if is_raw { stream } else { enter(stream, &live).await? });
    }
    for (number, stream) in viewers.into_iter().enumerate() {
        tasks.spawn(view(stream, number, shared.clone()));
    }
    let publisher = match is_raw {
        true => TcpStream::connect(&publisher).await?,
        false => mqtt::connect(&publisher, "bench-publisher").await?,
    };
    publisher.set_nodelay(true)?;
    let (answers, publisher) = publisher.into_split();
    tasks.spawn(hear(answers));
    tasks.spawn(publish(publisher, shared.clone()));
    undisturbed(&mut tasks, words.millis("warm")?).await?;
    let before = Sample::take(&shared, server_pid)?;
    undisturbed(&mut tasks, words.millis("measure")?).await?;
    let after = Sample::take(&shared, server_pid)?;
    shared.stop.store(true, Ordering::Relaxed);
    let drained = timeout(DRAIN_MAX, async {
        while shared.delivered() < shared.published.load(Ordering::Relaxed) * count as u64 {
            undisturbed(&mut tasks, Duration::from_millis(5)).await?;
        }
        anyhow::Ok(())
    });
    let missing = || format!("{kind}: {} of {}", shared.delivered(), shared.owed());
    drained.await.with_context(|| format!("not everything was delivered, {}", missing()))??;
    let published = shared.published.load(Ordering::Relaxed);
    let exact = shared.viewers.iter().all(|seen| seen.load(Ordering::Relaxed) == published);
    ensure!(exact, "a viewer did not get each of the {published} readings once");
    println!("{}", after.since(&before));
    role::dismissed().await;
    Ok(())
}

struct Shared {
    window: u64,
    viewers: Vec<AtomicU64>,
    published: AtomicU64,
    delivered: AtomicU64,
    bytes: AtomicU64,
    reads: AtomicU64,
    stop: AtomicBool,
    /// Rung when the viewers have got one more reading on average.
    further: Notify,
}

impl Shared {
    fn new(count: usize, window: u64) -> Self {
        Self {
            window,
            viewers: (0..count).map(|_| AtomicU64::new(0)).collect(),
            published: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            further: Notify::new(),
        }
    }

    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    fn owed(&self) -> u64 {
        self.published.load(Ordering::Relaxed) * self.viewers.len() as u64
    }
}

/// Shakes hands, asks for `realtime`, and takes the last known reading, which comes at once.
async fn enter(mut stream: TcpStream, host: &str) -> Result<TcpStream> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(timeout(ANSWER_MAX, stream.read_u8()).await.context("no handshake")??);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    stream.write_all(REALTIME).await?;
    let mut head = [0; 2];
    timeout(ANSWER_MAX, stream.read_exact(&mut head)).await.context("no last known reading")??;
    ensure!(head[0] == 0x81 && head[1] < 126, "no reading begins with {head:02x?}");
    stream.read_exact(&mut vec![0; usize::from(head[1])]).await?;
    Ok(stream)
}

async fn view(mut stream: TcpStream, number: usize, shared: Arc<Shared>) -> Result<()> {
    let count = shared.viewers.len() as u64;
    let mut frames = FrameCounter::default();
    let mut bytes = vec![0; BUFFER_LEN];
    loop {
        let len = stream.read(&mut bytes).await?;
        if len == 0 {
            bail!("the server closed a viewer's connection");
        }
        let came = frames.count(&bytes[..len])?;
        shared.viewers[number].fetch_add(came, Ordering::Relaxed);
        shared.bytes.fetch_add(len as u64, Ordering::Relaxed);
        shared.reads.fetch_add(1, Ordering::Relaxed);
        let before = shared.delivered.fetch_add(came, Ordering::Relaxed);
        if before / count != (before + came) / count {
            shared.further.notify_one();
        }
    }
}

/// QoS 0, because the broker takes one QoS 1 message of a connection per commit. A ping goes ahead of
/// each write: without an answer to ride on, the system would delay its TCP acknowledgements by 40 ms
/// and what limits the run would be our own socket.
async fn publish(mut stream: OwnedWriteHalf, shared: Arc<Shared>) -> Result<()> {
    let packet = mqtt::publish(mqtt::TOPIC, mqtt::PAYLOAD, None)?;
    let packets = [&mqtt::PING[..], &packet.repeat(usize::try_from(shared.window)?)].concat();
    let count = shared.viewers.len() as u64;
    loop {
        let published = shared.published.load(Ordering::Relaxed);
        let due = (shared.delivered() / count + shared.window).saturating_sub(published);
        if due > 0 && !shared.stop.load(Ordering::Relaxed) {
            shared.published.fetch_add(due, Ordering::Relaxed);
            let len = mqtt::PING.len() + usize::try_from(due)? * packet.len();
            stream.write_all(&packets[..len]).await?;
        }
        shared.further.notified().await;
    }
}

/// Takes the answers to the pings.
async fn hear(mut stream: OwnedReadHalf) -> Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    bail!("the broker closed the publisher's connection")
}

/// Lets everything go on; a connection that ends is an error.
async fn undisturbed(tasks: &mut JoinSet<Result<()>>, time: Duration) -> Result<()> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        Some(ended) = tasks.join_next() => {
            ended??;
            bail!("a connection ended before the end");
        }
    }
}

struct Sample {
    at: Instant,
    delivered: u64,
    bytes: u64,
    reads: u64,
    own_cpu: Duration,
    server_cpu: Duration,
}

impl Sample {
    fn take(shared: &Shared, server_pid: u32) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            delivered: shared.delivered(),
            bytes: shared.bytes.load(Ordering::Relaxed),
            reads: shared.reads.load(Ordering::Relaxed),
            own_cpu: proc::cpu(std::process::id())?,
            server_cpu: proc::cpu(server_pid)?,
        })
    }

    fn since(&self, before: &Self) -> Value {
        let seconds = (self.at - before.at).as_secs_f64();
        let delivered = (self.delivered - before.delivered) as f64;
        json!({
            "deliveries_per_s": delivered / seconds,
            "bytes_each": (self.bytes - before.bytes) as f64 / delivered,
            "frames_per_read": delivered / (self.reads - before.reads) as f64,
            "own_cpu": (self.own_cpu - before.own_cpu).as_secs_f64() / seconds,
            "server_cpu": (self.server_cpu - before.server_cpu).as_secs_f64() / seconds,
        })
    }
}
