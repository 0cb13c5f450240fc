//! Each case is a template and the body that comes of it.

use super::*;
use crate::decision::Witness;
use expect_test::{Expect, expect};
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use std::time::Duration;

fn witness(device: &str) -> Witness {
    Witness {
        id: 42,
        device: device.into(),
        quantity: "Temperature".into(),
        topic: format!("{device}/Temperature").into(),
        value: 26.5,
        unit: Unit::Celsius,
        condition: "celsius >= 25.0, where celsius is 26.5".into(),
    }
}

fn render(template: Option<&str>, cause: &Cause) -> String {
    let template = Template::parse(template).unwrap_or_else(|problem| panic!("{problem}"));
    let at = UnixMicros(1_800_000_000_000_000);
    template.render(&Facts { rule: "heat \"lamp\"", led: Led::On, cause, at })
}

fn reading(device: &str) -> Cause {
    Cause::Reading { witness: witness(device), held: Duration::from_secs(10) }
}

fn silence() -> Cause {
    Cause::Silence { max_age: Duration::from_secs(10), since: UnixMicros(0) }
}

fn check(template: &str, cause: &Cause, expected: Expect) {
    expected.assert_eq(&render(Some(template), cause));
}

fn check_error(template: &str, expected: Expect) {
    expected.assert_eq(&Template::parse(Some(template)).map(|_| ()).expect_err("must be refused"));
}

#[test]
fn variables_are_filled_in() {
    check("{{ device }} {{ celsius }}", &reading("Environ"), expect!["Environ 26.5"]);
    check(
        "{{ rule }} is {{ state }}: {{ topic }} {{ quantity }} {{ value }} {{ unit }} = \
         {{ fahrenheit | round(1) }} °F at {{ time }}, {{ cause }}",
        &reading("Environ"),
        expect![[
            r#"heat "lamp" is on: Environ/Temperature Temperature 26.5 °C = 79.7 °F at 2027-01-15T08:00:00.000000Z, reading 42: Environ/Temperature 26.5 °C, held for 10 s"#
        ]],
    );
    check("{% if celsius > 26.0 %}very {% endif %}hot", &reading("Environ"), expect!["very hot"]);
}

#[test]
fn what_is_not_there_is_nothing_in_text_and_null_in_json() {
    check(
        "[{{ device }}|{{ celsius }}|{{ cause }}",
        &silence(),
        expect!["[|null|no reading for 10 s"],
    );
    check("device {{ device }}: {{ celsius }}", &silence(), expect!["device : "]);
    check(
        r#"{"device": "{{ device }}", "celsius": {{ celsius }}}"#,
        &silence(),
        expect![[r#"{"device": "", "celsius": null}"#]],
    );
}

#[test]
fn a_json_template_stays_json_whatever_stands_in_it() {
    let hostile = "a\"}, \\ \n\u{1}{{ 7 }}";
    check(
        r#"{"device": "{{ device }}", "celsius": {{ celsius }}}"#,
        &reading(hostile),
        expect![[r#"{"device": "a\"}, \\ \u000a\u0001{{ 7 }}", "celsius": 26.5}"#]],
    );
    check("{{ device }}!", &reading(hostile), expect![[r#"a"}, \ {{ 7 }}!"#]]);
}

#[test]
fn without_a_template_everything_is_told() {
    expect![[r#"{"cause":"reading 42: Environ/Temperature 26.5 °C, held for 10 s","celsius":26.5,"device":"Environ","fahrenheit":79.7,"quantity":"Temperature","rule":"heat \"lamp\"","state":"on","time":"2027-01-15T08:00:00.000000Z","topic":"Environ/Temperature","unit":"°C","value":26.5}"#]].assert_eq(&render(None, &reading("Environ")));
    expect![[r#"{"cause":"no reading for 10 s","celsius":null,"device":null,"fahrenheit":null,"quantity":null,"rule":"heat \"lamp\"","state":"on","time":"2027-01-15T08:00:00.000000Z","topic":null,"unit":null,"value":null}"#]].assert_eq(&render(None, &silence()));
}

#[test]
fn what_would_not_end_or_not_stay_small_is_refused() {
    check_error(
        "{% for x in range(9) %}{% endfor %}",
        expect!["`{% for %}` is not for alerts: expected one of if, elif, else, endif"],
    );
    check_error(
        "{% set x = device %}",
        expect!["`{% set %}` is not for alerts: expected one of if, elif, else, endif"],
    );
    check_error(
        "{%- macro x() %}{% endmacro %}",
        expect!["`{% macro %}` is not for alerts: expected one of if, elif, else, endif"],
    );
    check_error(
        "{{ device * 100000000 }}",
        expect!["`*` is not for alerts: expected a variable, as in {{ celsius }}"],
    );
    check_error(
        "{% if device * 9 %}x{% endif %}",
        expect!["`*` is not for alerts: expected a variable, as in {{ celsius }}"],
    );
    check_error(
        &"x".repeat(TEMPLATE_LEN_MAX + 1),
        expect!["4097 bytes long: expected at most 4096"],
    );
    check_error(
        "{{ range(9) }}",
        expect![
            "unknown variable `range`: expected one of rule, state, device, quantity, topic, value, unit, celsius, fahrenheit, time, cause"
        ],
    );
    check_error("{{ device | upper }}", expect!["filter upper is unknown"]);
    // Stars that calculate nothing are only text.
    assert_eq!(render(Some("*** {{ state }} {not} ***"), &silence()), "*** on {not} ***");
}

#[test]
fn mistakes_are_told_with_the_word_meant() {
    check_error(
        "{{ celcius }}",
        expect![
            "unknown variable `celcius`: did you mean `celsius`? Known are rule, state, device, quantity, topic, value, unit, celsius, fahrenheit, time, cause"
        ],
    );
    check_error(
        "{{ colour }}",
        expect![
            "unknown variable `colour`: expected one of rule, state, device, quantity, topic, value, unit, celsius, fahrenheit, time, cause"
        ],
    );
    check_error("{{ device ", expect!["unexpected end of input, expected end of variable block"]);
    check_error("fine\n{% if %}", expect!["line 2: unexpected end of block"]);
}

#[test]
fn what_is_no_number_is_null_in_json() {
    let endless = "{{ 1e308 + 1e308 }}";
    check(&format!("[{endless}, {{{{ none }}}}]"), &reading("a"), expect!["[null, null]"]);
    check(&format!("is {endless} {{{{ none }}}}."), &reading("a"), expect!["is inf ."]);
}

#[test]
fn control_characters_of_every_kind_are_escaped_or_left_out() {
    let odd = "a \u{7f}\u{85}\u{1f}b";
    check(r#"["{{ device }}"]"#, &reading(odd), expect![[r#"["a \u007f\u001fb"]"#]]);
    check("{% if true %}{{ device }}{% endif %}", &reading(odd), expect!["a b"]);
    check("{{ device }}", &reading(odd), expect!["a b"]);
}

#[test]
fn a_template_and_a_body_may_be_just_as_long_as_they_may_be() {
    assert!(Template::parse(Some(&"x".repeat(TEMPLATE_LEN_MAX))).is_ok());
    // A text of a variable is cut at 1,024 bytes.
    let long = reading(&"x".repeat(2_000));
    let full = "{{device}}".repeat(BODY_LEN_MAX / 1_024);
    assert_eq!(render(Some(&full), &long), "x".repeat(BODY_LEN_MAX));
    assert!(render(Some(&format!("{full}x")), &long).starts_with("{\"cause\""));
}

#[test]
fn a_body_that_becomes_too_long_is_told_otherwise() {
    let long = "x".repeat(5_000);
    let many = "{{ topic }}".repeat(300);
    let body = render(Some(&many), &reading(&long));
    assert!(body.len() <= BODY_LEN_MAX && body.starts_with("{\"cause\""), "{}", body.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(500)))]

    #[test]
    fn a_json_body_is_json(device in "\\PC{0,20}|[\"\\\\{}\u{0}-\u{1f}]{0,20}") {
        let text = r#"{"device": "{{ device }}", "celsius": {{ celsius }}, "why": "{{ cause }}"}"#;
        let body = render(Some(text), &reading(&device));
        let json: serde_json::Value = serde_json::from_str(&body).expect(&body);
        prop_assert_eq!(json["device"].as_str(), Some(&*device));
        let whole = render(None, &reading(&device));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&whole).is_ok());
    }

    #[test]
    fn any_template_is_answered(text in "\\PC{0,40}|[-{}%|.()a-z0-9 '\"~*+]{0,60}") {
        if let Ok(template) = Template::parse(Some(&text)) {
            let facts = Facts { rule: "r", led: Led::On, cause: &reading("a"), at: UnixMicros(0) };
            prop_assert!(template.render(&facts).len() <= BODY_LEN_MAX);
        }
    }
}
