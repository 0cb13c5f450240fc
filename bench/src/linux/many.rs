//! Ten thousand live viewers that only count, on one epoll and one thread, and the publisher beside them.
//!
//! As little as a viewer can cost, so that what is measured is who writes to them. One message at a time: the next is
//! published when every viewer has the one before. Then bursts: many messages in one write, and again everybody has
//! all of them before the next. With `kind=raw` there is no handshake.

use super::counter::FrameCounter;
use super::role::{self, Words};
use super::{mqtt, proc};
use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const ANSWER_MAX: Duration = Duration::from_secs(30);
const BUFFER_LEN: usize = 64 * 1024;
const EVENTS_MAX: usize = 4_096;
/// `realtime` as a client's text frame under the mask 0.
const REALTIME: &[u8] = b"\x81\x88\0\0\0\0realtime";
/// The first are not measured.
const WARM: usize = 3;

/// The role. Says what it measured, then stays connected until it is dismissed.
pub(crate) async fn play(words: &Words) -> Result<()> {
    let live: SocketAddr = words.get("live")?;
    let (publisher, kind): (String, String) = (words.get("publisher")?, words.get("kind")?);
    let (count, server_pid): (usize, u32) = (words.get("viewers")?, words.get("server_pid")?);
    let (messages, bursts): (usize, usize) = (words.get("messages")?, words.get("bursts")?);
    let burst_len: u64 = words.get("burst_len")?;
    let is_raw = kind == "raw";
    let begun = Instant::now();
    let mut crowd = Crowd::new(count)?;
    for _ in 0..count {
        crowd.join(&live, is_raw)?;
    }
    let joined_s = begun.elapsed().as_secs_f64();
    let publisher = match is_raw {
        true => tokio::net::TcpStream::connect(&publisher).await?,
        false => mqtt::connect(&publisher, "bench-publisher").await?,
    };
    let mut publisher = publisher.into_std()?;
    publisher.set_nonblocking(false)?;
    publisher.set_nodelay(true)?;
    let message = mqtt::publish(mqtt::TOPIC, mqtt::PAYLOAD, None)?;
    let burst = message.repeat(usize::try_from(burst_len)?);
    let mut times = Vec::new();
    let cpu = || Ok::<_, anyhow::Error>((proc::cpu(std::process::id())?, proc::cpu(server_pid)?));
    let mut before = cpu()?;
    for number in 0..WARM + messages {
        if number == WARM {
            before = cpu()?;
        }
        times.push(crowd.time(&mut publisher, &message, 1)?);
    }
    let after = cpu()?;
    let mut burst_times = Vec::new();
    for _ in 0..bursts {
        burst_times.push(crowd.time(&mut publisher, &burst, burst_len)?);
    }
    let each = |time: Duration| time.as_secs_f64() * 1e3 / messages as f64;
    let said = json!({
        "joined_s": joined_s,
        "times_ms": in_ms(times.get(WARM..).unwrap_or_default()),
        "burst_times_ms": in_ms(&burst_times),
        "bytes_each": crowd.bytes as f64 / crowd.got as f64,
        "frames_per_read": crowd.got as f64 / crowd.reads as f64,
        "own_cpu_ms": each(after.0 - before.0),
        "server_cpu_ms": each(after.1 - before.1),
    });
    println!("{said}");
    role::dismissed().await;
    Ok(())
}

fn in_ms(times: &[Duration]) -> Value {
    times.iter().map(|time| time.as_secs_f64() * 1e3).collect()
}

struct Viewer {
    stream: mio::net::TcpStream,
    frames: FrameCounter,
    got: u64,
}

/// All viewers, and what they have got.
struct Crowd {
    poll: Poll,
    events: Events,
    viewers: Vec<Viewer>,
    buffer: Vec<u8>,
    got: u64,
    bytes: u64,
    reads: u64,
}

impl Crowd {
    fn new(count: usize) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            viewers: Vec::with_capacity(count),
            buffer: vec![0; BUFFER_LEN],
            got: 0,
            bytes: 0,
            reads: 0,
        })
    }

    fn join(&mut self, live: &SocketAddr, is_raw: bool) -> Result<()> {
        let mut stream = TcpStream::connect(live).context("cannot connect a viewer")?;
        match is_raw {
            true => first_frame(&mut stream)?,
            false => enter(&mut stream, live)?,
        }
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let token = Token(self.viewers.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
        self.viewers.push(Viewer { stream, frames: FrameCounter::default(), got: 0 });
        Ok(())
    }

    /// Publishes `messages` messages; how long it takes until every viewer has got each of them.
    fn time(&mut self, publisher: &mut TcpStream, bytes: &[u8], messages: u64) -> Result<Duration> {
        let due = self.viewers.first().context("a viewer")?.got + messages;
        let all = self.got + messages * self.viewers.len() as u64;
        let begun = Instant::now();
        publisher.write_all(bytes)?;
        while self.got < all {
            self.poll.poll(&mut self.events, Some(ANSWER_MAX))?;
            ensure!(!self.events.is_empty(), "{} of {all} have come, and no more", self.got);
            for event in &self.events {
                let viewer = self.viewers.get_mut(event.token().0).context("a known viewer")?;
                let (len, reads) = viewer.read(&mut self.buffer)?;
                self.bytes += len;
                self.reads += reads.1;
                self.got += reads.0;
            }
        }
        let took = begun.elapsed();
        let exact = self.viewers.iter().all(|viewer| viewer.got == due);
        ensure!(exact, "a viewer did not get each of the {messages} messages once");
        Ok(took)
    }
}

impl Viewer {
    /// Everything that is there: bytes, frames and how often it read.
    fn read(&mut self, buffer: &mut [u8]) -> Result<(u64, (u64, u64))> {
        let (mut bytes, mut got, mut reads) = (0, 0, 0);
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed a viewer's connection"),
                Ok(len) => {
                    got += self.frames.count(&buffer[..len])?;
                    bytes += len as u64;
                    reads += 1;
                    // Less than there is room for: there was no more, and epoll tells of the next.
                    if len < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.got += got;
        Ok((bytes, (got, reads)))
    }
}

/// What comes at once where there is no handshake.
fn first_frame(stream: &mut TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let mut head = [0; 2];
    stream.read_exact(&mut head).context("nothing came at once")?;
    ensure!(head[0] == 0x81 && head[1] < 126, "no frame begins with {head:02x?}");
    Ok(stream.read_exact(&mut vec![0; usize::from(head[1])])?)
}

/// Shakes hands, asks for `realtime`, and takes the last known reading, which comes at once.
pub(crate) fn enter(stream: &mut TcpStream, host: &SocketAddr) -> Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let said = [request.as_bytes(), REALTIME].concat();
    stream.write_all(&said)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    // The head of the answer, then one short frame.
    let is_whole = |answer: &[u8]| {
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4);
        head.and_then(|at| answer.get(at..)).is_some_and(|frame| match frame {
            [0x81, len, text @ ..] => text.len() >= usize::from(*len),
            _ => false,
        })
    };
    while !is_whole(&answer) {
        let len = stream.read(&mut buffer).context("no handshake and no last known reading")?;
        ensure!(len > 0, "refused: {}", String::from_utf8_lossy(&answer));
        answer.extend(&buffer[..len]);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    Ok(())
}
