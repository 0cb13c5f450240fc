//! What is told, to whom, and how often.

use super::*;
use crate::spec::{Edge, Qos};

fn publish(edge: Edge) -> Consequence {
    Consequence::Publish {
        topic: "alarm/heat".into(),
        payload: Some("{{ state }} {{ device }} {{ celsius }} {{ cause }}".into()),
        edge,
        qos: Qos::AtLeastOnce,
        retain: false,
    }
}

fn check_alerts(rule: &str, edge: Edge, schedule: &str, expected: Expect) {
    let mut spec = RuleSpec { then: vec![publish(edge)], ..amend(plain(), rule) };
    let mut bench = Bench::new(std::slice::from_ref(&spec));
    for part in schedule.split('|').map(str::trim) {
        let (at, what) = part.split_once(' ').unwrap();
        bench.pass(moment(at));
        bench.happen(what, &mut spec);
        bench.due();
    }
    assert_eq!(bench.decided.len(), 0);
    let line = |alert: &Alert| {
        let seconds = (alert.at.0 - START.0) as f64 / 1e6;
        format!("{seconds}s {}", alert.body)
    };
    expected.assert_eq(&bench.alerts.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_episode_is_told_once_however_many_readings_it_has() {
    let schedule = "0s 20.0 | 2s 26.0 | 4s 27.0 | 6s 28.0 | 8s 20.0 | 10s 21.0 | 12s 26.0";
    check_alerts(
        "",
        Edge::On,
        schedule,
        expect![[r#"
        2s on Environ 26 reading 2: Environ/Temperature 26 °C
        12s on Environ 26 reading 7: Environ/Temperature 26 °C"#]],
    );
    check_alerts(
        "",
        Edge::Off,
        schedule,
        expect!["8s off Environ 20 reading 5: Environ/Temperature 20 °C"],
    );
    check_alerts(
        "",
        Edge::Both,
        schedule,
        expect![[r#"
        2s on Environ 26 reading 2: Environ/Temperature 26 °C
        8s off Environ 20 reading 5: Environ/Temperature 20 °C
        12s on Environ 26 reading 7: Environ/Temperature 26 °C"#]],
    );
}

#[test]
fn a_restart_does_not_tell_it_again() {
    let schedule = "2s 26.0 | 4s restart | 6s 26.0 | 8s stop | 20s start | 22s 26.0 | 24s 20.0";
    check_alerts(
        "",
        Edge::Both,
        schedule,
        expect![[r#"
        2s on Environ 26 reading 1: Environ/Temperature 26 °C
        24s off Environ 20 reading 4: Environ/Temperature 20 °C"#]],
    );
}

#[test]
fn silence_ends_an_episode_or_holds_it() {
    let schedule = "0s 26.0 | 60s 26.0 | 62s 20.0";
    check_alerts(
        "max_age 10s",
        Edge::Both,
        schedule,
        expect![[r#"
        0s on Environ 26 reading 1: Environ/Temperature 26 °C
        10s off   no reading for 10 s
        60s on Environ 26 reading 2: Environ/Temperature 26 °C
        62s off Environ 20 reading 3: Environ/Temperature 20 °C"#]],
    );
    check_alerts(
        "max_age 10s; silent hold",
        Edge::Both,
        schedule,
        expect![[r#"
        0s on Environ 26 reading 1: Environ/Temperature 26 °C
        62s off Environ 20 reading 3: Environ/Temperature 20 °C"#]],
    );
    check_alerts(
        "max_age 10s; silent on",
        Edge::Both,
        "60s quiet | 62s 20.0",
        expect![[r#"
        10s on   no reading for 10 s
        62s off Environ 20 reading 1: Environ/Temperature 20 °C"#]],
    );
}

#[test]
fn the_end_of_a_schedule_ends_an_episode_or_holds_it() {
    let schedule = "0s 26.0 | 70s 26.0 | 130s 26.0 | 140s 20.0";
    let rule = |rest: &str| format!("schedule 08:00-08:01{rest}");
    check_alerts(
        &rule(""),
        Edge::Both,
        schedule,
        expect![[r#"
        0s on Environ 26 reading 1: Environ/Temperature 26 °C
        60s off   schedule ended at 2027-01-15T08:01:00.000000Z"#]],
    );
    check_alerts(
        &rule("; silent hold"),
        Edge::Both,
        schedule,
        expect!["0s on Environ 26 reading 1: Environ/Temperature 26 °C"],
    );
}

#[test]
fn late_and_redelivered_readings_tell_nothing() {
    let schedule = "0s 20.0#1 | 10s 20.0#2 | 12s 26.0@9s | 14s 26.0#2";
    check_alerts("", Edge::Both, schedule, expect![[r#""#]]);
}

#[test]
fn webhooks_get_everything_unless_told_what() {
    let webhook = Consequence::Webhook {
        url: "https://example.org/alarm".into(),
        body: None,
        edge: Edge::Both,
    };
    let spec = RuleSpec { then: vec![webhook], ..plain() };
    let mut bench = Bench::new(&[spec]);
    let reading = bench.read("26.0");
    bench.step(Event::Reading(&reading));
    let alert = bench.alerts.remove(0);
    assert!(
        matches!(&alert.target, Target::Webhook { url } if &**url == "https://example.org/alarm")
    );
    assert_eq!((alert.led, alert.cause.reading_id(), alert.at), (Led::On, Some(1), START));
    expect![[r#"{"cause":"reading 1: Environ/Temperature 26 °C","celsius":26.0,"device":"Environ","fahrenheit":78.8,"quantity":"Temperature","rule":"original","state":"on","time":"2027-01-15T08:00:00.000000Z","topic":"Environ/Temperature","unit":"°C","value":26.0}"#]].assert_eq(&alert.body);
}

fn with(then: Consequence) -> RuleSpec {
    RuleSpec { then: vec![then], ..plain() }
}

#[test]
fn targets_that_cannot_be_are_refused() {
    let publish = |topic: &str, payload: &str| Consequence::Publish {
        topic: topic.into(),
        payload: Some(payload.into()),
        edge: Edge::On,
        qos: Qos::AtMostOnce,
        retain: false,
    };
    let webhook = |url: &str| Consequence::Webhook { url: url.into(), body: None, edge: Edge::On };
    let cases = [
        publish("", ""),
        publish("alarm/+", ""),
        publish("$SYS/x", ""),
        publish("mtom/x", ""),
        publish("alarm/heat", "{{ celcius }}"),
        webhook("example.org"),
        webhook("https:///x"),
        webhook("https://example.org/a b"),
    ];
    let errors: Vec<String> = cases
        .into_iter()
        .flat_map(|then| Engine::compile(&[with(then)]).expect_err("must be refused"))
        .map(|error| error.to_string())
        .collect();
    expect![[r#"
        rule "original", then: publish: empty: expected a topic, as in "alarm/heat"
        rule "original", then: publish: expected one topic without + and #, found "alarm/+"
        rule "original", then: publish: "$SYS/x" is reserved: expected a topic not under $ or mtom/
        rule "original", then: publish: "mtom/x" is reserved: expected a topic not under $ or mtom/
        rule "original", then: payload: unknown variable `celcius`: did you mean `celsius`? Known are rule, state, device, quantity, topic, value, unit, celsius, fahrenheit, time, cause
        rule "original", then: webhook: expected a URL as in "https://example.org/alarm", found "example.org"
        rule "original", then: webhook: expected a URL as in "https://example.org/alarm", found "https:///x"
        rule "original", then: webhook: expected a URL of at most 2048 bytes without spaces"#]].assert_eq(&errors.join("\n"));
}

#[test]
fn circles_are_refused_with_their_way() {
    let rule = |name: &str, when: &str, topic: &str| RuleSpec {
        name: name.into(),
        when: when.into(),
        ..with(Consequence::Publish {
            topic: topic.into(),
            payload: None,
            edge: Edge::On,
            qos: Qos::AtMostOnce,
            retain: false,
        })
    };
    check_errors(
        &[rule("own", "a/+", "a/b")],
        expect![[
            r#"rule "own", then: goes round in a circle: "own" publishes, a/b starts "own": expected a topic that no rule of it looks at"#
        ]],
    );
    check_errors(
        &[rule("one", "a/b", "b/c"), rule("two", "b/#", "c/d"), rule("three", "c/d", "a/b")],
        expect![[
            r#"rule "one", then: goes round in a circle: "one" publishes, b/c starts "two", c/d starts "three", a/b starts "one": expected a topic that no rule of it looks at"#
        ]],
    );
    // A way that does not come back is none, and two circles are two.
    assert!(Engine::compile(&[rule("one", "a/b", "b/c"), rule("two", "b/c", "c/d")]).is_ok());
    check_errors(
        &[
            rule("one", "a/b", "b/c"),
            rule("two", "b/c", "a/b"),
            rule("three", "x/y", "y/z"),
            rule("four", "y/z", "x/y"),
        ],
        expect![[r#"
            rule "one", then: goes round in a circle: "one" publishes, b/c starts "two", a/b starts "one": expected a topic that no rule of it looks at
            rule "three", then: goes round in a circle: "three" publishes, y/z starts "four", x/y starts "three": expected a topic that no rule of it looks at"#]],
    );
}
