//! From the configuration to what runs: which devices are simulated, which rules drive what.

use crate::Failure;
use crate::config::{self, Config};
use mtom_gateway::settings::{self, Actuator, Ports, Settings, Source};
use mtom_rules::{Engine, RuleSpec, Silent};
use std::net::SocketAddr;

/// The name of the first simulated actuator, as the original's.
const FIRST_NAME: &str = "TEMP_LED";

/// How many sensors are simulated.
pub(crate) fn sensors(config: &Config) -> u32 {
    config.simulate.sensors.unwrap_or(match config.broker {
        config::Broker::Embedded { .. } => 1,
        config::Broker::External { .. } => 0,
    })
}

/// The names of the simulated actuators; none is a configured one's.
pub(crate) fn simulated_actuators(config: &Config) -> Vec<String> {
    let default = u32::from(config.actuators.is_empty());
    let count = config.simulate.actuators.unwrap_or(default);
    let free = |name: &String| config.actuators.iter().all(|actuator| actuator.name != *name);
    let names = std::iter::once(FIRST_NAME.to_owned())
        .chain((2_u32..).map(|number| format!("{FIRST_NAME}_{number}")));
    names.filter(free).take(count as usize).collect()
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
    let rules = if with_actuators { engine(config, &names)? } else { no_rules()? };
    let source = match config.broker.clone() {
        config::Broker::Embedded { listen } => Source::Embedded { listen },
        config::Broker::External { host, port, client_id, credentials } => {
            Source::External { host, port, client_id, credentials }
        }
    };
    let ports = Ports {
        live: config.live,
        history: config.history,
        viewers_max: config.viewers_max as usize,
        insecure: config.insecure,
        dashboard: None,
    };
    Ok(Settings {
        data_dir: config.data_dir.clone(),
        source,
        topics: config.topics.clone(),
        ports: Some(ports),
        actuators,
        rules,
    })
}

/// Says everything that only shows when the parts are put together.
///
/// # Errors
/// What is wrong, all of it.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    let simulated: Vec<_> = simulated_actuators(config)
        .into_iter()
        .map(|name| (name, SocketAddr::from(([127, 0, 0, 1], 1))))
        .collect();
    gateway(config, &simulated, true).map(drop)
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
            simulated: true,
        });
    }
    Ok(actuators)
}

/// The configured rules, or the original's for every actuator.
///
/// # Errors
/// What is wrong with the rules, all of it.
pub(crate) fn engine(config: &Config, names: &[String]) -> Result<Engine, Failure> {
    let specs: Vec<_> = match &config.rules {
        None => names.iter().map(|name| original(name)).collect(),
        Some(rules) => rules.iter().map(spec).collect(),
    };
    let mut mistakes = Vec::new();
    for spec in &specs {
        for actuator in spec.actuators.iter().filter(|actuator| !names.contains(actuator)) {
            mistakes.push(format!(
                "rule {}: there is no actuator {actuator:?}: expected one of {}",
                spec.name,
                names.join(", ")
            ));
        }
    }
    match Engine::compile(&specs) {
        Ok(engine) if mistakes.is_empty() => Ok(engine),
        Ok(_) => Err(Failure::Usage(mistakes.join("\n"))),
        Err(errors) => {
            mistakes.extend(errors.iter().map(ToString::to_string));
            Err(Failure::Usage(mistakes.join("\n")))
        }
    }
}

fn no_rules() -> Result<Engine, Failure> {
    Engine::compile(&[]).map_err(|_| Failure::Usage("no rules are no valid rules".into()))
}

fn original(actuator: &str) -> RuleSpec {
    RuleSpec { name: format!("original {actuator}"), ..RuleSpec::original(actuator) }
}

fn spec(rule: &config::Rule) -> RuleSpec {
    RuleSpec {
        name: rule.name.clone(),
        when: rule.when.clone(),
        on: rule.on.clone(),
        off: rule.off.clone(),
        hold_for: rule.hold_for,
        dwell: rule.dwell,
        max_age: rule.max_age,
        silent: match rule.silent.as_str() {
            "on" => Silent::On,
            "hold" => Silent::Hold,
            _ => Silent::Off,
        },
        actuators: rule.actuators.clone(),
    }
}
