//! What mtom costs when nothing happens but its own simulated sensor, and how soon it is ready.

use crate::Row;
use crate::mqtt::{connect, publish};
use crate::process;
use anyhow::Result;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

const CPU_PERCENT: f64 = 1.0;
const RSS_MB: f64 = 60.0;
const READY_SECONDS: f64 = 1.0;

/// Starts it with its defaults and looks on.
pub(crate) async fn run(quick: bool) -> Result<Vec<Row>> {
    let span = Duration::from_secs(if quick { 5 } else { 20 });
    let start = Instant::now();
    let mtom = process::mtom(&[])?;
    let mut socket = connect(mtom.mqtt, "first").await?;
    socket.write_all(&publish("Environ/x/Temperature", "20 °C", 1)).await?;
    let mut puback = [0; 4];
    socket.read_exact(&mut puback).await?;
    let ready = start.elapsed().as_secs_f64();
    drop(socket);
    sleep(Duration::from_secs(2)).await;
    let before = mtom.process.cpu_seconds()?;
    sleep(span).await;
    let cpu = 100.0 * (mtom.process.cpu_seconds()? - before) / span.as_secs_f64();
    let rss = mtom.process.rss_kib()? / 1024.0;
    let row = |what: &str, measured: String, target: String, met| Row {
        what: what.into(),
        measured,
        beside: String::new(),
        target: Some((target, met)),
    };
    Ok(vec![
        row(
            "idle: processor",
            format!("{cpu:.2} %"),
            format!("< {CPU_PERCENT} %"),
            cpu < CPU_PERCENT,
        ),
        row("idle: memory", format!("{rss:.1} MB"), format!("< {RSS_MB} MB"), rss < RSS_MB),
        row(
            "start to the first acknowledgement",
            format!("{:.0} ms", ready * 1e3),
            format!("< {READY_SECONDS} s"),
            ready < READY_SECONDS,
        ),
    ])
}
