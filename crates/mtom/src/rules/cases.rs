//! Runs the cases that stand beside rules, and says how what happened differs from what was expected.
//!
//! Pure. All rules of the file run together, as they will; compared are the commands to the actuators
//! of the case's own rule, and the actuators and alerts that it names.

use super::compare::{Command, Mismatch, mismatches, word};
use super::run::{Run, is_alert};
use super::script::{Expected, Step, What, show};
use super::timeline::{Band, ends, marks};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_rules::Engine;
use std::sync::Arc;

/// How wide a picture is.
const WIDTH: usize = 64;

/// One `[[rule.test]]`, read.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) rule: String,
    pub(crate) name: String,
    /// The line of the file that it begins in, from 1.
    pub(crate) line: usize,
    pub(crate) given: Vec<Step>,
    pub(crate) expect: Vec<Expected>,
    /// Those whose commands are compared.
    pub(crate) actuators: Vec<Arc<str>>,
}

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// In the order of time; none: it passed.
    pub(crate) mismatches: Vec<Mismatch>,
    /// Everything that was commanded, to the actuators that are compared.
    actual: Vec<Command>,
    end: UnixMicros,
    due: Option<UnixMicros>,
}

impl Case {
    /// Runs it on a clock of its own.
    pub(crate) fn run(&self, engine: &Engine) -> Outcome {
        let start = self.given.first().map_or(UnixMicros(0), |step| step.at);
        let mut run = Run::new(engine, start);
        let mut actual = Vec::new();
        let mut take = |command: Command| {
            if self.actuators.contains(&command.actuator) {
                actual.push(command);
            }
        };
        let mut all: Vec<StoredReading> = Vec::new();
        let mut end = start;
        for step in &self.given {
            end = step.at;
            match &step.what {
                What::Nothing => run.pass(step.at, &mut take),
                // What a restart leaves of the state is written and read by the same engine.
                What::Restart => {
                    run.restart(step.at, &all, &mut take).expect("an engine reads what it wrote");
                }
                What::Override { actuator, led, until } => {
                    run.override_by_hand(actuator, *led, *until, step.at, &mut take);
                }
                What::Readings { readings, taken_at } => {
                    for reading in readings {
                        let id = all.len() as u64 + 1;
                        let reading = stored(reading, id, step.at, *taken_at);
                        run.reading(&reading, &mut take);
                        all.push(reading);
                    }
                }
            }
        }
        let expected = self.expect.iter().map(|expected| self.command(expected)).collect();
        let mismatches = mismatches(expected, actual.clone());
        Outcome { mismatches, actual, end, due: run.due() }
    }

    fn command(&self, expected: &Expected) -> Command {
        Command {
            at: expected.at,
            actuator: expected.actuator.as_str().into(),
            led: expected.led,
            is_alert: is_alert(&expected.actuator),
            reason: expected.reason,
            rule: self.rule.as_str().into(),
            cause: String::new(),
            reading: None,
        }
    }

    /// What failed, on one axis of time and as a list.
    pub(crate) fn explain(&self, outcome: &Outcome) -> Vec<String> {
        let first = self.given.first().map_or(outcome.end, |step| step.at);
        let times = self.expect.iter().map(|expected| expected.at);
        let from = times.clone().min().map_or(first, |at| at.min(first));
        let until = times.max().map_or(outcome.end, |at| at.max(outcome.end));
        let drawn = || self.actuators.iter().filter(|name| !is_alert(name));
        let name_len = drawn().map(|name| name.chars().count()).max().unwrap_or(0);
        let indent = name_len + 12;
        let mut lines = Vec::new();
        lines.push(format!("{:indent$}{}", "", ends(&show(from), &show(until), WIDTH)));
        let readings = self.given.iter().filter(|step| matches!(step.what, What::Readings { .. }));
        let readings = marks(readings.map(|step| step.at), from, until, WIDTH);
        lines.push(format!("  {:<1$}{readings}", "readings", indent - 2).trim_end().to_owned());
        for actuator in drawn() {
            let mut bands = [Band::new(from, until, WIDTH), Band::new(from, until, WIDTH)];
            let [expected, actual] = &mut bands;
            for wanted in self.expect.iter().filter(|wanted| *wanted.actuator == **actuator) {
                expected.switch(wanted.led, wanted.at);
            }
            for command in outcome.actual.iter().filter(|command| command.actuator == *actuator) {
                actual.switch(command.led, command.at);
            }
            let sides = [(&**actuator, "expected", until), ("", "actual", outcome.end)];
            for (band, (name, side, end)) in bands.into_iter().zip(sides) {
                let line = format!("  {name:<name_len$} {side:<8} {}", band.finish(end).picture());
                lines.push(line.trim_end().to_owned());
            }
        }
        lines.extend(outcome.mismatches.iter().map(|mismatch| format!("  {}", sentence(mismatch))));
        lines.extend(self.advice(outcome));
        lines
    }

    /// What is expected after the end cannot happen.
    fn advice(&self, outcome: &Outcome) -> Option<String> {
        let last = self.expect.iter().map(|expected| expected.at).max()?;
        let is_missing = |mismatch: &Mismatch| match mismatch {
            Mismatch::Missing(command) => command.at > outcome.end,
            Mismatch::Unexpected(_) | Mismatch::Other { .. } => false,
        };
        outcome.mismatches.iter().any(is_missing).then(|| {
            let due = outcome.due.map_or_else(String::new, |due| {
                format!(", and the rules have something to do at {}", show(due))
            });
            format!(
                "  given ends at {}{due}: add | silence {}s",
                show(outcome.end),
                last.since(outcome.end).as_millis().div_ceil(1_000)
            )
        })
    }
}

/// One difference, with the cause of what happened.
pub(crate) fn sentence(mismatch: &Mismatch) -> String {
    let what = |command: &Command| {
        let reason = command.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{}  {} {}{reason}", show(command.at), command.actuator, word(command.led))
    };
    let cause = |command: &Command| format!("rule {:?}, {}", command.rule, command.cause);
    match mismatch {
        Mismatch::Missing(expected) => {
            format!("- {}: expected, and did not happen", what(expected))
        }
        Mismatch::Unexpected(actual) => {
            format!("+ {}: happened unexpectedly: {}", what(actual), cause(actual))
        }
        Mismatch::Other { expected, actual } if expected.at == actual.at => format!(
            "~ {}: expected as ({}): {}",
            what(actual),
            expected.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            cause(actual)
        ),
        Mismatch::Other { expected, actual } => {
            let (span, side) = if actual.at > expected.at {
                (actual.at.since(expected.at), "later")
            } else {
                (expected.at.since(actual.at), "earlier")
            };
            format!(
                "~ {}: expected at {}, it was {span:?} {side}: {}",
                what(actual),
                show(expected.at),
                cause(actual)
            )
        }
    }
}

fn stored(
    reading: &Reading,
    id: u64,
    now: UnixMicros,
    taken_at: Option<UnixMicros>,
) -> StoredReading {
    let mut reading = reading.clone();
    reading.taken_at = taken_at.or(reading.taken_at);
    let at = reading.taken_at.unwrap_or(now);
    StoredReading { id, at, arrived_at: now, suspect: false, reading }
}

#[cfg(test)]
mod tests;
