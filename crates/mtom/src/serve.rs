//! `mtom up` and `mtom gateway`: everything in one process, from the first bind to the last commit.

use crate::config::Config;
use crate::{Failure, clock, devices, files, plan, ready, report, rules, scan, sensors, stop};
use anyhow::Context;
use jiff::tz::TimeZone;
use mtom_dashboard::server::{self, Dashboard, Info};
use mtom_dashboard::simulator::Simulator;
use mtom_gateway::Clock;
use mtom_gateway::gateway::{self, Gateway};
use mtom_sim::sensor::hand::Hand;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Who this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Up,
    /// Everything but rules, actuators and simulated devices.
    Gateway,
}

/// What is said where more than this computer can reach us.
const INSECURE: &str = "security.insecure is set: everybody who reaches these ports can read and \
                        write, because nothing asks for a password yet";

/// Serves until Ctrl-C or SIGTERM.
pub(crate) fn run(config: Config, role: Role, ready_file: Option<&Path>) -> Result<(), Failure> {
    report::log(config.log_level);
    files::allow_many();
    stop::until_told(async |stop| Box::pin(serve(config, role, ready_file, stop)).await)?
}

async fn serve(
    config: Config,
    role: Role,
    ready_file: Option<&Path>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let clock = clock::system();
    let mut devices = JoinSet::new();
    let simulated = match role {
        Role::Up => simulate_actuators(&config, &mut devices, &stop).await?,
        Role::Gateway => Vec::new(),
    };
    let page = gateway::bind("the page", "dashboard.listen", config.dashboard).await?;
    let page_address = page.local_addr().context("the page's own address")?;
    let mut settings = plan::gateway(&config, &simulated, role == Role::Up)?;
    if let Some(ports) = &mut settings.ports {
        ports.dashboard = Some(page_address.port());
    }
    let replay = rules::replayer(settings.rules.read.clone());
    let trial = rules::trier(settings.rules.read.clone());
    let zone = TimeZone::system();
    let gateway = Gateway::start(settings, clock.clone(), zone.clone()).await?;
    let sensors = if role == Role::Up { plan::sensors(&config) } else { 0 };
    let ready = ready::Addresses::new(gateway.addresses(), page_address);
    if let Some(path) = ready_file {
        ready.write(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    announce(&config, role, &ready, sensors, &simulated);
    let any_simulated = sensors > 0 || !simulated.is_empty();
    let mut dashboard = dashboard(&config, &gateway, &ready, any_simulated, (clock, zone));
    dashboard.replay = Some(replay);
    dashboard.trial = Some(trial);
    let hand = Hand::default();
    dashboard.simulator = (sensors > 0).then(|| simulator(&hand));
    let period = config.simulate.period;
    sensors::simulate(&mut devices, &ready.mqtt, sensors, period, hand, &stop);
    let page_stop = CancellationToken::new();
    let mut pages = JoinSet::new();
    pages.spawn(server::serve(page, dashboard, page_stop.clone()));
    // The gateway ends when it is told to, or when one of its parts fails: then everything ends.
    let outcome = gateway.run(stop.clone()).await;
    stop.cancel();
    page_stop.cancel();
    while let Some(ended) = pages.join_next().await {
        ended.context("the page's task")?.context("the page")?;
    }
    while devices.join_next().await.is_some() {}
    Ok(outcome?)
}

/// Starts the simulated actuators; each waits for its link on a port of its own.
pub(crate) async fn simulate_actuators(
    config: &Config,
    devices: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Result<Vec<(String, SocketAddr)>, Failure> {
    let (mut simulated, mut waiting) = (Vec::new(), Vec::new());
    for name in plan::simulated_actuators(config) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen for a simulated actuator")?;
        let address = listener.local_addr().context("a simulated actuator's address")?;
        waiting.push((name.clone(), listener));
        simulated.push((name, address));
    }
    if !waiting.is_empty() {
        devices.spawn(devices::simulate_actuators(waiting, stop.clone()));
    }
    Ok(simulated)
}

fn dashboard(
    config: &Config,
    gateway: &Gateway,
    ready: &ready::Addresses,
    simulated: bool,
    (clock, zone): (Clock, TimeZone),
) -> Dashboard {
    Dashboard {
        view: gateway.view(),
        history: gateway.history(),
        info: Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: clock(),
            zone,
            mqtt: ready.mqtt.clone(),
            live: ready.live.clone(),
            history: ready.history.clone(),
            dashboard: ready.dashboard.clone(),
            tcp: ready.tcp.clone(),
            udp: ready.udp.clone(),
            insecure: config.insecure.then(|| INSECURE.to_owned()),
            simulated,
        },
        clock,
        control: Some(gateway.control()),
        replay: None,
        trial: None,
        scan: Some(scan::for_page()),
        pairings: Some(gateway.pairings()),
        guests: gateway.guests(),
        presence: gateway.presence(),
        discovered: Some(gateway.discovered()),
        talk: gateway.talk(),
        lines: Some(gateway.lines()),
        simulator: None,
    }
}

/// The first simulated sensor, for the page to hold.
fn simulator(hand: &Hand) -> Simulator {
    let (holding, held) = (hand.clone(), hand.clone());
    Simulator {
        topic: sensors::TOPIC.to_owned(),
        hold: Arc::new(move |celsius| holding.hold(celsius)),
        held: Arc::new(move || held.celsius()),
    }
}

/// Says what listens where.
fn announce(
    config: &Config,
    role: Role,
    ready: &ready::Addresses,
    sensors: u32,
    simulated: &[(String, SocketAddr)],
) {
    let name = if role == Role::Up { "mtom" } else { "mtom gateway" };
    report::line(&format!("{name} {} is up", env!("CARGO_PKG_VERSION")));
    let broker = match config.broker {
        crate::config::Broker::Embedded { .. } => "devices publish here",
        crate::config::Broker::External { .. } => "the external broker",
    };
    for (what, address, why) in [
        ("page", format!("http://{}/", ready.dashboard), "open this"),
        ("mqtt", ready.mqtt.clone(), broker),
        ("live", format!("ws://{}", ready.live), "hello, realtime"),
        ("history", format!("ws://{}", ready.history), "hello, database:N"),
        ("tcp", ready.tcp.clone(), "every reading as a line of JSON"),
        ("data", config.data_dir.display().to_string(), "mtom.db is the journal and the history"),
    ] {
        report::line(&format!("  {what:<9} {address:<28} {why}"));
    }
    if !ready.udp.is_empty() {
        let why = "a datagram for each reading, to whoever asks";
        report::line(&format!("  {:<9} {:<28} {why}", "udp", ready.udp));
    }
    for target in &config.udp.targets {
        let target = target.to_string();
        report::line(&format!("  {:<9} {target:<28} is sent a datagram for each reading", "udp"));
    }
    if sensors > 0 {
        let why = "keeps silent while another publishes on its topic";
        report::line(&format!("  {:<9} {:<28} {why}", "sensors", format!("{sensors} simulated")));
    }
    for (name, address) in simulated {
        report::line(&format!("  {:<9} {name:<28} simulated on {address}", "actuator"));
    }
    for actuator in &config.actuators {
        let driven = if role == Role::Up { "" } else { "driven by mtom controller or mtom up" };
        let line = format!("  {:<9} {:<28} {} {driven}", "actuator", actuator.name, actuator.link);
        report::line(line.trim_end());
    }
    if config.insecure {
        tracing::warn!("{INSECURE}");
    }
    report::line("Ctrl-C stops it; what is in flight is stored first.");
}
