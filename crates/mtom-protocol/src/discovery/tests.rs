//! Configs as ESPHome, Tasmota and Zigbee2MQTT keep them, and what is wrong with others.

use super::template::Payload;
use super::{CONFIG_LEN_MAX, Config, Meaning, NotUnderstood, place, read};
use crate::payload::NotAReading;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use expect_test::{Expect, expect};

mod golden;

fn config(topic: &str, payload: &str) -> Result<Config, NotUnderstood> {
    read(&place("homeassistant", topic).expect("a config's topic"), payload.as_bytes())
}

/// What a config leads to, and what messages on its topics say then.
fn check(topic: &str, payload: &str, messages: &[(&str, &str)], expected: &Expect) {
    let config = config(topic, payload).unwrap();
    let mut out = format!("{} ({})\n", config.device.name, config.device.id);
    for component in &config.components {
        let _ = write!(
            out,
            "{} {}: {}: ",
            component.platform,
            component.key,
            component.names.join(" / ")
        );
        let _ = match &component.meaning {
            Ok(Meaning::Sensor(sensor)) => {
                writeln!(out, "{} in {:?}", sensor.topic, sensor.unit.symbol())
            }
            Ok(Meaning::Switch(switch)) => writeln!(out, "{}", switch.link()),
            Ok(Meaning::Other) => writeln!(out, "nothing"),
            Err(reason) => writeln!(out, "{}: {reason}", reason.code()),
        };
    }
    for (topic, payload) in messages {
        let payload = Payload::new(payload);
        for component in &config.components {
            let Ok(Meaning::Sensor(sensor)) = &component.meaning else { continue };
            if sensor.topic != *topic {
                continue;
            }
            let said = match sensor.state(&payload) {
                None => "nothing".to_string(),
                Some(Ok((number, unit))) => {
                    format!("{number} {}", unit.symbol()).trim_end().to_string()
                }
                Some(Err(reason)) => reason.code().to_string(),
            };
            let _ = writeln!(out, "  {} = {said}", component.key);
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn a_config_stands_where_home_assistant_looks_for_it() {
    let found = |prefix: &str, topic: &str| {
        place(prefix, topic).map(|place| {
            let node = place.node.unwrap_or("-");
            format!("{} {node} {}", place.component, place.object)
        })
    };
    for (topic, expected) in [
        ("homeassistant/sensor/a/config", Some("sensor - a")),
        ("homeassistant/sensor/node-1/a_b/config", Some("sensor node-1 a_b")),
        ("homeassistant/device/0x0d/config", Some("device - 0x0d")),
        ("homeassistant/config", None),
        ("homeassistant/sensor/config", None),
        ("homeassistant/sensor/a/b/c/config", None),
        ("homeassistant/sensor/a.b/config", None),
        ("homeassistant/sensor//config", None),
        ("homeassistant/sensor/a/state", None),
        ("homeassistantx/sensor/a/config", None),
        ("other/sensor/a/config", None),
    ] {
        assert_eq!(found("homeassistant", topic).as_deref(), expected, "{topic}");
    }
    assert_eq!(found("my/home", "my/home/sensor/a/config").as_deref(), Some("sensor - a"));
}

#[test]
fn what_is_wrong_is_one_word_and_disturbs_no_other_thing() {
    for (payload, code) in [
        ("[]", "not_json"),
        ("{", "not_json"),
        ("{}", "components"),
        (r#"{"cmps":{}}"#, "components"),
        (r#"{"cmps":[]}"#, "components"),
    ] {
        let refused = config("homeassistant/device/a/config", payload).unwrap_err();
        assert_eq!(refused.code(), code, "{payload}");
    }
    let long = "x".repeat(CONFIG_LEN_MAX + 1);
    assert_eq!(config("homeassistant/sensor/a/config", &long).unwrap_err().code(), "too_long");
    check(
        "homeassistant/device/a/config",
        r#"{"dev":{"ids":"a"},"cmps":{
            "good":{"p":"sensor","stat_t":"a/t"},
            "gone":{"p":"sensor"},
            "nobody":{"stat_t":"a/t"},
            "no_topic":{"p":"sensor","val_tpl":"{{ value }}"},
            "filter":{"p":"sensor","stat_t":"a/#"},
            "of_broker":{"p":"sensor","stat_t":"$SYS/x"},
            "jinja":{"p":"sensor","stat_t":"a/t","val_tpl":"{{ value_json.t ** 10 }}"},
            "word":{"p":"sensor","stat_t":"a/t","dev_cla":"timestamp"},
            "bytes":{"p":"sensor","stat_t":"a/t","e":""},
            "lamp":{"p":"light","schema":"json","cmd_t":"a/set"},
            "relay":{"p":"switch","stat_t":"a/s"},
            "odd":{"p":"switch","cmd_t":"a/set","stat_t":"a/s","stat_on":"1"},
            "key":{"p":"button","cmd_t":"a/b"}
        }}"#,
        &[],
        &expect![[r#"
            a (a)
            sensor bytes: bytes: encoding: encoding "": expected utf-8
            sensor filter: filter: topic: state_topic: expected a topic of at most 256 bytes and 100 levels without + and #
            sensor good: good: a/t in ""
            sensor jinja: jinja: template: the template "{{ value_json.t ** 10 }}" is more than is understood: expected {{ value }}, {{ value_json.a.b }} or {{ value.split(' ')[0] }}, with + - * / // % and float, int, round, abs, multiply, add, default or is_defined behind it
            button key: key: nothing
            light lamp: lamp: schema: schema "json": expected basic
            sensor no_topic: no_topic: topic: state_topic: expected a topic of at most 256 bytes and 100 levels without + and #
            switch odd: odd: on_off: its words for on and off are not the same both ways, or it has none
            sensor of_broker: of_broker: topic: state_topic: expected a topic of at most 256 bytes and 100 levels without + and #
            switch relay: relay: topic: command_topic: expected a topic of at most 256 bytes and 100 levels without + and #
            sensor word: timestamp / word: words: it says words, not numbers (device class timestamp)
        "#]],
    );
}

#[test]
fn a_word_is_a_mistake_only_of_a_sensor_that_has_said_that_it_is_a_number() {
    let topic = "homeassistant/sensor/a/config";
    let messages =
        ["23.4", "23.4 °F", "on", "", "unavailable", "nan", "23,4"].map(|text| ("t", text));
    check(
        topic,
        r#"{"stat_t":"t"}"#,
        &messages,
        &expect![[r#"
        a (a)
        sensor a: a: t in ""
          a = 23.4
          a = 23.4 °F
          a = nothing
          a = nothing
          a = nothing
          a = nothing
          a = nothing
    "#]],
    );
    check(
        topic,
        r#"{"stat_t":"t","dev_cla":"temperature","unit_of_meas":"°C"}"#,
        &messages,
        &expect![[r#"
            a (a)
            sensor a: temperature / a: t in "°C"
              a = 23.4 °C
              a = 23.4 °F
              a = not_a_number
              a = nothing
              a = nothing
              a = not_finite
              a = decimal_comma
        "#]],
    );
}

#[test]
fn a_number_that_is_no_longer_exact_is_refused() {
    let config = config(
        "homeassistant/sensor/a/config",
        r#"{"stat_t":"t","val_tpl":"{{ value_json.n }}","unit_of_meas":"W"}"#,
    );
    let config = config.unwrap();
    let Ok(Meaning::Sensor(sensor)) = &config.components.first().unwrap().meaning else {
        panic!("a sensor")
    };
    let state = sensor.state(&Payload::new(r#"{"n":9007199254740993000}"#));
    assert_eq!(state, Some(Err(NotAReading::Inexact)));
}

#[test]
fn names_that_cannot_be_shown_are_left_out() {
    let config = config(
        "homeassistant/sensor/node/a/config",
        &format!(
            r#"{{"stat_t":"t","name":"\u0007","dev_cla":"{}","dev":{{"name":"{}"}}}}"#,
            "x".repeat(500),
            "y".repeat(500)
        ),
    );
    let config = config.unwrap();
    let names: Vec<_> =
        config.components.first().unwrap().names.iter().map(String::as_str).collect();
    assert_eq!((config.device.name.as_str(), names), ("node", ["a"].to_vec()));
}

#[test]
fn a_topic_for_which_a_broker_may_close_the_connection_is_not_asked_for() {
    let deep = |levels: usize| "/".repeat(levels - 1);
    for (topic, is_so) in [
        (deep(100), true),
        (deep(101), false),
        (deep(202), false),
        ("a/\u{fdd0}".to_string(), false),
        ("a/\u{1ffff}".to_string(), false),
        ("a/\u{fffd}".to_string(), true),
    ] {
        let payload = format!(r#"{{"stat_t":"{topic}","avty_t":"{topic}"}}"#);
        let config = config("homeassistant/sensor/a/config", &payload).unwrap();
        let component = config.components.first().unwrap();
        let found = (component.meaning.is_ok(), component.there.is_some());
        assert_eq!(found, (is_so, is_so), "{topic:?}");
    }
}

#[test]
fn what_a_device_says_once_is_kept_once_and_its_words_are_short() {
    let all = |root: &str, own: &str| {
        let payload = format!(
            r#"{{{root}"avty_t":"a/up","stat_t":"a/t","cmps":{{"x":{{"p":"sensor","name":"x"{own}}},"y":{{"p":"sensor","name":"y"}}}}}}"#
        );
        config("homeassistant/device/a/config", &payload).unwrap().components
    };
    let there = |all: &[super::Component], at: usize| all.get(at).unwrap().there.clone();
    let shared = all("", "");
    assert!(Arc::ptr_eq(&there(&shared, 0).unwrap(), &there(&shared, 1).unwrap()));
    let own = all("", r#","avty_t":"x/up""#);
    assert_eq!(there(&own, 0).unwrap().topics.first().unwrap().topic, "x/up");
    assert_eq!(there(&own, 1).unwrap().topics.first().unwrap().topic, "a/up");
    let long = "y".repeat(15_000);
    assert!(there(&all(&format!(r#""pl_avail":"{long}","#), ""), 0).is_none());
    // What is not understood is short too, and so is who it is of.
    let root = format!(r#""e":"{long}","o":{{"name":"{long}"}},"dev":{{"ids":"{long}"}},"#);
    let payload =
        format!(r#"{{{root}"cmps":{{"x":{{"p":"sensor","uniq_id":"{}"}}}}}}"#, "z".repeat(300));
    let found = config("homeassistant/device/a/config", &payload).unwrap();
    assert!(format!("{found:?}").len() < 1000);
    assert_eq!(found.device.id, "a");
}

#[test]
fn the_words_of_a_list_are_its_own() {
    let config = config(
        "homeassistant/sensor/a/config",
        r#"{"stat_t":"t","pl_avail":"yes","avty":[{"t":"up"}]}"#,
    );
    let there = config.unwrap().components.first().unwrap().there.clone().unwrap();
    let place = there.topics.first().unwrap();
    let says = ["online", "yes"].map(|word| place.says(&Payload::new(word)));
    assert_eq!(says, [Some(true), None]);
}
