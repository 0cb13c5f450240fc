//! Messages of other systems on the real binary's broker, with everything listened to: one golden payload of each
//! becomes readings, and what they say about themselves is neither a reading nor a reject.

use crate::mtom::{Mtom, mosquitto_pub};
use serde_json::Value;

const READINGS: [(&str, &str); 8] = [
    (
        "tele/plug/SENSOR",
        r#"{"Time":"2026-11-23T08:06:30","DS18B20":{"Id":"01131B123456","Temperature":74.1},"TempUnit":"F"}"#,
    ),
    (
        "zigbee2mqtt/home/attic",
        r#"{"battery":86,"humidity":55.43,"linkquality":97,"temperature":22.75,"voltage":2975}"#,
    ),
    (
        "shelly/status/switch:0",
        r#"{"id":0,"source":"init","output":true,"apower":8.9,"voltage":237.5,"current":0.415,"temperature":{"tC":23.5,"tF":74.3}}"#,
    ),
    ("shelly/status/temperature:0", r#"{"id":0,"tC":22.1,"tF":71.8}"#),
    ("shelly/status/humidity:0", r#"{"id":0,"rh":42.2}"#),
    ("livingroom/sensor/bme280_temperature/state", "22.6"),
    (
        "any/senml",
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temperature","u":"Cel","v":23.1},{"n":"voltage","u":"V","v":3.1}]"#,
    ),
    ("any/line", "environ,device=env1 temperature=23.4\nenviron,device=env2 humidity=40i"),
];

/// Nobody's readings and nobody's mistakes.
const STATUSES: [(&str, &str); 16] = [
    ("tele/plug/LWT", "Online"),
    (
        "tele/plug/STATE",
        r#"{"Time":"2026-11-23T08:06:30","UptimeSec":194,"POWER":"ON","Wifi":{"RSSI":60}}"#,
    ),
    ("stat/plug/RESULT", r#"{"POWER":"ON"}"#),
    ("zigbee2mqtt/home/attic/availability", r#"{"state":"online"}"#),
    ("zigbee2mqtt/bridge/state", r#"{"state":"online"}"#),
    ("zigbee2mqtt/bridge/info", r#"{"network":{"channel":11}}"#),
    ("zigbee2mqtt/button", r#"{"action":"single"}"#),
    ("shelly/online", "true"),
    ("shelly/status/mqtt", r#"{"connected":true}"#),
    (
        "shelly/events/rpc",
        r#"{"src":"shelly","method":"NotifyStatus","params":{"ts":1680962879.62}}"#,
    ),
    ("livingroom/status", "online"),
    ("livingroom/debug", "\x1b[0;36m[D][sensor:093]: sending 22.6\x1b[0m"),
    ("livingroom/binary_sensor/door/state", "ON"),
    ("mtom/env1/status", "online"),
    ("mtom/env1/settings", r#"{"topic":"Environ/Temperature","period_ms":2000}"#),
    ("homeassistant/sensor/a/config", r#"{"state_topic":"a","expire_after":60}"#),
];

#[tokio::test]
async fn readings_of_other_systems_are_understood_and_their_statuses_fill_no_rejects() {
    let dir = tempfile::tempdir().unwrap();
    let mtom = Mtom::serve("gateway", dir.path(), &[r##"ingest.topics=["#"]"##]);
    for (topic, payload) in READINGS.iter().chain(&STATUSES) {
        if !mosquitto_pub(mtom.ready.mqtt, topic, payload.as_bytes()) {
            return;
        }
    }
    let series = mtom.get("/api/v1/series").await;
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let series: Vec<_> = series["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| [&one["device"], &one["quantity"], &one["unit"]].map(text).join(" | "))
        .collect();
    let expected = [
        "env1 | temperature | °C",
        "env2 | humidity | %",
        "home/attic | battery | %",
        "home/attic | humidity | %",
        "home/attic | linkquality | ",
        "home/attic | temperature | °C",
        "home/attic | voltage | ",
        "livingroom | bme280_temperature | °C",
        "plug | DS18B20.Temperature | °F",
        "shelly | humidity:0 | %",
        "shelly | switch:0.apower | W",
        "shelly | switch:0.current | A",
        "shelly | switch:0.temperature | °C",
        "shelly | switch:0.voltage | V",
        "shelly | temperature:0 | °C",
        "urn:dev:ow:10e2073a01080063 | temperature | °C",
        "urn:dev:ow:10e2073a01080063 | voltage | V",
    ];
    assert_eq!(series, expected);
    let audit = mtom.get("/api/v1/audit").await;
    let count = |key: &str| audit[key].as_u64().unwrap();
    assert_eq!((count("stored"), count("rejected")), (expected.len() as u64, 0), "{audit}");
    assert_eq!(count("ignored"), STATUSES.len() as u64);
    // What is wrong is told all the same.
    mosquitto_pub(mtom.ready.mqtt, "any/senml", br#"[{"n":"a","v":"1"}]"#);
    mosquitto_pub(mtom.ready.mqtt, "any/line", b"environ,device a=1");
    mosquitto_pub(mtom.ready.mqtt, "tele/plug/LWT", b"perhaps");
    let rejects = mtom.get("/api/v1/rejects?limit=10").await;
    let codes: Vec<_> =
        rejects["rejects"].as_array().unwrap().iter().map(|one| text(&one["code"])).collect();
    assert_eq!(codes, ["not_a_number", "line_protocol", "senml"]);
}
