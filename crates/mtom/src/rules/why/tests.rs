use super::*;
use expect_test::{Expect, expect};
use mtom_protocol::payload::decode;
use mtom_store::record::CommandRecord;

const DECIDED: i64 = 1_795_421_190_000_000;

fn at(millis: i64) -> UnixMicros {
    UnixMicros(DECIDED + millis * 1_000)
}

fn row() -> CommandRow {
    CommandRow {
        command: CommandRecord {
            number: 42,
            actuator: "LAMP".into(),
            on: true,
            rule: "heat".into(),
            rule_version: None,
            reading: Some(7),
            cause: "reading 7: Environ/Temperature 26 °C, held for 10 s".into(),
            condition: None,
            decided_at: at(0),
        },
        sent_at: Some(at(2)),
        applied_at: Some(at(9)),
        refused_at: None,
        refused_reason: None,
    }
}

fn stored() -> StoredReading {
    let mut reading = decode("Environ/Temperature", "26 °C".as_bytes()).remove(0).unwrap();
    reading.taken_at = Some(at(-10_020));
    StoredReading { id: 7, at: at(-10_020), arrived_at: at(-10_000), suspect: false, reading }
}

#[track_caller]
fn check(
    row: &CommandRow,
    reading: Option<StoredReading>,
    before: Option<&CommandRow>,
    is: Expect,
) {
    let story = Story { row, reading, before, zone: &TimeZone::UTC };
    is.assert_eq(&format!("{}\n", story.lines().join("\n")));
}

#[test]
fn a_command_is_told_from_its_reading_to_the_word_of_the_device() {
    let mut before = row();
    (before.command.number, before.command.on) = (41, false);
    check(
        &row(),
        Some(stored()),
        Some(&before),
        expect![[r#"
        LAMP is to be on since 2026-11-23 08:06:30.000: command 42
          reading  7, Environ/Temperature 26 °C
          taken    2026-11-23 08:06:19.980
          arrived  2026-11-23 08:06:20.000  20 ms later
          rule     heat
          because  reading 7: Environ/Temperature 26 °C, held for 10 s
          decided  2026-11-23 08:06:30.000  10.000 s later
          sent     2026-11-23 08:06:30.002  2 ms later
          applied  2026-11-23 08:06:30.009  7 ms later  (9 ms from decided to applied)
          before   off, command 41 of 2026-11-23 08:06:30.000, because: reading 7: Environ/Temperature 26 °C, held for 10 s
    "#]],
    );
}

#[test]
fn what_is_not_known_is_told_with_the_next_step() {
    let mut old = row();
    (old.sent_at, old.applied_at) = (None, None);
    check(
        &old,
        None,
        None,
        expect![[r#"
        LAMP is to be on since 2026-11-23 08:06:30.000: command 42
          reading  7 is not in the history any more: store.keep says how long it stays
          rule     heat
          because  reading 7: Environ/Temperature 26 °C, held for 10 s
          decided  2026-11-23 08:06:30.000
          sent     not yet, or a newer command took its place; mtom doctor says whether the link works
    "#]],
    );
    let mut refused = row();
    refused.command.reading = None;
    (refused.applied_at, refused.refused_at) = (None, Some(at(5)));
    refused.refused_reason = Some("line too long".into());
    check(
        &refused,
        None,
        None,
        expect![[r#"
        LAMP is to be on since 2026-11-23 08:06:30.000: command 42
          reading  none: it was not a reading that led to it
          rule     heat
          because  reading 7: Environ/Temperature 26 °C, held for 10 s
          decided  2026-11-23 08:06:30.000
          sent     2026-11-23 08:06:30.002  2 ms later
          refused  2026-11-23 08:06:30.005  3 ms later  line too long
    "#]],
    );
}
