//! `[[rule]]`: its keys, and what the engine says about them, under the line that it is about.

use super::reader::{Problems, Section, duration, text};
use super::rule_tests;
use super::sections::sections;
use super::tree::{Entry, Node, Place};
use mtom_rules::{Consequence, Engine, RuleError, RuleSpec, Silent};
use std::time::Duration;

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
            let unknown = |name: &&str| names.is_some_and(|names| !names.iter().any(|n| n == name));
            for name in spec.actuators().filter(unknown) {
                let names = names.unwrap_or_default();
                let text = format!("there is no actuator {name:?}: expected {}", either(names));
                problems.add(&format!("rule.{at}.then"), place.of("then"), text);
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
            problems.add(&format!("rule.{at}.{key}"), place.of(key), text);
        }
    }
    Some(specs)
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
    let then_key = section.name("then");
    let actuators = match section.take("then") {
        Some(entry) => consequences(&then_key, entry, problems),
        None => {
            let text = "missing: expected [{ actuator = \"TEMP_LED\" }]";
            problems.add(&then_key, place.clone(), text);
            None
        }
    };
    rule_tests::check(&mut section, problems);
    section.finish(problems);
    let name = name.unwrap_or_else(|| format!("rule {}", at + 1));
    let (when, on) = (when?, on?);
    let then = actuators?.into_iter().map(Consequence::Actuator).collect();
    Some(RuleSpec { name, when, on, off, hold_for, dwell, max_age, silent, then, ..default })
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

/// `then = [{ actuator = "TEMP_LED" }]`; `None` together with a problem.
fn consequences(key: &str, entry: Entry, problems: &mut Problems) -> Option<Vec<String>> {
    let Node::List(items) = entry.node else {
        problems.add(key, entry.place, "expected [{ actuator = \"TEMP_LED\" }]");
        return None;
    };
    if items.is_empty() {
        problems.add(key, entry.place, "empty: expected [{ actuator = \"TEMP_LED\" }]");
        return None;
    }
    let mut actuators = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let place = item.place.clone();
        let mut section = Section::new(&format!("{key}.{at}"), item, problems);
        actuators.push(section.require("actuator", &place, problems, text));
        section.finish(problems);
    }
    actuators.into_iter().collect()
}

fn either(names: &[String]) -> String {
    match names {
        [] => "an [[actuator]] with that name, and there is none".into(),
        [one] => format!("{one:?}"),
        more => format!("one of {}", more.join(", ")),
    }
}
