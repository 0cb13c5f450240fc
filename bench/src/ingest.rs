//! Durable QoS 1 readings a second, acknowledged after their commit, beside mosquitto's QoS 1
//! forward rate under the same generator, and beside a server that only acknowledges.

use crate::mqtt::{Load, publish, subscribe};
use crate::process::{self, Process};
use crate::{Row, median};
use anyhow::{Result, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

const CONNECTIONS: usize = 1_000;
/// Messages of one connection on their way.
const WINDOW: u16 = 8;
const ONE_TOPIC: &str = "Environ/Temperature";
const GOAL: f64 = 1.0;
const FLOOR: f64 = 0.5;

/// One topic for all, as the original's, and one for each.
#[derive(Clone, Copy)]
enum Topics {
    One,
    Each,
}

impl Topics {
    fn name(self, n: usize) -> String {
        match self {
            Self::One => ONE_TOPIC.to_owned(),
            Self::Each => format!("Environ/d{n:04}/Temperature"),
        }
    }
}

/// Runs all rounds.
pub(crate) async fn run(quick: bool) -> Result<Vec<Row>> {
    let (rounds, span) =
        if quick { (1, Duration::from_secs(3)) } else { (3, Duration::from_secs(6)) };
    let mut rows = Vec::new();
    for topics in [Topics::One, Topics::Each] {
        let (mut ours, mut theirs, mut bare, mut share) = (vec![], vec![], vec![], vec![]);
        for round in 0..rounds {
            let (rate, generator) = acker(topics, span).await?;
            bare.push(rate);
            share.push(generator);
            theirs.push(mosquitto(topics, span).await?);
            ours.push(mtom(topics, span).await?);
            println!(
                "round {}: mtom {:.0}/s, mosquitto {:.0}/s, acker {rate:.0}/s",
                round + 1,
                ours[round],
                theirs[round]
            );
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        let ratio = ours / theirs;
        let what = match topics {
            Topics::One => "durable ingest, 1,000 connections, 1 series",
            Topics::Each => "durable ingest, 1,000 connections, 1,000 series",
        };
        rows.push(Row {
            what: what.into(),
            measured: format!("{ours:.0} readings/s"),
            beside: format!("mosquitto forwards {theirs:.0}/s"),
            target: Some((format!("{ratio:.2} ≥ {FLOOR} (goal {GOAL})"), ratio >= FLOOR)),
        });
        let bare = median(&mut bare);
        rows.push(Row {
            what: "  the generator is not the bottleneck".into(),
            measured: format!("{bare:.0} acks/s bare"),
            beside: format!("{:.0} % of one core for the generator", 100.0 * median(&mut share)),
            target: Some((
                format!("{:.1} × the faster", bare / ours.max(theirs)),
                bare > 1.5 * ours.max(theirs),
            )),
        });
    }
    Ok(rows)
}

/// Counts for `span`, after a second of warming up. Returns the rate and the generator's share of a core.
async fn rate(counter: &AtomicU64, span: Duration) -> Result<(f64, f64)> {
    sleep(Duration::from_secs(1)).await;
    let (start, before) = (Instant::now(), counter.load(Ordering::Relaxed));
    let cpu = process::cpu_seconds("self")?;
    sleep(span).await;
    let counted = counter.load(Ordering::Relaxed) - before;
    let seconds = start.elapsed().as_secs_f64();
    Ok((counted as f64 / seconds, (process::cpu_seconds("self")? - cpu) / seconds))
}

async fn mtom(topics: Topics, span: Duration) -> Result<f64> {
    let mtom = process::mtom(&["simulate.sensors=0", "simulate.actuators=0", "rule=[]"])?;
    let load = Load::start(mtom.mqtt, CONNECTIONS, WINDOW, |n| topics.name(n)).await?;
    let (rate, _) = rate(&load.acknowledged, span).await?;
    let acknowledged = load.finish().await?;
    let stored = stored(mtom.dashboard).await?;
    ensure!(stored == acknowledged, "{acknowledged} acknowledged, {stored} stored");
    Ok(rate)
}

async fn mosquitto(topics: Topics, span: Duration) -> Result<f64> {
    let (_broker, address) = process::mosquitto()?;
    let delivered = Arc::<AtomicU64>::default();
    let packet_len = publish(&topics.name(0), "23.4 °C", 1).len();
    let subscriber =
        subscribe(address, packet_len, topics.name(0).len(), Arc::clone(&delivered)).await?;
    let measured = async {
        let load = Load::start(address, CONNECTIONS, WINDOW, |n| topics.name(n)).await?;
        let (rate, _) = rate(&delivered, span).await?;
        load.finish().await?;
        Ok(rate)
    };
    tokio::select! {
        rate = measured => rate,
        ended = subscriber => Err(ended.err().unwrap_or_else(|| anyhow::anyhow!("it ended"))),
    }
}

async fn acker(topics: Topics, span: Duration) -> Result<(f64, f64)> {
    let (_floor, addresses): (Process, Vec<SocketAddr>) = process::floor("acker")?;
    let load = Load::start(addresses[0], CONNECTIONS, WINDOW, |n| topics.name(n)).await?;
    let measured = rate(&load.acknowledged, span).await?;
    load.finish().await?;
    Ok(measured)
}

/// What the account says is stored.
async fn stored(dashboard: SocketAddr) -> Result<u64> {
    let mut socket = TcpStream::connect(dashboard).await?;
    let request =
        format!("GET /api/v1/audit HTTP/1.1\r\nHost: {dashboard}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(body)?;
    Ok(json["stored"].as_u64().unwrap_or_default())
}
