//! Templates as Jinja and Home Assistant read them, or not at all. What Python says stands in the tables.

use super::{Found, Payload, Template};
use alloc::format;
use alloc::string::String;

/// What a template finds: `?` where it is not understood, `-` where nothing is there.
fn said(template: &str, payload: &str) -> String {
    let Some(template) = Template::parse(template) else { return "?".into() };
    let payload = Payload::new(payload);
    match template.find(&payload) {
        Ok(None) => "-".into(),
        Ok(Some(Found::Text(text))) => format!("{text:?}"),
        Ok(Some(Found::Number(number))) => format!("{number}"),
        Ok(Some(Found::Truth(truth))) => format!("{truth}"),
        Ok(Some(Found::Other)) => "other".into(),
        Err(reason) => reason.code().into(),
    }
}

fn check(payload: &str, table: &[(&str, &str)]) {
    for (template, expected) in table {
        assert_eq!(said(template, payload), *expected, "{template} of {payload}");
    }
}

const JSON: &str = r#"{"a":{"b":23.456,"c d":"7"},"list":[{"x":1}],"t":"21.5","n":null,"on":true,"off":false,"i":25,"z":0,"m":-7.9,"word":"warm","nothing":"unavailable","unit":"21.5 °C","values":5,"inf":"inf"}"#;

#[test]
fn the_message_itself_and_parts_of_it() {
    check(
        "23.4 °C",
        &[
            ("{{ value }}", "\"23.4 °C\""),
            ("{{value}}", "\"23.4 °C\""),
            ("{{- value -}}", "\"23.4 °C\""),
            ("{{ value.split(' ')[0] }}", "\"23.4\""),
            ("{{ value.split(\" \")[0] | float | round }}", "23"),
            ("{{ value.split(' ')[2] }}", "-"),
            ("{{ value | float }}", "not_a_number"),
            ("{{ value.split('')[0] }}", "?"),
            ("{{ value.split(' ')[-1] }}", "?"),
            ("{{ value.split(' ')[0][0] }}", "?"),
            ("{{ value.split()[0] }}", "?"),
            ("{{ value[0] }}", "?"),
            ("{{ value.strip() }}", "?"),
            ("{{ value }} °C", "?"),
            ("{{ value }}{{ value }}", "?"),
            ("{% if value %}1{% endif %}", "?"),
            ("{{ states('sensor.x') }}", "?"),
            ("{{ }}", "?"),
            ("{{", "?"),
            ("", "?"),
        ],
    );
    // Its blanks count where it is split.
    check(
        " 23 24 ",
        &[("{{ value.split(' ')[1] }}", "\"23\""), ("{{ value | float }}", "not_a_number")],
    );
    check(" 23 ", &[("{{ value | float }}", "23")]);
}

#[test]
fn what_stands_in_json() {
    check(
        JSON,
        &[
            ("{{ value_json.a.b }}", "23.456"),
            ("{{ value_json['a']['c d'] }}", "\"7\""),
            ("{{ value_json.a[\"c d\"] }}", "\"7\""),
            ("{{ value_json.list[0].x }}", "1"),
            ("{{ value_json.list[1].x }}", "-"),
            ("{{ value_json.list }}", "other"),
            ("{{ value_json.on }}", "true"),
            ("{{ value_json.n }}", "-"),
            ("{{ value_json.missing.b }}", "-"),
            // A dot finds what every object has before its keys.
            ("{{ value_json.values }}", "?"),
            ("{{ value_json['values'] }}", "5"),
            ("{{ value_json.get('a') }}", "?"),
            ("{{ value_json['a\\'b'] }}", "?"),
            ("{{ value_json.0 }}", "?"),
            ("{{ value_json.a if value_json.a is defined else 0 }}", "?"),
        ],
    );
    check("23.4", &[("{{ value_json.a.b }}", "-"), ("{{ value_json }}", "23.4")]);
    check("{", &[("{{ value_json.a }}", "not_json"), ("{{ value_json.a + 1 }}", "not_json")]);
}

#[test]
fn filters_that_make_numbers() {
    check(
        JSON,
        &[
            ("{{ value_json.t | float }}", "21.5"),
            ("{{ value_json.t|float(0)|round(1) }}", "21.5"),
            ("{{ value_json.t | float(default=0) }}", "21.5"),
            ("{{ value_json.t | float(default='x') }}", "21.5"),
            ("{{ value_json.t | float(none) }}", "21.5"),
            ("{{ value_json.t | float(-1.5) }}", "21.5"),
            ("{{ value_json.t | float(0, 1) }}", "?"),
            ("{{ value_json.t | float(0 }}", "?"),
            ("{{ value_json.t | float(other) }}", "?"),
            ("{{ value_json.t | int }}", "21"),
            ("{{ value_json.m | int }}", "-7"),
            ("{{ value_json.m | int(default=3) }}", "-7"),
            // The base: another number altogether.
            ("{{ value_json.t | int(0, 16) }}", "?"),
            ("{{ value_json.t | int(base=16) }}", "?"),
            // Python's True is 1.
            ("{{ value_json.on | int }}", "1"),
            ("{{ value_json.off | float }}", "0"),
            ("{{ value_json.list | float }}", "not_a_number"),
            ("{{ value_json.unit | float }}", "not_a_number"),
            ("{{ value_json.word | float(0) }}", "not_a_number"),
            ("{{ value_json.inf | float }}", "inf"),
            // What was not measured is nothing, whatever stands for it.
            ("{{ value_json.nothing | float(0) }}", "-"),
            ("{{ value_json.missing | float(0) }}", "-"),
            ("{{ value_json.n | int(0) }}", "-"),
            ("{{ value_json.missing | default(0) }}", "-"),
            ("{{ value_json.missing | default(0) | float }}", "-"),
            ("{{ value_json.i | default(0) }}", "25"),
            ("{{ value_json.i | d(default_value=0) }}", "25"),
            // That would take a zero for nothing.
            ("{{ value_json.z | default(5, true) }}", "?"),
            ("{{ value_json.z | default }}", "0"),
            ("{{ value_json.a.b | is_defined }}", "23.456"),
            ("{{ value_json.a.b | is_defined(1) }}", "?"),
            ("{{ value_json.m | abs }}", "7.9"),
            ("{{ value_json.t | abs }}", "not_a_number"),
            ("{{ value_json.t | multiply(2) }}", "43"),
            ("{{ value_json.i | multiply(amount=0.1) }}", "2.5"),
            ("{{ value_json.i | multiply }}", "?"),
            ("{{ value_json.i | add(-5) }}", "20"),
            ("{{ value_json.i | add(-5, 0) }}", "20"),
            ("{{ value_json.i | divide(5) }}", "?"),
            ("{{ value_json.i | string }}", "?"),
            ("{{ value_json.i | tojson }}", "?"),
        ],
    );
}

#[test]
fn rounding_is_pythons() {
    for (number, arguments, expected) in [
        ("23.456", "", "23"),
        ("23.456", "()", "23"),
        ("23.456", "(1)", "23.5"),
        ("23.456", "(precision=2)", "23.46"),
        ("23.456", "(2, default=0)", "23.46"),
        ("23.456", "(1, 'common', 0)", "23.5"),
        // Half to even, and by what the number really is: 2.675 is below its decimals.
        ("0.5", "", "0"),
        ("1.5", "", "2"),
        ("2.5", "", "2"),
        ("-2.5", "", "-2"),
        ("2.675", "(2)", "2.67"),
        ("0.125", "(2)", "0.12"),
        ("0.375", "(2)", "0.38"),
        ("23", "(-1)", "20"),
        ("25", "(-1)", "20"),
        ("35", "(-1)", "40"),
        ("26", "(-1)", "30"),
        ("-25", "(-1)", "-20"),
        ("-26", "(-1)", "-30"),
        ("25.1", "(-1)", "30"),
        ("1550", "(precision=-2)", "1600"),
        ("4", "(-1)", "0"),
        ("23.456", "(1, 'floor')", "23.4"),
        ("-23.456", "(1, 'floor')", "-23.5"),
        ("23.456", "(1, 'ceil')", "23.5"),
        ("-23.456", "(0, 'ceil')", "-23"),
        ("23.2", "(0, method='ceil')", "24"),
        ("23.3", "(1, 'half')", "23.5"),
        ("23.3", "(0, 'half')", "23"),
        ("23.2", "(2, 'half')", "23"),
        ("23.25", "(1, 'half')", "23"),
        ("23.75", "(1, 'half')", "24"),
        ("23.456", "(-1, 'floor')", "?"),
        ("23.456", "(1.0)", "?"),
        ("23.456", "(0.5)", "?"),
        ("23.456", "(99)", "?"),
        ("23.456", "(1, 'up')", "?"),
        ("23.456", "(1, up)", "?"),
        ("23.456", "('1')", "?"),
        ("23.456", "(1, precision=2)", "?"),
        ("23.456", "(digits=1)", "?"),
        ("23.456", "(1,)", "?"),
        ("23.456", "(1", "?"),
    ] {
        let template = format!("{{{{ value | round{arguments} }}}}");
        assert_eq!(said(&template, number).replace("-0", "0"), expected, "{template} of {number}");
    }
}

#[test]
fn numbers_are_counted_with_as_jinja_does() {
    check(
        JSON,
        &[
            ("{{ value_json.i / 10 }}", "2.5"),
            ("{{ value_json.t | float / 10 }}", "2.15"),
            ("{{ (value_json.t | float / 10) | round(1) }}", "2.1"),
            // A filter is for what stands before it alone.
            ("{{ value_json.i / 10 | round }}", "2.5"),
            ("{{ value_json.i * 1.8 + 32 }}", "77"),
            ("{{ 32 + value_json.i * 2 }}", "82"),
            ("{{ (32 + value_json.i) * 2 }}", "114"),
            ("{{ value_json.i - 10 - 5 }}", "10"),
            ("{{ 100 / value_json.i / 2 }}", "2"),
            ("{{ value_json.i - -5 }}", "30"),
            ("{{ -value_json.i }}", "-25"),
            ("{{ -value_json.i | abs }}", "25"),
            ("{{ 0 - value_json.i | abs }}", "-25"),
            ("{{ value_json.i // 10 }}", "2"),
            ("{{ value_json.i // -10 }}", "-3"),
            ("{{ -value_json.i // 10 }}", "-3"),
            ("{{ value_json.i % 10 }}", "5"),
            ("{{ -value_json.i % 10 }}", "5"),
            ("{{ value_json.i % -10 }}", "-5"),
            ("{{ value_json.i // 10 * 10 + value_json.i % 10 }}", "25"),
            ("{{ value_json.i / value_json.z }}", "not_finite"),
            ("{{ value_json.i % 0 }}", "not_finite"),
            ("{{ value_json.i // 0 }}", "not_finite"),
            // Texts are put one behind the other, or are mistakes.
            ("{{ value_json.t * 2 }}", "not_a_number"),
            ("{{ value_json.t + value_json.t }}", "not_a_number"),
            ("{{ value + 1 }}", "not_a_number"),
            ("{{ value_json.on + 1 }}", "not_a_number"),
            ("{{ value_json.missing + 1 }}", "-"),
            ("{{ value_json.i + value_json.n }}", "-"),
            ("{{ value_json.nothing / 10 }}", "-"),
            ("{{ value_json.i ** 2 }}", "?"),
            ("{{ 2 ** value_json.i }}", "?"),
            ("{{ value_json.i ~ 'x' }}", "?"),
            ("{{ value_json.i > 3 }}", "?"),
            ("{{ value_json.i * 1e3 }}", "?"),
            ("{{ value_json.i * 1_000 }}", "?"),
            ("{{ value_json.i * 0x10 }}", "?"),
            ("{{ value_json.i * 1. }}", "?"),
            ("{{ value_json.i * 1 .5 }}", "?"),
            ("{{ value_json.i 5 }}", "?"),
            ("{{ value_json.i * }}", "?"),
            ("{{ (value_json.i }}", "?"),
            ("{{ (value_json.a).b }}", "?"),
            ("{{ value_json.a-b }}", "?"),
            // That was not measured.
            ("{{ 5 }}", "?"),
            ("{{ (5 + 6) | round }}", "?"),
        ],
    );
    let deep = format!("{{{{ {}value_json.i{} }}}}", "(".repeat(200), ")".repeat(200));
    assert_eq!(said(&deep, JSON), "?");
}
