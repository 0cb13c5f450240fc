//! From the configuration to what runs: which devices are simulated, which rules drive what.

use crate::Failure;
use crate::config::{self, Config};
use crate::rules;
use mtom_gateway::control::RuleSource;
use mtom_gateway::settings::{self, Actuator, Ports, Settings, Source};
use mtom_rules::RuleSpec;
use std::net::SocketAddr;
use std::sync::Arc;

/// How many sensors are simulated.
pub(crate) fn sensors(config: &Config) -> u32 {
    config.simulate.sensors.unwrap_or(match config.broker {
        config::Broker::Embedded { .. } => 1,
        config::Broker::External { .. } => 0,
    })
}

/// The names of the simulated actuators.
pub(crate) fn simulated_actuators(config: &Config) -> Vec<String> {
    config::simulated_names(&config.actuators, &config.simulate)
}

/// The settings of a gateway. `simulated` are the addresses of the simulated actuators.
///
/// # Errors
/// What is wrong with the rules, all of it.
pub(crate) fn gateway(
    config: &Config,
    simulated: &[(String, SocketAddr)],
    with_actuators: bool,
) -> Result<Settings, Failure> {
    let actuators = if with_actuators { actuators(config, simulated)? } else { Vec::new() };
    let names: Vec<_> = actuators.iter().map(|actuator| actuator.name.clone()).collect();
    let rules = if with_actuators { configured(config, names) } else { source(Vec::new(), names) };
    let source = match config.broker.clone() {
        config::Broker::Embedded { listen, admission } => Source::Embedded { listen, admission },
        config::Broker::External { target, client_id, receive_max } => {
            Source::External { target, client_id, receive_max }
        }
    };
    let ports = Ports {
        live: config.live,
        history: config.history,
        tcp: config.tcp,
        udp: config.udp.clone(),
        viewers_max: config.viewers_max as usize,
        insecure: config.insecure,
        dashboard: None,
    };
    Ok(Settings {
        data_dir: config.data_dir.clone(),
        source,
        topics: config.topics.clone(),
        home_assistant: config.home_assistant.clone(),
        ports: Some(ports),
        actuators,
        rules,
        keep: config.store.keep,
        database: database(config)?,
    })
}

/// The other database.
fn database(config: &Config) -> Result<Option<settings::Database>, Failure> {
    let Some(url) = &config.store.url else { return Ok(None) };
    let password = config.store.password.clone();
    match url.parse() {
        Ok(url) => Ok(Some(settings::Database { url, password })),
        Err(error) => Err(Failure::Usage(format!("store.url: {error}"))),
    }
}

/// The configured actuators and the simulated ones.
///
/// # Errors
/// When a link cannot be read.
pub(crate) fn actuators(
    config: &Config,
    simulated: &[(String, SocketAddr)],
) -> Result<Vec<Actuator>, Failure> {
    let usage = |name: &str, error: &dyn std::fmt::Display| {
        Failure::Usage(format!("actuator {name}: {error}"))
    };
    let mut actuators = Vec::new();
    for actuator in &config.actuators {
        actuators.push(Actuator {
            name: actuator.name.clone(),
            link: actuator.link.parse().map_err(|error| usage(&actuator.name, &error))?,
            refresh: actuator.refresh,
            protocol: settings::protocol(&actuator.protocol).unwrap_or_default(),
            drift: settings::drift(&actuator.drift).unwrap_or_default(),
            key: actuator.key.clone(),
            simulated: false,
        });
    }
    for (name, address) in simulated {
        let link = format!("tcp:{address}").parse().map_err(|error| usage(name, &error))?;
        actuators.push(Actuator {
            name: name.clone(),
            link,
            refresh: config::REFRESH,
            protocol: settings::protocol("auto").unwrap_or_default(),
            drift: settings::drift("correct").unwrap_or_default(),
            // It is in this very process.
            key: None,
            simulated: true,
        });
    }
    Ok(actuators)
}

/// The configured rules, or the original's for every actuator.
fn configured(config: &Config, names: Vec<String>) -> RuleSource {
    let originals = || {
        let original = |name: &String| RuleSpec {
            name: format!("original {name}"),
            ..RuleSpec::original(name)
        };
        names.iter().map(original).collect()
    };
    source(config.rules.clone().unwrap_or_else(originals), names)
}

/// Rules, and how others are read: they may drive the actuators with these `names`.
fn source(specs: Vec<RuleSpec>, names: Vec<String>) -> RuleSource {
    let text = rules::to_toml(&specs);
    let read = move |text: &str| {
        let specs = config::read_rules(text, Some(&names), &config::Process);
        Ok(specs.map_err(|problems| rules::mistakes(text, &problems))?.unwrap_or_default())
    };
    RuleSource { specs, text, read: Arc::new(read) }
}
