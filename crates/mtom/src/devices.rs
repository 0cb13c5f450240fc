//! `mtom actuator`, and the same devices inside `mtom up`.

use crate::{Failure, cli, key, report, stop};
use anyhow::{Context, Result};
use mtom_protocol::link::Led;
use mtom_sim::actuator::{self, ActuatorError, Links, Port, Pty, Settings};
use mtom_sim::host;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The speed of the original's serial link.
const BAUD: u32 = 115_200;
/// Presses of the button on their way to the device. Full: the next waits.
const PRESSES_LEN: usize = 8;
/// Where it waits when no link is named.
const LISTEN: &str = "127.0.0.1:7000";

/// `mtom actuator`
pub(crate) fn actuator(arguments: &cli::Actuator) -> Result<(), Failure> {
    let is_more =
        arguments.ble.is_some() || arguments.state.is_some() || arguments.key_file.is_some();
    if arguments.fault.legacy && is_more {
        let text = "--fault legacy cannot be used with --ble, --state or --key-file: an original device \
                    knows none of them";
        return Err(Failure::Usage(text.into()));
    }
    report::log(tracing::Level::INFO);
    let key = arguments.key_file.as_deref().map(key::read).transpose();
    let key = key.map_err(|error| Failure::Usage(format!("--key-file: {error}")))?;
    let settings = Settings {
        name: arguments.name.clone(),
        original: arguments.original,
        lease: arguments.lease.0,
        safe: arguments.safe,
        state: arguments.state.clone(),
        key,
        pairing: arguments.pairing,
        passkey: arguments.passkey,
        compare: arguments.compare,
        faults: arguments.fault.clone(),
        seed: arguments.seed,
    };
    let observe = |led| {
        report::line(if led == Led::On { "LED on" } else { "LED off" });
    };
    let ended = stop::until_told(async |stop| {
        let links = open(arguments).await?;
        let (hand, presses) = mpsc::channel(PRESSES_LEN);
        let mut button = Button::new()?;
        let work = async move || actuator::run(links, settings, presses, observe, stop).await;
        let served = tokio::select! {
            served = host::on_own_thread(work) => served,
            never = button.press(&hand) => never,
        };
        served.context("no thread for the device")?.map_err(anyhow::Error::from)
    })?;
    Ok(ended?)
}

/// The button of the device: SIGUSR1, where there are signals.
struct Button {
    #[cfg(unix)]
    signals: tokio::signal::unix::Signal,
}

impl Button {
    fn new() -> Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signals: {
                use tokio::signal::unix::{SignalKind, signal};
                signal(SignalKind::user_defined1()).context("cannot listen to SIGUSR1")?
            },
        })
    }

    /// Presses it for each signal.
    async fn press(&mut self, hand: &mpsc::Sender<()>) -> ! {
        #[cfg(unix)]
        while self.signals.recv().await.is_some() && hand.send(()).await.is_ok() {}
        let _ = hand;
        std::future::pending().await
    }
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
            // Nobody has a hand on it.
            let (_, presses) = mpsc::channel(1);
            tasks.spawn_local(served(actuator::run(
                links,
                settings,
                presses,
                |_| {},
                stop.clone(),
            )));
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
