//! Those who do the ports harm: viewers that take nothing, requests that never end, and ten thousand that come and go.
//!
//! What counts is what the others notice of it, how soon it is over, and what is left behind.

use super::many::enter;
use super::mtom::Mtom;
use super::run::Plan;
use super::table::{Row, Table, median, most, quantile};
use super::{mqtt, proc};
use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, sleep_until};

const STALLED: u32 = 500;
/// Bytes that the system keeps for one that takes nothing.
const RECEIVE_LEN: u32 = 4 * 1024;
/// More readings than the buffers on both sides hold.
const FLOOD: u32 = 3_000;
/// A reading so often, whose acknowledgement is waited for.
const PERIOD: Duration = Duration::from_millis(5);
const INGEST_TARGET: f64 = 1.1;
const EVICTED_TARGET_S: f64 = 15.0;
/// For filling what the system holds, before the first reading that is not taken, and to notice the last.
const EVICTED_ROOM_S: f64 = 1.0;
const STALLED_TARGET_KIB: f64 = 1_024.0;
const EVICTED_MAX: Duration = Duration::from_secs(60);

const TRICKLING: usize = 5_000;
const TRICKLE_PERIOD: Duration = Duration::from_secs(2);
const CLOSED_TARGET_S: f64 = 10.0;
/// What a second of accepting five thousand takes of it, and the timer's own.
const CLOSED_ROOM_S: f64 = 0.5;
const HONEST_TARGET_S: f64 = 1.0;
const HONEST_PERIOD: Duration = Duration::from_millis(100);
const TRICKLE_MAX: Duration = Duration::from_secs(40);

const CYCLES: usize = 10_000;
const LEFT_MAX: Duration = Duration::from_secs(10);

/// Measures all three.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    stalled(plan, table).await?;
    trickling(table).await?;
    cycles(table).await
}

async fn stalled(plan: Plan, table: &mut Table) -> Result<()> {
    let (mut with, mut without, mut evicted, mut memory) = (vec![], vec![], vec![], vec![]);
    for _ in 0..plan.rounds {
        let mtom = Mtom::start(&[]).await?;
        ingest(&mtom, plan.samples).await?;
        let before = ingest(&mtom, plan.acknowledged).await?;
        let rss = proc::rss_kib(mtom.pid)?;
        let mut stuck = Vec::new();
        let live: SocketAddr = mtom.live.parse()?;
        for _ in 0..STALLED {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(RECEIVE_LEN)?;
            let mut stream = socket.connect(live).await?.into_std()?;
            stream.set_nonblocking(false)?;
            enter(&mut stream, &live)?;
            stuck.push(stream);
        }
        let known = mtom.audit("stored").await?;
        let mut sensor = mqtt::connect(&mtom.mqtt, "bench-flood").await?;
        let flood = mqtt::publish(mqtt::TOPIC, mqtt::PAYLOAD, None)?.repeat(FLOOD as usize);
        let begun = Instant::now();
        sensor.write_all(&flood).await?;
        // Not while the flood itself is in the way.
        mtom.stored(known + u64::from(FLOOD)).await?;
        with.push(ingest(&mtom, plan.acknowledged).await?);
        ensure!(slow(&mtom).await? == 0, "some were closed while they were measured");
        memory.push((proc::rss_kib(mtom.pid)? - rss) / f64::from(STALLED));
        while slow(&mtom).await? < u64::from(STALLED) {
            ensure!(begun.elapsed() < EVICTED_MAX, "{} of them are closed", slow(&mtom).await?);
            sleep(Duration::from_millis(20)).await;
        }
        evicted.push(begun.elapsed().as_secs_f64());
        let after = ingest(&mtom, plan.acknowledged).await?;
        without.push(f64::midpoint(before, after));
        drop(stuck);
        mtom.end().await?;
    }
    let ratios: Vec<f64> =
        with.iter().zip(&without).map(|(with, without)| with / without).collect();
    table.row(Row {
        what: "hostile, ingest p99 with 500 stalled viewers",
        ours: format!("{:.2} ms", median(&with)),
        beside: format!("{:.2} ms", median(&without)),
        peer: "without them",
        met: Some(median(&ratios) <= INGEST_TARGET),
        ratios,
        target: format!("≤ {INGEST_TARGET}"),
    });
    let evicted = most(&evicted);
    table.alone(
        "hostile, the last of them is closed after",
        format!("{evicted:.1} s"),
        format!("≤ {EVICTED_TARGET_S} s + {EVICTED_ROOM_S} s"),
        evicted <= EVICTED_TARGET_S + EVICTED_ROOM_S,
    );
    let kib_each = most(&memory);
    table.alone(
        "hostile, memory of each of them",
        format!("{kib_each:.1} KiB"),
        format!("≤ {STALLED_TARGET_KIB} KiB"),
        kib_each <= STALLED_TARGET_KIB,
    );
    Ok(())
}

async fn slow(mtom: &Mtom) -> Result<u64> {
    mtom.metric("mtom_live_viewers_slow_total").await
}

/// How soon a QoS 1 reading is acknowledged, of 99 in 100, in ms; a late one counts from when it was due.
async fn ingest(mtom: &Mtom, count: usize) -> Result<f64> {
    let mut sensor = mqtt::connect(&mtom.mqtt, "bench-ingest").await?;
    let mut times = Vec::new();
    let mut due = tokio::time::Instant::now();
    for number in 0..count {
        let id = u16::try_from(number % 1_000 + 1)?;
        let packet = mqtt::publish(mqtt::TOPIC, mqtt::PAYLOAD, Some(id))?;
        due += PERIOD;
        sleep_until(due).await;
        sensor.write_all(&packet).await?;
        let mut answer = [0; 4];
        sensor.read_exact(&mut answer).await?;
        ensure!(answer == mqtt::puback(id.to_be_bytes()), "no PUBACK: {answer:02x?}");
        times.push(due.elapsed().as_secs_f64() * 1e3);
    }
    Ok(quantile(&times, 0.99))
}

async fn trickling(table: &mut Table) -> Result<()> {
    let ports: [(_, _, Honest); 2] = [
        ("hostile, 5,000 slow handshakes, the last is closed after", "8765", watch),
        ("hostile, 5,000 slow requests to the page, the last is closed after", "the page", ask),
    ];
    for (what, port, honest) in ports {
        let mtom = Mtom::start(&[]).await?;
        let address = if port == "8765" { &mtom.live } else { &mtom.dashboard };
        let (closed_s, honest_s) = trickle(&address.parse()?, honest)?;
        table.alone(
            what,
            format!("{closed_s:.1} s"),
            format!("≤ {CLOSED_TARGET_S} s + {CLOSED_ROOM_S} s"),
            closed_s <= CLOSED_TARGET_S + CLOSED_ROOM_S,
        );
        let what = match port {
            "8765" => "hostile, an honest viewer is in meanwhile within",
            _ => "hostile, an honest request is answered meanwhile within",
        };
        table.alone(
            what,
            format!("{honest_s:.3} s"),
            format!("≤ {HONEST_TARGET_S} s"),
            honest_s <= HONEST_TARGET_S,
        );
        mtom.end().await?;
    }
    Ok(())
}

/// Does what an honest one does, until it is served.
type Honest = fn(&SocketAddr) -> Result<()>;

/// An honest viewer.
fn watch(live: &SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(live)?;
    say(&mut stream, live)
}

/// The handshake alone: there may be no reading yet.
fn say(stream: &mut TcpStream, live: &SocketAddr) -> Result<()> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {live}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    answered(stream, &request, b"HTTP/1.1 101 ")
}

/// An honest request.
fn ask(page: &SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(page)?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n");
    answered(&mut stream, &request, b"HTTP/1.1 200 ")
}

fn answered(stream: &mut TcpStream, request: &str, expected: &[u8]) -> Result<()> {
    stream.set_read_timeout(Some(TRICKLE_MAX))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).context("no answer")?;
    ensure!(answer == expected, "refused: {}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// Until the last of those that trickle is closed, each from its own beginning, and the longest of the honest tries.
fn trickle(to: &SocketAddr, honest: Honest) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let mut honest_s: f64 = 0.0;
    let mut honest_at = begun;
    let mut try_honest = || {
        if honest_at.elapsed() > HONEST_PERIOD {
            honest_at = Instant::now();
            honest(to)?;
            honest_s = honest_s.max(honest_at.elapsed().as_secs_f64());
        }
        anyhow::Ok(())
    };
    let mut slow = Slow::new()?;
    for _ in 0..TRICKLING {
        slow.enter(to)?;
        // One may be closed before the last has come.
        slow.look(Duration::ZERO)?;
        try_honest()?;
    }
    let (all_there, mut byte_at) = (Instant::now(), Instant::now());
    while slow.left > 0 {
        if all_there.elapsed() > TRICKLE_MAX {
            bail!("{} of {TRICKLING} slow ones are still open", slow.left);
        }
        try_honest()?;
        slow.look(HONEST_PERIOD)?;
        if byte_at.elapsed() > TRICKLE_PERIOD {
            byte_at = Instant::now();
            slow.go_on();
        }
    }
    Ok((slow.closed_s, honest_s))
}

/// Those who trickle.
struct Slow {
    poll: Poll,
    events: Events,
    /// Since when each is open; `None`: it was closed.
    open: Vec<Option<(mio::net::TcpStream, Instant)>>,
    left: usize,
    closed_s: f64,
}

impl Slow {
    fn new() -> Result<Self> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(1_024));
        Ok(Self { poll, events, open: Vec::new(), left: 0, closed_s: 0.0 })
    }

    fn enter(&mut self, to: &SocketAddr) -> Result<()> {
        let stream = TcpStream::connect(to)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let number = Token(self.open.len());
        self.poll.registry().register(&mut stream, number, Interest::READABLE)?;
        // One that was closed meanwhile is seen when it is looked.
        let _ = stream.write(b"G");
        self.open.push(Some((stream, Instant::now())));
        self.left += 1;
        Ok(())
    }

    fn look(&mut self, wait: Duration) -> Result<()> {
        self.poll.poll(&mut self.events, Some(wait))?;
        for event in &self.events {
            let Some(place) = self.open.get_mut(event.token().0) else { continue };
            let Some((stream, since)) = place else { continue };
            match stream.read(&mut [0; 512]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // An answer is one sentence, and then the end.
                Ok(1..) => {}
                Ok(0) | Err(_) => {
                    self.closed_s = self.closed_s.max(since.elapsed().as_secs_f64());
                    *place = None;
                    self.left -= 1;
                }
            }
        }
        Ok(())
    }

    fn go_on(&mut self) {
        for (stream, _) in self.open.iter_mut().flatten() {
            let _ = stream.write(b"E");
        }
    }
}

async fn cycles(table: &mut Table) -> Result<()> {
    let mtom = Mtom::start(&[]).await?;
    let live: SocketAddr = mtom.live.parse()?;
    ingest(&mtom, 1).await?;
    let cycle = || {
        let mut stream = TcpStream::connect(live)?;
        enter(&mut stream, &live)
    };
    cycle()?;
    sleep(Duration::from_millis(500)).await;
    let (before, begun) = (proc::files(mtom.pid)?, Instant::now());
    for _ in 0..CYCLES {
        cycle()?;
    }
    let (took, left) = (begun.elapsed(), Instant::now());
    while proc::files(mtom.pid)? > before && left.elapsed() < LEFT_MAX {
        sleep(Duration::from_millis(10)).await;
    }
    let after = proc::files(mtom.pid)?;
    table.alone(
        "hostile, open files after 10,000 connect, subscribe, leave",
        format!("{after}"),
        format!("{before}"),
        after <= before,
    );
    table.note(format!(
        "hostile: {CYCLES} cycles took {:.1} s; stalled viewers are closed {EVICTED_TARGET_S} s after the first \
         write that is not taken, {EVICTED_ROOM_S} s are for filling what the system holds.",
        took.as_secs_f64()
    ));
    mtom.end().await
}
