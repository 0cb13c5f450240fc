//! The sections of the configuration, one function each: what a key means and what it may be.

use super::reader::{Problems, Section, address, boolean, count, duration, list, text};
use super::tree::{Entry, Node, Place};
use super::{
    Actuator, Broker, Config, Simulate, Surroundings, actuators, broker, home_assistant, rules,
    simulated_names, store, udp,
};
use mtom_gateway::settings;
use mtom_mqtt::endpoint::Scheme;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How often a simulated sensor may measure.
const SIMULATED_PERIOD_MIN: Duration = Duration::from_millis(200);
const SIMULATED_PERIOD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const SIMULATED_MAX: u32 = 10_000;
const LIST_LEN_MAX: usize = 1_000;

const PERIOD: Duration = Duration::from_secs(2);

/// The whole configuration; `None` only together with a problem.
pub(super) fn read(
    tree: Entry,
    around: &impl Surroundings,
    problems: &mut Problems,
) -> Option<Config> {
    let mut root = Section::new("", tree, problems);
    let insecure = security(&mut root, problems);
    let listen = Listen { insecure };
    let data_dir = data(&mut root, problems);
    let broker = broker::read(&mut root, &listen, around, problems);
    let topics = ingest(&mut root, matches!(broker, Some(Broker::Embedded { .. })), problems);
    let home_assistant = home_assistant::read(&mut root, problems);
    let mut live = section(&mut root, "live", problems);
    let live_address = listen.get(&mut live, 8765, problems);
    let viewers_max = live.get("viewers_max", problems, count(1_000_000)).unwrap_or(12_000);
    live.finish(problems);
    let mut history = section(&mut root, "history", problems);
    let history_address = listen.get(&mut history, 8768, problems);
    history.finish(problems);
    let (tcp_address, udp) = forward(&mut root, &listen, problems);
    let mut dashboard = section(&mut root, "dashboard", problems);
    let dashboard_address = listen.get(&mut dashboard, 8080, problems);
    dashboard.finish(problems);
    let store = store::read(&mut root, around, problems);
    let simulate = simulate(&mut root, broker.as_ref(), problems);
    let log_level = log(&mut root, problems);
    let count_before = problems.count();
    let actuators = actuators::read(&mut root, around, problems);
    // An actuator that could not be read may be the one that a rule names.
    let is_whole = problems.count() == count_before;
    let names = is_whole.then(|| names(&actuators, &simulate));
    let rules = rules::read(&mut root, names.as_deref(), problems);
    root.finish(problems);
    Some(Config {
        data_dir,
        store,
        broker: broker?,
        topics,
        home_assistant,
        live: live_address,
        viewers_max,
        history: history_address,
        tcp: tcp_address,
        udp,
        dashboard: dashboard_address,
        simulate,
        actuators,
        rules,
        insecure,
        log_level,
    })
}

pub(super) fn section(root: &mut Section, key: &'static str, problems: &mut Problems) -> Section {
    let absent = || Entry { node: Node::Table(Vec::new()), place: Place::Default };
    let entry = root.take(key).unwrap_or_else(absent);
    Section::new(key, entry, problems)
}

/// `listen` keys: on this computer only, unless it is said that insecure is meant.
pub(super) struct Listen {
    insecure: bool,
}

impl Listen {
    pub(super) fn get(
        &self,
        section: &mut Section,
        port: u16,
        problems: &mut Problems,
    ) -> SocketAddr {
        section
            .get("listen", problems, |node| self.check(address(node)?))
            .unwrap_or_else(|| ([127, 0, 0, 1], port).into())
    }

    pub(super) fn check(&self, address: SocketAddr) -> Result<SocketAddr, String> {
        if address.ip().is_loopback() || self.insecure {
            return Ok(address);
        }
        Err(format!(
            "{address} can be reached from other computers, and nothing asks for a password yet: \
             use 127.0.0.1:{}, or set security.insecure = true if everybody on that network may \
             read and write",
            address.port()
        ))
    }
}

fn forward(
    root: &mut Section,
    listen: &Listen,
    problems: &mut Problems,
) -> (SocketAddr, settings::Udp) {
    let mut forward = section(root, "forward", problems);
    let absent = || Entry { node: Node::Table(Vec::new()), place: Place::Default };
    let tcp = forward.take("tcp").unwrap_or_else(absent);
    let mut tcp = Section::new("forward.tcp", tcp, problems);
    let address = listen.get(&mut tcp, 8766, problems);
    tcp.finish(problems);
    let udp = forward.take("udp").unwrap_or_else(absent);
    let udp = udp::read(Section::new("forward.udp", udp, problems), listen, problems);
    forward.finish(problems);
    (address, udp)
}

fn security(root: &mut Section, problems: &mut Problems) -> bool {
    let mut section = section(root, "security", problems);
    let insecure = section.get("insecure", problems, boolean).unwrap_or(false);
    section.finish(problems);
    insecure
}

fn data(root: &mut Section, problems: &mut Problems) -> PathBuf {
    let mut section = section(root, "data", problems);
    let dir = section.get("dir", problems, |node| {
        let dir = text(node)?;
        if dir.is_empty() { Err("expected a folder".into()) } else { Ok(PathBuf::from(dir)) }
    });
    section.finish(problems);
    dir.unwrap_or_else(|| "mtom-data".into())
}

/// A text that may be left empty.
pub(super) fn optional(
    section: &mut Section,
    key: &'static str,
    problems: &mut Problems,
) -> Option<String> {
    section.get(key, problems, text).filter(|text| !text.is_empty())
}

pub(super) fn password(
    section: &mut Section,
    variable: &str,
    around: &impl Surroundings,
    problems: &mut Problems,
) -> Option<String> {
    if let Some(entry) = section.take("password") {
        problems.add(
            &section.name("password"),
            entry.place,
            format!(
                "a password does not belong into the configuration: use {}, or the environment \
                 variable {variable}",
                section.name("password_file")
            ),
        );
    }
    let from_file = section
        .get("password_file", problems, |node| {
            let path = text(node)?;
            if path.is_empty() {
                return Ok(None);
            }
            let secret = around
                .file(path.as_ref())
                .map_err(|cause| format!("cannot read {path}: {cause}"))?;
            Ok(Some(secret.trim_end_matches(['\r', '\n']).to_owned()))
        })
        .flatten();
    around.variable(variable).or(from_file)
}

fn ingest(root: &mut Section, is_embedded: bool, problems: &mut Problems) -> Vec<String> {
    let mut section = section(root, "ingest", problems);
    let filter = |node| {
        let filter = text(node)?;
        match settings::check_subscription(&filter) {
            Ok(Some(plain)) if is_embedded => Err(format!(
                "{filter:?}: gateways share what another broker has, and this one has a broker of its own: \
                 set broker.url, or write {plain:?}"
            )),
            Ok(_) => Ok(filter),
            Err(error) => Err(format!("{filter:?}: {error}")),
        }
    };
    let topics = section.get("topics", problems, list(filter));
    section.finish(problems);
    topics.unwrap_or_else(|| vec!["Environ/#".into()])
}

fn simulate(root: &mut Section, broker: Option<&Broker>, problems: &mut Problems) -> Simulate {
    fn number(node: Node) -> Result<Option<u32>, String> {
        match node {
            Node::Text(text) if text == "auto" => Ok(None),
            Node::Text(text) => Err(format!("expected a number or \"auto\", found {text:?}")),
            other => count(SIMULATED_MAX)(other).map(Some),
        }
    }
    let mut section = section(root, "simulate", problems);
    let sensors = section.get("sensors", problems, |node| match (number(node)?, broker) {
        (Some(1..), Some(Broker::External { target, .. }))
            if target.endpoint.scheme != Scheme::Mqtt =>
        {
            Err("simulated sensors reach brokers by mqtt:// only: expected 0".into())
        }
        (sensors, _) => Ok(sensors),
    });
    let sensors = sensors.flatten();
    let actuators = section.get("actuators", problems, number).flatten();
    let period = section.get("period", problems, |node| match duration(node)? {
        // As of a real one.
        period if (SIMULATED_PERIOD_MIN..=SIMULATED_PERIOD_MAX).contains(&period) => Ok(period),
        period => Err(format!("expected 200ms to 24h, found {period:?}")),
    });
    section.finish(problems);
    Simulate { sensors, actuators, period: period.unwrap_or(PERIOD) }
}

fn log(root: &mut Section, problems: &mut Problems) -> tracing::Level {
    let mut section = section(root, "log", problems);
    let level = section.get("level", problems, |node| {
        let level = text(node)?;
        level
            .parse()
            .map_err(|_| format!("expected error, warn, info, debug or trace, found {level:?}"))
    });
    section.finish(problems);
    level.unwrap_or(tracing::Level::INFO)
}

/// The names of all actuators, configured and simulated.
fn names(actuators: &[Actuator], simulate: &Simulate) -> Vec<String> {
    let configured = actuators.iter().map(|actuator| actuator.name.clone());
    configured.chain(simulated_names(actuators, simulate)).collect()
}

/// The items of a list of sections.
pub(super) fn sections(
    root: &mut Section,
    key: &'static str,
    problems: &mut Problems,
) -> Option<Vec<(Section, Place)>> {
    let entry = root.take(key)?;
    let name = root.name(key);
    let items = match entry.node {
        Node::List(items) if items.len() <= LIST_LEN_MAX => items,
        Node::List(_) => {
            problems.add(&name, entry.place, format!("expected at most {LIST_LEN_MAX}"));
            Vec::new()
        }
        _ => {
            let is_name = |part: &&str| part.parse::<usize>().is_err();
            let table = name.split('.').filter(is_name).collect::<Vec<_>>().join(".");
            problems.add(&name, entry.place, format!("expected [[{table}]], each with its keys"));
            Vec::new()
        }
    };
    let read = |(at, item): (usize, Entry)| {
        let place = item.place.clone();
        (Section::new(&format!("{name}.{at}"), item, problems), place)
    };
    Some(items.into_iter().enumerate().map(read).collect())
}
