//! Rules: any text in any of their keys becomes mistakes or an engine, without a panic and soon; the engine
//! works, and what it remembers comes back from its bytes.
//!
//! The text is lines of `key = value`, as a person would write them; a line `[[rule]]` begins the next rule,
//! so that priorities and circles are met too. Behind a NUL stand bytes that may or may not be a kept state.
//! TOML itself is not here: it is read by toml_edit, in a crate that would take an hour to build with a
//! sanitizer. How much time and memory an evaluation takes is for the target `conditions`; what is too slow
//! here ends by libFuzzer's own `-timeout`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_rules::{
    BODY_LEN_MAX, Consequence, Edge, Engine, Event, Logic, Outputs, Qos, RuleSpec, Silent,
};
use std::time::Duration;

const START: UnixMicros = UnixMicros(1_800_000_000_000_000);
/// More rules make an input slow without making it different.
const RULES_LEN_MAX: usize = 6;

fuzz_target!(|input: &[u8]| {
    let (text, kept) = match input.iter().position(|byte| *byte == 0) {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let specs: Vec<RuleSpec> = text.split("[[rule]]\n").take(RULES_LEN_MAX).map(rule).collect();
    for spec in &specs {
        let off = spec.off.as_deref().and_then(Logic::of);
        if let (Some(on), Some(off)) = (Logic::of(&spec.on), off) {
            assert_eq!(on.both_hold(&off).is_some(), off.both_hold(&on).is_some());
        }
    }
    match Engine::compile(&specs) {
        Ok(engine) => work(&engine, kept),
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            assert!(mistakes.iter().all(|mistake| !mistake.problem.is_empty()));
        }
    }
});

/// A rule as `key = value` lines say; what is no key is no matter.
fn rule(text: &str) -> RuleSpec {
    let mut rule = RuleSpec { then: Vec::new(), ..RuleSpec::original("LED") };
    for (key, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
        let seconds = || Duration::from_secs(value.parse().unwrap_or(3));
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = (!rest.is_empty()).then(|| rest.to_owned());
        match key {
            "name" => rule.name = value.into(),
            "when" => rule.when = value.into(),
            "on" => rule.on = value.into(),
            "off" => rule.off = Some(value.into()),
            "for" => rule.hold_for = seconds(),
            "dwell" => rule.dwell = seconds(),
            "max_age" => rule.max_age = Some(seconds()),
            "silent" => {
                rule.silent = match value {
                    "on" => Silent::On,
                    "hold" => Silent::Hold,
                    _ => Silent::Off,
                }
            }
            "schedule" => rule.schedule = Some(value.into()),
            "priority" => rule.priority = value.parse().unwrap_or(1),
            "actuator" => rule.then.push(Consequence::Actuator(value.into())),
            "publish" => rule.then.push(Consequence::Publish {
                topic: first.into(),
                payload: rest,
                edge: Edge::Both,
                qos: Qos::AtMostOnce,
                retain: false,
            }),
            "webhook" => rule.then.push(Consequence::Webhook {
                url: first.into(),
                body: rest,
                edge: Edge::Both,
            }),
            _ => {}
        }
    }
    rule
}

/// A state from any bytes, or a new one, through a warm day and the night behind it.
fn work(engine: &Engine, kept: &[u8]) {
    let mut state = engine.restore(kept, START).unwrap_or_else(|_| engine.initial(START));
    for (id, (topic, value)) in
        [("Environ/Temperature", 20.0), ("a/b", 30.0), ("Environ/Temperature", 40.0), ("a/b", -5.0)]
            .into_iter()
            .enumerate()
    {
        let now = START.saturating_add(Duration::from_secs(id as u64 * 3_600));
        let (device, quantity) = topic.split_once('/').unwrap_or((topic, "value"));
        let reading = Reading {
            topic: topic.into(),
            device: device.into(),
            quantity: quantity.into(),
            value,
            unit: Unit::Celsius,
            taken_at: None,
            key: None,
        };
        // Numbers of kept states may be high.
        let id = u64::MAX - 10 + id as u64;
        let stored = StoredReading { id, at: now, arrived_at: now, suspect: false, reading };
        for event in [Event::Time, Event::Reading(&stored)] {
            let mut out = Outputs::default();
            engine.step(&mut state, event, now, &mut out);
            assert!(out.alerts.iter().all(|alert| alert.body.len() <= BODY_LEN_MAX));
        }
    }
    let now = START.saturating_add(Duration::from_secs(14_400));
    let bytes = state.encode();
    let back = engine.restore(&bytes, now).expect("what was written is read");
    let again = engine.restore(&back.encode(), now).expect("what was written is read");
    assert_eq!(again.encode(), back.encode());
}
