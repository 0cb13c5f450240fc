//! How often a rule switches: by itself, over readings that were stored, as it is and with other keys.
//!
//! Pure. What another rule says to the same actuator is left out: a rule that chatters does so wherever
//! it stands.

use super::compare::Command;
use super::run::Run;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Engine, Logic, RuleSpec};
use std::time::Duration;

/// From so many switches an hour on a rule is said to chatter.
pub(crate) const PER_HOUR_MAX: f64 = 6.0;
/// How far `off` might begin below or above `on`, in the unit of the threshold.
const MARGINS: [f64; 3] = [0.5, 1.0, 2.0];
/// How long a wish might have to hold.
const HOLDS: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// A rule with some keys changed.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) rule: usize,
    pub(crate) kind: Kind,
    engine: Engine,
    /// One of those that it drives; all of them switch together.
    actuator: String,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Own,
    /// Without `for` and `dwell`.
    Bare,
    /// As it would be written.
    Key(String),
}

/// How often each variant switched.
#[derive(Debug)]
pub(crate) struct Trial<'v> {
    runs: Vec<(&'v Variant, Run<'v>, u64)>,
    begun: UnixMicros,
}

/// The rule as it is and the changes that might help; rules that drive nothing have none.
pub(crate) fn variants(specs: &[RuleSpec]) -> Vec<Variant> {
    let mut found = Vec::new();
    for (rule, spec) in specs.iter().enumerate() {
        let Some(actuator) = spec.actuators().next() else { continue };
        let mut add = |kind: Kind, spec: RuleSpec| {
            if let Ok(engine) = Engine::compile(&[spec]) {
                let actuator = actuator.to_owned();
                found.push(Variant { rule, kind, engine, actuator });
            }
        };
        let zero = Duration::ZERO;
        add(Kind::Own, spec.clone());
        add(Kind::Bare, RuleSpec { hold_for: zero, dwell: zero, ..spec.clone() });
        for off in margins(spec) {
            add(Kind::Key(format!("off = {off:?}")), RuleSpec { off: Some(off), ..spec.clone() });
        }
        for hold_for in HOLDS.into_iter().filter(|hold| *hold > spec.hold_for) {
            let key = format!("for = \"{}s\"", hold_for.as_secs());
            add(Kind::Key(key), RuleSpec { hold_for, ..spec.clone() });
        }
    }
    found
}

/// Expressions for `off` of a rule that has none and compares once, as in `celsius >= 25.0`.
fn margins(spec: &RuleSpec) -> Vec<String> {
    let Some(logic) = Logic::of(&spec.on).filter(|_| spec.off.is_none()) else {
        return Vec::new();
    };
    let thresholds = logic.thresholds();
    let [one] = thresholds.as_slice() else { return Vec::new() };
    let plain = spec.on.replace(char::is_whitespace, "");
    let (sign, turn) = match plain.strip_prefix(&one.name).map(|rest| rest.starts_with('>')) {
        Some(true) => ('<', -1.0),
        Some(false) if plain.contains('<') => ('>', 1.0),
        _ => return Vec::new(),
    };
    let is_whole = ["&&", "||", "!"].iter().all(|sign| !plain.contains(sign));
    let off = |margin: f64| format!("{} {sign} {:?}", one.name, one.number + turn * margin);
    if is_whole { MARGINS.into_iter().map(off).collect() } else { Vec::new() }
}

impl<'v> Trial<'v> {
    /// Nothing has happened before `start`.
    pub(crate) fn new(variants: &'v [Variant], start: UnixMicros) -> Self {
        let runs = variants.iter().map(|variant| (variant, Run::new(&variant.engine, start), 0));
        Self { runs: runs.collect(), begun: start }
    }

    pub(crate) fn reading(&mut self, stored: &StoredReading) {
        for (variant, run, count) in &mut self.runs {
            run.reading(stored, &mut |command| *count += variant.counts(&command));
        }
    }

    /// How often each switched an hour until `end`. The first decision of a rule switches nothing.
    pub(crate) fn finish(mut self, end: UnixMicros) -> Vec<(&'v Variant, f64)> {
        for (variant, run, count) in &mut self.runs {
            run.pass(end, &mut |command| *count += variant.counts(&command));
        }
        let hours = end.since(self.begun).as_secs_f64() / 3_600.0;
        #[expect(clippy::cast_precision_loss, reason = "a count of switches is far below 2^53")]
        let per_hour = |count: u64| count.saturating_sub(1) as f64 / hours;
        self.runs.into_iter().map(|(variant, _, count)| (variant, per_hour(count))).collect()
    }
}

impl Variant {
    fn counts(&self, command: &Command) -> u64 {
        u64::from(*command.actuator == *self.actuator)
    }
}

#[cfg(test)]
mod tests;
