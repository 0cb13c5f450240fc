//! What holds for several rules of one actuator, with schedules, windows, alerts and persons: a restart
//! anywhere, from the rows that were kept one by one, changes nothing; and dwell is never broken.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p mtom-rules house` for a long run.

use super::*;
use crate::spec::Edge;
use std::collections::BTreeMap;

const DEVICES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Happening {
    Reading { device: usize, tenths: i32, behind: u64, again: bool },
    Manual { led: Option<bool>, seconds: Option<u64> },
    Time,
}

fn happening() -> impl Strategy<Value = Happening> {
    let behind = prop_oneof![6 => Just(0u64), 1 => 0..15_000u64];
    prop_oneof![
        20 => (0..3usize, 235..265i32, behind, prop::bool::weighted(0.05)).prop_map(
            |(device, tenths, behind, again)| Happening::Reading { device, tenths, behind, again }
        ),
        1 => (prop::option::of(any::<bool>()), prop::option::of(1..40u64))
            .prop_map(|(led, seconds)| Happening::Manual { led, seconds }),
        2 => Just(Happening::Time),
    ]
}

fn schedule() -> impl Strategy<Value = Vec<(Duration, Happening)>> {
    let gap = prop_oneof![
        3 => (0..4u64).prop_map(Duration::from_secs),
        2 => (0..3_000u64).prop_map(Duration::from_millis),
        1 => (0..40u64).prop_map(Duration::from_secs),
    ];
    prop::collection::vec((gap, happening()), 0..60)
}

fn rule(index: usize) -> impl Strategy<Value = RuleSpec> {
    let seconds = || prop::sample::select(vec![0, 1, 2, 5, 12]).prop_map(Duration::from_secs);
    let on = prop::sample::select(vec![
        "celsius >= 25.0",
        "avg(\"5s\") >= 25.0",
        "max(\"10s\") - min(\"10s\") > 1.0",
        "celsius > other(\"b/Temperature\")",
        "count(\"10s\") > 2 && rate(\"10s\") > 0.0",
    ]);
    let off = prop::sample::select(vec![None, Some("celsius < 24.5"), Some("celsius < 25.5")]);
    let max_age = prop::sample::select(vec![None, Some(5), Some(10)]);
    let silent = prop::sample::select(vec![Silent::On, Silent::Off, Silent::Hold]);
    let times = prop::sample::select(vec![
        None,
        Some("08:00-08:01"),
        Some("08:01-08:02"),
        Some("08:00-08:01; 08:02-08:05"),
    ]);
    let when = prop::sample::select(vec!["a/Temperature", "b/Temperature", "+/Temperature"]);
    (seconds(), seconds(), on, off, max_age, silent, times, when).prop_map(
        move |(hold_for, dwell, on, off, max_age, silent, schedule, when)| {
            let publish = Consequence::Publish {
                topic: "alarm/heat".into(),
                payload: Some("{{ state }} {{ value }} {{ cause }}".into()),
                edge: Edge::Both,
                qos: crate::Qos::AtMostOnce,
                retain: false,
            };
            RuleSpec {
                name: DEVICES[index].into(),
                when: when.into(),
                on: on.into(),
                off: off.map(String::from),
                hold_for,
                dwell,
                max_age: max_age.map(Duration::from_secs),
                silent,
                schedule: schedule.map(String::from),
                priority: i32::try_from(index).unwrap(),
                then: vec![Consequence::Actuator("TEMP_LED".into()), publish],
            }
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<RuleSpec>> {
    (rule(0), rule(1), rule(2), 1..4usize).prop_map(|(a, b, c, count)| {
        let mut rules = vec![a, b, c];
        rules.truncate(count);
        rules
    })
}

/// A gateway with a database: rows by key, and all readings.
struct House {
    bench: Bench,
    rows: BTreeMap<String, Vec<u8>>,
    written: u64,
    journal: Vec<StoredReading>,
}

impl House {
    fn new(specs: &[RuleSpec]) -> Self {
        let bench = Bench::new(specs);
        let rows = bench.state.parts().map(|part| (part.key, part.bytes)).collect();
        Self { bench, rows, written: 0, journal: Vec::new() }
    }

    fn write(&mut self) {
        for part in self.bench.state.parts_since(self.written) {
            self.rows.insert(part.key, part.bytes);
        }
        self.written = self.bench.state.revision();
    }

    fn restart(&mut self) {
        let Bench { engine, now, .. } = &self.bench;
        let rows = self.rows.values().map(Vec::as_slice);
        let mut state = engine.restore_parts(rows, *now).unwrap();
        assert!(state.is_like(&self.bench.state), "every change was written");
        if let Some(window) = engine.window_max() {
            let since = UnixMicros(now.0 - i64::try_from(window.as_micros()).unwrap());
            for stored in self.journal.iter().filter(|stored| stored.at >= since) {
                engine.warm(&mut state, stored);
            }
        }
        self.bench.state = state;
        self.written = 0;
    }

    fn run(mut self, schedule: &[(Duration, Happening)], restarts: &[bool]) -> Bench {
        for (index, (gap, happening)) in schedule.iter().enumerate() {
            let to = self.bench.now.saturating_add(*gap);
            self.bench.pass(to);
            self.write();
            if restarts.get(index) == Some(&true) {
                self.restart();
            }
            match happening {
                Happening::Reading { device, tenths, behind, again } => {
                    let bench = &mut self.bench;
                    if let Some(stored) = self.journal.last().filter(|_| *again) {
                        bench.step(Event::Reading(stored));
                    } else {
                        let behind = i64::try_from(*behind).unwrap() * 1_000;
                        let at = UnixMicros(bench.now.0 - behind);
                        bench.id += 1;
                        let (device, value) = (DEVICES[*device], f64::from(*tenths) / 10.0);
                        let stored = stored(bench.id, device, value, Unit::Celsius, at, bench.now);
                        bench.step(Event::Reading(&stored));
                        self.journal.push(stored);
                    }
                }
                Happening::Manual { led, seconds } => {
                    let until = seconds.map(Duration::from_secs);
                    let until = until.map(|span| self.bench.now.saturating_add(span));
                    let led = led.map(|on| if on { Led::On } else { Led::Off });
                    self.bench.manual(led, until);
                }
                Happening::Time => self.bench.step(Event::Time),
            }
            self.bench.due();
            self.write();
        }
        let end = self.bench.now.saturating_add(Duration::from_secs(400));
        self.bench.pass(end);
        self.bench
    }
}

/// What is wrong with what was decided, by the rules alone.
fn broken(specs: &[RuleSpec], decided: &[(UnixMicros, Decision)]) -> Option<String> {
    for ((before_at, before), (at, decision)) in decided.iter().zip(decided.iter().skip(1)) {
        // A person is told also what is already so.
        let may_repeat =
            matches!(decision.cause, Cause::Override { .. } | Cause::OverrideEnded { .. });
        if before.led == decision.led {
            if may_repeat {
                continue;
            }
            return Some(format!("twice at {}", at.0));
        }
        let waits = matches!(decision.cause, Cause::Reading { .. } | Cause::Succession { .. });
        let dwell = specs.iter().find(|spec| *spec.name == *decision.rule).map(|spec| spec.dwell);
        if waits && dwell.is_some_and(|dwell| at.since(*before_at) < dwell) {
            // Silence of the owner passes on without waiting.
            let is_silent = decision.cause.witness().is_none();
            if !is_silent {
                return Some(format!("dwell of {} broken at {}", decision.rule, at.0));
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(300)))]

    #[test]
    fn a_restart_anywhere_changes_nothing(
        specs in rules(),
        schedule in schedule(),
        restarts in prop::collection::vec(prop::bool::weighted(0.3), 60),
    ) {
        let straight = House::new(&specs).run(&schedule, &[]);
        let restarted = House::new(&specs).run(&schedule, &restarts);
        prop_assert_eq!(&straight.decided, &restarted.decided);
        prop_assert_eq!(&straight.alerts, &restarted.alerts);
        prop_assert_eq!(straight.state.encode(), restarted.state.encode());
        prop_assert_eq!(broken(&specs, &straight.decided), None);
        // Nobody is told of an end that had no beginning, and of none twice.
        for spec in &specs {
            let told: Vec<Led> = straight
                .alerts
                .iter()
                .filter(|alert| *alert.rule == *spec.name)
                .map(|alert| alert.led)
                .collect();
            prop_assert!(told.first() != Some(&Led::Off));
            prop_assert!(told.windows(2).all(|pair| pair[0] != pair[1]));
        }
        // What was decided last is what stands.
        let last = straight.decided.last().map(|(_, decision)| decision.led);
        let standing = straight.engine.standing(&straight.state);
        let standing = standing.first().map(|decision| decision.led);
        prop_assert_eq!(last, standing);
    }
}
