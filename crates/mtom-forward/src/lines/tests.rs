//! The words of the forwarding by TCP.

use super::{Forwarded, Request, Said, Status, Wrong, WrongCode, error, line, parse, parse_ack};
use expect_test::expect;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use serde_json::json;

fn stored(topic: &str, value: f64, unit: Unit) -> StoredReading {
    let at = UnixMicros(1_795_421_190_250_000);
    let (device, quantity) = topic.rsplit_once('/').unwrap();
    let reading = Reading {
        topic: topic.into(),
        device: device.into(),
        quantity: quantity.into(),
        value,
        unit,
        taken_at: None,
        key: None,
    };
    StoredReading { id: 17, at, arrived_at: at, suspect: false, reading }
}

#[test]
fn a_reading_is_one_line() {
    let lines = [
        stored("Environ/Temperature", 25.0, Unit::Celsius),
        stored("Environ/attic/Temperature", 70.7, Unit::Fahrenheit),
        stored("Environ/\"<b>\n厨房/Humidity", 40.5, Unit::Percent),
    ]
    .map(|stored| String::from_utf8(line(&stored)).unwrap());
    assert!(lines.iter().all(|line| line.matches('\n').count() == 1 && line.ends_with('\n')));
    expect![[r#"
        {"id":17,"series":"Environ/Temperature","device":"Environ","topic":"Environ/Temperature","time":"2026-11-23T08:06:30.250000Z","value":25.0,"unit":"°C","celsius":25.0,"fahrenheit":77.0}
        {"id":17,"series":"Environ/attic/Temperature","device":"Environ/attic","topic":"Environ/attic/Temperature","time":"2026-11-23T08:06:30.250000Z","value":70.7,"unit":"°F","celsius":21.5,"fahrenheit":70.7}
        {"id":17,"series":"Environ/\"<b>\n厨房/Humidity","device":"Environ/\"<b>\n厨房","topic":"Environ/\"<b>\n厨房/Humidity","time":"2026-11-23T08:06:30.250000Z","value":40.5,"unit":"%","celsius":null,"fahrenheit":null}
    "#]].assert_eq(&lines.concat());
}

#[test]
fn what_is_wrong_is_one_line_too() {
    let line = String::from_utf8(error("no \"such\"\nthing", "say it")).unwrap();
    assert_eq!(line, "{\"error\":\"no \\\"such\\\"\\nthing\",\"next\":\"say it\"}\n");
}

#[test]
fn a_client_says_what_it_wants() {
    let all = Request::default();
    assert_eq!((&*all.subscribe, all.after, all.ack), (&["#".to_owned()][..], None, false));
    assert_eq!(Request::parse(b"{}"), Ok(all.clone()));
    assert_eq!(
        Request::parse(br#"{"subscribe":["Environ/#","a/+/b"],"after":17,"ack":true}"#),
        Ok(Request {
            subscribe: vec!["Environ/#".into(), "a/+/b".into()],
            after: Some(17),
            ack: true,
            ..all.clone()
        })
    );
    let wanted = Request { subscribe: vec!["Environ/+".into()], ..all };
    assert!(wanted.wants(&stored("Environ/Temperature", 1.0, Unit::Celsius)));
    assert!(!wanted.wants(&stored("Environ/attic/Temperature", 1.0, Unit::Celsius)));
    assert_eq!(parse_ack(br#"{"ack":18}"#), Ok(18));
}

#[test]
fn what_it_says_wrong_is_named() {
    let many = format!("{{\"subscribe\":[{}\"a\"]}}", "\"a\",".repeat(100));
    let said = [
        &b"GET / HTTP/1.1"[..],
        b"{\"subscribe\":\"Environ/#\"}",
        b"{\"subscribe\":[\"Environ/#/a\"]}",
        b"{\"subscribe\":[]}",
        b"{\"after\":-1}",
        b"{\"before\":9}",
        b"\xff\xfe",
        b"",
        many.as_bytes(),
    ]
    .map(|line| Request::parse(line).unwrap_err());
    expect![[r#"
        expected value at line 1 column 1
        invalid type: string "Environ/#", expected a sequence at line 1 column 24
        "Environ/#/a": `#` stands alone in the last level, as in `Environ/#`
        subscribe: no topic filter: leave it out for everything
        invalid value: integer `-1`, expected u64 at line 1 column 11
        unknown field `before`, expected one of `subscribe`, `after`, `history`, `ack`, `status`, `controller` at line 1 column 9
        expected value at line 1 column 1
        EOF while parsing a value at line 1 column 0
        101 topic filters: expected at most 100"#]]
    .assert_eq(&said.join("\n"));
    let said = [&b"{\"ack\":\"18\"}"[..], b"18", b"{\"ack\":1,\"nack\":2}"];
    expect![[r#"
        invalid type: string "18", expected u64 at line 1 column 11
        invalid type: integer `18`, expected an object at line 1 column 2
        unknown field `nack`, expected `ack` at line 1 column 15"#]]
    .assert_eq(&said.map(|line| parse_ack(line).unwrap_err()).join("\n"));
}

#[test]
fn what_a_gateway_says_is_read_as_it_was_meant() {
    for stored in [
        stored("Environ/Temperature", 25.0, Unit::Celsius),
        stored("Environ/attic/Temperature", 70.7, Unit::Fahrenheit),
        stored("Environ/\"<b>厨房/Humidity", 40.5, Unit::Percent),
        StoredReading {
            arrived_at: UnixMicros(1_795_421_199_000_001),
            ..stored("a/b", -0.1, Unit::None)
        },
    ] {
        let line = line(&stored);
        let reading = Reading { taken_at: Some(stored.at), ..stored.reading };
        let arrived_at = stored.arrived_at;
        let expected = Forwarded { id: 17, reading, arrived_at, seq: None };
        assert_eq!(parse(line.trim_ascii_end()), Ok(Said::Reading(expected)));
    }
    let status =
        Status { history: "0a".into(), newest: 7, now: "t".into(), after: Some(3), until: None };
    assert_eq!(parse(&super::status(&status)), Ok(Said::Gateway(status, None)));
    let wrong = Wrong::new("taken", "stop it").coded(WrongCode::ControllerRefused);
    assert_eq!(parse(&wrong.line()), Ok(Said::Wrong(wrong)));
    let later = br#"{"error":"a","next":"b","code":"of_a_later_version","more":[1]}"#;
    assert_eq!(parse(later), Ok(Said::Wrong(Wrong::new("a", "b").coded(WrongCode::Other))));
    assert_eq!(parse(br#"{"news":"of a later version"}"#), Ok(Said::Other));
}

#[test]
fn a_line_that_is_wrong_is_named() {
    let row = |key: &str, value: serde_json::Value| {
        let good = line(&stored("Environ/Temperature", 25.0, Unit::Celsius));
        let mut row: serde_json::Value = serde_json::from_slice(&good).unwrap();
        row[key] = value;
        parse(row.to_string().as_bytes()).unwrap_err()
    };
    for (key, value, expected) in [
        ("id", json!(-1), "invalid value: integer `-1`, expected u64"),
        ("value", json!("25"), "invalid type: string \"25\", expected f64"),
        ("value", json!(1e9), "value 1000000000: expected -273.15 to 3000 °C"),
        ("unit", json!("furlong"), "unit \"furlong\" is unknown"),
        ("time", json!("yesterday"), "time \"yesterday\": expected RFC 3339"),
        ("arrived", json!("\n"), "time \"\\n\": expected RFC 3339"),
        (
            "series",
            json!("Other/Temperature"),
            "series \"Other/Temperature\": expected device/quantity",
        ),
        (
            "topic",
            json!("a\u{1b}b"),
            "topic: expected at most 1024 bytes without control characters",
        ),
    ] {
        let error = row(key, value);
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.chars().any(char::is_control) && error.len() <= 300, "{error}");
    }
    assert!(parse(b"[1]").unwrap_err().contains("expected an object"));
}

proptest! {
    #[test]
    fn no_bytes_of_a_gateway_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn nor_odd_values(key in "id|series|device|topic|time|value|unit|gateway|error", text in ".{0,20}") {
        let good = line(&stored("Environ/Temperature", 25.0, Unit::Celsius));
        let mut row: serde_json::Value = serde_json::from_slice(&good).unwrap();
        row[key] = text.into();
        if let Err(error) = parse(row.to_string().as_bytes()) {
            prop_assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
}
