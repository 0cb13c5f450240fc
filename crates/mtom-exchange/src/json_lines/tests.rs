use crate::format::Format;
use crate::record::Defaults;
use crate::testing::{assert_same, open, read, samples, told, write};
use expect_test::expect;
use std::sync::Arc;

#[test]
fn a_file_looks_so() {
    let bytes = write(Format::JsonLines, &samples());
    expect![[r#"
        {"id":7,"time":"2025-11-23T08:06:30.123456Z","arrived_at":"2025-11-23T08:06:30.200000Z","taken_at":"2025-11-23T08:06:30.123456Z","suspect":false,"topic":"Environ/Temperature","device":"Environ","quantity":"Temperature","value":23.4,"unit":"°C","boot":"b1","seq":41}
        {"time":"2025-11-23T08:06:30.000000Z","suspect":true,"topic":"Keller, links/humidity","device":"Keller, links","quantity":"humidity","value":-0.0,"unit":"%"}
        {"id":7,"time":"2025-11-23T08:06:30.123456Z","arrived_at":"2025-11-23T08:06:30.200000Z","taken_at":"2025-11-23T08:06:30.123456Z","suspect":false,"topic":"a = b","device":"=1+1","quantity":"'air' °","value":1e-7,"unit":"hPa","boot":"@boot \"1\"","seq":18446744073709551615}
    "#]].assert_eq(std::str::from_utf8(&bytes).unwrap());
    assert_same(&read(Format::JsonLines, &bytes, Defaults::default()), &samples());
}

#[test]
fn lines_of_others_are_read_and_bad_ones_have_their_reason() {
    let defaults = Defaults { quantity: Some(Arc::from("temperature")), ..Defaults::default() };
    let text = "\u{feff}{\"time\":\"2026-01-01 00:00:00\",\"device\":\"a\",\"value\":2.5e1,\"more\":[{}]}\r\n\
        \n\
        {\"at\":\"2026-01-01T01:00:00+01:00\",\"device\":\"\\u00e9\\n\",\"value\":1,\"unit\":\"K\",\"boot\":null}\n\
        {\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"a\",\"value\":\"1\"}\n\
        {\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"a\",\"value\":1e999}\n\
        {\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"a\"}\n\
        {\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"a\",\"value\":1,\"seq\":1}\n\
        {\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"a\",\"value\":1,\"boot\":\"b\",\"seq\":1.5}\n\
        {\"at\":1,\"device\":\"a\",\"value\":1}\n\
        {\"device\":\"a\",\"value\":1}\n\
        {\"at\":\"2026-01-01T00:00:00Z\",\n\
        [1]\n\
        {\"at\":\"2026-01-01T00:00:00Z\",\"device\":\"a\",\"value\":3}";
    expect![[r#"
        2026-01-01T00:00:00.000000Z a | temperature | 25.0 °C | a/temperature
        2026-01-01T00:00:00.000000Z é
         | temperature | 1.0 K | é
        /temperature
        line 4: not a number: expected one like 23.4, with its unit or without [not_a_number] {"at":"2026-01-01T00:00:00Z","device":"a","value":"1"}
        line 5: not a finite number: expected one like 23.4 [not_finite] {"at":"2026-01-01T00:00:00Z","device":"a","value":1e999}
        line 6: missing field `value` [not_json] {"at":"2026-01-01T00:00:00Z","device":"a"}
        line 7: seq and boot: expected both or neither [key] {"at":"2026-01-01T00:00:00Z","device":"a","value":1,"seq":1}
        line 8: invalid type: floating point `1.5`, expected u64 [not_json] {"at":"2026-01-01T00:00:00Z","device":"a","value":1,"boot":"b","seq":1.5}
        line 9: invalid type: integer `1`, expected a string [not_json] {"at":1,"device":"a","value":1}
        line 10: no time: expected one in the file [time] {"device":"a","value":1}
        line 11: EOF while parsing a value [not_json] {"at":"2026-01-01T00:00:00Z",
        line 12: not an object: expected one, as in {…} [not_json] [1]
        2026-01-01T00:00:00.000000Z a | temperature | 3.0 °C | a/temperature
    "#]].assert_eq(&told(Format::JsonLines, text.as_bytes(), defaults));
}

#[test]
fn a_file_that_begins_otherwise_is_one_clear_error() {
    let error = open(Format::JsonLines, b"at,value\n", Defaults::default()).unwrap_err();
    expect![
        "not jsonl: it begins with 'a'; expected one JSON object per line, which begins with '{'"
    ]
    .assert_eq(&error.to_string());
}
