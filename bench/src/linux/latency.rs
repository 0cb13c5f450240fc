//! From a publish to the byte on a serial link, at 10 messages per second.
//!
//! In turn with it the same packet goes through two bare hops in a child process, at the same rate,
//! and 4 KiB are written and synced beside the journal: about the least that a durable commit costs.
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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};
use tokio_serial::{SerialPort, SerialStream};

/// Three turns make the 100 ms between two messages.
const TURN: Duration = Duration::from_millis(33);
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Left out: caches and connections settle.
const FIRST: usize = 10;
/// The journal's log is written over after so many pages (`mtom-store`).
const LOG_PAGES: u64 = 10_240;
const TARGET: f64 = 5.0;

/// Measures all three side by side, in each round with a process of its own.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        rounds.push(round(plan).await?);
    }
    let of = |part: f64, times: fn(&Times) -> &Vec<f64>| -> Vec<f64> {
        rounds.iter().map(|round| quantile(times(round), part)).collect()
    };
    for (what, part) in [("latency to serial, p50", 0.5), ("latency to serial, p99", 0.99)] {
        let (ours, bare) = (of(part, |times| &times.ours), of(part, |times| &times.bare));
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

/// In µs.
struct Times {
    ours: Vec<f64>,
    bare: Vec<f64>,
    disk: Vec<f64>,
}

async fn round(plan: Plan) -> Result<Times> {
    let (mut device, other_end) = SerialStream::pair().context("no pseudo terminal")?;
    let path = other_end.name().context("the pseudo terminal has no name")?;
    let link = format!(r#"actuator=[{{name="LAMP",link="serial:{path}",protocol="original"}}]"#);
    let rule = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="LAMP"}]}]"#;
    let mtom = Mtom::start(&[link, rule.to_owned()]).await?;
    fill(&mtom).await?;
    let mut sensor = mqtt::connect(&mtom.mqtt, "bench-sensor").await?;
    let mut hops = Hops::start().await?;
    let synced = File::create(mtom.dir.path().join("synced"))?;

    let mut times = Times { ours: Vec::new(), bare: Vec::new(), disk: Vec::new() };
    let mut turns = interval(TURN);
    for number in 0..plan.samples + FIRST {
        let (payload, byte) = if number % 2 == 0 { ("26.0 °C", b'h') } else { ("24.0 °C", b'c') };
        let packet = mqtt::publish(mqtt::TOPIC, payload, Some(1))?;
        turns.tick().await;
        times.ours.push(sense(&mut sensor, &mut device, &packet, byte).await?);
        turns.tick().await;
        times.bare.push(hops.pass(&packet).await?);
        turns.tick().await;
        times.disk.push(sync(&synced)?);
    }
    for part in [&mut times.ours, &mut times.bare, &mut times.disk] {
        part.drain(..FIRST);
    }
    hops.role.end().await?;
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
    device: &mut SerialStream,
    packet: &[u8],
    wanted: u8,
) -> Result<f64> {
    let start = Instant::now();
    sensor.write_all(packet).await?;
    let byte =
        timeout(ANSWER_MAX, device.read_u8()).await.context("no byte on the serial link")??;
    let taken = micros(start);
    ensure!(byte == wanted, "{byte:02x} on the serial link, expected {wanted:02x}");
    let mut ack = [0; 4];
    timeout(ANSWER_MAX, sensor.read_exact(&mut ack)).await.context("no PUBACK")??;
    ensure!(ack == mqtt::puback([0, 1]), "no PUBACK but {ack:02x?}");
    Ok(taken)
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
