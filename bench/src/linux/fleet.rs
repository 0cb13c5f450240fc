//! Simulated sensors: what five thousand of them cost, and how soon one speaks once it has a link.

use super::mtom::{Mtom, binary};
use super::run::Plan;
use super::table::{Table, median, thousands};
use super::{mqtt, proc};
use anyhow::{Context, Result, bail, ensure};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const SENSORS: u32 = 5_000;
const PERIOD: Duration = Duration::from_secs(2);
const CPU_TARGET_PERCENT: f64 = 10.0;
const MEMORY_TARGET_KIB: f64 = 8.0;
const FIRST_TARGET: Duration = Duration::from_millis(100);
const FIRST_ROUNDS: usize = 5;
/// Until all are connected.
const SETTLE: Duration = Duration::from_secs(6);
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Measures the fleet against `mtom up`, then one sensor against a broker that only answers.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let mtom = Mtom::start(&[]).await?;
    let alone = sensors(&mtom.mqtt, 1)?;
    sleep(SETTLE).await;
    let one_kib = proc::rss_kib(alone.id().context("it runs")?)?;
    drop(alone);
    let mut fleet = sensors(&mtom.mqtt, SENSORS)?;
    let pid = fleet.id().context("it runs")?;
    let mut lines = BufReader::new(fleet.stdout.take().context("its output")?).lines();
    sleep(SETTLE).await;
    let (before, stored) = (proc::cpu(pid)?, mtom.audit("stored").await?);
    sleep(plan.idle).await;
    let seconds = plan.idle.as_secs_f64();
    let cpu = (proc::cpu(pid)? - before).as_secs_f64() / seconds * 100.0;
    let rate = (mtom.audit("stored").await? - stored) as f64 / seconds;
    let each_kib = (proc::rss_kib(pid)? - one_kib) / f64::from(SENSORS);
    let mut last = String::new();
    while let Ok(Ok(Some(line))) = timeout(Duration::from_millis(10), lines.next_line()).await {
        last = line;
    }
    drop(fleet);
    mtom.end().await?;
    let wanted = f64::from(SENSORS) / PERIOD.as_secs_f64();
    ensure!(rate > 0.95 * wanted, "only {rate:.0}/s of {wanted:.0}/s were stored: {last}");
    table.alone(
        "5,000 sensors at 0.5 Hz, CPU",
        format!("{cpu:.1} % at {}/s", thousands(rate)),
        format!("≤ {CPU_TARGET_PERCENT} %"),
        cpu <= CPU_TARGET_PERCENT,
    );
    table.alone(
        "memory of each",
        format!("{each_kib:.1} KiB"),
        format!("< {MEMORY_TARGET_KIB} KiB"),
        each_kib < MEMORY_TARGET_KIB,
    );
    let mut firsts = Vec::new();
    for _ in 0..FIRST_ROUNDS {
        firsts.push(first().await?.as_secs_f64());
    }
    table.alone(
        "link-up to first publish",
        format!("{:.1} ms", median(&firsts) * 1e3),
        format!("≤ {} ms", FIRST_TARGET.as_millis()),
        median(&firsts) <= FIRST_TARGET.as_secs_f64(),
    );
    Ok(())
}

fn sensors(broker: &str, count: u32) -> Result<Child> {
    Command::new(binary()?)
        .args(["sensor", "--broker", broker, "--count", &count.to_string()])
        .args(["--interval", &format!("{}s", PERIOD.as_secs()), "--format", "json"])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the sensors")
}

/// From the accepted connection to the first reading on it.
async fn first() -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let _sensor = sensors(&listener.local_addr()?.to_string(), 1)?;
    let (mut stream, _) = timeout(ANSWER_MAX, listener.accept()).await.context("no sensor")??;
    let accepted = Instant::now();
    timeout(ANSWER_MAX, until_reading(&mut stream)).await.context("no reading")??;
    Ok(accepted.elapsed())
}

/// Answers as a broker of MQTT 5 does, until a reading comes.
async fn until_reading(stream: &mut TcpStream) -> Result<()> {
    let mut bytes = Vec::new();
    loop {
        let mut answer = Vec::new();
        let mut arrived = false;
        let done = mqtt::walk(&bytes, |first, body| {
            match first >> 4 {
                mqtt::CONNECT => answer.extend([0x20, 3, 0, 0, 0]),
                mqtt::PUBLISH
                    if body
                        .get(2..)
                        .is_some_and(|topic| topic.starts_with(mqtt::TOPIC.as_bytes())) =>
                {
                    arrived = true;
                }
                mqtt::PUBLISH if first & 0b110 != 0 => {
                    answer.extend(mqtt::puback(mqtt::publish_id(body).context("no packet id")?));
                }
                8 => {
                    let id: [u8; 2] = *body.first_chunk().context("no packet id")?;
                    answer.extend([0x90, 4, id[0], id[1], 0, 0]);
                }
                _ => {}
            }
            Ok(())
        })?;
        if arrived {
            return Ok(());
        }
        bytes.drain(..done);
        stream.write_all(&answer).await?;
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("the sensor has gone");
        }
    }
}
