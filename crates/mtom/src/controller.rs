//! `mtom controller`: the second computer. Readings come from a gateway, or from the original server; rules and
//! actuators are here, °C and °F are shown on the terminal.

use crate::cli::Controller;
use crate::config::Config;
use crate::{Failure, clock, plan, report, serve, stop};
use mtom_gateway::gateway::Gateway;
use mtom_gateway::settings::{self, Source};
use mtom_gateway::view::{Hop, LogEvent, Update, View};
use mtom_protocol::unit::fahrenheit;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Its journal stands in a folder of its own, beside a gateway's on the same computer.
const FOLDER: &str = "controller";

/// Receives, decides and drives until Ctrl-C or SIGTERM.
pub(crate) fn run(config: Config, arguments: &Controller) -> Result<(), Failure> {
    let from = &*arguments.from;
    settings::check_forwarded_url(from)
        .map_err(|text| Failure::Usage(format!("--from: {text}")))?;
    report::log(config.log_level);
    let name = arguments.name.clone().unwrap_or_else(computer_name);
    stop::until_told(async |stop| Box::pin(control(config, from, name, stop)).await)?
}

async fn control(
    config: Config,
    from: &str,
    name: String,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut devices = JoinSet::new();
    let simulated = serve::simulate_actuators(&config, &mut devices, &stop).await?;
    let mut settings = plan::gateway(&config, &simulated, true)?;
    settings.source = Source::Forwarded { url: from.to_owned(), name: name.clone() };
    settings.ports = None;
    settings.data_dir = config.data_dir.join(FOLDER);
    let zone = jiff::tz::TimeZone::system();
    let gateway = Gateway::start(settings, clock::system(), zone).await?;
    report::line(&format!("mtom controller {} ({name}): {from}", env!("CARGO_PKG_VERSION")));
    for (name, address) in &simulated {
        report::line(&format!("  actuator  {name} simulated on {address}"));
    }
    for actuator in &config.actuators {
        report::line(&format!("  actuator  {} {}", actuator.name, actuator.link));
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(show(gateway.view()));
    let outcome = gateway.run(stop.clone()).await;
    stop.cancel();
    while devices.join_next().await.is_some() {}
    tasks.shutdown().await;
    Ok(outcome?)
}

/// What this computer is called, as far as it is a name.
fn computer_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    let name: String = name.chars().filter(|each| !each.is_control()).take(16).collect();
    if name.is_empty() { "controller".to_owned() } else { name }
}

/// Each reading in both scales, and what the actuators say.
async fn show(view: View) {
    let (_, mut feed) = view.watch();
    while let Some(update) = feed.next().await {
        match update.as_deref() {
            Ok(Update::Reading(stored)) => {
                if let Some(celsius) = stored.reading.celsius() {
                    let fahrenheit = fahrenheit(celsius);
                    report::line(&format!("{celsius:.1} °C  {fahrenheit:.1} °F"));
                }
            }
            Ok(Update::Log(entry)) => match &entry.event {
                LogEvent::BrokerConnected { url } => report::line(&format!("connected to {url}")),
                LogEvent::BrokerLost { url, reason } => {
                    report::line(&format!("no connection to {url}: {reason}; it is tried again"));
                }
                event if entry.hop == Hop::Actuator => report::line(&event.to_string()),
                _ => {}
            },
            Ok(_) => {}
            Err(lost) => report::line(&format!("({lost} lines not shown)")),
        }
    }
}
