//! `mtom sensor` and `mtom actuator`, and the same devices inside `mtom up`.

use crate::{cli, report, stop};
use anyhow::{Context, Result};
use mtom_protocol::link::Led;
use mtom_sim::actuator::{self, ActuatorError, Settings as Device};
use mtom_sim::sensor::{self, Said, Settings};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The original's topic, where the first sensor publishes.
const TOPIC: &str = "Environ/Temperature";

/// The speed of the original's serial link.
const BAUD: u32 = 115_200;

/// `mtom sensor`
pub(crate) fn sensors(arguments: &cli::Sensor) -> Result<()> {
    let (host, port) = host_port(&arguments.broker)?;
    run(async move |stop| {
        let mut tasks = JoinSet::new();
        for index in 0..arguments.count {
            let settings = Settings {
                host: host.clone(),
                port,
                client_id: client_id(index),
                topic: topic(&arguments.topic, index),
                period: arguments.period,
                gives_way: false,
            };
            let (count, fixed) = (arguments.count, arguments.celsius);
            let say = speaker(settings.topic.clone(), arguments.count == 1);
            let stop = stop.clone();
            tasks.spawn(async move {
                sensor::stagger(index, count, settings.period, &stop).await;
                let temperature = move |since| fixed.unwrap_or_else(|| sensor::wave(since));
                sensor::run(settings, temperature, say, stop).await;
            });
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
    })
}

/// `mtom actuator`
pub(crate) fn actuator(arguments: &cli::Actuator) -> Result<()> {
    let settings =
        Device { name: arguments.name.clone(), original: arguments.original, ..Device::default() };
    let observe = |led| {
        report::line(if led == Led::On { "LED on" } else { "LED off" });
    };
    run(async move |stop| {
        if let Some(path) = &arguments.serial {
            let is_there = std::path::Path::new(path).exists();
            let does = if is_there { "speaks on" } else { "waits until there is" };
            report::line(&format!("{} {does} {path}", arguments.name));
            return actuator::serve_serial(path, BAUD, settings, observe, stop)
                .await
                .with_context(|| format!("cannot use {path}"));
        }
        if arguments.pty {
            return on_new_terminal(settings, observe, stop).await;
        }
        let listener = TcpListener::bind(&arguments.listen)
            .await
            .with_context(|| format!("cannot listen on {}", arguments.listen))?;
        report::line(&format!("{} waits on tcp:{}", arguments.name, listener.local_addr()?));
        actuator::serve_tcp(listener, settings, observe, stop).await.context("the listener")
    })
}

#[cfg(unix)]
async fn on_new_terminal(
    settings: Device,
    observe: impl Fn(Led) + Send,
    stop: CancellationToken,
) -> Result<()> {
    let pty = actuator::Pty::open()?;
    report::line(&format!("{} speaks on {}", settings.name, pty.path()));
    Ok(actuator::serve_pty(pty, settings, observe, stop).await?)
}

#[cfg(not(unix))]
async fn on_new_terminal(
    _settings: Device,
    _observe: impl Fn(Led) + Send,
    _stop: CancellationToken,
) -> Result<()> {
    anyhow::bail!("there are no pseudo terminals here: use --listen or --serial")
}

/// The simulated sensors of `mtom up`; they give way to real ones.
pub(crate) fn simulate_sensors(
    tasks: &mut JoinSet<()>,
    broker: &str,
    count: u32,
    period: Duration,
    stop: &CancellationToken,
) {
    let Ok((host, port)) = host_port(broker) else { return };
    for index in 0..count {
        let settings = Settings {
            host: host.clone(),
            port,
            client_id: client_id(index),
            topic: topic(TOPIC, index),
            period,
            gives_way: true,
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            sensor::stagger(index, count, period, &stop).await;
            let say = |said| {
                if said == Said::GaveWay {
                    tracing::info!(
                        "another device publishes here: the simulated sensor keeps silent for {:?}",
                        sensor::SILENT_FOR
                    );
                }
            };
            sensor::run(settings, sensor::wave, say, stop).await;
        });
    }
}

/// A device's task; its failure is said and ends nothing else.
pub(crate) async fn served(device: impl Future<Output = Result<(), ActuatorError>>) {
    if let Err(error) = device.await {
        tracing::error!(error = &error as &dyn std::error::Error, "a simulated device ended");
    }
}

/// What a sensor says, as on its serial log.
fn speaker(topic: String, alone: bool) -> impl Fn(Said) + Send + 'static {
    move |said| {
        let text = match said {
            Said::Connected => "connected".to_owned(),
            Said::Lost { reason } => format!("the broker is away: {reason}"),
            Said::GaveWay => "another device publishes here".to_owned(),
            Said::Published { payload } if alone => payload,
            // A fleet's readings would only scroll.
            Said::Published { .. } => return,
        };
        report::line(&format!("{topic}: {text}"));
    }
}

/// `Environ/Temperature`, then `Environ/sim2/Temperature` and so on.
fn topic(first: &str, index: u32) -> String {
    match (index, first.rsplit_once('/')) {
        (0, _) => first.to_owned(),
        (_, Some((device, quantity))) => format!("{device}/sim{}/{quantity}", index + 1),
        (_, None) => format!("{first}{}", index + 1),
    }
}

/// Unlike any other process's: a broker knows one client by one id [MQTT-3.1.4-2].
fn client_id(index: u32) -> String {
    format!("mtom-sim-{}-{index}", std::process::id())
}

fn host_port(text: &str) -> Result<(String, u16)> {
    let wrong = || format!("{text:?}: expected host:port, as in 127.0.0.1:1883");
    let (host, port) = text.rsplit_once(':').with_context(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), port.parse().ok().with_context(wrong)?))
}

fn run(work: impl AsyncFnOnce(CancellationToken) -> Result<()>) -> Result<()> {
    report::log(tracing::Level::INFO);
    stop::until_told(work)?
}
