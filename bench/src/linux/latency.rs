//! From a publish to the byte on a link, serial and TCP, at 10 messages per second on each.
//!
//! In turn with them a byte goes over a bare link of either kind to a child process and back, the same
//! packet goes through two bare hops in a child process, and 4 KiB are written and synced beside the
//! journal: about the least that a durable commit costs. All at the same rate.
//! Before that the journal gets more than its log holds: as in any gateway that has run for a while,
//! the log's file is then written over and does not grow, which is cheaper to sync.

use super::load::Order;
use super::mqtt;
use super::mtom::Mtom;
use super::role::Role;
use super::run::Plan;
use super::table::{Row, Table, median, quantile};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, interval, timeout};
use tokio_serial::{SerialPort, SerialStream};

/// What is measured in turn.
const KINDS: usize = 6;
/// Six turns make the 100 ms between two messages, on average.
const TURN: Duration = Duration::from_micros(16_667);
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Left out: caches and connections settle.
const FIRST: usize = 10;
/// The journal's log is written over after so many pages (`mtom-store`).
const LOG_PAGES: u64 = 10_240;
/// Of two bare hops.
const TARGET: f64 = 5.0;
/// What the software may add to the round trip of the bare link, in µs.
const ADDED_MAX: f64 = 500.0;
/// The topic whose rule drives the LED on TCP.
const TCP_TOPIC: &str = "Environ/Tcp/Temperature";

/// Measures all of them side by side, in each round with a process of its own.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        rounds.push(round(plan).await?);
    }
    let of = |part: f64, times: fn(&Times) -> &Vec<f64>| -> Vec<f64> {
        rounds.iter().map(|round| quantile(times(round), part)).collect()
    };
    for (what, part) in [("latency to serial, p50", 0.5), ("latency to serial, p99", 0.99)] {
        let (ours, bare) = (of(part, |times| &times.serial), of(part, |times| &times.bare));
        let ratios: Vec<_> = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare).collect();
        table.row(Row {
            what,
            ours: format!("{:.0} µs", median(&ours)),
            beside: format!("{:.0} µs", median(&bare)),
            peer: "two bare hops",
            met: (part <= 0.5).then(|| median(&ratios) <= TARGET),
            ratios,
            target: if part > 0.5 { String::new() } else { format!("≤ {TARGET}") },
        });
    }
    for (what, part, link, ours, bare) in OVER {
        let (ours, bare) = (of(part, ours), of(part, bare));
        let added: Vec<_> = ours.iter().zip(&bare).map(|(ours, bare)| ours - bare).collect();
        table.row(Row {
            what,
            ours: format!("{:.0} µs", median(&ours)),
            beside: format!("{:.0} µs", median(&bare)),
            peer: link,
            ratios: Vec::new(),
            met: (part <= 0.5).then(|| median(&added) <= ADDED_MAX),
            target: match part > 0.5 {
                true => format!("+ {:.0} µs", median(&added)),
                false => format!("+ {:.0} µs ≤ {ADDED_MAX:.0}", median(&added)),
            },
        });
    }
    table.note(format!(
        "latency: {} samples in a round; QoS 1; the byte leaves after the commit is written, the \
         PUBACK after it is synced. 4 KiB written and synced in the same folder: p50 {:.0} µs, p99 \
         {:.0} µs.",
        plan.samples,
        median(&of(0.5, |times| &times.disk)),
        median(&of(0.99, |times| &times.disk)),
    ));
    Ok(())
}

type Of = fn(&Times) -> &Vec<f64>;

/// What is said of each link beside its own round trip.
const OVER: [(&str, f64, &str, Of, Of); 4] = [
    ("reading to serial, p50", 0.5, "bare pty and back", |t| &t.serial, |t| &t.serial_echo),
    ("reading to serial, p99", 0.99, "bare pty and back", |t| &t.serial, |t| &t.serial_echo),
    ("reading to tcp, p50", 0.5, "bare tcp and back", |t| &t.tcp, |t| &t.tcp_echo),
    ("reading to tcp, p99", 0.99, "bare tcp and back", |t| &t.tcp, |t| &t.tcp_echo),
];

/// In µs.
#[derive(Default)]
struct Times {
    serial: Vec<f64>,
    tcp: Vec<f64>,
    serial_echo: Vec<f64>,
    tcp_echo: Vec<f64>,
    bare: Vec<f64>,
    disk: Vec<f64>,
}

async fn round(plan: Plan) -> Result<Times> {
    let (mut serial, other_end) = SerialStream::pair().context("no pseudo terminal")?;
    let path = other_end.name().context("the pseudo terminal has no name")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let links = format!(
        r#"actuator=[{{name="LAMP",link="serial:{path}",protocol="original"}},{{name="FAR",link="tcp:{address}",protocol="original"}}]"#
    );
    let rule = |topic: &str, lamp: &str| {
        format!(
            r#"{{name="{lamp}",when="{topic}",on="celsius >= 25.0",dwell="0s",max_age="never",then=[{{actuator="{lamp}"}}]}}"#
        )
    };
    let rules = format!("rule=[{},{}]", rule(mqtt::TOPIC, "LAMP"), rule(TCP_TOPIC, "FAR"));
    let mtom = Mtom::start(&[links, rules]).await?;
    let (mut tcp, _) = timeout(ANSWER_MAX, listener.accept()).await.context("no link")??;
    fill(&mtom).await?;
    let mut sensor = mqtt::connect(&mtom.mqtt, "bench-sensor").await?;
    let (mut hops, mut echo) = (Hops::start().await?, Echo::start().await?);
    let synced = File::create(mtom.dir.path().join("synced"))?;

    let mut times = Times::default();
    let mut turns = interval(TURN);
    for number in 0..plan.samples + FIRST {
        let (payload, byte) = if number % 2 == 0 { ("26.0 °C", b'h') } else { ("24.0 °C", b'c') };
        let near = mqtt::publish(mqtt::TOPIC, payload, Some(1))?;
        let far = mqtt::publish(TCP_TOPIC, payload, Some(1))?;
        // Each comes first in its turn: what goes before one warms or cools what it needs.
        for turn in number..number + KINDS {
            turns.tick().await;
            match turn % KINDS {
                0 => times.serial.push(sense(&mut sensor, &mut serial, &near, byte).await?),
                1 => times.serial_echo.push(there_and_back(&mut echo.serial, byte).await?),
                2 => times.tcp.push(sense(&mut sensor, &mut tcp, &far, byte).await?),
                3 => times.tcp_echo.push(there_and_back(&mut echo.tcp, byte).await?),
                4 => times.bare.push(hops.pass(&near).await?),
                _ => times.disk.push(sync(&synced)?),
            }
        }
    }
    let Times { serial, tcp, serial_echo, tcp_echo, bare, disk } = &mut times;
    for part in [serial, tcp, serial_echo, tcp_echo, bare, disk] {
        part.drain(..FIRST);
    }
    hops.role.end().await?;
    echo.role.end().await?;
    mtom.end().await?;
    Ok(times)
}

/// A page of the log for nearly each reading: many series, few readings of one in a commit.
async fn fill(mtom: &Mtom) -> Result<()> {
    let order = Order {
        broker: mtom.mqtt.clone(),
        broker_pid: mtom.pid,
        connections: 400,
        window: 1,
        own_topics: true,
        subscriber: false,
        warm: Duration::ZERO,
        measure: Duration::from_millis(1_500),
    };
    let acked = order.run().await?.acked;
    ensure!(acked > LOG_PAGES, "only {acked} readings: the journal's log is not full yet");
    Ok(())
}

/// From before the write of the publish until the byte is there, in µs.
async fn sense(
    sensor: &mut TcpStream,
    device: &mut (impl AsyncRead + Unpin),
    packet: &[u8],
    wanted: u8,
) -> Result<f64> {
    let start = Instant::now();
    sensor.write_all(packet).await?;
    let byte = timeout(ANSWER_MAX, device.read_u8()).await.context("no byte on the link")??;
    let taken = micros(start);
    ensure!(byte == wanted, "{byte:02x} on the link, expected {wanted:02x}");
    let mut ack = [0; 4];
    timeout(ANSWER_MAX, sensor.read_exact(&mut ack)).await.context("no PUBACK")??;
    ensure!(ack == mqtt::puback([0, 1]), "no PUBACK but {ack:02x?}");
    Ok(taken)
}

/// From before the write of a byte until it has come back, in µs.
async fn there_and_back(link: &mut (impl AsyncRead + AsyncWrite + Unpin), byte: u8) -> Result<f64> {
    let start = Instant::now();
    link.write_u8(byte).await?;
    let back = timeout(ANSWER_MAX, link.read_u8()).await.context("no echo")??;
    let taken = micros(start);
    ensure!(back == byte, "{back:02x} came back, not {byte:02x}");
    Ok(taken)
}

/// Bare links to a child process that says everything back.
struct Echo {
    role: Role,
    serial: SerialStream,
    tcp: TcpStream,
    /// Kept open, or the other end would fail until the child has opened its own.
    _other_end: SerialStream,
}

impl Echo {
    async fn start() -> Result<Self> {
        let (serial, other_end) = SerialStream::pair().context("no pseudo terminal")?;
        let path = other_end.name().context("the pseudo terminal has no name")?;
        let mut role = Role::start("echo", &[("serial", path)])?;
        let tcp = TcpStream::connect(role.line().await?).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { role, serial, tcp, _other_end: other_end })
    }
}

struct Hops {
    role: Role,
    entrance: TcpStream,
    exit: TcpStream,
}

impl Hops {
    async fn start() -> Result<Self> {
        let mut role = Role::start("hops", &[])?;
        let ports = role.ports().await?;
        let [entrance, exit] = ports.as_slice() else { anyhow::bail!("the hops have two ports") };
        let entrance = TcpStream::connect(entrance).await?;
        let exit = TcpStream::connect(exit).await?;
        entrance.set_nodelay(true)?;
        Ok(Self { role, entrance, exit })
    }

    async fn pass(&mut self, packet: &[u8]) -> Result<f64> {
        let mut came = vec![0; packet.len()];
        let start = Instant::now();
        self.entrance.write_all(packet).await?;
        timeout(ANSWER_MAX, self.exit.read_exact(&mut came)).await.context("no echo")??;
        Ok(micros(start))
    }
}

fn sync(file: &File) -> Result<f64> {
    let start = Instant::now();
    file.write_all_at(&[1; 4096], 0)?;
    file.sync_data()?;
    Ok(micros(start))
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}
