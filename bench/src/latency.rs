//! From a publish to the byte on the serial link, beside two TCP hops of tokio, at 10 a second.

use crate::mqtt::{connect, publish};
use crate::process;
use crate::{Row, median};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_serial::{SerialPort, SerialStream};

const PERIOD: Duration = Duration::from_millis(100);
const TIMES: f64 = 5.0;

/// Runs all rounds.
pub(crate) async fn run(quick: bool) -> Result<Vec<Row>> {
    let (rounds, samples) = if quick { (1, 50) } else { (3, 100) };
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        floor.extend(echo(samples).await?);
        ours.extend(led(samples).await?);
        println!("round {}: {} samples each", round + 1, samples);
    }
    let (p50, p99) = (median(&mut ours), percentile(&mut ours, 0.99));
    let (echo50, echo99) = (median(&mut floor), percentile(&mut floor, 0.99));
    Ok(vec![Row {
        what: "publish → byte on the serial link, 10/s".into(),
        measured: format!("p50 {p50:.0} µs, p99 {p99:.0} µs"),
        beside: format!("two-hop echo p50 {echo50:.0} µs, p99 {echo99:.0} µs"),
        target: Some((format!("p50 {:.1} × ≤ {TIMES}", p50 / echo50), p50 <= TIMES * echo50)),
    }])
}

fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index within the list"
    )]
    let at = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// mtom between an MQTT connection and a pseudo terminal.
async fn led(samples: usize) -> Result<Vec<f64>> {
    let (port, other_end) = SerialStream::pair()?;
    let path = other_end.name().context("a terminal without a name")?;
    let actuator =
        format!("actuator=[{{name=\"LED\",link=\"serial:{path}\",protocol=\"original\"}}]");
    let rule = "rule=[{when=\"Environ/Temperature\",on=\"celsius >= 25.0\",dwell=\"0s\",\
                then=[{actuator=\"LED\"}]}]";
    let mtom = process::mtom(&["simulate.sensors=0", "simulate.actuators=0", &actuator, rule])?;
    let mut socket = connect(mtom.mqtt, "latency").await?;
    let hot = publish("Environ/Temperature", "26 °C", 1);
    let cold = publish("Environ/Temperature", "24 °C", 2);
    // The link to the terminal is up once the first byte has come.
    let mut port = port;
    socket.write_all(&cold).await?;
    ensure!(port.read_u8().await? == b'c', "the first byte");
    let mut puback = [0; 4];
    socket.read_exact(&mut puback).await?;
    let (mut reader, writer) = socket.into_split();
    let acks = async move {
        // Nobody waits for them, but the socket has to be read.
        let mut ack = [0; 64];
        while reader.read(&mut ack).await.is_ok_and(|count| count > 0) {}
    };
    let measured = samples_of(samples, writer, port, |n| if n % 2 == 0 { &hot } else { &cold });
    tokio::select! {
        samples = measured => samples,
        () = acks => anyhow::bail!("the broker closed the connection"),
    }
}

async fn echo(samples: usize) -> Result<Vec<f64>> {
    let (_floor, addresses) = process::floor("echo")?;
    let sender = TcpStream::connect(addresses[0]).await?;
    let receiver = TcpStream::connect(addresses[1]).await?;
    sender.set_nodelay(true)?;
    samples_of(samples, sender, receiver, |_| b"x").await
}

/// Microseconds from each write to the one byte that it leads to.
async fn samples_of<'a>(
    count: usize,
    mut into: impl AsyncWrite + Unpin,
    mut from: impl AsyncRead + Unpin,
    what: impl Fn(usize) -> &'a [u8],
) -> Result<Vec<f64>> {
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut samples = Vec::with_capacity(count);
    for n in 0..count {
        tick.tick().await;
        let start = Instant::now();
        into.write_all(what(n)).await?;
        into.flush().await?;
        from.read_u8().await?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(samples)
}
