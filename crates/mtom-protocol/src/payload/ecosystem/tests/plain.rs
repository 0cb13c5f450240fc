//! Messages on topics like theirs that are not theirs.

use crate::payload::decode;
use crate::payload::tests::check;
use expect_test::{Expect, expect};

// Not exactly theirs: read like anybody's, as ever.
#[test]
fn whatever_is_not_theirs_is_read_as_it_was() {
    check(
        "tele/plug/Temperature",
        b"21.5",
        expect![[r#"
        tele/plug | Temperature | 21.5 °C
    "#]],
    );
    check(
        "tele/plug/SENSOR",
        b"21.5",
        expect![[r#"
        tele/plug | SENSOR | 21.5 
    "#]],
    );
    check(
        "home/kitchen/status",
        b"7",
        expect![[r#"
        home/kitchen | status | 7 
    "#]],
    );
    check(
        "home/kitchen/status",
        b"on",
        expect![[r#"
        not_a_number
    "#]],
    );
    check(
        "home/kitchen/online",
        b"1",
        expect![[r#"
        home/kitchen | online | 1 
    "#]],
    );
    check(
        "zigbee2mqtt/kitchen/temperature",
        b"21.5",
        expect![[r#"
        zigbee2mqtt/kitchen | temperature | 21.5 °C
    "#]],
    );
    check(
        "home/status/kitchen",
        br#"{"temperature":21.5}"#,
        expect![[r#"
        home/status/kitchen | temperature | 21.5 °C
    "#]],
    );
    check(
        "home/sensor/kitchen",
        b"21.5",
        expect![[r#"
        home/sensor | kitchen | 21.5 
    "#]],
    );
    check(
        "home/debug",
        b"hello",
        expect![[r#"
        not_a_number
    "#]],
    );
    check(
        "sensor/kitchen/state",
        b"21.5",
        expect![[r#"
        sensor/kitchen | state | 21.5 
    "#]],
    );
}

#[test]
fn a_number_of_theirs_that_is_wrong_keeps_its_reason() {
    check(
        "home/climate/t/current_temperature/state",
        b"21.5",
        expect![[r#"
        home/climate/t/current_temperature | state | 21.5 
    "#]],
    );
    for (payload, code) in [
        ("23,4 °C", "decimal_comma"),
        ("NaN", "not_finite"),
        ("23 furlong", "unknown_unit"),
        ("-127 °C", "sensor_lost"),
        ("", "empty"),
    ] {
        let outcomes = decode("home/climate/living/state", payload.as_bytes());
        let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().unwrap_err().code()).collect();
        assert_eq!(codes, [code], "{payload}");
    }
}

#[test]
fn plain_json_on_topics_like_those_of_tasmota_and_zigbee2mqtt_is_read_as_it_was() {
    check_all([
        (
            "tele/x/SENSOR",
            r#"{"temperature":21.5}"#,
            expect![[r#"
                tele/x/SENSOR | temperature | 21.5 °C
            "#]],
        ),
        (
            "tele/x/SENSOR",
            r#"{"air":{"temperature":21.5},"boot":"b1","seq":7}"#,
            expect![[r#"
                tele/x/SENSOR | air.temperature | 21.5 °C b1#7
            "#]],
        ),
        (
            "tele/x/STATE",
            r#"{"temperature":21.5}"#,
            expect![[r#"
                tele/x/STATE | temperature | 21.5 °C
            "#]],
        ),
        (
            "tele/x/STATE",
            r#"{"Uptime":7,"boot":"b1","seq":7}"#,
            expect![[r#"
                tele/x/STATE | Uptime | 7  b1#7
            "#]],
        ),
        (
            "tele/x/STATE",
            r#"{"Uptime":7,"POWER":12.5}"#,
            expect![[r#"
                tele/x/STATE | POWER | 12.5 
                tele/x/STATE | Uptime | 7 
            "#]],
        ),
        (
            "stat/x/STATUS10",
            r#"{"Status":7}"#,
            expect![[r#"
                stat/x/STATUS10 | Status | 7 
            "#]],
        ),
        (
            "stat/x/STATUS",
            r#"{"temperature":21.5}"#,
            expect![[r#"
                stat/x/STATUS | temperature | 21.5 °C
            "#]],
        ),
        (
            "zigbee2mqtt/x",
            r#"{"temperature":21.5,"boot":"b1","seq":7}"#,
            expect![[r#"
                zigbee2mqtt/x | temperature | 21.5 °C b1#7
            "#]],
        ),
    ]);
}

#[test]
fn plain_json_on_topics_like_those_of_shelly_and_esphome_is_read_as_it_was() {
    check_all([
        (
            "home/status/room:1",
            r#"{"temperature":21.5}"#,
            expect![[r#"
                home/status/room:1 | temperature | 21.5 °C
            "#]],
        ),
        (
            "home/status/room:1",
            r#"{"id":7,"temperature":21.5}"#,
            expect![[r#"
                home/status/room:1 | id | 7 
                home/status/room:1 | temperature | 21.5 °C
            "#]],
        ),
        (
            "home/status/sys",
            r#"{"mac":"a","temperature":21.5}"#,
            expect![[r#"
                home/status/sys | temperature | 21.5 °C
            "#]],
        ),
        (
            "home/light/lamp/state",
            r#"{"state":"ON","brightness":255}"#,
            expect![[r#"
                home/light/lamp/state | brightness | 255 
            "#]],
        ),
        (
            "home/sensor/kitchen/state",
            r#"{"temperature":"warm"}"#,
            expect![[r#"
                no_number
            "#]],
        ),
        (
            "homeassistant/sensor/sensorBedroom/state",
            r#"{"temperature":23.2,"humidity":43.7}"#,
            expect![[r#"
                homeassistant/sensor/sensorBedroom/state | humidity | 43.7 %
                homeassistant/sensor/sensorBedroom/state | temperature | 23.2 °C
            "#]],
        ),
    ]);
}

fn check_all<const LEN: usize>(messages: [(&str, &str, Expect); LEN]) {
    for (topic, payload, expected) in messages {
        check(topic, payload.as_bytes(), expected);
    }
}
