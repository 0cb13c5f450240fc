//! What can be said against rules before they run: by reasoning, and by what their series are like.
//!
//! Pure. A finding is an error when the rule cannot do anything, or not what it says; else a warning.

use mtom_protocol::reading::StoredReading;
use mtom_protocol::topic;
use mtom_protocol::unit::{Unit, fahrenheit};
use mtom_rules::{Logic, RuleSpec, Threshold};

/// So many topics are named when none matches.
const TOPICS_SHOWN_MAX: usize = 5;

/// One thing that is wrong, or looks wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// The place of the rule among the rules of the file.
    pub(crate) rule: usize,
    /// The key that it is about.
    pub(crate) key: &'static str,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// Everything that is found. `latest` is the newest reading of every series, where there is a history;
/// `actuators` are those that there are, where that is known.
pub(crate) fn findings(
    specs: &[RuleSpec],
    latest: Option<&[StoredReading]>,
    actuators: Option<&[String]>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, spec) in specs.iter().enumerate() {
        let mut about = About { rule, spec, found: &mut found };
        if let Some(actuators) = actuators {
            about.actuators(actuators);
        }
        about.conditions();
        if let Some(latest) = latest {
            about.series(latest);
        }
    }
    found
}

struct About<'a> {
    rule: usize,
    spec: &'a RuleSpec,
    found: &'a mut Vec<Finding>,
}

impl About<'_> {
    fn add(&mut self, severity: Severity, key: &'static str, text: impl Into<String>) {
        self.found.push(Finding { severity, rule: self.rule, key, text: text.into() });
    }

    fn actuators(&mut self, actuators: &[String]) {
        let unknown: Vec<_> = self
            .spec
            .actuators()
            .filter(|name| !actuators.iter().any(|known| known == name))
            .map(str::to_owned)
            .collect();
        for name in unknown {
            let known = match actuators {
                [] => "there is no [[actuator]] at all".to_owned(),
                some => format!("expected one of {}", some.join(", ")),
            };
            self.add(Severity::Error, "then", format!("there is no actuator {name:?}: {known}"));
        }
    }

    fn conditions(&mut self) {
        let Some(on) = Logic::of(&self.spec.on) else { return };
        if on.never_holds() {
            let text = "no reading can make it true, so the rule never switches on: look at its numbers and signs";
            self.add(Severity::Error, "on", text);
        } else if on.always_holds() {
            self.add(
                Severity::Warning,
                "on",
                "every reading makes it true: look at its numbers and signs",
            );
        }
        let Some(off) = self.spec.off.as_deref().and_then(Logic::of) else { return };
        if off.never_holds() {
            let text =
                "no reading can make it true, so once on the rule stays on until it is silent";
            self.add(Severity::Error, "off", text);
        } else if off.always_holds() {
            self.add(
                Severity::Warning,
                "off",
                "every reading makes it true: look at its numbers and signs",
            );
        }
        if let Some(example) = on.both_hold(&off) {
            let text = format!(
                "on and off are both true at {example}, and then nothing changes: expected off to begin where on ends, as in on = \"celsius >= 25.0\" and off = \"celsius < 24.5\""
            );
            self.add(Severity::Warning, "off", text);
        }
    }

    fn series(&mut self, latest: &[StoredReading]) {
        let when = &self.spec.when;
        let matching: Vec<_> =
            latest.iter().filter(|row| topic::matches(when, &row.reading.topic)).collect();
        if matching.is_empty() {
            let text = match latest {
                [] => "nothing is stored yet, so no reading can be looked at".to_owned(),
                some => {
                    let mut topics: Vec<&str> =
                        some.iter().map(|row| &*row.reading.topic).collect();
                    topics.sort_unstable();
                    topics.dedup();
                    let more = if topics.len() > TOPICS_SHOWN_MAX { ", …" } else { "" };
                    topics.truncate(TOPICS_SHOWN_MAX);
                    format!(
                        "no stored series has a topic that matches {when:?}: there are {}{more}",
                        topics.join(", ")
                    )
                }
            };
            self.add(Severity::Warning, "when", text);
            return;
        }
        self.unknown_temperatures(&matching);
        let conditions = [("on", Some(&self.spec.on)), ("off", self.spec.off.as_ref())];
        for (key, condition) in conditions {
            let Some(logic) = condition.and_then(|condition| Logic::of(condition)) else {
                continue;
            };
            for threshold in logic.thresholds() {
                if let Some(text) = matching.iter().find_map(|row| other_scale(threshold, row)) {
                    self.add(Severity::Warning, key, text);
                }
            }
        }
    }

    /// `celsius` of a series in % is never known.
    fn unknown_temperatures(&mut self, matching: &[&StoredReading]) {
        let conditions = [("on", Some(&self.spec.on)), ("off", self.spec.off.as_ref())];
        for (key, condition) in conditions {
            let Some(logic) = condition.and_then(|condition| Logic::of(condition)) else {
                continue;
            };
            let names = logic.names().find(|name| ["celsius", "fahrenheit"].contains(name));
            let Some(name) = names else { continue };
            let others: Vec<_> =
                matching.iter().filter(|row| !row.reading.unit.is_temperature()).collect();
            let Some(first) = others.first() else { continue };
            let what = unit(first.reading.unit);
            let series = format!("{}/{}", first.reading.device, first.reading.quantity);
            let text = format!(
                "{name} can never be known of {series}, which is {what}: use value, or a `when` that names temperatures only"
            );
            let is_all = others.len() == matching.len();
            let severity = if is_all { Severity::Error } else { Severity::Warning };
            self.add(severity, key, text);
        }
    }
}

/// Whether a number fits what is measured much better on the other scale, as 25 does for a series in °F.
fn other_scale(threshold: &Threshold, row: &StoredReading) -> Option<String> {
    let Threshold { name, number } = threshold;
    let celsius = row.reading.celsius()?;
    let in_celsius = match (name.as_str(), row.reading.unit) {
        ("value", Unit::Celsius) => true,
        ("value", Unit::Fahrenheit) | ("fahrenheit", _) => false,
        ("celsius", _) => true,
        (name, _) if ["avg(", "min(", "max("].iter().any(|call| name.starts_with(call)) => true,
        _ => return None,
    };
    let (own, other) =
        if in_celsius { (celsius, fahrenheit(celsius)) } else { (fahrenheit(celsius), celsius) };
    let is_nearer = (number - other).abs() * 3.0 < (number - own).abs();
    let (own_unit, other_unit) = if in_celsius { ("°C", "°F") } else { ("°F", "°C") };
    is_nearer.then(|| {
        let series = format!("{}/{}", row.reading.device, row.reading.quantity);
        let advice = match (name.as_str(), in_celsius) {
            ("value", false) => format!("celsius compares in °C whatever the unit, as in celsius >= {number:?}"),
            (_, true) => format!("fahrenheit compares in °F whatever the unit, as in fahrenheit >= {number:?}"),
            _ => format!("celsius compares in °C, as in celsius >= {number:?}"),
        };
        format!(
            "{name} of {series} is in {own_unit} and now {own:.1}, and {number} looks like {other_unit}: {advice}"
        )
    })
}

fn unit(unit: Unit) -> String {
    match unit {
        Unit::None => "a plain number".into(),
        unit => format!("in {}", unit.symbol()),
    }
}

#[cfg(test)]
mod tests;
