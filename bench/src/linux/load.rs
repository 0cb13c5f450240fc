//! The load generator: many QoS 1 publishers, each with a window of unacknowledged messages.
//!
//! One thread. Packets are made before the start; what follows a read of PUBACKs is one write of as
//! many packets, and nothing is allocated. Every PUBACK is checked against the one expected. With
//! `subscriber=1` it also is the QoS 1 subscriber whose messages are counted. At the end it waits
//! until everything is acknowledged, so that its total can be compared with what was stored.

use super::role::{Role, Words};
use super::{mqtt, proc};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long the rest may take after the end of the measurement.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// Room for what is forwarded in one go.
const SUBSCRIBER_BUFFER_LEN: usize = 256 * 1024;

/// What is to be done.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) broker: String,
    pub(crate) broker_pid: u32,
    pub(crate) connections: usize,
    pub(crate) window: u16,
    /// Each connection has a topic of its own.
    pub(crate) own_topics: bool,
    pub(crate) subscriber: bool,
    pub(crate) warm: Duration,
    pub(crate) measure: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    /// PUBACKs per second.
    pub(crate) acked_per_s: f64,
    /// Forwarded messages per second.
    pub(crate) received_per_s: f64,
    /// PUBACKs from first to last.
    pub(crate) acked: u64,
    /// CPU of the generator and of the broker; 1.0 is one core.
    pub(crate) own_cpu: f64,
    pub(crate) broker_cpu: f64,
}

impl Order {
    /// Runs the generator as a process of its own.
    pub(crate) async fn run(&self) -> Result<Report> {
        let mut role = Role::start(
            "load",
            &[
                ("broker", self.broker.clone()),
                ("broker_pid", self.broker_pid.to_string()),
                ("connections", self.connections.to_string()),
                ("window", self.window.to_string()),
                ("own_topics", self.own_topics.to_string()),
                ("subscriber", self.subscriber.to_string()),
                ("warm", self.warm.as_millis().to_string()),
                ("measure", self.measure.as_millis().to_string()),
            ],
        )?;
        let said: Value = serde_json::from_str(&role.line().await?)?;
        role.end().await?;
        let number = |key: &str| said[key].as_f64().with_context(|| format!("no {key}"));
        Ok(Report {
            acked_per_s: number("acked_per_s")?,
            received_per_s: number("received_per_s")?,
            acked: said["acked"].as_u64().context("no acked")?,
            own_cpu: number("own_cpu")?,
            broker_cpu: number("broker_cpu")?,
        })
    }

    fn parse(words: &Words) -> Result<Self> {
        Ok(Self {
            broker: words.get("broker")?,
            broker_pid: words.get("broker_pid")?,
            connections: words.get("connections")?,
            window: words.get("window")?,
            own_topics: words.get("own_topics")?,
            subscriber: words.get("subscriber")?,
            warm: words.millis("warm")?,
            measure: words.millis("measure")?,
        })
    }
}

/// The generator itself.
pub(crate) async fn play(words: &Words) -> Result<()> {
    let order = Order::parse(words)?;
    let shared = Arc::new(Shared::default());
    let mut tasks = JoinSet::new();
    if order.subscriber {
        let mut stream = mqtt::connect(&order.broker, "bench-subscriber").await?;
        mqtt::subscribe(&mut stream, "Environ/#").await?;
        tasks.spawn(receive(stream, shared.clone()));
    }
    let mut publishers = Vec::with_capacity(order.connections);
    for number in 0..order.connections {
        let id = format!("bench-{number}");
        let topic = match order.own_topics {
            true => format!("Environ/dev{number}/Temperature"),
            false => mqtt::TOPIC.to_owned(),
        };
        let stream = mqtt::connect(&order.broker, &id).await?;
        publishers.push((stream, Packets::new(&topic, order.window)?));
    }
    for (stream, packets) in publishers {
        tasks.spawn(publish(stream, packets, shared.clone()));
    }
    undisturbed(&mut tasks, order.warm).await?;
    let before = Sample::take(&shared, order.broker_pid)?;
    undisturbed(&mut tasks, order.measure).await?;
    let after = Sample::take(&shared, order.broker_pid)?;
    shared.stop.store(true, Ordering::Relaxed);
    let drained = timeout(DRAIN_MAX, async {
        while tasks.len() > usize::from(order.subscriber) {
            tasks.join_next().await.context("there are tasks left")???;
        }
        while order.subscriber && shared.received.load(Ordering::Relaxed) < shared.acked() {
            undisturbed(&mut tasks, Duration::from_millis(5)).await?;
        }
        anyhow::Ok(())
    });
    drained.await.context("not everything was acknowledged and forwarded in time")??;
    println!("{}", after.since(&before, &shared));
    Ok(())
}

#[derive(Default)]
struct Shared {
    acked: AtomicU64,
    received: AtomicU64,
    stop: AtomicBool,
}

impl Shared {
    fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }
}

struct Sample {
    at: Instant,
    acked: u64,
    received: u64,
    own_cpu: Duration,
    broker_cpu: Duration,
}

impl Sample {
    fn take(shared: &Shared, broker_pid: u32) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            acked: shared.acked(),
            received: shared.received.load(Ordering::Relaxed),
            own_cpu: proc::cpu(std::process::id())?,
            broker_cpu: proc::cpu(broker_pid)?,
        })
    }

    fn since(&self, before: &Self, shared: &Shared) -> Value {
        let seconds = (self.at - before.at).as_secs_f64();
        json!({
            "acked_per_s": (self.acked - before.acked) as f64 / seconds,
            "received_per_s": (self.received - before.received) as f64 / seconds,
            "acked": shared.acked(),
            "own_cpu": (self.own_cpu - before.own_cpu).as_secs_f64() / seconds,
            "broker_cpu": (self.broker_cpu - before.broker_cpu).as_secs_f64() / seconds,
        })
    }
}

/// Lets the connections work; one that ends is an error.
async fn undisturbed(tasks: &mut JoinSet<Result<()>>, time: Duration) -> Result<()> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        Some(ended) = tasks.join_next() => {
            ended??;
            bail!("a connection ended before the end");
        }
    }
}

/// The PUBLISH packets of one connection, twice in a row: any run of them is one slice.
struct Packets {
    window: usize,
    packet_len: usize,
    bytes: Vec<u8>,
}

impl Packets {
    fn new(topic: &str, window: u16) -> Result<Self> {
        let mut bytes = Vec::new();
        for id in (1..=window).chain(1..=window) {
            bytes.extend(mqtt::publish(topic, mqtt::PAYLOAD, Some(id))?);
        }
        let window = usize::from(window);
        Ok(Self { window, packet_len: bytes.len() / (2 * window), bytes })
    }

    /// `count` packets from position `from` of the window on.
    fn run(&self, from: usize, count: usize) -> &[u8] {
        &self.bytes[from * self.packet_len..(from + count) * self.packet_len]
    }
}

async fn publish(mut stream: TcpStream, packets: Packets, shared: Arc<Shared>) -> Result<()> {
    let window = packets.window;
    let mut input = [0; 1024];
    let mut input_len = 0;
    // Positions in the window: the next to send is also the oldest that waits, once it is full.
    let mut next_ack = 0;
    let mut unacked = window;
    stream.write_all(packets.run(0, window)).await?;
    loop {
        let len = stream.read(&mut input[input_len..]).await?;
        if len == 0 {
            bail!("the broker closed a publisher's connection");
        }
        input_len += len;
        let count = input_len / 4;
        for ack in input[..count * 4].chunks_exact(4) {
            let id = u16::try_from(next_ack + 1)?.to_be_bytes();
            if ack != mqtt::puback(id) {
                bail!("expected the PUBACK of {id:02x?}, got {ack:02x?}");
            }
            next_ack = (next_ack + 1) % window;
        }
        input.copy_within(count * 4..input_len, 0);
        input_len -= count * 4;
        shared.acked.fetch_add(count as u64, Ordering::Relaxed);
        unacked -= count;
        if shared.stop.load(Ordering::Relaxed) {
            if unacked == 0 {
                return Ok(());
            }
        } else if count > 0 {
            let next = (next_ack + unacked) % window;
            stream.write_all(packets.run(next, count)).await?;
            unacked += count;
        }
    }
}

async fn receive(mut stream: TcpStream, shared: Arc<Shared>) -> Result<()> {
    let mut input = vec![0; SUBSCRIBER_BUFFER_LEN];
    let mut input_len = 0;
    let mut acks = Vec::new();
    loop {
        let len = stream.read(&mut input[input_len..]).await?;
        if len == 0 {
            bail!("the broker closed the subscriber's connection");
        }
        input_len += len;
        let done = mqtt::walk(&input[..input_len], |first, body| {
            if first >> 4 == mqtt::PUBLISH {
                acks.extend(mqtt::puback(mqtt::publish_id(body).context("no packet id")?));
            }
            Ok(())
        })?;
        input.copy_within(done..input_len, 0);
        input_len -= done;
        shared.received.fetch_add((acks.len() / 4) as u64, Ordering::Relaxed);
        stream.write_all(&acks).await?;
        acks.clear();
    }
}
