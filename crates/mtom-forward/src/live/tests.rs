use super::{LiveHub, LiveStats, encode};
use expect_test::{Expect, expect};
use jiff::tz::{Offset, TimeZone};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;

fn stored(value: f64, unit: Unit) -> StoredReading {
    StoredReading {
        id: 1,
        at: UnixMicros(1_795_421_190_123_456),
        arrived_at: UnixMicros(1_795_421_190_999_999),
        suspect: false,
        reading: Reading {
            topic: "Environ/Temperature".into(),
            device: "Environ".into(),
            quantity: "Temperature".into(),
            value,
            unit,
            taken_at: None,
            key: None,
        },
    }
}

#[track_caller]
fn check(value: f64, unit: Unit, hours: i8, expected: Expect) {
    let zone = TimeZone::fixed(Offset::constant(hours));
    let frame = encode(&zone, &stored(value, unit)).unwrap();
    // FIN and text; the length; no mask.
    assert_eq!(usize::from(frame[1]), frame.len() - 2);
    assert_eq!(frame[0], 0x81);
    expected.assert_eq(std::str::from_utf8(&frame[2..]).unwrap());
}

#[test]
fn a_frame_is_what_the_original_sends() {
    check(
        24.5,
        Unit::Celsius,
        0,
        expect![[
            r#"{"state":"OK","type":"new_data","response":{"time":"2026-11-23 08:06:30","temp":24.5}}"#
        ]],
    );
    check(
        77.0,
        Unit::Fahrenheit,
        8,
        expect![[
            r#"{"state":"OK","type":"new_data","response":{"time":"2026-11-23 16:06:30","temp":25.0}}"#
        ]],
    );
    check(
        -0.1,
        Unit::Celsius,
        -11,
        expect![[
            r#"{"state":"OK","type":"new_data","response":{"time":"2026-11-22 21:06:30","temp":-0.1}}"#
        ]],
    );
}

#[test]
fn what_is_no_temperature_is_not_offered() {
    let hub = LiveHub::new(TimeZone::UTC, Some(&stored(40.0, Unit::Percent)));
    hub.offer(&stored(40.0, Unit::Percent));
    hub.offer(&stored(1.0, Unit::None));
    assert_eq!(hub.stats(), LiveStats::default());
    assert!(hub.next(hub.join()).bytes.is_empty());
}
