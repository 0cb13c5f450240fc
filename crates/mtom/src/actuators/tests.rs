use super::*;
use expect_test::expect;

/// 2026-11-23 08:06:31.
const NOW: UnixMicros = UnixMicros(1_795_421_191_000_000);

fn answer() -> Value {
    json!({ "actuators": [
        {
            "name": "TEMP_LED", "link": "ble:TEMP_LED", "link_state": "up", "link_reason": "",
            "link_since_micros": 1_795_421_100_000_000_i64,
            "desired": {
                "led": "on", "number": 42, "at_micros": 1_795_421_190_123_456_i64,
                "rule": "heat lamp", "cause": "25.0 °C"
            },
            "reported": { "led": "on", "number": 42, "at_micros": 1_795_421_190_135_456_i64 },
            "sent": { "led": "on", "number": 42, "at_micros": 1_795_421_190_124_456_i64 },
            "firmware": "TEMP_LED 1.0.0", "trust": "authenticated", "latency_micros": 12_000
        },
        {
            "name": "OLD\u{1b}[2J", "link": "spp:OLD", "link_state": "away",
            "link_reason": "spp:OLD: nothing of this name in reach; is it on?",
            "link_since_micros": 1_795_421_100_000_000_i64, "link_down_since_micros": 1_795_000_000_000_000_i64,
            "desired": { "led": "off", "number": 7, "at_micros": 1_795_421_190_123_456_i64, "rule": "r", "cause": "c" },
            "reported": null,
            "sent": { "led": "off", "number": 7, "at_micros": 1_795_421_190_124_456_i64 },
            "firmware": null, "trust": "unauthenticated", "latency_micros": null
        },
        {
            "name": "NEW", "link": "tcp:led:7000", "link_state": "connecting", "link_reason": "",
            "link_since_micros": 1_795_421_100_000_000_i64,
            "desired": null, "reported": null, "sent": null, "firmware": null, "trust": null, "latency_micros": null
        }
    ] })
}

#[test]
fn the_list_says_what_each_should_be_and_what_it_is() {
    expect![[r#"
        ACTUATOR         WANTED   LED                        KEY             LINK
        TEMP_LED         on       on, reported 08:06:30.135  authenticated   ble:TEMP_LED up since 08:05:00
        OLD?[2J          off      off, sent 08:06:30.124     unauthenticated spp:OLD away since 08:05:00, not up since 2026-11-18 11:06:40: nothing of this name in reach; is it on?
        NEW              -        unknown                    not known yet   tcp:led:7000 connecting since 08:05:00"#]]
    .assert_eq(&table(&answer(), NOW, &TimeZone::UTC).join("\n"));
}

#[test]
fn the_status_tells_everything_that_is_known() {
    let all: Vec<String> =
        all(&answer()).flat_map(|actuator| about(actuator, NOW, &TimeZone::UTC)).collect();
    expect![[r#"
        TEMP_LED
          wanted     on, command 42 of 2026-11-23 08:06:30.123, rule heat lamp: 25.0 °C
          sent       on, command 42 of 2026-11-23 08:06:30.124
          reported   on, command 42 of 2026-11-23 08:06:30.135
          answered   12.0 ms after the decision
          link       ble:TEMP_LED up since 08:05:00
          key        authenticated: the device vouches for each line with its key
          firmware   TEMP_LED 1.0.0
        OLD?[2J
          wanted     off, command 7 of 2026-11-23 08:06:30.123, rule r: c
          sent       off, command 7 of 2026-11-23 08:06:30.124
          reported   never
          link       spp:OLD away since 08:05:00, not up since 2026-11-18 11:06:40: nothing of this name in reach; is it on?
          key        unauthenticated: whoever reaches the link can speak for the device: mtom actuator key
        NEW
          wanted     never
          sent       never
          reported   never
          link       tcp:led:7000 connecting since 08:05:00
          key        not known yet: the device has a key and was not heard yet"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn a_command_is_done_when_the_device_says_so_or_never_could() {
    let mut answer = answer();
    let done = |answer: &Value, name, word| outcome(answer, name, word, NOW, &TimeZone::UTC);
    expect![[r#"Done("TEMP_LED is on, as the device reports it, 12.0 ms after the decision")"#]]
        .assert_eq(&format!("{:?}", done(&answer, "TEMP_LED", "on")));
    expect![[r#"NotYet("TEMP_LED: the gateway has not decided it yet")"#]]
        .assert_eq(&format!("{:?}", done(&answer, "TEMP_LED", "off")));
    expect![[r#"NotYet("OLD?[2J is wanted off, and its device has not reported that it is so; spp:OLD away since 08:05:00, not up since 2026-11-18 11:06:40: nothing of this name in reach; is it on?")"#]].assert_eq(&format!("{:?}", done(&answer, "OLD\u{1b}[2J", "off")));
    answer["actuators"][1]["link_state"] = "up".into();
    expect![[r#"Done("OLD?[2J: off was sent; this device never answers")"#]]
        .assert_eq(&format!("{:?}", done(&answer, "OLD\u{1b}[2J", "off")));
    expect![[r#"Done("NEW: the rules have not said anything yet")"#]]
        .assert_eq(&format!("{:?}", done(&answer, "NEW", "auto")));
    answer["actuators"][0]["reported"]["number"] = 41.into();
    expect![[r#"NotYet("TEMP_LED is wanted on, and its device has not reported that it is so; ble:TEMP_LED up since 08:05:00")"#]].assert_eq(&format!("{:?}", done(&answer, "TEMP_LED", "auto")));
}

#[test]
fn an_actuator_that_is_not_there_is_told_with_those_that_are() {
    let Err(Failure::Usage(text)) = named(&answer(), "TEMP") else { panic!("found") };
    assert_eq!(text, "no actuator \"TEMP\": expected one of TEMP_LED, OLD?[2J, NEW");
    let Err(Failure::Usage(text)) = named(&json!({ "actuators": [] }), "A") else {
        panic!("found")
    };
    assert!(text.contains("write [[actuator]] into mtom.toml"), "{text}");
}

#[test]
fn the_list_says_what_controllers_drive() {
    let mut answer = json!({ "actuators": [], "controllers": [
        {
            "name": "pc2", "address": "10.0.0.2", "actuators": ["LAMP", "FAN\u{1b}[2J"],
            "away_since_micros": null
        },
        {
            "name": "pc3", "address": "10.0.0.3", "actuators": ["HEATER"],
            "away_since_micros": 1_795_421_190_000_000_i64
        }
    ] });
    expect![[r#"
        ACTUATOR         WANTED   LED                        KEY             LINK
        LAMP             driven by controller pc2 at 10.0.0.2
        FAN?[2J          driven by controller pc2 at 10.0.0.2
        HEATER           driven by controller pc3 at 10.0.0.3, away since 2026-11-23 08:06:30.000"#]].assert_eq(&table(&answer, NOW, &TimeZone::UTC).join("\n"));
    answer["controllers"] = json!([]);
    expect![[r#"
        ACTUATOR         WANTED   LED                        KEY             LINK
        none: write [[actuator]] into mtom.toml"#]]
    .assert_eq(&table(&answer, NOW, &TimeZone::UTC).join("\n"));
}
