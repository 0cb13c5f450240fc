use super::{PAYLOAD_LEN_MAX, json, text};
use crate::record::{DeciCelsius, Record, Taken};
use expect_test::{Expect, expect};
use mtom_protocol::payload::decode;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::prelude::{any, prop_assert_eq, proptest};

const TOPIC: &str = "Environ/Temperature";
/// 2026-11-23T08:06:30.25Z.
const AT: UnixMicros = UnixMicros(1_795_421_190_250_000);

fn record(tenths: i16) -> Record {
    let taken = Taken::Uptime(0);
    Record { boot: 0x00c0_ffee_00c0_ffee, seq: 7, celsius: DeciCelsius(tenths), taken }
}

/// What a gateway reads of it: device, quantity, value, time, key.
fn read(payload: &str) -> String {
    let mut readings = decode(TOPIC, payload.as_bytes());
    assert_eq!(readings.len(), 1, "{payload}");
    let reading = readings.remove(0).unwrap();
    assert_eq!(reading.unit, Unit::Celsius, "{payload}");
    let key = reading.key.map(|key| format!("{}#{}", key.boot, key.seq));
    let at = reading.taken_at.map(UnixMicros::rfc3339);
    format!("{} {} {} {at:?} {key:?}", reading.device, reading.quantity, reading.value)
}

fn check(payload: &str, golden: Expect, meaning: Expect) {
    golden.assert_eq(payload);
    meaning.assert_eq(&read(payload));
}

#[test]
fn text_is_the_original_byte_for_byte() {
    assert_eq!(text(DeciCelsius(234)).as_bytes(), b"\x32\x33\x2e\x34\x20\xc2\xb0\x43");
    check(
        &text(DeciCelsius(234)),
        expect!["23.4 °C"],
        expect!["Environ Temperature 23.4 None None"],
    );
    check(
        &text(DeciCelsius(-5)),
        expect!["-0.5 °C"],
        expect!["Environ Temperature -0.5 None None"],
    );
    check(&text(DeciCelsius(0)), expect!["0.0 °C"], expect!["Environ Temperature 0 None None"]);
}

#[test]
fn json_has_everything_that_keeps_a_reading_once() {
    check(
        &json(&record(234), Some(AT)),
        expect![[
            r#"{"temperature":23.4,"time":"2026-11-23T08:06:30.250Z","clock":"sntp","seq":7,"boot":"00c0ffee00c0ffee"}"#
        ]],
        expect![[
            r#"Environ Temperature 23.4 Some("2026-11-23T08:06:30.250000Z") Some("00c0ffee00c0ffee#7")"#
        ]],
    );
}

#[test]
fn json_without_a_clock_says_so() {
    check(
        &json(&record(-5), None),
        expect![[
            r#"{"temperature":-0.5,"time":null,"clock":"unset","seq":7,"boot":"00c0ffee00c0ffee"}"#
        ]],
        expect![[r#"Environ Temperature -0.5 None Some("00c0ffee00c0ffee#7")"#]],
    );
}

#[test]
fn the_longest_payload_is_whole() {
    let longest = Record { seq: u32::MAX, boot: u64::MAX, ..record(i16::MIN) };
    // The latest time that a calendar of four-digit years has.
    let payload = json(&longest, Some(UnixMicros(253_402_207_199_999_999)));
    assert!(payload.ends_with("\"boot\":\"ffffffffffffffff\"}"), "{payload}");
    assert!(payload.len() < PAYLOAD_LEN_MAX, "{} bytes", payload.len());
    assert_eq!(text(DeciCelsius(i16::MIN)), "-3276.8 °C");
    // A time that no calendar has is none.
    for at in [i64::MIN, i64::MAX] {
        assert!(json(&longest, Some(UnixMicros(at))).contains("\"time\":null"));
    }
}

proptest! {
    #[test]
    fn a_gateway_reads_what_was_measured(
        tenths in -2_731..=30_000_i16,
        seq in any::<u32>(),
        boot in any::<u64>(),
        millis in 1_704_067_200_000..4_102_444_800_000_i64,
    ) {
        let record = Record { seq, boot, ..record(tenths) };
        let payload = json(&record, Some(UnixMicros(millis * 1_000)));
        for reading in [decode(TOPIC, payload.as_bytes()), decode(TOPIC, text(record.celsius).as_bytes())] {
            let value = reading[0].as_ref().unwrap().value;
            prop_assert_eq!(value, f64::from(tenths) / 10.0);
        }
        let reading = decode(TOPIC, payload.as_bytes()).remove(0).unwrap();
        let key = reading.key.unwrap();
        prop_assert_eq!((&*reading.device, &*reading.quantity), ("Environ", "Temperature"));
        prop_assert_eq!((&*key.boot, key.seq), (&*format!("{boot:016x}"), u64::from(seq)));
        prop_assert_eq!(reading.taken_at, Some(UnixMicros(millis * 1_000)));
    }
}
