use super::*;
use crate::engine::tests::drive;
use crate::{Engine, Event, Outputs, RuleSpec};
use expect_test::{Expect, expect};
use mtom_protocol::link::Led;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::unit::Unit;
use proptest::prelude::*;

const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);
const LATER: UnixMicros = UnixMicros(NOW.0 + 2_000_000);

fn engine() -> Engine {
    let hold_for = Duration::from_secs(10);
    Engine::compile(&[RuleSpec { hold_for, ..RuleSpec::original("TEMP_LED") }]).unwrap()
}

/// A wish that is still forming, with a number that has no short decimal form.
fn state(engine: &Engine) -> State {
    let mut state = engine.initial(NOW);
    let reading = Reading {
        topic: "Environ/Temperature".into(),
        device: "Environ".into(),
        quantity: "Temperature".into(),
        value: 25.000000000000004,
        unit: Unit::Celsius,
        taken_at: None,
        key: None,
    };
    let stored = StoredReading { id: 42, at: LATER, arrived_at: LATER, suspect: false, reading };
    engine.step(&mut state, Event::Reading(&stored), LATER, &mut Outputs::default());
    state
}

/// Version 1, of programs before there were priorities. These bytes stand in databases: they are read
/// for ever.
const VERSION_1: &str = r#"{"version":1,"clock_micros":1800000002000000,"rules":[{"name":"original","version":"6596ce551ce17af5","last_id":42,"heard_micros":1800000002000000,"silent":false,"forming":{"on":true,"since_micros":1800000002000000,"reading":{"id":42,"device":"Environ","quantity":"Temperature","value":"25.000000000000004","unit":"°C"}},"series":[{"device":"Environ","quantity":"Temperature","at_micros":1800000002000000}]}]}"#;

#[test]
fn version_2_is_written_and_read() {
    let engine = engine();
    let state = state(&engine);
    expect![[r#"{"version":2,"clock_micros":1800000002000000,"rules":[{"name":"original","version":"6596ce551ce17af5","last_id":42,"heard_micros":1800000002000000,"silent":false,"forming":{"on":true,"since_micros":1800000002000000,"reading":{"id":42,"device":"Environ","quantity":"Temperature","value":"25.000000000000004","unit":"°C","topic":"Environ/Temperature","condition":"celsius >= 25.0, where celsius is 25.000000000000004"}},"series":[{"device":"Environ","quantity":"Temperature","at_micros":1800000002000000}]}],"actuators":[{"name":"TEMP_LED"}]}"#]].assert_eq(&String::from_utf8(state.encode()).unwrap());
    let back = engine.restore(&state.encode(), LATER).unwrap();
    assert!(back.is_like(&state));
    assert_eq!(back.revision(), 0);
}

#[test]
fn version_1_is_read() {
    let engine = engine();
    let state = engine.restore(VERSION_1.as_bytes(), LATER).unwrap();
    let forming = state.memories().next().and_then(|memory| memory.forming.clone()).unwrap();
    assert_eq!((forming.led, forming.since, forming.witness.id), (Led::On, LATER, 42));
    assert_eq!(engine.next_deadline(&state), Some(LATER.saturating_add(Duration::from_secs(10))));
}

/// Version 1 did not say what an actuator was told, and it was what the rule had decided.
#[test]
fn what_a_rule_decided_stands_in_version_1_too() {
    let shown = VERSION_1.replace(r#""forming":{"#, r#""shown":{"#);
    let engine = engine();
    let standing = engine.standing(&engine.restore(shown.as_bytes(), LATER).unwrap());
    let [decision] = standing.as_slice() else { panic!("{standing:?}") };
    assert_eq!((&*decision.actuator, decision.led), ("TEMP_LED", Led::On));
    assert_eq!(decision.cause, crate::Cause::Start { since: LATER });
    assert_eq!(&*decision.rule, "original");
}

#[test]
fn parts_are_the_whole() {
    let engine = engine();
    let state = state(&engine);
    let parts: Vec<Part> = state.parts().collect();
    let keys: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
    assert_eq!(keys, ["rule/original", "actuator/TEMP_LED"]);
    assert!(engine.part_keys().eq(keys));
    let bytes = parts.iter().rev().map(|part| part.bytes.as_slice());
    let back = engine.restore_parts(bytes, LATER).unwrap();
    assert!(back.is_like(&state));
    assert_eq!(back.encode(), state.encode());
    assert_eq!(state.parts_since(state.revision()).count(), 0);
    assert_eq!(state.parts_since(0).count(), 1, "nothing was decided about the actuator");
}

fn check_error(bytes: &[u8], expected: Expect) {
    let error = engine().restore(bytes, NOW).expect_err("must be refused");
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    expected.assert_eq(&format!("{error}{}", cause.unwrap_or_default()));
}

#[test]
fn what_is_no_state_is_refused() {
    let damaged = |from: &str, to: &str| VERSION_1.replace(from, to).into_bytes();
    check_error(
        b"",
        expect!["state of the rules is damaged: expected what State::encode wrote: not its JSON"],
    );
    check_error(
        b"[]",
        expect!["state of the rules is damaged: expected what State::encode wrote: not its JSON"],
    );
    check_error(
        b"\xff{}",
        expect!["state of the rules is damaged: expected what State::encode wrote: not its JSON"],
    );
    check_error(
        &damaged("42", "-1"),
        expect!["state of the rules is damaged: expected what State::encode wrote: not its JSON"],
    );
    check_error(
        &damaged("25.000000000000004", "NaN"),
        expect![[
            r#"state of the rules is damaged: expected what State::encode wrote: value cannot be "NaN""#
        ]],
    );
    check_error(
        &damaged("°C", "°X"),
        expect![[
            r#"state of the rules is damaged: expected what State::encode wrote: unit cannot be "°X""#
        ]],
    );
    check_error(
        &damaged("6596", "xyz"),
        expect![[
            r#"state of the rules is damaged: expected what State::encode wrote: version cannot be "xyzce551ce17af5""#
        ]],
    );
    // Whatever else a later version holds, its number is found.
    check_error(
        br#"{"rules":7,"version":3}"#,
        expect!["state of the rules has version 3: expected at most 2, use a newer mtom"],
    );
}

#[test]
fn series_out_of_order_are_put_in_order() {
    let series =
        |device: &str| format!(r#"{{"device":"{device}","quantity":"Temperature","at_micros":5}}"#);
    let bytes = VERSION_1.replace(
        r#""series":["#,
        &format!(r#""series":[{},{},{},"#, series("z"), series("a"), series("z")),
    );
    let state = engine().restore(bytes.as_bytes(), LATER).unwrap();
    let mut devices: Vec<_> = state
        .memories()
        .flat_map(|memory| memory.series.iter().map(|seen| seen.device.to_string()))
        .collect();
    devices.sort();
    assert_eq!(devices, ["Environ", "a", "z"]);
}

#[test]
fn a_rule_is_found_by_its_name_and_what_it_says() {
    let hold_for = Duration::from_secs(10);
    let original = RuleSpec { hold_for, ..RuleSpec::original("TEMP_LED") };
    let remembers = |spec: &RuleSpec| {
        let other =
            RuleSpec { name: "other".into(), then: drive(&["FAN"]), ..RuleSpec::original("FAN") };
        let engine = Engine::compile(&[other, spec.clone()]).unwrap();
        let state = engine.restore(VERSION_1.as_bytes(), NOW).unwrap();
        let ids: Vec<u64> = state.memories().map(|memory| memory.last_id).collect();
        ids == [0, 42]
    };
    assert!(remembers(&original), "its place does not matter");
    let alert = |body: Option<&str>| {
        let (url, body) = ("https://example.org".into(), body.map(String::from));
        let webhook = crate::Consequence::Webhook { url, body, edge: crate::Edge::On };
        drive(&["TEMP_LED"]).into_iter().chain([webhook]).collect::<Vec<_>>()
    };
    let version = |body| RuleSpec { then: alert(body), ..original.clone() }.version();
    assert_ne!(version(None), version(Some("x")));
    let changed = [
        RuleSpec { name: "renamed".into(), ..original.clone() },
        RuleSpec { when: "Environ/+".into(), ..original.clone() },
        RuleSpec { on: "celsius >= 25.1".into(), ..original.clone() },
        RuleSpec { off: Some("celsius < 25.0".into()), ..original.clone() },
        RuleSpec { hold_for: Duration::from_secs(11), ..original.clone() },
        RuleSpec { dwell: Duration::from_secs(2), ..original.clone() },
        RuleSpec { max_age: None, ..original.clone() },
        RuleSpec { silent: crate::Silent::On, ..original.clone() },
        RuleSpec { then: drive(&["TEMP_LED", "B"]), ..original.clone() },
        RuleSpec { schedule: Some("Mon-Sun".into()), ..original.clone() },
        RuleSpec { priority: 1, ..original.clone() },
        RuleSpec { then: alert(None), ..original.clone() },
    ];
    for spec in changed {
        assert!(!remembers(&spec), "{spec:?}");
    }
}

#[test]
fn noting_the_time_is_nothing_to_keep() {
    let engine = engine();
    let mut state = state(&engine);
    let revision = state.revision();
    engine.step(&mut state, Event::Time, UnixMicros(NOW.0 + 3_000_000), &mut Outputs::default());
    assert!(!state.changed_since(revision));
    engine.step(&mut state, Event::Time, UnixMicros(NOW.0 + 30_000_000), &mut Outputs::default());
    assert!(state.changed_since(revision));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(256)))]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(engine().restore(&bytes, NOW).is_err());
    }

    /// One byte changed: refused, or a state with which everything still works.
    #[test]
    fn damaged_bytes_do_no_harm(at in 0..VERSION_1.len(), byte in any::<u8>(), now in any::<i64>()) {
        let mut bytes = VERSION_1.as_bytes().to_vec();
        bytes[at] = byte;
        let engine = engine();
        if let Ok(mut state) = engine.restore(&bytes, UnixMicros(now)) {
            engine.step(&mut state, Event::Time, UnixMicros(now), &mut Outputs::default());
            prop_assert!(engine.next_deadline(&state).is_none_or(|due| due.0 > now || due.0 == i64::MAX));
        }
    }
}
