use super::*;
use crate::LinkAddress;
use proptest::prelude::*;

fn address(text: &str) -> MqttAddress {
    match text.parse() {
        Ok(LinkAddress::Mqtt(address)) => *address,
        other => panic!("{text}: {other:?}"),
    }
}

fn problem(text: &str) -> String {
    text.parse::<LinkAddress>().unwrap_err().to_string()
}

/// Set topic, its two payloads, state topic, availability topic, question.
fn shown(text: &str) -> [String; 6] {
    let address = address(text);
    assert_eq!(address.to_string(), text);
    let topic = |source: &Option<Source>| source.as_ref().map_or("-".into(), |of| of.topic.clone());
    let ask =
        address.ask.as_ref().map_or("-".into(), |(topic, payload)| format!("{topic} {payload}"));
    let [on, off] = [Led::On, Led::Off].map(|led| address.payload(led).to_owned());
    [address.set.clone(), on, off, topic(&address.state), topic(&address.online), ask]
}

#[test]
fn each_kind_of_device_has_its_topics() {
    let z2m = "zigbee2mqtt/living room/lamp";
    for (text, wanted) in [
        ("mqtt:lamp/set", ["lamp/set", "ON", "OFF", "-", "-", "-"]),
        (
            "mqtt:lamp/set?state=lamp/state&on=1&off=0&online=lamp/lwt",
            ["lamp/set", "1", "0", "lamp/state", "lamp/lwt", "-"],
        ),
        ("mqtt:a%3Fb?state=c%26d", ["a?b", "ON", "OFF", "c&d", "-", "-"]),
        (
            "mqtt+tasmota:plug",
            [
                "cmnd/plug/POWER",
                "ON",
                "OFF",
                "stat/plug/RESULT",
                "tele/plug/LWT",
                "cmnd/plug/POWER ",
            ],
        ),
        (
            "mqtt+tasmota:plug?relay=2",
            [
                "cmnd/plug/POWER2",
                "ON",
                "OFF",
                "stat/plug/RESULT",
                "tele/plug/LWT",
                "cmnd/plug/POWER2 ",
            ],
        ),
        (
            "mqtt+esphome:house/kitchen/relay",
            [
                "house/kitchen/switch/relay/command",
                "ON",
                "OFF",
                "house/kitchen/switch/relay/state",
                "house/kitchen/status",
                "-",
            ],
        ),
        (
            "mqtt+zigbee2mqtt:living room/lamp",
            [
                &format!("{z2m}/set"),
                r#"{"state":"ON"}"#,
                r#"{"state":"OFF"}"#,
                z2m,
                &format!("{z2m}/availability"),
                &format!(r#"{z2m}/get {{"state":""}}"#),
            ],
        ),
        (
            "mqtt+shelly:shellyplus1-aabbcc",
            [
                "shellyplus1-aabbcc/command/switch:0",
                "on",
                "off",
                "shellyplus1-aabbcc/status/switch:0",
                "shellyplus1-aabbcc/online",
                "shellyplus1-aabbcc/command status_update",
            ],
        ),
    ] {
        assert_eq!(shown(text), wanted, "{text}");
    }
}

#[test]
fn a_node_is_heard_on_all_of_its_topics_and_its_readings_are_still_readings() {
    for (text, set) in [
        ("mqtt+sparkplug:plant/cell/pump/Outputs/LED", "spBv1.0/plant/DCMD/cell/pump"),
        ("mqtt+sparkplug:plant/cell//LED", "spBv1.0/plant/NCMD/cell"),
    ] {
        assert_eq!(shown(text), [set, "", "", "-", "-", "spBv1.0/plant/NCMD/cell "], "{text}");
    }
    let node = address("mqtt+sparkplug:plant/cell/pump/LED");
    let heard = [
        "DBIRTH/cell/pump",
        "DDATA/cell/pump",
        "DDEATH/cell/pump",
        "NBIRTH/cell",
        "NDATA/cell",
        "NDEATH/cell",
    ];
    let heard = heard.map(|topic| format!("spBv1.0/plant/{topic}"));
    assert_eq!(node.heard().collect::<Vec<_>>(), heard);
    let own = ["spBv1.0/plant/DCMD/cell/pump", "spBv1.0/plant/NCMD/cell"];
    assert_eq!(node.topics().collect::<Vec<_>>(), own);
}

#[test]
fn states_are_read_as_each_kind_writes_them() {
    for (text, payload, wanted) in [
        ("mqtt:a?state=b", "ON", Some(true)),
        ("mqtt:a?state=b", " OFF\n", Some(false)),
        ("mqtt:a?state=b", "on", None),
        ("mqtt:a?state=b", r#"{"state":"ON"}"#, None),
        ("mqtt:a?state=b&path=relay.state&on=1&off=0", r#"{"relay":{"state":1}}"#, Some(true)),
        ("mqtt:a?state=b&path=relay.state&on=1&off=0", r#"{"relay":{"state":"0"}}"#, Some(false)),
        ("mqtt:a?state=b&path=relay.state&on=1&off=0", r#"{"relay":{"state":2}}"#, None),
        ("mqtt+tasmota:a", r#"{"POWER":"ON"}"#, Some(true)),
        ("mqtt+tasmota:a", r#"{"Wifi":{"AP":1}}"#, None),
        ("mqtt+tasmota:a?relay=2", r#"{"POWER1":"ON"}"#, None),
        ("mqtt+tasmota:a?relay=2", r#"{"POWER2":"OFF"}"#, Some(false)),
        ("mqtt+esphome:a/b", "OFF", Some(false)),
        ("mqtt+zigbee2mqtt:a", r#"{"linkquality":90,"state":"OFF"}"#, Some(false)),
        ("mqtt+zigbee2mqtt:a", "ON", None),
        ("mqtt+shelly:a", r#"{"id":0,"source":"MQTT","output":true,"apower":0.0}"#, Some(true)),
        ("mqtt+shelly:a", r#"{"id":0,"output":null}"#, None),
        ("mqtt+shelly:a", "{", None),
    ] {
        let state = address(text).state.unwrap();
        assert_eq!(state.tells(payload.as_bytes()), wanted, "{text} {payload}");
    }
    let long = format!(r#"{{"state":"ON","rest":"{}"}}"#, "x".repeat(PAYLOAD_LEN_MAX));
    assert_eq!(address("mqtt+zigbee2mqtt:a").state.unwrap().tells(long.as_bytes()), None);
}

#[test]
fn the_availability_of_zigbee2mqtt_is_read_in_both_of_its_forms() {
    let online = address("mqtt+zigbee2mqtt:a").online.unwrap();
    let told = [r#"{"state":"online"}"#, "online", r#"{"state":"offline"}"#, "offline", "?"];
    let read = told.map(|payload| online.tells(payload.as_bytes()));
    assert_eq!(read, [Some(true), Some(true), Some(false), Some(false), None]);
}

#[test]
fn mistakes_are_named_with_what_is_expected() {
    for (text, wanted) in [
        ("mqtt+sonoff:plug", "unknown kind of device: expected mqtt:, mqtt+tasmota:"),
        ("mqtt+tasmota", "unknown kind of device"),
        ("mqtt:", "no topic: expected a topic without + and # as in mqtt:lamp/set"),
        ("mqtt:lamp/+/set", "a filter: expected a topic"),
        ("mqtt:lamp/set?state=#", "a filter: expected a topic"),
        ("mqtt:$SYS/set", "a topic of the broker itself"),
        ("mqtt:a%00b", "control characters"),
        ("mqtt:a%", "expected % and two hexadecimal digits"),
        ("mqtt:a%f", "expected % and two hexadecimal digits"),
        ("mqtt:a%ff", "expected % and two hexadecimal digits"),
        ("mqtt:a?stat=b", "unknown option `stat`: expected state, path, on, off or online"),
        ("mqtt:a?state=b&state=c", "unknown option `state`"),
        ("mqtt:a?on=1&off=1", "on and off: expected two different words"),
        ("mqtt:a?off=", "on and off: expected two different words"),
        ("mqtt:a?path=b", "path: expected with ?state="),
        ("mqtt+tasmota:plug?relay=0", "relay: expected a whole number from 1 to 32"),
        ("mqtt+tasmota:plug?relay=+1", "relay: expected a whole number from 1 to 32"),
        ("mqtt+shelly:plug?relay=x", "relay: expected a whole number from 0 to 32"),
        ("mqtt+tasmota:", "no name of a device"),
        ("mqtt+shelly:?relay=0", "no name of a device"),
        ("mqtt+esphome:relay", "expected the node's topic prefix and the switch"),
        ("mqtt+esphome:kitchen/", "expected the node's topic prefix and the switch"),
        ("mqtt+zigbee2mqtt:lamp?relay=1", "unknown option `relay`: expected none"),
        (
            "mqtt+sparkplug:plant/cell/LED",
            "expected the group, the node, the device and the metric",
        ),
        ("mqtt+sparkplug:plant/+/pump/LED", "a filter: expected a topic"),
        ("mqtt+sparkplug:a/b/c/d?relay=1", "unknown option `relay`: expected none"),
        ("mqttlamp", "unknown link"),
    ] {
        assert!(problem(text).contains(wanted), "{text}: {}", problem(text));
    }
}

proptest! {
    #[test]
    fn any_text_is_an_address_or_an_error(text in "mqtt(\\+tasmota|\\+shelly|\\+sparkplug)?:.{0,40}", payload: Vec<u8>) {
        if let Ok(address) = text.parse::<LinkAddress>() {
            prop_assert_eq!(address.to_string(), text);
            if let LinkAddress::Mqtt(address) = address
                && let Some(state) = address.state
            {
                let _ = state.tells(&payload);
            }
        }
    }
}
