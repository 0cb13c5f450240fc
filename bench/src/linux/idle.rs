//! `mtom up` with its defaults and nothing to do: CPU, memory, and how soon it accepts a publish.

use super::mtom::Mtom;
use super::run::Plan;
use super::table::{Table, median};
use super::{mqtt, proc};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

const CPU_TARGET_PERCENT: f64 = 1.0;
const MEMORY_TARGET_MB: f64 = 60.0;
const START_TARGET: Duration = Duration::from_secs(1);
const STARTS: usize = 3;
/// After the start, before the measurement.
const SETTLE: Duration = Duration::from_secs(2);
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Starts it a few times; watches the last one.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        let (mtom, taken) = start().await?;
        starts.push(taken);
        mtom.end().await?;
    }
    let (mtom, taken) = start().await?;
    starts.push(taken);
    sleep(SETTLE).await;
    let before = proc::cpu(mtom.pid)?;
    sleep(plan.idle).await;
    let cpu = (proc::cpu(mtom.pid)? - before).as_secs_f64() / plan.idle.as_secs_f64() * 100.0;
    let memory = proc::rss_kib(mtom.pid)? * 1024.0 / 1e6;
    // The simulated sensor alone must have been at work: idle is not dead.
    let stored = mtom.audit("stored").await?;
    ensure!(stored > 1, "the simulated sensor has not measured: {stored} stored");
    mtom.end().await?;
    let started = median(&starts);
    table.alone(
        "idle, CPU",
        format!("{cpu:.2} %"),
        format!("< {CPU_TARGET_PERCENT} %"),
        cpu < CPU_TARGET_PERCENT,
    );
    table.alone(
        "idle, memory",
        format!("{memory:.1} MB"),
        format!("< {MEMORY_TARGET_MB} MB"),
        memory < MEMORY_TARGET_MB,
    );
    table.alone(
        "start to first PUBACK",
        format!("{:.0} ms", started * 1e3),
        format!("< {} ms", START_TARGET.as_millis()),
        started < START_TARGET.as_secs_f64(),
    );
    Ok(())
}

/// From before the start until the first publish is acknowledged, in seconds.
async fn start() -> Result<(Mtom, f64)> {
    let began = Instant::now();
    let mtom = Mtom::start_with(&[]).await?;
    let mut sensor = mqtt::connect(&mtom.mqtt, "bench-first").await?;
    sensor.write_all(&mqtt::publish(mqtt::TOPIC, mqtt::PAYLOAD, Some(1))?).await?;
    let mut ack = [0; 4];
    timeout(ANSWER_MAX, sensor.read_exact(&mut ack)).await.context("no PUBACK")??;
    ensure!(ack == mqtt::puback([0, 1]), "no PUBACK but {ack:02x?}");
    Ok((mtom, began.elapsed().as_secs_f64()))
}
