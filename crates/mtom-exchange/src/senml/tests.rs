use crate::format::Format;
use crate::record::{Defaults, Record};
use crate::testing::{assert_same, open, read, record, samples, told, write};
use expect_test::expect;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;

fn check(text: &str, expected: expect_test::Expect) {
    let now = Some(UnixMicros(1_763_885_190_000_000));
    let defaults = Defaults { now, ..Defaults::default() };
    expected.assert_eq(&told(Format::SenMl, text.as_bytes(), defaults));
}

#[test]
fn a_file_looks_so() {
    let bytes = write(Format::SenMl, &samples());
    expect![[r#"
        [
        {"n":"Environ/Temperature","u":"Cel","v":23.4,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"Keller__links/humidity","u":"%RH","v":-0.0,"t":1763885190,"device":"Keller, links","quantity":"humidity","suspect":true},
        {"n":"x_1_1/_air___","u":"Pa","v":9.999999999999999e-6,"t":1763885190.123456,"unit":"hPa","value":1e-7,"device":"=1+1","quantity":"'air' °","topic":"a = b","boot":"@boot \"1\"","seq":18446744073709551615,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456}
        ]
    "#]].assert_eq(std::str::from_utf8(&bytes).unwrap());
    let kept: Vec<_> = samples().into_iter().map(|record| Record { id: None, ..record }).collect();
    assert_same(&read(Format::SenMl, &bytes, Defaults::default()), &kept);
}

#[test]
fn every_unit_is_written_as_one_of_rfc_8428() {
    let records: Vec<_> = Unit::ALL.into_iter().map(|unit| record("a", "b", 50.0, unit)).collect();
    let bytes = write(Format::SenMl, &records);
    expect![[r#"
        [
        {"n":"a/b","u":"Cel","v":50.0,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"Cel","v":10.0,"t":1763885190.123456,"unit":"°F","value":50.0,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"K","v":50.0,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"/","v":0.5,"t":1763885190.123456,"unit":"%","value":50.0,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"Pa","v":50.0,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"Pa","v":5000.0,"t":1763885190.123456,"unit":"hPa","value":50.0,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"V","v":50.0,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"A","v":50.0,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"W","v":50.0,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"lx","v":50.0,"t":1763885190.123456,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","u":"/","v":5e-5,"t":1763885190.123456,"unit":"ppm","value":50.0,"boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456},
        {"n":"a/b","v":50.0,"t":1763885190.123456,"unit":"","boot":"b1","seq":41,"arrived_at_micros":1763885190200000,"taken_at_micros":1763885190123456}
        ]
    "#]].assert_eq(std::str::from_utf8(&bytes).unwrap());
}

#[test]
fn a_file_without_records_is_an_empty_array() {
    let bytes = write(Format::SenMl, &[]);
    assert_eq!(bytes, b"[\n]\n");
    assert!(read(Format::SenMl, &bytes, Defaults::default()).is_empty());
}

// RFC 8428, section 5.1.3 and 5.1.4.
#[test]
fn base_values_are_resolved() {
    check(
        r#"[
  {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
  {"n":"current","t":-5,"v":1.2}
]
[
  {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","n":"voltage","u":"V","v":120.1},
  {"n":"current","t":-5,"v":1.2},
  {"n":"current","t":0.000001,"v":1.7}
]"#,
        expect![[r#"
            2010-06-08T18:01:16.001000Z urn:dev:ow:10e2073a0108006 | voltage | 120.1 V | urn:dev:ow:10e2073a0108006/voltage
            2010-06-08T18:01:11.001000Z urn:dev:ow:10e2073a0108006 | current | 1.2 A | urn:dev:ow:10e2073a0108006/current
            2010-06-08T18:01:16.001000Z urn:dev:ow:10e2073a0108006 | voltage | 120.1 V | urn:dev:ow:10e2073a0108006/voltage
            2010-06-08T18:01:11.001000Z urn:dev:ow:10e2073a0108006 | current | 1.2 A | urn:dev:ow:10e2073a0108006/current
            2010-06-08T18:01:16.001001Z urn:dev:ow:10e2073a0108006 | current | 1.7 A | urn:dev:ow:10e2073a0108006/current
        "#]],
    );
    check(
        r#"[{"bn":"2001:db8::2/","bt":1.320078429e+09},
            {"n":"temperature","u":"Cel","v":25.2},{"n":"humidity","u":"%RH","v":30,"x":[1,{"y":"]}"}]},
            {"bn":"2001:db8::1/","bv":20,"bu":"Cel","n":"temperature","v":12.3},{"n":"humidity","u":"%RH"}]"#,
        expect![[r#"
            2011-10-31T16:27:09.000000Z 2001:db8::2 | temperature | 25.2 °C | 2001:db8::2/temperature
            2011-10-31T16:27:09.000000Z 2001:db8::2 | humidity | 30.0 % | 2001:db8::2/humidity
            2011-10-31T16:27:09.000000Z 2001:db8::1 | temperature | 32.3 °C | 2001:db8::1/temperature
            2011-10-31T16:27:09.000000Z 2001:db8::1 | humidity | 20.0 % | 2001:db8::1/humidity
        "#]],
    );
}

#[test]
fn times_below_two_to_the_28_are_relative() {
    let text = r#"[{"n":"a/b","v":1},{"n":"a/b","v":1,"t":-60},{"n":"a/b","v":1,"t":268435455},{"n":"a/b","v":1,"t":268435456}]"#;
    check(
        text,
        expect![[r#"
        2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
        2025-11-23T08:05:30.000000Z a | b | 1.0  | a/b
        2034-05-27T05:30:45.000000Z a | b | 1.0  | a/b
        1978-07-04T21:24:16.000000Z a | b | 1.0  | a/b
    "#]],
    );
    expect![[r#"
        element 1: a time relative to when the file was made, which is not known [time] {"n":"a/b","v":1}
        element 2: a time relative to when the file was made, which is not known [time] {"n":"a/b","v":1,"t":-60}
        element 3: a time relative to when the file was made, which is not known [time] {"n":"a/b","v":1,"t":268435455}
        1978-07-04T21:24:16.000000Z a | b | 1.0  | a/b
    "#]].assert_eq(&told(Format::SenMl, text.as_bytes(), Defaults::default()));
}

#[test]
fn each_bad_element_has_its_reason_and_stops_nothing() {
    check(
        r#"[{"n":"a/b","vs":"on"},{"n":"a/b","vb":true},{"n":"a/b"},{"n":"a/b","s":1},{"n":"a/b","v":"1"},
            {"n":"a/b","v":1,"u":"furlong"},{"n":"a/b","v":1,"t":"x"},{"n":"a/b","v":1,"t":1e30},{"v":1},
            {"n":"a/b","v":1,"must_":2},{"n":"a/b","v":1,"u":"Cel","v":2},{"n":"a/b","u":"Cel","v":-300},
            ,7,{"n":"a
b","v":1},{"n":"device","v":2}]"#,
        expect![[r#"
            element 1: vs, vb or vd: expected a number in v [not_a_number] {"n":"a/b","vs":"on"}
            element 2: vs, vb or vd: expected a number in v [not_a_number] {"n":"a/b","vb":true}
            element 3: no number in v [no_number] {"n":"a/b"}
            element 4: no number in v [no_number] {"n":"a/b","s":1}
            element 5: not a number: expected one like 23.4, with its unit or without [not_a_number] {"n":"a/b","v":"1"}
            element 6: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] {"n":"a/b","v":1,"u":"furlong"}
            element 7: t, bt: expected seconds, as in 1735689600.5 [time] {"n":"a/b","v":1,"t":"x"}
            element 8: t, bt: expected seconds, as in 1735689600.5 [time] {"n":"a/b","v":1,"t":1e30}
            element 9: no device: expected one in the file or as a default [unnamed] {"v":1}
            element 10: a label that must be understood and is not [label] {"n":"a/b","v":1,"must_":2}
            element 11: duplicate field `v` [not_json] {"n":"a/b","v":1,"u":"Cel","v":2}
            element 12: outside the physical range: expected -273.15 to 3000 °C [out_of_range] {"n":"a/b","u":"Cel","v":-300}
            element 13: nothing between commas [not_json] 
            element 14: not an object: expected one, as in {…} [not_json] 7
            element 15: a quote, a bracket or a comma is missing [not_json] {"n":"a
            2025-11-23T08:06:30.000000Z device | value | 2.0  | device/value
        "#]],
    );
    check(
        r#"[{"bver":11,"n":"a/b","v":1},{"n":"a/b","v":1}]"#,
        expect![[r#"
            element 1: SenML of a later version: expected bver up to 10, or 26 [version] {"bver":11,"n":"a/b","v":1}
            element 2: SenML of a later version: expected bver up to 10, or 26 [version] {"n":"a/b","v":1}
        "#]],
    );
}

#[test]
fn an_array_that_does_not_end_says_so() {
    check(
        r#"[{"n":"a/b","v":1},{"n":"a/b","#,
        expect![[r#"
        2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
        element 2: the array has no end: expected ] [not_json] {"n":"a/b",
    "#]],
    );
    check(
        r#"[{"n":"a/b","v":1},"#,
        expect![[r#"
        2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
        element 2: the array has no end: expected ] [not_json] 
    "#]],
    );
    check(
        r#"[{"n":"a/b","v":1}] x"#,
        expect![[r#"
        2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
        element 2: text behind the array: expected its end or another array [not_json] 
    "#]],
    );
}

#[test]
fn a_file_of_another_kind_is_one_clear_error() {
    for text in ["", "  ", "{}", "n"] {
        let error = open(Format::SenMl, text.as_bytes(), Defaults::default()).unwrap_err();
        assert!(
            error.to_string().ends_with("expected a JSON array, which begins with '['"),
            "{error}"
        );
    }
}

#[test]
fn after_a_lost_base_value_nothing_is_guessed() {
    check(
        r#"[{"bn":"a/","bt":1e9,"n":"q","v":1},{"bn":"b/,"n":"q","v":2},
{"n":"q","v":3}][{"n":"c/q","v":4}]"#,
        expect![[r#"
            2001-09-09T01:46:40.000000Z a | q | 1.0  | a/q
            element 2: a quote, a bracket or a comma is missing [not_json] {"bn":"b/,"n":"q","v":2},
            element 3: an element before it could not be read, and may have changed the base values [base] {"n":"q","v":3}
            2025-11-23T08:06:30.000000Z c | q | 4.0  | c/q
        "#]],
    );
}

// RFC 8428, section 4.1: names, times and units alone say nothing; a base value without a value is one.
#[test]
fn base_values_count_until_they_are_replaced() {
    check(
        r#"[{"bn":"a/","bt":1e9,"bu":"Cel"},{"n":"t","v":1},
            {"bv":10},{"n":"t"},{"n":"t","v":1},{"bs":1,"n":"t"},{"bu":"furlong","n":"t","v":1},{"n":"t","v":1},
            {"bu":"%RH","n":"h","u":"Cel","v":1},{"n":"h","v":1}]"#,
        expect![[r#"
            2001-09-09T01:46:40.000000Z a | t | 1.0 °C | a/t
            2001-09-09T01:46:40.000000Z a/ | value | 10.0 °C | a//value
            2001-09-09T01:46:40.000000Z a | t | 10.0 °C | a/t
            2001-09-09T01:46:40.000000Z a | t | 11.0 °C | a/t
            2001-09-09T01:46:40.000000Z a | t | 10.0 °C | a/t
            element 7: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] {"bu":"furlong","n":"t","v":1}
            element 8: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] {"n":"t","v":1}
            2001-09-09T01:46:40.000000Z a | h | 11.0 °C | a/h
            2001-09-09T01:46:40.000000Z a | h | 11.0 % | a/h
        "#]],
    );
}

#[test]
fn base_values_of_a_wrong_type_are_said_of_their_element() {
    check(
        r#"[{"bn":1,"n":"a/b","v":1},{"n":"a/b","v":1}]
[{"bt":"now","n":"a/b","v":1},{"n":"a/b","v":1}]
[{"bu":7,"n":"a/b","v":1},{"n":"a/b","v":1}]
[{"bv":"1","n":"a/b","v":1},{"n":"a/b","v":1}]
[{"bver":"10","n":"a/b","v":1},{"n":"a/b","v":1}]
[{"bt":1e400,"n":"a/b","v":1}]
[{"bv":1e308,"n":"a/b","v":1e308}]"#,
        expect![[r#"
            element 1: invalid type: integer `1`, expected a string [not_json] {"bn":1,"n":"a/b","v":1}
            element 2: an element before it could not be read, and may have changed the base values [base] {"n":"a/b","v":1}
            element 3: t, bt: expected seconds, as in 1735689600.5 [time] {"bt":"now","n":"a/b","v":1}
            element 4: an element before it could not be read, and may have changed the base values [base] {"n":"a/b","v":1}
            element 5: invalid type: integer `7`, expected a string [not_json] {"bu":7,"n":"a/b","v":1}
            element 6: an element before it could not be read, and may have changed the base values [base] {"n":"a/b","v":1}
            element 7: not a number: expected one like 23.4, with its unit or without [not_a_number] {"bv":"1","n":"a/b","v":1}
            element 8: an element before it could not be read, and may have changed the base values [base] {"n":"a/b","v":1}
            element 9: invalid type: string "10", expected u64 [not_json] {"bver":"10","n":"a/b","v":1}
            element 10: an element before it could not be read, and may have changed the base values [base] {"n":"a/b","v":1}
            element 11: t, bt: expected seconds, as in 1735689600.5 [time] {"bt":1e400,"n":"a/b","v":1}
            element 12: not a finite number: expected one like 23.4 [not_finite] {"bv":1e308,"n":"a/b","v":1e308}
        "#]],
    );
}

// Section 4.4. Half a key is no key, and is said; times and marks of another type are of others.
#[test]
fn labels_of_others_are_passed_over_and_ours_have_their_types() {
    check(
        r#"[{"n":"a/b","v":1,"loc":"attic","tags":["x"],"extra":{"v":2},"ut":60,"s":5},
            {"n":"a/b","v":1,"seq":7},{"n":"a/b","v":1,"boot":"b"},{"n":"a/b","v":1,"boot":"b","seq":-1},
            {"n":"a/b","v":1,"boot":"b","seq":18446744073709551616},{"n":"a/b","v":1,"boot":"b","seq":18446744073709551615},
            {"n":"a/b","v":1,"boot":7,"seq":7},{"n":"a/b","v":1,"unit":"furlong"},{"n":"a/b","v":1,"unit":7},
            {"n":"a/b","v":1,"value":"2"},{"n":"a/b","v":1,"device":7},
            {"n":"a/b","v":1,"arrived_at_micros":1.5},{"n":"a/b","v":1,"arrived_at_micros":9223372036854775808},
            {"n":"a/b","v":1,"suspect":"yes"},{"n":"a/b","v":1,"arrived_at_micros":9223372036854775807}]"#,
        expect![[r#"
            2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
            element 2: seq and boot: expected both or neither [key] {"n":"a/b","v":1,"seq":7}
            element 3: seq and boot: expected both or neither [key] {"n":"a/b","v":1,"boot":"b"}
            element 4: invalid value: integer `-1`, expected u64 [not_json] {"n":"a/b","v":1,"boot":"b","seq":-1}
            element 5: invalid type: floating point `1.8446744073709552e+19`, expected u64 [not_json] {"n":"a/b","v":1,"boot":"b","seq":18446744073709551616}
            2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b b#18446744073709551615
            element 7: invalid type: integer `7`, expected a string [not_json] {"n":"a/b","v":1,"boot":7,"seq":7}
            element 8: unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none [unknown_unit] {"n":"a/b","v":1,"unit":"furlong"}
            element 9: invalid type: integer `7`, expected a string [not_json] {"n":"a/b","v":1,"unit":7}
            element 10: not a number: expected one like 23.4, with its unit or without [not_a_number] {"n":"a/b","v":1,"value":"2"}
            element 11: invalid type: integer `7`, expected a string [not_json] {"n":"a/b","v":1,"device":7}
            2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
            2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
            2025-11-23T08:06:30.000000Z a | b | 1.0  | a/b
            element 15: time 9223372036854775807 µs: expected one of the years 0 to 9999 [time] {"n":"a/b","v":1,"arrived_at_micros":9223372036854775807}
        "#]],
    );
}

// `null` is as if the label were not there.
#[test]
fn texts_booleans_and_data_are_no_numbers_even_beside_a_base_value() {
    check(
        r#"[{"bn":"a/","bv":5,"n":"b","vs":"on"},{"n":"b","vb":false},{"n":"b","vd":"AAAA"},{"n":"b","v":null},
            {"n":"b","v":true},{"n":"b","v":[1]},{"n":"b","v":1,"vs":"on"},{"n":"b","v":1}]"#,
        expect![[r#"
            element 1: vs, vb or vd: expected a number in v [not_a_number] {"bn":"a/","bv":5,"n":"b","vs":"on"}
            element 2: vs, vb or vd: expected a number in v [not_a_number] {"n":"b","vb":false}
            element 3: vs, vb or vd: expected a number in v [not_a_number] {"n":"b","vd":"AAAA"}
            2025-11-23T08:06:30.000000Z a | b | 5.0  | a/b
            element 5: not a number: expected one like 23.4, with its unit or without [not_a_number] {"n":"b","v":true}
            element 6: not a number: expected one like 23.4, with its unit or without [not_a_number] {"n":"b","v":[1]}
            element 7: vs, vb or vd: expected a number in v [not_a_number] {"n":"b","v":1,"vs":"on"}
            2025-11-23T08:06:30.000000Z a | b | 6.0  | a/b
        "#]],
    );
}
