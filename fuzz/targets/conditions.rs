//! Conditions: whatever is accepted as `on` and `off` is evaluated on any values without a panic, in at most
//! 1 ms and with at most 64 KiB.
//!
//! The first line is `on`, the second `off`, and what follows are readings of [`RECORD_LEN`] bytes each.
//!
//! What is measured is a step with a reading that the rule has had before, but for its journal number: both
//! conditions are evaluated, and nothing else grows. Memory is what the allocator gave and did not get back
//! at the worst moment, exactly. Time is the thread's own on the processor, for a computer that does other
//! things too would make a clock on the wall a matter of luck, and the least of [`TRIES`], for interrupts are
//! counted in it. The sanitizer makes the code slower, so here the bound is [`SLOWER`] times as much; without
//! a sanitizer a test of mtom-rules holds the dearest conditions to 1 ms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_rules::{Engine, Event, Outputs, RuleSpec, State};
use std::time::Duration;

const START: UnixMicros = UnixMicros(1_800_000_000_000_000);
const EVALUATION_MAX: Duration = Duration::from_millis(1);
const EVALUATION_BYTES_MAX: u64 = 64 * 1024;
const SLOWER: u32 = 20;
const TRIES: usize = 3;
/// Which device and unit, how long after the reading before it, and the value.
const RECORD_LEN: usize = 6;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(lines.next().unwrap_or_default());
    let (Ok(on), Ok(off)) = (line(), line()) else { return };
    let off = (!off.is_empty()).then(|| off.to_owned());
    let rule = RuleSpec { when: "#".into(), on: on.into(), off, ..RuleSpec::original("LED") };
    let Ok(engine) = Engine::compile(&[rule]) else { return };
    let mut state = engine.initial(START);
    let mut now = START;
    for (id, record) in lines.next().unwrap_or_default().chunks_exact(RECORD_LEN).enumerate() {
        now = now.saturating_add(Duration::from_millis(u64::from(record[1]) * 100));
        let stored = reading(record, id as u64 + 1, now);
        engine.step(&mut state, Event::Reading(&stored), now, &mut Outputs::default());
        // Without a number it is never one that was seen before.
        let again = StoredReading { id: 0, ..stored };
        evaluate(&engine, &mut state, &again, now);
    }
});

fn evaluate(engine: &Engine, state: &mut State, stored: &StoredReading, now: UnixMicros) {
    let mut least = Duration::MAX;
    for _ in 0..TRIES {
        let mut out = Outputs::default();
        let begin = processor_time();
        let memory = allocation_counter::measure(|| {
            engine.step(state, Event::Reading(stored), now, &mut out);
        });
        least = least.min(processor_time().saturating_sub(begin));
        assert!(
            memory.bytes_max <= EVALUATION_BYTES_MAX,
            "{} bytes: expected at most {EVALUATION_BYTES_MAX}",
            memory.bytes_max
        );
    }
    assert!(least <= EVALUATION_MAX * SLOWER, "{least:?}: expected at most {EVALUATION_MAX:?}");
}

/// How long this thread has been on a processor.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn reading(record: &[u8], id: u64, now: UnixMicros) -> StoredReading {
    let kind = usize::from(record[0]);
    // The longest names that a message can bring, too.
    let device = match kind % 4 {
        0 => "Environ".to_owned(),
        1 => "kitchen/oven".to_owned(),
        2 => "ä".repeat(123),
        _ => "d".repeat(247),
    };
    let number = f64::from(f32::from_le_bytes([record[2], record[3], record[4], record[5]]));
    let reading = Reading {
        topic: format!("{device}/Humidity").into(),
        device: device.into(),
        quantity: "Humidity".into(),
        value: if number.is_finite() { number } else { 25.0 },
        unit: Unit::ALL[kind / 4 % Unit::ALL.len()],
        taken_at: None,
        key: None,
    };
    StoredReading { id, at: now, arrived_at: now, suspect: false, reading }
}
