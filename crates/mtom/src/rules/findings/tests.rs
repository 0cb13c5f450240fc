use super::*;
use mtom_protocol::payload::decode;
use mtom_protocol::time::UnixMicros;

fn latest(rows: &[(&str, &str)]) -> Vec<StoredReading> {
    let row = |(id, (topic, payload)): (u64, &(&str, &str))| {
        let reading = decode(topic, payload.as_bytes()).remove(0).unwrap();
        let at = UnixMicros(1);
        StoredReading { id, at, arrived_at: at, suspect: false, reading }
    };
    (1..).zip(rows).map(row).collect()
}

fn rule(when: &str, on: &str, off: Option<&str>) -> RuleSpec {
    let (when, on, off) = (when.into(), on.into(), off.map(str::to_owned));
    RuleSpec { when, on, off, ..RuleSpec::original("LAMP") }
}

#[track_caller]
fn check(spec: RuleSpec, rows: &[(&str, &str)], expected: &[(Severity, &str, &str)]) {
    let actuators = ["LAMP".to_owned()];
    let found = findings(&[spec], Some(&latest(rows)), Some(&actuators));
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (severity, key, text)) in found.iter().zip(expected) {
        assert!(found.text.contains(text), "{found:#?}");
        assert_eq!((found.severity, found.key), (*severity, *key), "{found:#?}");
    }
}

use Severity::{Error, Warning};

const TOPIC: &str = "Environ/Temperature";
const MILD: &[(&str, &str)] = &[(TOPIC, "24 °C")];

#[test]
fn a_sound_rule_has_no_findings() {
    check(rule(TOPIC, "celsius >= 25.0", Some("celsius < 24.5")), MILD, &[]);
    check(rule("+/Temperature", "fahrenheit >= 77.0", None), MILD, &[]);
    check(rule("#", "value >= 77.0", None), &[(TOPIC, "75.2 °F")], &[]);
    check(rule(TOPIC, "celsius >= 60.0", None), MILD, &[]);
}

#[test]
fn what_never_or_always_holds_is_told() {
    check(rule(TOPIC, "celsius > 30.0 && celsius < 20.0", None), MILD, &[(Error, "on", "never")]);
    let always = &[(Warning, "on", "every reading")];
    check(rule(TOPIC, "celsius < 30.0 || celsius > 20.0", None), MILD, always);
    let both = &[(Warning, "off", "both true at celsius = 26")];
    check(rule(TOPIC, "celsius >= 25.0", Some("celsius < 27.0")), MILD, both);
    let stuck = &[(Error, "off", "stays on")];
    check(rule(TOPIC, "celsius >= 25.0", Some("celsius < -300.0")), MILD, stuck);
}

#[test]
fn an_actuator_or_a_series_that_is_not_there_is_told_with_those_that_are() {
    let spec = RuleSpec { name: "a".into(), ..RuleSpec::original("LAMB") };
    check(spec, MILD, &[(Error, "then", "expected one of LAMP")]);
    let none = &[(Warning, "when", "there are Environ/Temperature")];
    check(rule("Environ/Temperatur", "celsius >= 25.0", None), MILD, none);
    check(rule(TOPIC, "celsius >= 25.0", None), &[], &[(Warning, "when", "nothing is stored yet")]);
}

#[test]
fn a_temperature_that_is_none_can_never_be_known() {
    let humid = ("Environ/Humidity", "41 %");
    let spec = || rule("Environ/+", "celsius >= 25.0", None);
    check(spec(), &[humid], &[(Error, "on", "Environ/Humidity, which is in %")]);
    check(spec(), &[humid, (TOPIC, "24 °C")], &[(Warning, "on", "use value")]);
    check(rule("Environ/+", "value >= 25.0", None), &[humid], &[]);
}

#[test]
fn a_threshold_of_the_other_scale_is_told() {
    let warm = &[(TOPIC, "75.2 °F")];
    let told = &[(Warning, "on", "in °F and now 75.2, and 25 looks like °C")];
    check(rule(TOPIC, "value >= 25.0", None), warm, told);
    let told = &[(Warning, "on", "fahrenheit >= 77.0")];
    check(rule(TOPIC, "celsius >= 77.0", None), MILD, told);
    check(rule(TOPIC, "avg(\"5m\") >= 77.0", None), MILD, told);
    check(rule(TOPIC, "value >= 77.0", None), MILD, told);
    let told = &[(Warning, "off", "celsius >= 24.0")];
    check(rule(TOPIC, "fahrenheit >= 80.0", Some("fahrenheit < 24.0")), MILD, told);
}
