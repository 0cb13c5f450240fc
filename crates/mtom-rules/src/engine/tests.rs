//! Cases read as a rule, what happened when, and what was decided. See [`check`].

use super::*;
use crate::spec::{Consequence, Silent};
use expect_test::{Expect, expect};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use std::time::Duration;

mod alerts;
mod house;
mod mistakes;
mod order;
mod outlook;
mod properties;
mod restarts;
mod several;
mod thresholds;
mod times;

const START: UnixMicros = UnixMicros(1_800_000_000_000_000);

/// The engine on a virtual clock: between two happenings it is given the time whenever it asked
/// to, as the gateway does.
struct Bench {
    engine: Engine,
    state: State,
    now: UnixMicros,
    id: u64,
    /// Switched off: no time is given.
    asleep: bool,
    decided: Vec<(UnixMicros, Decision)>,
    alerts: Vec<Alert>,
}

impl Bench {
    fn new(specs: &[RuleSpec]) -> Self {
        let engine = compile(specs);
        let state = engine.initial(START);
        Self {
            engine,
            state,
            now: START,
            id: 0,
            asleep: false,
            decided: Vec::new(),
            alerts: Vec::new(),
        }
    }

    fn step(&mut self, event: Event<'_>) {
        let mut out = Outputs::default();
        let revision = self.state.revision();
        let before = self.state.clone();
        self.engine.step(&mut self.state, event, self.now, &mut out);
        // A clock set back is a change of everything.
        let changed = !before.is_like(&self.state) || self.state.clock() < before.clock();
        // One that could not be stored has no number to remember, and may come twice: that is told in vain.
        let has_number = !matches!(event, Event::Reading(stored) if stored.id == 0);
        if changed || has_number {
            assert_eq!(self.state.changed_since(revision), changed, "revision tells what changed");
        }
        self.alerts.extend(out.alerts);
        self.decided.extend(out.decisions.into_iter().map(|decision| (self.now, decision)));
    }

    /// Lets time pass up to `to`; what is due at `to` itself comes behind what happens there.
    fn pass(&mut self, to: UnixMicros) {
        while let Some(due) = self.engine.next_deadline(&self.state).filter(|_| !self.asleep) {
            assert!(due > self.now, "what is due is done");
            if due >= to {
                break;
            }
            self.now = due;
            self.step(Event::Time);
        }
        self.now = to;
    }

    fn due(&mut self) {
        if !self.asleep && self.engine.next_deadline(&self.state).is_some_and(|due| due <= self.now)
        {
            self.step(Event::Time);
        }
    }

    fn restart(&mut self, specs: &[RuleSpec]) {
        self.engine = compile(specs);
        self.state = self.engine.restore(&self.state.encode(), self.now).unwrap();
    }

    fn happen(&mut self, what: &str, spec: &mut RuleSpec) {
        match what.split_once(' ').unwrap_or((what, "")) {
            ("tick", _) => self.step(Event::Time),
            ("quiet", _) => {}
            ("report", _) => {
                self.step(Event::Report { actuator: "TEMP_LED", led: Led::On, number: 7 });
                self.step(Event::Availability { device: "Environ", online: false });
            }
            ("restart", _) => self.restart(std::slice::from_ref(spec)),
            ("stop", _) => self.asleep = true,
            ("start", change) => {
                self.asleep = false;
                *spec = amend(spec.clone(), change);
                self.restart(std::slice::from_ref(spec));
                self.step(Event::Time);
            }
            ("clock", to) => self.now = moment(to),
            ("manual", "end") => self.manual(None, None),
            ("manual", what) => {
                let (led, until) = what.split_once(' ').unwrap_or((what, ""));
                let led = if led == "on" { Led::On } else { Led::Off };
                self.manual(Some(led), (!until.is_empty()).then(|| moment(until)));
            }
            _ => {
                let stored = self.read(what);
                self.step(Event::Reading(&stored));
            }
        }
    }

    fn manual(&mut self, led: Option<Led>, until: Option<UnixMicros>) {
        self.step(Event::Override { actuator: "TEMP_LED", led, until });
    }

    /// `25.0`, `77°F`, `kitchen 25.0`, with `@3s` (measured then) and `#4` (its number).
    fn read(&mut self, what: &str) -> StoredReading {
        let (what, id) = what.split_once('#').unwrap_or((what, ""));
        let (what, at) = what.split_once('@').unwrap_or((what, ""));
        let (device, value) = what.split_once(' ').unwrap_or(("Environ", what));
        let number = value.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match value.strip_prefix(number) {
            Some("") | None => Unit::Celsius,
            Some(symbol) => Unit::parse(symbol).unwrap(),
        };
        let id = id.parse().unwrap_or(self.id + 1);
        self.id = self.id.max(id);
        let at = if at.is_empty() { self.now } else { moment(at) };
        stored(id, device, number.parse().unwrap(), unit, at, self.now)
    }
}

fn compile(specs: &[RuleSpec]) -> Engine {
    Engine::compile(specs).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn stored(
    id: u64,
    device: &str,
    value: f64,
    unit: Unit,
    at: UnixMicros,
    now: UnixMicros,
) -> StoredReading {
    let quantity = if unit.is_temperature() { "Temperature" } else { "Humidity" };
    let reading = Reading {
        topic: format!("{device}/Temperature").into(),
        device: device.into(),
        quantity: quantity.into(),
        value,
        unit,
        taken_at: None,
        key: None,
    };
    StoredReading { id, at, arrived_at: now, suspect: false, reading }
}

/// `2s`, `2.5s`, `-1s`: that long after the start.
fn moment(text: &str) -> UnixMicros {
    match text.strip_prefix('-') {
        Some(before) => UnixMicros(START.0 - i64::try_from(span(before).as_micros()).unwrap()),
        None => START.saturating_add(span(text)),
    }
}

fn span(text: &str) -> Duration {
    Duration::from_secs_f64(text.strip_suffix('s').unwrap().parse().unwrap())
}

/// `on celsius >= 25.0; off …; for 10s; dwell 5s; max_age 10s; silent hold; when +/Temperature`
fn amend(mut spec: RuleSpec, text: &str) -> RuleSpec {
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once(' ').unwrap();
        match key {
            "when" => spec.when = value.into(),
            "on" => spec.on = value.into(),
            "off" => spec.off = Some(value.into()),
            "for" => spec.hold_for = span(value),
            "dwell" => spec.dwell = span(value),
            "schedule" => spec.schedule = Some(value.replace(" & ", "; ")),
            "priority" => spec.priority = value.parse().unwrap(),
            "max_age" => spec.max_age = Some(span(value)),
            "silent" => {
                spec.silent = match value {
                    "on" => Silent::On,
                    "off" => Silent::Off,
                    "hold" => Silent::Hold,
                    _ => panic!("{value}"),
                };
            }
            _ => panic!("{key}"),
        }
    }
    spec
}

/// Consequences for these actuators.
pub(crate) fn drive(actuators: &[&str]) -> Vec<Consequence> {
    actuators.iter().map(|name| Consequence::Actuator((*name).into())).collect()
}

/// A rule without any times, so that a case names those it is about.
fn plain() -> RuleSpec {
    RuleSpec { dwell: Duration::ZERO, max_age: None, ..RuleSpec::original("TEMP_LED") }
}

/// Runs `schedule` (`2s 25.0 | 60s quiet`) through `rule` and compares what was decided.
fn check(rule: &str, schedule: &str, expected: Expect) {
    check_spec(amend(plain(), rule), schedule, expected);
}

fn check_spec(mut spec: RuleSpec, schedule: &str, expected: Expect) {
    let mut bench = Bench::new(std::slice::from_ref(&spec));
    for part in schedule.split('|').map(str::trim) {
        let (at, what) = part.split_once(' ').unwrap();
        // Setting the clock back is told by the time it had before.
        bench.pass(moment(at));
        bench.happen(what, &mut spec);
        bench.due();
    }
    expected.assert_eq(&shown(&bench.decided));
}

fn shown(decided: &[(UnixMicros, Decision)]) -> String {
    let line = |(at, decision): &(UnixMicros, Decision)| {
        let seconds = (at.0 - START.0) as f64 / 1e6;
        let led = if decision.led == Led::On { "on" } else { "off" };
        format!("{seconds}s {} {led} ({})", decision.actuator, decision.cause)
    };
    decided.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn check_errors(specs: &[RuleSpec], expected: Expect) {
    let errors = Engine::compile(specs).expect_err("must be refused");
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn an_engine_is_shared_between_threads_and_a_state_moves() {
    fn shared<T: Send + Sync>() {}
    shared::<Engine>();
    shared::<State>();
    shared::<Decision>();
}
