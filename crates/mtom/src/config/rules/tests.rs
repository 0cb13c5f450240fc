use super::super::tree::{self, Problem};
use super::*;
use expect_test::{Expect, expect};

/// A file that holds rules and nothing else.
fn parse(file: &str, names: Option<&[String]>) -> Result<Vec<RuleSpec>, Vec<Problem>> {
    let tree = tree::parse(file).map_err(|problem| vec![problem])?;
    let mut problems = Problems::default();
    let mut root = Section::new("", tree, &mut problems);
    let rules = read(&mut root, names, &mut problems);
    root.finish(&mut problems);
    if problems.count() == 0 { Ok(rules.unwrap_or_default()) } else { Err(problems.into_sorted()) }
}

fn check_problems(text: &str, expected: Expect) {
    let names = ["TEMP_LED".to_owned(), "FAN".to_owned()];
    let problems = parse(text, Some(&names)).expect_err("must be refused");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

const WHOLE: &str = r#"
[[rule]]
name     = "heat lamp"
when     = "Environ/Temperature"
on       = "celsius >= 25.0 && avg(\"5m\") > other(\"Environ/Humidity\")"
off      = "celsius < 24.5"
for      = "10s"
dwell    = "5s"
max_age  = "10s"
silent   = "hold"
schedule = "Mon-Fri 07:00-19:00 Europe/Berlin"
priority = -7
then     = [
    { actuator = "TEMP_LED" },
    { publish = "alarm/heat", payload = "{{ device }} {{ celsius }}", edge = "both", qos = 1, retain = true },
    { webhook = "https://example.org/alarm" },
]

[[rule.test]]
name   = "on once while the heat lasts"
given  = "12:00:00 24.0 | 12:00:02 26.0"
expect = "12:00:12 TEMP_LED on"

[[rule.test]]
given  = "12:00:00 24.0"
expect = ""

[[rule]]
when = "a/b"
on   = "value > 1.0"
then = [{ actuator = "FAN" }]

[[rule.test]]
given  = "12:00:00 2.0"
expect = "12:00:00 FAN on"
"#;

#[test]
fn every_key_is_read() {
    let specs = parse(WHOLE, None).unwrap();
    let [lamp, fan] = specs.as_slice() else { panic!("{specs:?}") };
    assert_eq!((lamp.priority, lamp.silent), (-7, Silent::Hold));
    assert_eq!(lamp.schedule.as_deref(), Some("Mon-Fri 07:00-19:00 Europe/Berlin"));
    assert_eq!(
        lamp.then,
        [
            Consequence::Actuator("TEMP_LED".into()),
            Consequence::Publish {
                topic: "alarm/heat".into(),
                payload: Some("{{ device }} {{ celsius }}".into()),
                edge: Edge::Both,
                qos: Qos::AtLeastOnce,
                retain: true,
            },
            Consequence::Webhook {
                url: "https://example.org/alarm".into(),
                body: None,
                edge: Edge::On,
            },
        ]
    );
    assert_eq!(
        *fan,
        RuleSpec {
            name: "rule 2".into(),
            when: "a/b".into(),
            on: "value > 1.0".into(),
            ..RuleSpec::original("FAN")
        }
    );
}

#[test]
fn every_mistake_is_told_under_its_line() {
    check_problems(
        r#"
        [[rule]]
        when = "Environ/Temperature"
        on = "celsius >= avg(5)"
        schedule = "Mon-Fri 07:00-19:00 Europe/Berln"
        priority = "high"
        then = [{ actuator = "TEMP_LAD" }, { publish = "mtom/x", edge = "up", qos = 2, retain = "no" }]
        [[rule]]
        when = "Environ/Temperature"
        on = "celsius >= 25.0"
        priorty = 3
        then = [{ publish = "a", webhook = "b" }, { webhook = "https://example.org", payload = "x" }, {}]
        [[rule.test]]
        given = 7
        expects = "x"
        [[rule]]
        when = "alarm/+"
        on = "value > 1.0"
        then = [
            { publish = "alarm/heat", payload = "{{ celcius }}" },
            { actuator = "FAN" },
        ]
        [[rule]]
        when = "alarm/+"
        on = "value > 2.0"
        then = [{ actuator = "FAN" }]
        test = 3
        "#,
        expect![[r#"
            line 4: rule.0.on: column 16: `avg` takes a time span in quotes, as in avg("5m")
            line 5: rule.0.schedule: there is no zone `Europe/Berln`: did you mean `Europe/Berlin`?
            line 6: rule.0.priority: expected a whole number, as in priority = 1, found "high"
            line 7: rule.0.then.1.edge: expected on, off or both, found "up"
            line 7: rule.0.then.1.qos: expected 0 or 1, found 2
            line 7: rule.0.then.1.retain: expected true or false, found "no"
            line 7: rule.0.then: there is no actuator "TEMP_LAD": expected one of TEMP_LED, FAN
            line 7: rule.0.then: publish: "mtom/x" is reserved: expected a topic not under $ or mtom/
            line 11: rule.1.priorty: unknown key: did you mean rule.1.priority?
            line 12: rule.1.then.0: is several at once: expected one of actuator, publish and webhook
            line 12: rule.1.then.1.payload: unknown key: expected one of webhook, body, edge
            line 12: rule.1.then.2.actuator: missing
            line 13: rule.1.test.0.expect: missing
            line 14: rule.1.test.0.given: expected a text in quotes, found 7
            line 15: rule.1.test.0.expects: unknown key: did you mean rule.1.test.0.expect?
            line 19: rule.2.then: payload: unknown variable `celcius`: did you mean `celsius`? Known are rule, state, device, quantity, topic, value, unit, celsius, fahrenheit, time, cause
            line 26: rule.3.then: rules "rule 3" and "rule 4" both drive FAN with priority 0: give one of them another, as in priority = 1
            line 27: rule.3.test: expected [[rule.test]], each with its keys"#]],
    );
    check_problems(
        r#"
        [broker]
        [[rule]]
        when = "alarm/+"
        on = "value > 1.0"
        then = [{ publish = "alarm/heat" }]
        "#,
        expect![[r#"
            line 2: broker: unknown key: expected one of rule
            line 6: rule.0.then: goes round in a circle: "rule 1" publishes, alarm/heat starts "rule 1": expected a topic that no rule of it looks at"#]],
    );
    check_problems("[[rule]\n", expect!["line 1: unclosed array table, expected `]`"]);
}
