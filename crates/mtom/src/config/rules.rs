//! `[[rule]]`, in `mtom.toml` or in a file of its own: its keys, and what the engine says about them, under
//! the line that it is about.

use super::reader::{Problems, Section, boolean, duration, shown, text};
use super::rule_tests;
use super::sections::sections;
use super::tree::{Entry, Node, Place, Spot};
use mtom_rules::{Consequence, Edge, Engine, Qos, RuleError, RuleSpec, Silent};
use std::time::Duration;

const THEN: &str = "[{ actuator = \"TEMP_LED\" }]";

/// Where each key of one rule stands.
struct Places {
    rule: Place,
    keys: Vec<(String, Place)>,
}

impl Places {
    fn of(&self, key: &str) -> Place {
        let found = self.keys.iter().find(|(name, _)| name == key);
        found.map_or_else(|| self.rule.clone(), |(_, place)| place.clone())
    }
}

/// The rules; `None` when nothing is said about rules. They may drive the actuators with these
/// `names`, or any where the names are not known.
pub(super) fn read(
    root: &mut Section,
    names: Option<&[String]>,
    problems: &mut Problems,
) -> Option<Vec<RuleSpec>> {
    let found = sections(root, "rule", problems)?;
    let mut specs = Vec::new();
    let mut places = Vec::new();
    for (at, (section, place)) in found.into_iter().enumerate() {
        let place = Places { rule: place, keys: section.places() };
        if let Some(spec) = rule(at, section, &place.rule, problems) {
            if let Some(names) = names {
                strangers(at, &spec, names, &place.of("then"), problems);
            }
            specs.push(spec);
            places.push((at, place));
        }
    }
    if let Err(errors) = Engine::compile(&specs) {
        for RuleError { index, key, position, problem, .. } in errors {
            let Some((at, place)) = places.get(index) else { continue };
            let text = match position {
                Some(position) => format!("{position}: {problem}"),
                None => problem,
            };
            let spot = position.map_or(Spot::Value, Spot::At);
            problems.add_at(&format!("rule.{at}.{key}"), place.of(key), spot, text);
        }
    }
    Some(specs)
}

/// The actuators of a rule that there are not: those that there are have these `names`.
pub(super) fn strangers(
    at: usize,
    spec: &RuleSpec,
    names: &[String],
    place: &Place,
    problems: &mut Problems,
) {
    let is_strange = |name: &&str| !names.iter().any(|known| known == name);
    for name in spec.actuators().filter(is_strange) {
        let text = format!("there is no actuator {name:?}: expected {}", either(names));
        let spot = Spot::Word(name.into());
        problems.add_at(&format!("rule.{at}.then"), place.clone(), spot, text);
    }
}

fn rule(
    at: usize,
    mut section: Section,
    place: &Place,
    problems: &mut Problems,
) -> Option<RuleSpec> {
    let default = RuleSpec::original("");
    let name = section.get("name", problems, text);
    let when = section.require("when", place, problems, text);
    let on = section.require("on", place, problems, text);
    let off = section.get("off", problems, text);
    let hold_for = section.get("for", problems, duration).unwrap_or(default.hold_for);
    let dwell = section.get("dwell", problems, duration).unwrap_or(default.dwell);
    let max_age = section.get("max_age", problems, max_age).unwrap_or(default.max_age);
    let silent = section.get("silent", problems, silent).unwrap_or(default.silent);
    let schedule = section.get("schedule", problems, text);
    let priority = section.get("priority", problems, priority).unwrap_or(default.priority);
    let then_key = section.name("then");
    let then = match section.take("then") {
        Some(entry) => consequences(&then_key, entry, problems),
        None => {
            problems.add(&then_key, place.clone(), format!("missing: expected {THEN}"));
            None
        }
    };
    rule_tests::check(&mut section, problems);
    section.finish(problems);
    let name = name.unwrap_or_else(|| format!("rule {}", at + 1));
    let (when, on, then) = (when?, on?, then?);
    Some(RuleSpec {
        name,
        when,
        on,
        off,
        hold_for,
        dwell,
        max_age,
        silent,
        schedule,
        priority,
        then,
    })
}

fn priority(node: Node) -> Result<i32, String> {
    let expected =
        |found: String| format!("expected a whole number, as in priority = 1, found {found}");
    match node {
        Node::Integer(value) => i32::try_from(value).map_err(|_| expected(value.to_string())),
        other => Err(expected(shown(&other))),
    }
}

/// A time span, or `never`.
fn max_age(node: Node) -> Result<Option<Duration>, String> {
    match node {
        Node::Text(text) if text == "never" => Ok(None),
        other => duration(other).map(Some).map_err(|text| format!("{text}; or \"never\"")),
    }
}

fn silent(node: Node) -> Result<Silent, String> {
    match text(node)?.as_str() {
        "on" => Ok(Silent::On),
        "off" => Ok(Silent::Off),
        "hold" => Ok(Silent::Hold),
        other => Err(format!("expected on, off or hold, found {other:?}")),
    }
}

/// The entries of `then`; `None` together with a problem.
fn consequences(key: &str, entry: Entry, problems: &mut Problems) -> Option<Vec<Consequence>> {
    let Node::List(items) = entry.node else {
        problems.add(key, entry.place, format!("expected {THEN}"));
        return None;
    };
    if items.is_empty() {
        problems.add(key, entry.place, format!("empty: expected {THEN}"));
        return None;
    }
    let mut then = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let place = item.place.clone();
        let mut section = Section::new(&format!("{key}.{at}"), item, problems);
        then.push(consequence(&mut section, &place, problems));
        section.finish(problems);
    }
    then.into_iter().collect()
}

/// What it is follows from which of the three keys is there.
fn consequence(
    section: &mut Section,
    place: &Place,
    problems: &mut Problems,
) -> Option<Consequence> {
    let keys = section.places();
    let has = |wanted: &str| keys.iter().any(|(key, _)| key == wanted);
    match (has("actuator"), has("publish"), has("webhook")) {
        (false, true, false) => {
            let topic = section.get("publish", problems, text);
            let payload = section.get("payload", problems, text);
            let edge = section.get("edge", problems, edge).unwrap_or_default();
            let qos = section.get("qos", problems, qos).unwrap_or_default();
            let retain = section.get("retain", problems, boolean).unwrap_or_default();
            Some(Consequence::Publish { topic: topic?, payload, edge, qos, retain })
        }
        (false, false, true) => {
            let url = section.get("webhook", problems, text);
            let body = section.get("body", problems, text);
            let edge = section.get("edge", problems, edge).unwrap_or_default();
            Some(Consequence::Webhook { url: url?, body, edge })
        }
        (true, false, false) | (false, false, false) => {
            section.require("actuator", place, problems, text).map(Consequence::Actuator)
        }
        _ => {
            let text = "is several at once: expected one of actuator, publish and webhook";
            problems.add(section.prefix(), place.clone(), text);
            for key in
                ["actuator", "publish", "webhook", "payload", "body", "edge", "qos", "retain"]
            {
                section.take(key);
            }
            None
        }
    }
}

fn edge(node: Node) -> Result<Edge, String> {
    match text(node)?.as_str() {
        "on" => Ok(Edge::On),
        "off" => Ok(Edge::Off),
        "both" => Ok(Edge::Both),
        other => Err(format!("expected on, off or both, found {other:?}")),
    }
}

fn qos(node: Node) -> Result<Qos, String> {
    match node {
        Node::Integer(0) => Ok(Qos::AtMostOnce),
        Node::Integer(1) => Ok(Qos::AtLeastOnce),
        other => Err(format!("expected 0 or 1, found {}", shown(&other))),
    }
}

fn either(names: &[String]) -> String {
    match names {
        [] => "an [[actuator]] with that name, and there is none".into(),
        [one] => format!("{one:?}"),
        more => format!("one of {}", more.join(", ")),
    }
}

#[cfg(test)]
mod tests;
