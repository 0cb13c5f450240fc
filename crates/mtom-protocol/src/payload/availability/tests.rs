//! Golden messages of each system, from its documentation, and what only looks like them.

use super::{
    Availability, Whose, availability, availability_again, availability_filters,
    availability_wishes,
};
use crate::payload::decode;
use alloc::string::String;
use alloc::vec::Vec;

fn check(topic: &str, payload: &str, expected: Option<(Whose<'_>, bool)>) {
    let expected = expected.map(|(whose, is_available)| Availability { whose, is_available });
    assert_eq!(availability(topic, payload.as_bytes()), expected, "{topic} {payload}");
    if expected.is_some() {
        assert_eq!(decode(topic, payload.as_bytes()), [], "{topic}: no reading and no mistake");
    }
}

#[test]
fn each_system_says_that_a_device_is_there_in_its_own_words() {
    let device = |name, is_available| Some((Whose::Device(name), is_available));
    let bridge = |is_available| Some((Whose::Bridge("zigbee2mqtt/"), is_available));
    for (topic, payload, expected) in [
        ("livingroom/status", "online", device("livingroom", true)),
        ("home/livingroom/status", "offline", device("home/livingroom", false)),
        ("tele/plug/LWT", "Online", device("plug", true)),
        ("tele/hall/plug/LWT", "Offline", device("hall/plug", false)),
        ("zigbee2mqtt/attic/availability", "online", device("attic", true)),
        ("zigbee2mqtt/attic/availability", "offline", device("attic", false)),
        (
            "zigbee2mqtt/home/attic/availability",
            r#"{"state":"online"}"#,
            device("home/attic", true),
        ),
        ("zigbee2mqtt/attic/availability", r#" {"state":"offline"} "#, device("attic", false)),
        ("zigbee2mqtt/bridge/state", r#"{"state":"offline"}"#, bridge(false)),
        ("zigbee2mqtt/bridge/state", "online", bridge(true)),
        ("shellyplus1-a8032abe54dc/online", "true", device("shellyplus1-a8032abe54dc", true)),
        ("home/shelly/online", "false", device("home/shelly", false)),
    ] {
        check(topic, payload, expected);
    }
}

#[test]
fn what_only_looks_like_it_says_nothing() {
    for (topic, payload) in [
        ("tele/plug/LWT", "perhaps"),
        ("tele/plug/LWT", "online"),
        ("tele/LWT", "Online"),
        ("cellar/status", "23.4"),
        ("cellar/status", "Online"),
        ("status", "online"),
        ("/status", "online"),
        ("/online", "true"),
        ("mtom/env1/status", "online"),
        ("homeassistant/status", "online"),
        ("zigbee2mqtt/availability", "online"),
        ("zigbee2mqtt//availability", "online"),
        ("zigbee2mqtt/bridge/availability", "online"),
        ("zigbee2mqtt/bridge/x/state", "online"),
        ("zigbee2mqtt/attic", r#"{"state":"online"}"#),
        ("zigbee2mqtt/attic/availability", r#"{"state":1}"#),
        ("zigbee2mqtt/attic/availability", r#"{"state":"#),
        ("zigbee2mqtt/attic/status", "online"),
        ("a\u{1}/status", "online"),
        ("shelly/online", "1"),
        ("shelly/online", ""),
    ] {
        check(topic, payload, None);
    }
    assert_eq!(availability("a/status", b"\xff"), None);
    assert_eq!(availability(&("a".repeat(250) + "/status"), b"online"), None);
}

#[test]
fn who_listens_to_readings_hears_who_is_there() {
    for (listened, expected) in [
        (&["Environ/#"][..], &[][..]),
        (&["tele/+/SENSOR"], &["tele/+/LWT"]),
        (&["tele/hall/plug/SENSOR"], &["tele/hall/plug/LWT"]),
        (&["+/+/SENSOR"], &["tele/+/LWT"]),
        (&["+/status/+"], &["+/online"]),
        (&["home/shelly/status/#"], &["home/shelly/online"]),
        (&["home/+/status/switch:0"], &["home/+/online"]),
        (&["+/sensor/+/state"], &["+/status"]),
        (&["kitchen/sensor/#"], &["kitchen/status"]),
        (&["zigbee2mqtt/+"], &["zigbee2mqtt/+/availability", "zigbee2mqtt/bridge/state"]),
        (&["zigbee2mqtt/a"], &["zigbee2mqtt/a/availability", "zigbee2mqtt/bridge/state"]),
        // They bring it themselves.
        (&["zigbee2mqtt/#"], &[]),
        (&["tele/#"], &[]),
        (&["#"], &[]),
        (&["tele/+/SENSOR", "tele/+/LWT"], &[]),
        // What is shared brings no kept message; what could carry readings too must not come twice.
        (&["$share/g/tele/+/SENSOR"], &["tele/+/LWT"]),
        (&["$share/g/zigbee2mqtt/#"], &["zigbee2mqtt/+/availability", "zigbee2mqtt/bridge/state"]),
        (
            &["$share/g/#"],
            &["tele/+/LWT", "zigbee2mqtt/+/availability", "zigbee2mqtt/bridge/state"],
        ),
        (&["$share/g/+/status/+"], &["+/online"]),
        (&["$share/g/+/#", "$share/g/+/sensor/+/state"], &[]),
        (&["$share/g/tele/#"], &["tele/+/LWT"]),
    ] {
        let listened: Vec<_> = listened.iter().map(ToString::to_string).collect();
        assert_eq!(availability_filters(&listened), expected, "{listened:?}");
    }
}

fn texts(listened: &[&str]) -> Vec<String> {
    listened.iter().map(ToString::to_string).collect()
}

#[test]
fn a_broker_is_not_asked_for_what_it_could_bring_twice() {
    for (listened, expected) in [
        (&["+/sensor/+/state"][..], &["+/status"][..]),
        // The number on Environ/status is a reading.
        (&["Environ/#", "+/sensor/+/state"], &[]),
        (&["Environ/+", "+/status/+"], &[]),
        (&["$share/g/Environ/#", "+/sensor/+/state"], &[]),
        (&["Environ/#", "kitchen/sensor/#"], &["kitchen/status"]),
        (
            &["tele/+/SENSOR", "zigbee2mqtt/+", "+/sensor/+/state", "+/status/+"],
            &[
                "+/online",
                "+/status",
                "tele/+/LWT",
                "zigbee2mqtt/+/availability",
                "zigbee2mqtt/bridge/state",
            ],
        ),
        // Nothing but that is on it: twice does no harm.
        (&["tele/plug/#", "tele/+/SENSOR"], &["tele/+/LWT"]),
    ] {
        assert_eq!(availability_wishes(&texts(listened)), expected, "{listened:?}");
    }
}

#[test]
fn after_a_cut_is_told_again_what_else_would_be_missed() {
    let (tasmota, zigbee) = ("tele/+/LWT", "zigbee2mqtt/+/availability");
    let bridge = "zigbee2mqtt/bridge/state";
    for (listened, expected) in [
        (&["#"][..], &[tasmota, zigbee, bridge][..]),
        (&["tele/#"], &[tasmota]),
        (&["tele/+/SENSOR", "tele/+/LWT"], &[tasmota]),
        (&["zigbee2mqtt/#"], &[zigbee, bridge]),
        // These are wished for, and so told again.
        (&["tele/+/SENSOR", "zigbee2mqtt/+"], &[]),
        (&["$share/g/#"], &[]),
        (&["kitchen/#", "Environ/#"], &[]),
    ] {
        assert_eq!(availability_again(&texts(listened)), expected, "{listened:?}");
    }
}
