//! `mtom actuator`, and the same devices inside `mtom up`.

use crate::{cli, report, stop};
use anyhow::{Context, Result};
use mtom_protocol::link::Led;
use mtom_sim::actuator::{self, ActuatorError, Links, Port, Pty, Settings};
use mtom_sim::host;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The speed of the original's serial link.
const BAUD: u32 = 115_200;
/// Where it waits when no link is named.
const LISTEN: &str = "127.0.0.1:7000";

/// `mtom actuator`
pub(crate) fn actuator(arguments: &cli::Actuator) -> Result<()> {
    report::log(tracing::Level::INFO);
    let settings = Settings {
        name: arguments.name.clone(),
        original: arguments.original,
        lease: arguments.lease.0,
        safe: arguments.safe,
        state: arguments.state.clone(),
        key: None,
    };
    let observe = |led| {
        report::line(if led == Led::On { "LED on" } else { "LED off" });
    };
    stop::until_told(async |stop| {
        let links = open(arguments).await?;
        let work = async move || actuator::run(links, settings, observe, stop).await;
        Ok(host::on_own_thread(work).await.context("no thread for the device")??)
    })?
}

/// Opens what can be opened before anybody is there, and says where that is.
async fn open(arguments: &cli::Actuator) -> Result<Links> {
    let name = &arguments.name;
    let mut links = Links::default();
    if let Some(path) = &arguments.serial {
        let is_there = std::path::Path::new(path).exists();
        let does = if is_there { "speaks on" } else { "waits until there is" };
        report::line(&format!("{name} {does} {path}"));
        links.serial = Some(Port { path: path.clone(), baud: BAUD });
    }
    if arguments.pty {
        let pty = Pty::open()?;
        report::line(&format!("{name} speaks on {}", pty.path()));
        links.pty = Some(pty);
    }
    if let Some(controller) = &arguments.ble {
        report::line(&format!("{name} is found over Bluetooth by the controller at {controller}"));
        links.bluetooth = Some(controller.clone());
    }
    if let Some(adapter) = &arguments.spp {
        report::line(&format!("{name} is found over classic Bluetooth by {adapter}"));
        links.serial_profile = Some(adapter.clone());
    }
    let has_link = links.serial_profile.is_some()
        || links.serial.is_some()
        || links.pty.is_some()
        || links.bluetooth.is_some();
    let listen = arguments.listen.as_deref().or((!has_link).then_some(LISTEN));
    if let Some(listen) = listen {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        report::line(&format!("{name} waits on tcp:{}", listener.local_addr()?));
        links.tcp = Some(listener);
    }
    Ok(links)
}

/// The simulated actuators of `mtom up` by their names, on a thread that they share, until `stop`.
pub(crate) async fn simulate_actuators(
    actuators: Vec<(String, TcpListener)>,
    stop: CancellationToken,
) {
    let work = async move || {
        let mut tasks = JoinSet::new();
        for (name, listener) in actuators {
            let links = Links { tcp: Some(listener), ..Links::default() };
            let settings = Settings { name, ..Settings::default() };
            tasks.spawn_local(served(actuator::run(links, settings, |_| {}, stop.clone())));
        }
        tasks.join_all().await;
    };
    if let Err(error) = host::on_own_thread(work).await {
        tracing::error!(%error, "there are no simulated actuators");
    }
}

/// A device's task; its failure is said and ends nothing else.
async fn served(device: impl Future<Output = Result<(), ActuatorError>>) {
    if let Err(error) = device.await {
        tracing::error!(error = &error as &dyn std::error::Error, "a simulated device ended");
    }
}
