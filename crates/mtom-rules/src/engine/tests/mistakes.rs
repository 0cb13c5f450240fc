//! What is wrong with rules, each told with its place and what is expected.

use super::*;

#[test]
fn every_mistake_is_told_at_once() {
    let broken = RuleSpec {
        name: "heat lamp".into(),
        when: "Environ/#/x".into(),
        on: "celcius >= 25.0 && temp".into(),
        off: Some("celsius <".into()),
        max_age: Some(Duration::ZERO),
        then: drive(&["FAN", "FAN", " ", "a\nb"]),
        ..plain()
    };
    let nobody = RuleSpec { name: String::new(), then: drive(&[]), ..plain() };
    let long =
        RuleSpec { name: "n".repeat(65), then: drive(&["C"]), on: "celsius".into(), ..plain() };
    check_errors(
        &[broken, nobody, long],
        expect![[r##"
        rule "heat lamp", then: FAN stands there twice: expected it once
        rule "heat lamp", then: actuator: empty: expected a name
        rule "heat lamp", then: actuator: has a control character: expected none, found "a\nb"
        rule "heat lamp", max_age: is 0: expected a time above it, or none for never
        rule "heat lamp", when: `#` stands alone in the last level, as in `Environ/#`, found "Environ/#/x"
        rule "heat lamp", on, column 1: unknown variable `celcius`: did you mean `celsius`? Known are celsius, fahrenheit, value, unit, device, quantity, topic, age
        rule "heat lamp", on, column 20: unknown variable `temp`: expected one of celsius, fahrenheit, value, unit, device, quantity, topic, age
        rule "heat lamp", off, column 10: ends too early
        rule "", name: empty: expected a name
        rule "", then: empty: expected [{ actuator = "TEMP_LED" }]
        rule "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", name: 65 bytes long: expected at most 64
        rule "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", on: is a double: expected a boolean, as in celsius >= 25.0"##]],
    );
}

#[test]
fn two_rules_for_one_actuator_are_refused_with_both_names() {
    let cold = RuleSpec { name: "cold".into(), ..plain() };
    check_errors(
        &[plain(), cold],
        expect![[
            r#"rule "cold", then: rules "original" and "cold" both drive TEMP_LED with priority 0: give one of them another, as in priority = 1"#
        ]],
    );
    let twin = RuleSpec { then: drive(&["FAN"]), ..plain() };
    check_errors(
        &[plain(), twin],
        expect![[r#"rule "original", name: rules 1 and 2 have it: expected one of its own"#]],
    );
}

#[test]
fn an_error_says_which_rule_and_where() {
    let second =
        RuleSpec { name: "b".into(), on: "age <\n bad".into(), then: drive(&["b"]), ..plain() };
    let errors = Engine::compile(&[plain(), second]).unwrap_err();
    let error = errors.first().unwrap();
    assert_eq!((error.index, error.key), (1, "on"));
    assert_eq!(error.position, Some(crate::Position { line: 2, column: 2 }));
}

/// What `amend` makes of the plain rule is taken as long as it is no longer than that.
fn check_limit(rule: impl Fn(usize) -> RuleSpec, len_max: usize, expected: Expect) {
    assert!(Engine::compile(&[rule(len_max)]).is_ok(), "{len_max} are taken");
    check_errors(&[rule(len_max + 1)], expected);
}

#[test]
fn what_is_as_long_as_may_be_is_taken_and_no_more() {
    check_limit(
        |len| RuleSpec { name: "n".repeat(len), ..plain() },
        64,
        expect![[
            r#"rule "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", name: 65 bytes long: expected at most 64"#
        ]],
    );
    check_limit(
        |len| RuleSpec { when: vec!["a"; len].join("/"), ..plain() },
        64,
        expect![[r#"rule "original", when: expected at most 64 levels"#]],
    );
    check_limit(
        |len| {
            let then = (0..len).map(|at| Consequence::Actuator(format!("lamp {at}"))).collect();
            RuleSpec { then, ..plain() }
        },
        32,
        expect![[r#"rule "original", then: expected at most 32 entries"#]],
    );
    check_limit(
        |len| RuleSpec { then: vec![publish(&"t".repeat(len))], ..plain() },
        2_048,
        expect![[
            r#"rule "original", then: publish: expected at most 2048 bytes and no control characters"#
        ]],
    );
    check_limit(
        |len| {
            let url = format!("http://{}", "h".repeat(len - "http://".len()));
            let webhook = Consequence::Webhook { url, body: None, edge: Edge::On };
            RuleSpec { then: vec![webhook], ..plain() }
        },
        2_048,
        expect![[
            r#"rule "original", then: webhook: expected a URL of at most 2048 bytes without spaces"#
        ]],
    );
    for priority in [-1_000, 1_000] {
        assert!(Engine::compile(&[RuleSpec { priority, ..plain() }]).is_ok());
        let beyond = priority + priority.signum();
        let errors = Engine::compile(&[RuleSpec { priority: beyond, ..plain() }]).unwrap_err();
        assert_eq!(errors[0].key, "priority");
    }
}

fn publish(topic: &str) -> Consequence {
    Consequence::Publish {
        topic: topic.into(),
        payload: None,
        edge: Edge::On,
        qos: crate::Qos::AtMostOnce,
        retain: false,
    }
}

#[test]
fn alerts_go_to_no_topic_of_ours_and_to_no_url_with_a_control_character() {
    for topic in ["mtom", "mtom/x", "$SYS", "a\u{7}b", "a/#", "a/+"] {
        let errors = Engine::compile(&[RuleSpec { then: vec![publish(topic)], ..plain() }]);
        assert_eq!(errors.unwrap_err().len(), 1, "{topic}");
    }
    for topic in ["mtoms/x", "a/mtom", "a$"] {
        let rule = RuleSpec { then: vec![publish(topic)], ..plain() };
        assert!(Engine::compile(&[rule]).is_ok(), "{topic}");
    }
    for (url, is_good) in [
        ("http://h", true),
        ("https://h?x", true),
        ("https://h#x", true),
        ("https://?x", false),
        ("https://h/\u{7}", false),
        ("https://h/ ", false),
    ] {
        let webhook = Consequence::Webhook { url: url.into(), body: None, edge: Edge::On };
        let rule = RuleSpec { then: vec![webhook], ..plain() };
        assert_eq!(Engine::compile(&[rule]).is_ok(), is_good, "{url}");
    }
}

#[test]
fn an_engine_shows_the_names_of_its_rules() {
    assert_eq!(format!("{:?}", compile(&[plain()])), "[\"original\"]");
}
