use super::*;
use crate::rules::script::{expect, given};
use mtom_rules::RuleSpec;
use std::time::Duration;

const TOPIC: &str = "Environ/Temperature";

/// The rule of the issue, driving LAMP, and a second one that drives FAN.
fn engine() -> Engine {
    let lamp = RuleSpec {
        name: "heat".into(),
        off: Some("celsius < 24.5".into()),
        hold_for: Duration::from_secs(10),
        dwell: Duration::from_secs(5),
        ..RuleSpec::original("LAMP")
    };
    let fan = RuleSpec { name: "fan".into(), ..RuleSpec::original("FAN") };
    Engine::compile(&[lamp, fan]).unwrap()
}

fn case(given_text: &str, expect_text: &str) -> Case {
    Case {
        rule: "heat".into(),
        name: "a case".into(),
        line: 1,
        given: given(given_text, TOPIC).unwrap(),
        expect: expect(expect_text).unwrap(),
        actuators: vec!["LAMP".into()],
    }
}

#[track_caller]
fn passes(given: &str, expect: &str) {
    let outcome = case(given, expect).run(&engine());
    let found: Vec<_> = outcome.mismatches.iter().map(sentence).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_case_of_the_issue_passes_as_it_stands() {
    passes(
        "12:00:00 24.0 | 12:00:02 26.0 | 12:00:04 26.5 | silence 60s",
        "12:00:12 LAMP on | 12:00:14 LAMP off (silent)",
    );
}

#[test]
fn a_timer_goes_on_through_a_restart_and_one_that_ran_out_meanwhile_fires_once() {
    passes("12:00:00 26.0 | 12:00:05 26.0 | restart 2s | silence 5s", "12:00:10 LAMP on");
    passes("12:00:00 26.0 | 12:00:05 26.0 | restart 6s | silence 1s", "12:00:11 LAMP on (reading)");
    passes("12:00:00 26.0 | restart 60s | restart 60s", "12:01:00 LAMP off (silent)");
}

#[test]
fn what_is_late_does_not_fire() {
    passes("12:00:05 24.0 | late 12:00:01 99.0 | 12:00:10 24.0 | silence 5s", "12:00:15 LAMP off");
}

#[test]
fn a_failure_is_explained_on_one_axis() {
    let case =
        case("12:00:00 26.0 | 12:00:08 26.0 | silence 12s", "12:00:12 LAMP on | 12:00:30 LAMP off");
    let outcome = case.run(&engine());
    expect_test::expect![[r#"
        explained
                        12:00:00                                                12:00:30
          readings      │                │
          LAMP expected                          ███████████████████████████████████████
               actual                        █████████████████▒────
          ~ 12:00:10  LAMP on (reading): expected at 12:00:12, it was 2s earlier: rule "heat", reading 1: Environ/Temperature 26 °C, held for 10 s; celsius >= 25.0, where celsius is 26
          ~ 12:00:18  LAMP off (silent): expected at 12:00:30, it was 12s earlier: rule "heat", no reading for 10 s
    "#]]
    .assert_eq(&format!("explained\n{}\n", case.explain(&outcome).join("\n")));
}

#[test]
fn an_end_that_is_too_early_is_told() {
    let case = case("12:00:00 26.0", "12:00:10 LAMP on");
    let told = case.explain(&case.run(&engine()));
    let last = told.last().unwrap();
    assert!(
        last.contains("given ends at 12:00:00") && last.contains("add | silence 10s"),
        "{last}"
    );
}

#[test]
fn alerts_are_compared_where_a_case_names_them_and_each_is_news() {
    use mtom_rules::{Consequence, Edge, Qos};
    let alarm = Consequence::Publish {
        topic: "alarm/heat".into(),
        payload: None,
        edge: Edge::On,
        qos: Qos::AtMostOnce,
        retain: false,
    };
    let mut spec = RuleSpec { name: "heat".into(), ..RuleSpec::original("LAMP") };
    spec.then.push(alarm);
    let engine = Engine::compile(&[spec]).unwrap();
    let given = "12:00:00 24.0 | 12:00:02 26.0 | 12:00:04 24.0 | 12:00:06 26.0";
    let lamp = "12:00:00 LAMP off | 12:00:02 LAMP on | 12:00:04 LAMP off | 12:00:06 LAMP on";
    let of = |expect: &str, names: &[&str]| {
        let mut case = case(given, expect);
        case.actuators.extend(names.iter().map(|name| Arc::from(*name)));
        let outcome = case.run(&engine);
        outcome.mismatches.iter().map(sentence).collect::<Vec<_>>()
    };
    assert_eq!(of(lamp, &[]), Vec::<String>::new());
    let both = "12:00:00 LAMP off | 12:00:02 LAMP on | 12:00:02 publish alarm/heat on \
                | 12:00:04 LAMP off | 12:00:06 LAMP on | 12:00:06 publish alarm/heat on";
    assert_eq!(of(both, &["publish alarm/heat"]), Vec::<String>::new());
    let found = of(lamp, &["publish alarm/heat"]);
    assert!(
        found.len() == 2 && found[0].starts_with("+ 12:00:02  publish alarm/heat on"),
        "{found:?}"
    );
}

#[test]
fn windows_are_there_again_after_a_restart() {
    let on = "avg(\"5m\") >= 25.0".into();
    let max_age = Some(Duration::from_secs(600));
    let spec = RuleSpec { name: "heat".into(), on, max_age, ..RuleSpec::original("LAMP") };
    let engine = Engine::compile(&[spec]).unwrap();
    // Without the 20 °C before the restart the mean would be 26 °C.
    let given = "12:00:00 20.0 | 12:01:00 20.0 | restart 5s | 12:02:00 26.0 | 12:06:30 26.0";
    let outcome = case(given, "12:00:00 LAMP off | 12:06:30 LAMP on").run(&engine);
    let found: Vec<_> = outcome.mismatches.iter().map(sentence).collect();
    assert!(found.is_empty(), "{found:#?}");
}
