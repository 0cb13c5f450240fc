use super::{NotAReading, PAYLOAD_LEN_MAX, READINGS_LEN_MAX, TOPIC_LEN_MAX, decode, describe};
use crate::time::UnixMicros;
use crate::unit::Unit;
use expect_test::{Expect, expect};
use proptest::prelude::proptest;

const TOPIC: &str = "Environ/Temperature";

/// One line per reading: `device quantity value unit [time] [boot seq]`, or the code of the reason.
pub(super) fn check(topic: &str, payload: &[u8], expected: Expect) {
    let mut lines = String::new();
    for outcome in decode(topic, payload) {
        lines += &match outcome {
            Ok(reading) => {
                let time = reading.taken_at.map(|at| format!(" @{}", at.rfc3339()));
                let key = reading.key.map(|key| format!(" {}#{}", key.boot, key.seq));
                format!(
                    "{} | {} | {} {}{}{}\n",
                    reading.device,
                    reading.quantity,
                    reading.value,
                    reading.unit.symbol(),
                    time.unwrap_or_default(),
                    key.unwrap_or_default(),
                )
            }
            Err(reason) => format!("{}\n", reason.code()),
        };
    }
    expected.assert_eq(&lines);
}

fn check_reject(payload: &[u8], code: &str) {
    let outcomes = decode(TOPIC, payload);
    let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_err(NotAReading::code)).collect();
    assert_eq!(codes, [Err(code)], "{:?}", String::from_utf8_lossy(payload));
}

#[test]
fn the_bytes_of_the_original_are_a_reading() {
    check(
        TOPIC,
        b"\x32\x33\x2e\x34\x20\xc2\xb0\x43",
        expect![[r"
            Environ | Temperature | 23.4 °C
        "]],
    );
    for payload in ["23°C", "23 °C", "23", "+23", "23.0", "2.3e1 °C", " 23 °C\n"] {
        let outcome = decode(TOPIC, payload.as_bytes()).remove(0).unwrap();
        assert_eq!((outcome.value, outcome.unit), (23.0, Unit::Celsius), "{payload}");
    }
}

#[test]
fn what_cannot_be_true_is_refused_with_its_reason() {
    for (payload, code) in [
        ("", "empty"),
        ("  \n", "empty"),
        ("NaN °C", "not_finite"),
        ("nan", "not_finite"),
        ("-inf °C", "not_finite"),
        ("1e999", "not_finite"),
        ("1e999 °C", "not_finite"),
        ("23,4 °C", "decimal_comma"),
        ("-127 °C", "sensor_lost"),
        ("-127.00 °C", "sensor_lost"),
        ("-300 °C", "out_of_range"),
        ("99999", "out_of_range"),
        ("23.4 parsec", "unknown_unit"),
        ("hello world", "not_a_number"),
        ("°C", "not_a_number"),
        ("23 4", "not_a_number"),
        ("1.2.3", "not_a_number"),
        ("0x17", "unknown_unit"),
        ("23.4  °C", "not_a_number"),
        ("{", "not_json"),
        ("[1]", "not_json"),
        ("{}", "no_number"),
        ("{\"a\":\"b\"}", "no_number"),
        ("{\"temperature\":1e999}", "not_json"),
        ("{\"temperature\":23.4,\"time\":\"08:06\"}", "time"),
        ("{\"temperature\":23.4,\"time\":7}", "time"),
        ("{\"temperature\":23.4,\"seq\":7}", "key"),
        ("{\"temperature\":23.4,\"seq\":-7,\"boot\":\"a\"}", "key"),
        ("{\"temperature\":23.4,\"device\":\"\"}", "device"),
        ("{\"temperature\":23.4,\"unit\":\"furlong\"}", "unknown_unit"),
    ] {
        check_reject(payload.as_bytes(), code);
    }
    check_reject(b"\xff\xfe", "not_utf8");
    check_reject(&vec![b'1'; PAYLOAD_LEN_MAX + 1], "too_long");
    check_reject("[".repeat(PAYLOAD_LEN_MAX).as_bytes(), "not_json");
}

#[test]
fn json_numbers_are_readings_and_nested_ones_have_dotted_names() {
    check(
        "home/kitchen",
        br#"{"temperature":23.4,"humidity":40,"air":{"co2":417,"state":"ok"},"time":"2026-11-23T08:06:30Z","seq":7,"boot":"b1"}"#,
        expect![[r"
            home/kitchen | air.co2 | 417  @2026-11-23T08:06:30.000000Z b1#7
            home/kitchen | humidity | 40 % @2026-11-23T08:06:30.000000Z b1#7
            home/kitchen | temperature | 23.4 °C @2026-11-23T08:06:30.000000Z b1#7
        "]],
    );
}

/// serde_json is not exact of itself: `float_roundtrip`.
#[test]
fn a_json_number_is_read_to_its_last_bit() {
    check(
        "home/kitchen",
        br#"{"temperature":125.00000000000001}"#,
        expect![[r"
            home/kitchen | temperature | 125.00000000000001 °C
        "]],
    );
}

#[test]
fn json_on_the_original_topic_is_the_original_series() {
    check(
        TOPIC,
        br#"{"temperature":23.4}"#,
        expect![[r"
            Environ | Temperature | 23.4 °C
        "]],
    );
    check(
        TOPIC,
        br#"{"value":77,"unit":"\u00b0F","device":"env1"}"#,
        expect![[r"
            env1 | Temperature | 77 °F
        "]],
    );
}

#[test]
fn one_bad_number_does_not_cost_its_neighbours() {
    check(
        "home/kitchen",
        br#"{"temperature":-127,"humidity":40}"#,
        expect![[r"
            home/kitchen | humidity | 40 %
            sensor_lost
        "]],
    );
}

#[test]
fn a_message_with_too_many_numbers_is_refused_whole() {
    let numbers: Vec<_> = (0..=READINGS_LEN_MAX).map(|n| format!("\"n{n}\":{n}")).collect();
    check_reject(format!("{{{}}}", numbers.join(",")).as_bytes(), "too_many");
}

#[test]
fn a_topic_of_any_shape_names_a_series() {
    check(
        "outside",
        b"7",
        expect![[r"
        outside | value | 7 
    "]],
    );
    check(
        "/a",
        b"7",
        expect![[r"
        /a | value | 7 
    "]],
    );
    check(
        "a/b/c",
        b"7 hPa",
        expect![[r"
        a/b | c | 7 hPa
    "]],
    );
    assert!(matches!(decode("a\nb", b"7")[..], [Err(NotAReading::TopicControl)]));
    assert!(matches!(decode(&"a".repeat(257), b"7")[..], [Err(NotAReading::TopicTooLong { .. })]));
}

proptest! {
    #[test]
    fn no_bytes_panic(topic: String, payload: Vec<u8>) {
        check_limits(&topic, &payload);
    }

    #[test]
    fn no_text_panics(topic in "[a-z/]{0,9}", payload in "[-+0-9.,eE °CF%{}\":a-z]{0,24}") {
        for reading in decode(&topic, payload.as_bytes()).into_iter().flatten() {
            assert!(reading.value.is_finite());
        }
    }

    #[test]
    fn no_message_of_other_systems_panics_and_limits_hold(
        topic in "(tele|stat|cmnd|zigbee2mqtt|shelly|node)/([a-z/]{0,6}/)?(status|sensor|events)?/?(a|SENSOR|LWT|STATE|switch:0|temperature:0|sys|rpc|state|set|availability)?",
        payload in r#"(\[?\{("(Time|TempUnit|Temperature|tC|tF|rh|id|last_seen|voltage|update|src|method|bn|bt|bu|bv|n|u|v|t|vs)":(1|-127|1e308|"C"|"Cel"|"a/b"|null|\{"tC":1\}|\[1\]),?){0,4}\}\]?|.{0,12})"#,
    ) {
        check_limits(&topic, payload.as_bytes());
    }

    #[test]
    fn no_line_of_line_protocol_panics_and_limits_hold(
        payload in r#"([a-c\\ ,=]{0,8}[,= ][a-c"\\]{0,3}=?[-+0-9.eiut"]{0,6}[ \n]?){0,5}"#,
    ) {
        check_limits("a/b", payload.as_bytes());
    }

    #[test]
    fn no_pack_of_senml_panics_and_limits_hold(
        records in proptest::collection::vec(
            r#"\{"n":"[a-c/]{0,3}"(,"(bn|u|bu)":"[a-cCel/:]{0,4}")?(,"(v|bv|t|bt|s)":-?[0-9]{1,9}(e[0-9]{1,3})?){0,3}\}"#,
            0..70,
        ),
    ) {
        check_limits("a/b", format!("[{}]", records.join(",")).as_bytes());
    }
}

fn check_limits(topic: &str, payload: &[u8]) {
    let outcomes = decode(topic, payload);
    assert!(outcomes.len() <= READINGS_LEN_MAX);
    for reading in outcomes.into_iter().flatten() {
        assert!(reading.value.is_finite());
        for name in [&reading.device, &reading.quantity] {
            assert!((1..=TOPIC_LEN_MAX).contains(&name.len()), "{name:?}");
            assert!(!name.chars().any(char::is_control), "{name:?}");
        }
    }
}

#[test]
fn time_and_key_beside_a_text_count_where_the_payload_says_none() {
    let described = |payload: &[u8], properties: &[(&str, &str)]| {
        let mut reading = decode(TOPIC, payload).remove(0).unwrap();
        describe(&mut reading, properties.iter().copied()).map(|()| reading)
    };
    let all = [("mtom-time", "2026-11-23T08:06:30.250Z"), ("mtom-boot", "b1"), ("mtom-seq", "7")];
    let reading = described("23.4 °C".as_bytes(), &all).unwrap();
    let key = reading.key.unwrap();
    assert_eq!(reading.taken_at, Some(UnixMicros(1_795_421_190_250_000)));
    assert_eq!((&*key.boot, key.seq), ("b1", 7));

    let own = br#"{"temperature":1,"boot":"own","seq":1,"time":"2026-11-23T00:00:00Z"}"#;
    let reading = described(own, &all).unwrap();
    assert_eq!(&*reading.key.unwrap().boot, "own");

    let foreign = described(b"1", &[("time", "noon"), ("seq", "x")]).unwrap();
    assert_eq!((foreign.taken_at, foreign.key), (None, None));
    assert_eq!(described(b"1", &[("mtom-time", "noon")]), Err(NotAReading::Time));
    assert_eq!(described(b"1", &[("mtom-seq", "7")]), Err(NotAReading::Key));
    assert_eq!(described(b"1", &[("mtom-boot", "b"), ("mtom-seq", "-1")]), Err(NotAReading::Key));
}
