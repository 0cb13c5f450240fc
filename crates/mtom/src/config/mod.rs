//! The configuration: what the file and `--set` say, checked as a whole.
//!
//! Reading never stops at the first mistake: [`Config::read`] gives a configuration in which every
//! value is usable, or every problem there is, each with its key. Nothing is bound or opened here.

mod actuators;
mod broker;
mod home_assistant;
mod reader;
mod rule_tests;
mod rules;
mod sections;
mod store;
mod tree;
mod udp;

pub(crate) use tree::{Problem, Spot};

pub(crate) use broker::{Broker, broker_url};
use mtom_gateway::settings::{HomeAssistant, Udp};
use mtom_protocol::link::keyed::Key;
use mtom_rules::RuleSpec;
use reader::Problems;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
pub(crate) use store::Store;

/// The annotated default file; a test reads it back.
pub(crate) const DEFAULT_FILE: &str = include_str!("default.toml");

/// How often a state is said again: several times within the lease after which a device gives up on us.
pub(crate) const REFRESH: Duration = Duration::from_secs(10);

/// Everything that can be configured, valid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) broker: Broker,
    pub(crate) topics: Vec<String>,
    pub(crate) home_assistant: HomeAssistant,
    pub(crate) live: SocketAddr,
    pub(crate) viewers_max: u32,
    pub(crate) history: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) udp: Udp,
    pub(crate) dashboard: SocketAddr,
    pub(crate) simulate: Simulate,
    pub(crate) actuators: Vec<Actuator>,
    /// `None`: no rule was written, so the original's drives every actuator.
    pub(crate) rules: Option<Vec<RuleSpec>>,
    pub(crate) insecure: bool,
    pub(crate) log_level: tracing::Level,
}

/// `[simulate]`; `None` is `"auto"`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Simulate {
    pub(crate) sensors: Option<u32>,
    pub(crate) actuators: Option<u32>,
    pub(crate) period: Duration,
}

/// `[[actuator]]`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Actuator {
    pub(crate) name: String,
    pub(crate) link: String,
    pub(crate) refresh: Duration,
    pub(crate) protocol: String,
    pub(crate) drift: String,
    pub(crate) key: Option<Key>,
}

/// The name of the first simulated actuator, as the original's.
const FIRST_NAME: &str = "TEMP_LED";

/// The names of the simulated actuators; none is a configured one's.
pub(crate) fn simulated_names(actuators: &[Actuator], simulate: &Simulate) -> Vec<String> {
    let default = u32::from(actuators.is_empty());
    let count = simulate.actuators.unwrap_or(default);
    let free = |name: &String| actuators.iter().all(|actuator| actuator.name != *name);
    let names = std::iter::once(FIRST_NAME.to_owned())
        .chain((2_u32..).map(|number| format!("{FIRST_NAME}_{number}")));
    names.filter(free).take(count as usize).collect()
}

/// What surrounds the configuration: secrets come from here.
pub(crate) trait Surroundings {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// A file's text.
    fn file(&self, path: &Path) -> std::io::Result<String>;
}

/// The process's own.
pub(crate) struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
}

impl Config {
    /// Reads the text of a file, with `--set` options over it.
    ///
    /// # Errors
    /// Every problem there is.
    pub(crate) fn read(
        text: &str,
        sets: &[String],
        around: &impl Surroundings,
    ) -> Result<Self, Vec<Problem>> {
        let mut tree = tree::parse(text).map_err(|problem| vec![problem])?;
        let mut problems = Problems::default();
        for assignment in sets {
            if let Err(problem) = tree::set(&mut tree, assignment) {
                problems.add(&problem.key, problem.place, problem.text);
            }
        }
        let config = sections::read(tree, around, &mut problems);
        match config {
            Some(config) if problems.count() == 0 => Ok(config),
            _ => Err(problems.into_sorted()),
        }
    }
}

/// The rules of a file: a whole configuration, or `[[rule]]` alone. They may drive the actuators with
/// these `names`, or any where the names are not known. `None`: it says nothing about rules.
///
/// # Errors
/// Every problem there is.
pub(crate) fn read_rules(
    text: &str,
    names: Option<&[String]>,
    around: &impl Surroundings,
) -> Result<Option<Vec<RuleSpec>>, Vec<Problem>> {
    let tree = tree::parse(text).map_err(|problem| vec![problem])?;
    let tree::Node::Table(fields) = &tree.node else { return Ok(None) };
    let mut problems = Problems::default();
    let rules = if fields.iter().any(|(name, _)| name != "rule") {
        // It has actuators of its own, which may be others.
        let rules = Config::read(text, &[], around)?.rules;
        if let Some(names) = names {
            for (at, spec) in rules.iter().flatten().enumerate() {
                rules::strangers(at, spec, names, &tree::Place::Default, &mut problems);
            }
        }
        rules
    } else {
        let mut root = reader::Section::new("", tree, &mut problems);
        rules::read(&mut root, names, &mut problems)
    };
    if problems.count() == 0 { Ok(rules) } else { Err(problems.into_sorted()) }
}

/// A span of time as the command line writes it: `250ms`, `10s`, `5m`, `24h`.
pub(crate) fn time_span(text: &str) -> Result<Duration, String> {
    reader::duration(tree::Node::Text(text.into()))
}

#[cfg(test)]
mod tests;
