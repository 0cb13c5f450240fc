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
mod properties;
mod several;

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
        assert_eq!(self.state.changed_since(revision), changed, "revision tells what changed");
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

#[test]
fn the_threshold_is_on_both_ways() {
    check(
        "",
        "0s 24.9 | 2s 25.0 | 4s 24.9 | 6s 25.0 | 8s 25.1 | 10s 24.9",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 24.9 °C)
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        4s TEMP_LED off (reading 3: Environ/Temperature 24.9 °C)
        6s TEMP_LED on (reading 4: Environ/Temperature 25 °C)
        10s TEMP_LED off (reading 6: Environ/Temperature 24.9 °C)"#]],
    );
}

#[test]
fn seventy_seven_fahrenheit_are_twenty_five_celsius() {
    check(
        "",
        "0s 76.9°F | 2s 77°F | 4s 76.999°F | 6s 298.15K",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 76.9 °F)
        2s TEMP_LED on (reading 2: Environ/Temperature 77 °F)
        4s TEMP_LED off (reading 3: Environ/Temperature 76.999 °F)
        6s TEMP_LED on (reading 4: Environ/Temperature 298.15 K)"#]],
    );
    check(
        "on fahrenheit >= 77",
        "0s 24.9 | 2s 25.0 | 4s 77°F | 6s 76.9°F",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 24.9 °C)
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        6s TEMP_LED off (reading 4: Environ/Temperature 76.9 °F)"#]],
    );
}

#[test]
fn the_first_decision_is_always_told_and_equal_ones_never() {
    check(
        "",
        "0s 20.0 | 2s 21.0 | 4s 22.0",
        expect!["0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)"],
    );
    check(
        "",
        "0s 30.0 | 2s 31.0 | 4s 32.0",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)"],
    );
}

#[test]
fn between_on_and_off_nothing_changes() {
    let rule = "on celsius >= 25.0; off celsius < 24.5";
    check(
        rule,
        "0s 24.7 | 2s 25.0 | 4s 24.7 | 6s 24.4 | 8s 24.7 | 10s 25.0",
        expect![[r#"
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        6s TEMP_LED off (reading 4: Environ/Temperature 24.4 °C)
        10s TEMP_LED on (reading 6: Environ/Temperature 25 °C)"#]],
    );
}

#[test]
fn where_on_and_off_overlap_nothing_changes_either() {
    let rule = "on celsius >= 24.5; off celsius < 25.0";
    check(
        rule,
        "0s 24.7 | 2s 25.0 | 4s 24.7 | 6s 24.4 | 8s 24.7",
        expect![[r#"
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        6s TEMP_LED off (reading 4: Environ/Temperature 24.4 °C)"#]],
    );
}

#[test]
fn for_waits_until_the_wish_has_held() {
    check(
        "for 10s",
        "0s 24.0 | 2s 26.0 | 4s 26.5 | 60s quiet",
        expect!["12s TEMP_LED on (reading 2: Environ/Temperature 26 °C, held for 10 s)"],
    );
    // Exactly then, with a reading at that very moment.
    check(
        "for 10s",
        "2s 26.0 | 12s 26.5",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    check(
        "for 10s",
        "2s 26.0 | 12s 24.0 | 30s quiet",
        expect!["22s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 10 s)"],
    );
}

#[test]
fn for_is_cancelled_by_a_contrary_reading() {
    check("for 10s", "2s 26.0 | 6s 24.9 | 8s 26.0 | 17.9s quiet", expect![""]);
    check(
        "for 10s",
        "2s 26.0 | 6s 24.9 | 8s 26.0 | 19s quiet",
        expect!["18s TEMP_LED on (reading 3: Environ/Temperature 26 °C, held for 10 s)"],
    );
    // Also by one between the thresholds: `on` did not hold.
    let rule = "on celsius >= 25.0; off celsius < 24.5; for 10s";
    check(rule, "2s 26.0 | 6s 24.7 | 30s quiet", expect![""]);
}

#[test]
fn dwell_postpones_what_still_holds_when_it_ends() {
    check(
        "dwell 5s",
        "0s 26.0 | 2s 24.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        5s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 3 s)"#]],
    );
    check(
        "dwell 5s",
        "0s 26.0 | 2s 24.0 | 4s 26.0 | 60s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
    check(
        "dwell 5s",
        "0s 26.0 | 5s 24.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        5s TEMP_LED off (reading 2: Environ/Temperature 24 °C)"#]],
    );
    // A reading at the very end still counts.
    check(
        "dwell 5s",
        "0s 26.0 | 2s 24.0 | 5s 26.0 | 60s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
    // Between the thresholds the wish stands, as it would without dwell.
    let rule = "on celsius >= 25.0; off celsius < 24.5; dwell 5s";
    check(
        rule,
        "0s 26.0 | 2s 24.0 | 4s 24.7 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        5s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 3 s)"#]],
    );
}

#[test]
fn for_comes_before_dwell() {
    check(
        "for 2s; dwell 5s",
        "0s 26.0 | 3s 24.0 | 60s quiet",
        expect![[r#"
        2s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 2 s)
        7s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 4 s)"#]],
    );
}

#[test]
fn silence_leads_to_the_silent_state_and_back() {
    check(
        "max_age 10s",
        "0s 26.0 | 4s 26.5 | 60s 27.0 | 62s 27.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        14s TEMP_LED off (no reading for 10 s)
        60s TEMP_LED on (reading 3: Environ/Temperature 27 °C)"#]],
    );
    check(
        "max_age 10s; silent on",
        "0s 20.0 | 60s 20.0",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        10s TEMP_LED on (no reading for 10 s)
        60s TEMP_LED off (reading 2: Environ/Temperature 20 °C)"#]],
    );
    check(
        "max_age 10s; silent hold",
        "0s 26.0 | 60s quiet | 62s 20.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        62s TEMP_LED off (reading 2: Environ/Temperature 20 °C)"#]],
    );
    // Already so: nothing to tell.
    check(
        "max_age 10s",
        "0s 20.0 | 60s quiet",
        expect!["0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)"],
    );
}

#[test]
fn a_reading_every_ten_seconds_is_never_silent_for_ten() {
    check(
        "max_age 10s",
        "0s 26.0 | 10s 26.0 | 20s 26.0 | 29s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
}

#[test]
fn silence_ends_for_and_heeds_no_dwell() {
    check(
        "for 20s; max_age 10s",
        "0s 26.0 | 60s quiet",
        expect!["10s TEMP_LED off (no reading for 10 s)"],
    );
    check("for 20s; max_age 10s; silent hold", "0s 26.0 | 60s quiet", expect![""]);
    check(
        "dwell 30s; max_age 10s",
        "0s 26.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (no reading for 10 s)"#]],
    );
    // A wish that waits for dwell is not done on old input.
    check(
        "dwell 30s; max_age 10s; silent hold",
        "0s 26.0 | 2s 20.0 | 60s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
    // What silence led to has its dwell as well.
    check(
        "dwell 5s; max_age 10s",
        "0s 26.0 | 12s 26.0 | 13s 26.0 | 20s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (no reading for 10 s)
        15s TEMP_LED on (reading 2: Environ/Temperature 26 °C, held for 3 s)"#]],
    );
}

#[test]
fn at_the_start_nothing_is_known_until_max_age() {
    check("max_age 10s", "9.9s quiet", expect![""]);
    check("max_age 10s", "60s quiet", expect!["10s TEMP_LED off (no reading for 10 s)"]);
    check("max_age 10s; silent hold", "60s quiet", expect![""]);
    check("", "60s quiet", expect![""]);
}

#[test]
fn a_late_reading_never_fires() {
    check(
        "",
        "0s 20.0 | 10s 20.0 | 12s 30.0@9s | 14s 30.0@10s",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        14s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
    check(
        "max_age 10s; silent hold",
        "0s 20.0 | 30s 30.0@19s | 32s 30.0@22s | 34s 30.0@24.1s",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        34s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
}

#[test]
fn silence_counts_from_when_it_was_measured_and_not_from_the_future() {
    check(
        "max_age 10s",
        "20s 30.0@15s | 60s quiet",
        expect![[r#"
        10s TEMP_LED off (no reading for 10 s)
        20s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        25s TEMP_LED off (no reading for 10 s)"#]],
    );
    check(
        "max_age 10s",
        "2s 30.0@200s | 60s quiet",
        expect![[r#"
        2s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        12s TEMP_LED off (no reading for 10 s)"#]],
    );
}

#[test]
fn a_reading_counts_once() {
    check(
        "",
        "0s 20.0#5 | 2s 30.0#5 | 4s 30.0#4 | 6s 30.0#6",
        expect![[r#"
        0s TEMP_LED off (reading 5: Environ/Temperature 20 °C)
        6s TEMP_LED on (reading 6: Environ/Temperature 30 °C)"#]],
    );
}

#[test]
fn a_reading_that_could_not_be_stored_counts_too() {
    check(
        "",
        "0s 20.0#5 | 2s 30.0#0 | 4s 20.0#0 | 6s 30.0#5",
        expect![[r#"
        0s TEMP_LED off (reading 5: Environ/Temperature 20 °C)
        2s TEMP_LED on (reading 0: Environ/Temperature 30 °C)
        4s TEMP_LED off (reading 0: Environ/Temperature 20 °C)"#]],
    );
}

#[test]
fn unknown_says_nothing() {
    check(
        "",
        "0s 50% | 2s 20.0 | 4s 99% | 6s 30.0 | 8s 1%",
        expect![[r#"
        2s TEMP_LED off (reading 2: Environ/Temperature 20 °C)
        6s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
    // It neither cancels a wish nor breaks a silence.
    check(
        "for 10s",
        "0s 30.0 | 4s 50% | 60s quiet",
        expect!["10s TEMP_LED on (reading 1: Environ/Temperature 30 °C, held for 10 s)"],
    );
    check(
        "max_age 10s",
        "0s 30.0 | 6s 50% | 12s 50% | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        10s TEMP_LED off (no reading for 10 s)"#]],
    );
    // `off` knows what `on` does not.
    check(
        "on celsius >= 25.0; off value > 90.0",
        "0s 30.0 | 2s 95%",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        2s TEMP_LED off (reading 2: Environ/Humidity 95 %)"#]],
    );
}

#[test]
fn of_several_series_the_newest_reading_decides() {
    let rule = "when +/Temperature; max_age 10s";
    check(
        rule,
        "0s a 30.0 | 2s b 20.0 | 4s a 30.0 | 12s b 20.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: a/Temperature 30 °C)
        2s TEMP_LED off (reading 2: b/Temperature 20 °C)
        4s TEMP_LED on (reading 3: a/Temperature 30 °C)
        12s TEMP_LED off (reading 4: b/Temperature 20 °C)"#]],
    );
    // One device's clock is ahead: the other's readings are not late for that.
    check(
        "when +/Temperature",
        "0s a 30.0@60s | 2s b 20.0 | 4s b 30.0@1s",
        expect![[r#"
        0s TEMP_LED on (reading 1: a/Temperature 30 °C)
        2s TEMP_LED off (reading 2: b/Temperature 20 °C)"#]],
    );
    check(
        "when Environ/#",
        "0s Environ 30.0 | 2s kitchen 20.0",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)"],
    );
}

#[test]
fn a_device_that_lags_behind_changes_nothing_for_the_others() {
    let rule = "when +/Temperature; max_age 10s";
    // Too old, although another series is not.
    check(
        rule,
        "0s a 20.0 | 9s a 20.0 | 18s a 20.0 | 19s b 30.0@5s",
        expect!["0s TEMP_LED off (reading 1: a/Temperature 20 °C)"],
    );
    // Not too old, and silence still counts from the newest of all.
    check(
        rule,
        "9s a 30.0 | 10s b 30.0@2s | 60s quiet",
        expect![[r#"
        9s TEMP_LED on (reading 1: a/Temperature 30 °C)
        19s TEMP_LED off (no reading for 10 s)"#]],
    );
}

#[test]
fn for_holds_from_either_state() {
    let schedule = "0s 26.0 | 20s 20.0 | 25s 26.0 | 40s 20.0 | 60s quiet";
    check(
        "for 10s",
        schedule,
        expect![[r#"
        10s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)
        50s TEMP_LED off (reading 4: Environ/Temperature 20 °C, held for 10 s)"#]],
    );
}

#[test]
fn what_was_due_before_a_reading_comes_before_it() {
    // Nobody gave the time between them.
    check(
        "max_age 10s",
        "0s 26.0 | 4s stop | 60s 26.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        60s TEMP_LED off (no reading for 10 s)
        60s TEMP_LED on (reading 2: Environ/Temperature 26 °C)"#]],
    );
    check(
        "for 10s",
        "0s 26.0 | 4s stop | 60s 20.0 | 65s 20.0",
        expect!["60s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 60 s)"],
    );
}

#[test]
fn a_restart_inside_for_keeps_the_time() {
    check(
        "for 10s",
        "2s 26.0 | 6s restart | 60s quiet",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    check(
        "for 10s",
        "2s 26.0 | 6s stop | 9s start | 60s quiet",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    // It ran out meanwhile: done once, at the start.
    check(
        "for 10s",
        "2s 26.0 | 6s stop | 40s start | 60s restart | 70s quiet",
        expect!["40s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 38 s)"],
    );
}

#[test]
fn a_restart_inside_dwell_keeps_the_time() {
    check(
        "dwell 10s",
        "0s 26.0 | 2s 20.0 | 4s restart | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 8 s)"#]],
    );
    check(
        "dwell 10s",
        "0s 26.0 | 2s 20.0 | 4s stop | 40s start | 41s restart | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        40s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 38 s)"#]],
    );
    check(
        "dwell 10s",
        "0s 26.0 | 2s stop | 4s start | 5s 20.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 5 s)"#]],
    );
}

#[test]
fn a_silence_that_began_while_switched_off_is_told_at_the_start() {
    check(
        "max_age 10s",
        "0s 26.0 | 4s stop | 40s start | 60s restart",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        40s TEMP_LED off (no reading for 10 s)"#]],
    );
    // The wish ran out as well, and is not done on input that old.
    check(
        "for 5s; max_age 10s",
        "0s 26.0 | 4s stop | 40s start | 60s quiet",
        expect!["40s TEMP_LED off (no reading for 10 s)"],
    );
}

#[test]
fn a_restart_forgets_neither_order_nor_numbers() {
    check(
        "",
        "10s 20.0 | 12s restart | 14s 30.0@9s | 16s 30.0#1 | 18s 20.0 | 20s 30.0",
        expect![[r#"
        10s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        20s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
}

#[test]
fn a_changed_rule_starts_afresh() {
    check("for 10s", "2s 26.0 | 6s stop | 40s start on celsius >= 24.0 | 60s quiet", expect![""]);
    check(
        "",
        "0s 26.0 | 6s stop | 8s start dwell 1s | 10s 26.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED on (reading 2: Environ/Temperature 26 °C)"#]],
    );
}

#[test]
fn the_time_may_be_told_at_any_time_and_reports_change_nothing() {
    check(
        "for 10s; dwell 5s",
        "0s tick | 2s 26.0 | 3s tick | 4s report | 9s tick | 12s tick | 13s tick | 60s quiet",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
}

#[test]
fn a_clock_set_back_starts_every_span_again() {
    // Without it the reading at -99s would be late and the silence 100 s too long.
    check(
        "max_age 10s",
        "0s 26.0 | 1s clock -100s | -100s tick | -99s 26.0 | 0s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        -89s TEMP_LED off (no reading for 10 s)"#]],
    );
    check(
        "for 10s",
        "0s 26.0 | 1s clock -100s | -100s tick | 0s quiet",
        expect!["-90s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    check(
        "dwell 10s",
        "0s 26.0 | 1s 20.0 | 1s clock -100s | -100s restart | 0s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        -90s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 10 s)"#]],
    );
}

#[test]
fn two_callers_a_moment_apart_are_no_clock_set_back() {
    let mut bench = Bench::new(&[amend(plain(), "for 10s")]);
    bench.now = moment("2s");
    let first = bench.read("26.0");
    bench.step(Event::Reading(&first));
    bench.now = moment("1.5s");
    bench.step(Event::Time);
    assert_eq!(bench.engine.next_deadline(&bench.state), Some(moment("12s")));
}

#[test]
fn the_original_rule_is_as_the_original() {
    check_spec(
        RuleSpec::original("TEMP_LED"),
        "0s 24.99 | 2s 25.0 | 2.4s 24.0 | 4s 24.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 24.99 °C)
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        3s TEMP_LED off (reading 3: Environ/Temperature 24 °C, held for 0.6 s)"#]],
    );
}

#[test]
fn what_stands_is_told_again_after_a_restart() {
    let spec = RuleSpec { then: drive(&["a", "b"]), ..plain() };
    let mut bench = Bench::new(std::slice::from_ref(&spec));
    assert_eq!(bench.engine.standing(&bench.state), []);
    let reading = bench.read("26.0");
    bench.step(Event::Reading(&reading));
    bench.restart(&[spec]);
    let standing = bench.engine.standing(&bench.state);
    let standing: Vec<_> = standing.into_iter().map(|decision| (START, decision)).collect();
    expect![[r#"
        0s a on (decided before the start, at 2027-01-15T08:00:00.000000Z)
        0s b on (decided before the start, at 2027-01-15T08:00:00.000000Z)"#]]
    .assert_eq(&shown(&standing));
    assert_eq!(standing.first().unwrap().1.cause.reading_id(), None);
    assert_eq!(bench.decided.first().unwrap().1.cause.reading_id(), Some(1));
}

#[test]
fn rules_know_nothing_of_each_other() {
    let warm = RuleSpec { name: "warm".into(), ..plain() };
    let kitchen = RuleSpec {
        name: "kitchen".into(),
        when: "kitchen/#".into(),
        then: drive(&["FAN"]),
        ..amend(plain(), "for 10s")
    };
    let mut bench = Bench::new(&[warm, kitchen]);
    for (at, what) in [("0s", "26.0"), ("2s", "kitchen 26.0"), ("4s", "20.0"), ("60s", "20.0")] {
        bench.pass(moment(at));
        let reading = bench.read(what);
        bench.step(Event::Reading(&reading));
    }
    expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        4s TEMP_LED off (reading 3: Environ/Temperature 20 °C)
        12s FAN on (reading 2: kitchen/Temperature 26 °C, held for 10 s)"#]]
    .assert_eq(&shown(&bench.decided));
    assert_eq!(bench.decided.last().unwrap().1.rule.as_ref(), "kitchen");
    // The earlier of the two times.
    let specs = ["20s", "10s", "30s"].map(|hold| RuleSpec {
        name: hold.into(),
        then: drive(&[hold]),
        ..amend(plain(), &format!("for {hold}"))
    });
    let mut bench = Bench::new(&specs);
    let reading = bench.read("26.0");
    bench.step(Event::Reading(&reading));
    assert_eq!(bench.engine.next_deadline(&bench.state), Some(moment("10s")));
}

#[test]
fn of_too_many_series_the_oldest_is_forgotten() {
    let mut bench = Bench::new(&[amend(plain(), "when +/Temperature")]);
    for index in 0..=crate::SERIES_LEN_MAX {
        bench.now = UnixMicros(bench.now.0 + 1_000);
        let reading = bench.read(&format!("device{index} 20.0"));
        bench.step(Event::Reading(&reading));
    }
    let fired = |bench: &mut Bench, what: &str| {
        let reading = bench.read(what);
        let before = bench.decided.len();
        bench.step(Event::Reading(&reading));
        bench.decided.len() > before
    };
    assert!(!fired(&mut bench, "device1 30.0@-1s"), "its order is known");
    assert!(fired(&mut bench, "device0 30.0@-1s"), "forgotten, so this counts as its first");
}

#[test]
fn spans_are_told_as_a_person_would() {
    let told = |millis| {
        let max_age = Duration::from_millis(millis);
        Cause::Silence { max_age, since: START }.to_string()
    };
    let told = [0, 3, 250, 999, 1_000, 1_500, 10_003, 10_199, 600_000].map(told).join("\n");
    expect![[r#"
        no reading for 0 s
        no reading for 0.003 s
        no reading for 0.25 s
        no reading for 0.999 s
        no reading for 1 s
        no reading for 1.5 s
        no reading for 10 s
        no reading for 10.1 s
        no reading for 600 s"#]]
    .assert_eq(&told);
}

fn check_errors(specs: &[RuleSpec], expected: Expect) {
    let errors = Engine::compile(specs).expect_err("must be refused");
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn every_mistake_is_told_at_once() {
    let broken = RuleSpec {
        name: "heat lamp".into(),
        when: "Environ/#/x".into(),
        on: "celcius >= 25.0 && temp".into(),
        off: Some("celsius <".into()),
        max_age: Some(Duration::ZERO),
        then: drive(&["FAN", "FAN", " ", "a\nb"]),
        ..plain()
    };
    let nobody = RuleSpec { name: String::new(), then: drive(&[]), ..plain() };
    let long =
        RuleSpec { name: "n".repeat(65), then: drive(&["C"]), on: "celsius".into(), ..plain() };
    check_errors(
        &[broken, nobody, long],
        expect![[r##"
        rule "heat lamp", then: FAN stands there twice: expected it once
        rule "heat lamp", then: actuator: empty: expected a name
        rule "heat lamp", then: actuator: has a control character: expected none, found "a\nb"
        rule "heat lamp", max_age: is 0: expected a time above it, or none for never
        rule "heat lamp", when: `#` stands alone in the last level, as in `Environ/#`, found "Environ/#/x"
        rule "heat lamp", on, column 1: unknown variable `celcius`: did you mean `celsius`? Known are celsius, fahrenheit, value, unit, device, quantity, topic, age
        rule "heat lamp", on, column 20: unknown variable `temp`: expected one of celsius, fahrenheit, value, unit, device, quantity, topic, age
        rule "heat lamp", off, column 10: ends too early
        rule "", name: empty: expected a name
        rule "", then: empty: expected [{ actuator = "TEMP_LED" }]
        rule "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", name: 65 bytes long: expected at most 64
        rule "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", on: is a double: expected a boolean, as in celsius >= 25.0"##]],
    );
}

#[test]
fn two_rules_for_one_actuator_are_refused_with_both_names() {
    let cold = RuleSpec { name: "cold".into(), ..plain() };
    check_errors(
        &[plain(), cold],
        expect![[
            r#"rule "cold", then: rules "original" and "cold" both drive TEMP_LED with priority 0: give one of them another, as in priority = 1"#
        ]],
    );
    let twin = RuleSpec { then: drive(&["FAN"]), ..plain() };
    check_errors(
        &[plain(), twin],
        expect![[r#"rule "original", name: rules 1 and 2 have it: expected one of its own"#]],
    );
}

#[test]
fn an_error_says_which_rule_and_where() {
    let second =
        RuleSpec { name: "b".into(), on: "age <\n bad".into(), then: drive(&["b"]), ..plain() };
    let errors = Engine::compile(&[plain(), second]).unwrap_err();
    let error = errors.first().unwrap();
    assert_eq!((error.index, error.key), (1, "on"));
    assert_eq!(error.position, Some(crate::Position { line: 2, column: 2 }));
}

#[test]
fn an_engine_is_shared_between_threads_and_a_state_moves() {
    fn shared<T: Send + Sync>() {}
    shared::<Engine>();
    shared::<State>();
    shared::<Decision>();
}

#[test]
fn no_rules_are_no_work() {
    let mut bench = Bench::new(&[]);
    let reading = bench.read("30.0");
    bench.step(Event::Reading(&reading));
    assert_eq!(bench.engine.next_deadline(&bench.state), None);
    assert_eq!(bench.decided.len(), 0);
}
