//! Rules: any text in any of their keys is taken or refused, and what is taken decides, soon and without a
//! panic, on any values; what it remembers comes back from its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mtom_protocol::link::Led;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_rules::{BODY_LEN_MAX, Consequence, Edge, Engine, Event, Outputs, Qos, RuleSpec, Silent};
use std::time::{Duration, Instant};

const START: UnixMicros = UnixMicros(1_800_000_000_000_000);
/// Far above what the slowest evaluation takes, under a sanitizer on a busy computer too.
const STEP_MAX: Duration = Duration::from_millis(250);

fuzz_target!(|input: (Vec<&str>, Vec<(u8, i32, f64)>, &[u8])| {
    let (texts, happenings, state) = input;
    let text = |place: usize| texts.get(place).copied().unwrap_or_default();
    let some =
        |place: usize| texts.get(place).filter(|text| !text.is_empty()).map(|text| (*text).into());
    let rule = RuleSpec {
        on: text(0).into(),
        off: some(1),
        schedule: some(2),
        when: some(3).unwrap_or_else(|| "a/+".into()),
        hold_for: Duration::from_secs(3),
        silent: Silent::Hold,
        then: vec![
            Consequence::Actuator("LED".into()),
            Consequence::Publish {
                topic: some(4).unwrap_or_else(|| "alarm".into()),
                payload: some(5),
                edge: Edge::Both,
                qos: Qos::AtMostOnce,
                retain: false,
            },
        ],
        ..RuleSpec::original("LED")
    };
    let engine = match Engine::compile(&[rule]) {
        Ok(engine) => engine,
        Err(errors) => return assert!(!errors.is_empty()),
    };
    let mut kept = engine.restore(state, START).unwrap_or_else(|_| engine.initial(START));
    let mut now = START;
    for (id, (kind, micros, value)) in happenings.into_iter().enumerate() {
        now = UnixMicros(now.0.saturating_add(i64::from(micros) * 1_000));
        let value = if value.is_finite() { value } else { 0.0 };
        let reading = Reading {
            topic: "a/b".into(),
            device: "a".into(),
            quantity: "b".into(),
            value,
            unit: Unit::ALL[usize::from(kind) % Unit::ALL.len()],
            taken_at: None,
            key: None,
        };
        let stored =
            StoredReading { id: id as u64 + 1, at: now, arrived_at: now, suspect: false, reading };
        let event = match kind % 8 {
            0 => Event::Time,
            1 => Event::Override {
                actuator: "LED",
                led: (micros % 2 == 0).then_some(Led::On),
                until: None,
            },
            _ => Event::Reading(&stored),
        };
        let begin = Instant::now();
        let mut out = Outputs::default();
        engine.step(&mut kept, event, now, &mut out);
        assert!(begin.elapsed() < STEP_MAX);
        assert!(out.alerts.iter().all(|alert| alert.body.len() <= BODY_LEN_MAX));
    }
    let bytes = kept.encode();
    let back = engine.restore(&bytes, now).expect("what was written is read");
    assert_eq!(back.encode(), bytes);
});
