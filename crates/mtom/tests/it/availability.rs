//! Devices of other systems that go and come back: by their last wills, by their bridge, by a reading, and after a
//! restart by what the broker has kept. On the embedded broker and on mosquitto.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, get, mosquitto_pub};
use crate::soon;
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, PublishOptions, QoS};
use serde_json::Value;
use std::net::SocketAddr;

/// Their readings alone are named.
const TOPICS: &str =
    r#"ingest.topics=["tele/+/SENSOR","zigbee2mqtt/+","+/sensor/+/state","+/status/+"]"#;
const LWT: &str = "tele/plug/LWT";
const SENSOR: &str = r#"{"Time":"2026-11-23T08:06:30","DS18B20":{"Temperature":21.5}}"#;

/// Each system's reading, and what it says of being there.
const OTHERS: [(&str, &str, &str, &str, [&str; 2]); 3] = [
    ("lamp", "lamp/sensor/t/state", "21", "lamp/status", ["offline", "online"]),
    (
        "attic",
        "zigbee2mqtt/attic",
        r#"{"temperature":22}"#,
        "zigbee2mqtt/attic/availability",
        [r#"{"state":"offline"}"#, r#"{"state":"online"}"#],
    ),
    (
        "shelly",
        "shelly/status/temperature:0",
        r#"{"id":0,"tC":23}"#,
        "shelly/online",
        ["false", "true"],
    ),
];

/// The test is a Tasmota: its last will first, its greeting last.
struct Plug {
    client: AsyncClient,
    events: EventLoop,
}

impl Plug {
    fn on(broker: SocketAddr) -> Self {
        let mut options = MqttOptions::new("plug", (broker.ip().to_string(), broker.port()));
        options.set_last_will(LastWill::new(LWT, "Offline", QoS::AtLeastOnce, true));
        let (client, events) = AsyncClient::builder(options).capacity(16).build();
        let plug = Self { client, events };
        plug.say(LWT, "Online", true);
        plug.say("tele/plug/SENSOR", SENSOR, false);
        plug
    }

    fn say(&self, topic: &str, payload: &str, is_kept: bool) {
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(is_kept);
        self.client.try_publish(topic, payload.to_owned(), options).unwrap();
    }

    async fn while_waiting<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                found = &mut done => return found,
                event = self.events.poll() => {
                    let _: Event = event.unwrap();
                }
            }
        }
    }
}

/// What the API says of a device, once it is so.
async fn once(mtom: &Mtom, device: &str, is_available: impl Into<Option<bool>>) -> Value {
    let wanted = Value::from(is_available.into());
    soon(&format!("{device}: {wanted}"), async {
        loop {
            let devices = mtom.get("/api/v1/devices").await;
            let all = devices["devices"].as_array().unwrap();
            let found = all.iter().find(|one| one["name"] == device);
            if let Some(found) = found.filter(|one| one["availability"]["available"] == wanted) {
                return found["availability"].clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Publishes readings until the gateway, which may be about to subscribe, has one.
async fn is_read(mtom: &Mtom, broker: SocketAddr, device: &str, topic: &str, payload: &str) {
    soon(device, async {
        loop {
            assert!(mosquitto_pub(broker, topic, payload.as_bytes()));
            let devices = mtom.get("/api/v1/devices").await.to_string();
            if devices.contains(&format!(r#""name":"{device}""#)) {
                return;
            }
        }
    })
    .await;
}

async fn go_and_come_back(mtom: &Mtom, broker: SocketAddr) {
    is_read(mtom, broker, "plug", "tele/plug/SENSOR", SENSOR).await;
    assert_eq!(once(mtom, "plug", None).await, Value::Null, "nobody has said anything of it");
    let mut plug = Plug::on(broker);
    let there = plug.while_waiting(once(mtom, "plug", true)).await;
    assert_eq!(there["since_latest"], false);
    // It dies without a word.
    drop(plug);
    let gone = once(mtom, "plug", false).await;
    assert_eq!(gone["since_latest"], false);
    assert!(gone["since_micros"].as_i64() > there["since_micros"].as_i64(), "{gone} {there}");
    let (_, metrics) = get(mtom.ready.dashboard, "/metrics").await;
    assert!(metrics.contains("\nmtom_device_available{device=\"plug\"} 0\n"), "{metrics}");
    let log = mtom.get("/api/v1/log").await.to_string();
    assert!(log.contains("plug is offline"), "{log}");
    // Who speaks is there.
    assert!(mosquitto_pub(broker, "tele/plug/SENSOR", SENSOR.as_bytes()));
    once(mtom, "plug", true).await;
    for (device, topic, reading, about, [offline, online]) in OTHERS {
        is_read(mtom, broker, device, topic, reading).await;
        assert!(mosquitto_pub(broker, about, offline.as_bytes()));
        once(mtom, device, false).await;
        assert!(mosquitto_pub(broker, about, online.as_bytes()));
        once(mtom, device, true).await;
    }
    // Nobody behind a bridge is heard without it.
    assert!(mosquitto_pub(broker, "zigbee2mqtt/bridge/state", br#"{"state":"offline"}"#));
    once(mtom, "attic", false).await;
    assert_eq!(once(mtom, "lamp", true).await["available"], true);
    assert!(mosquitto_pub(broker, "zigbee2mqtt/bridge/state", br#"{"state":"online"}"#));
    once(mtom, "attic", true).await;
    let audit = mtom.get("/api/v1/audit").await;
    assert_eq!(audit["rejected"], 0, "{audit}");
}

#[tokio::test]
async fn a_device_on_the_embedded_broker_is_offline_from_its_last_will_until_it_is_back() {
    if program().is_none() {
        return;
    }
    let mtom = Mtom::up(&[TOPICS]);
    go_and_come_back(&mtom, mtom.ready.mqtt).await;
}

#[tokio::test]
async fn a_device_on_mosquitto_is_offline_also_for_a_gateway_that_was_not_there() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let sets = [TOPICS, &*url];
    let mut mtom = Mtom::serve("gateway", dir.path(), &sets);
    go_and_come_back(&mtom, broker.address).await;
    assert!(mtom.stop("-TERM").success());
    // It goes while no gateway is there to hear it; the broker keeps that.
    let mut plug = Plug::on(broker.address);
    let acknowledged = async {
        loop {
            let event = plug.events.poll().await.unwrap();
            if matches!(event, Event::Incoming(rumqttc::Incoming::PubAck(_))) {
                return;
            }
        }
    };
    soon("its greeting", acknowledged).await;
    drop(plug);
    let mtom = Mtom::serve("gateway", dir.path(), &sets);
    let gone = once(&mtom, "plug", false).await;
    let devices = mtom.get("/api/v1/devices").await;
    assert!(devices.to_string().contains(r#""quantity":"DS18B20.Temperature""#), "{gone}");
    // With a shared subscription too, which brings no kept message itself; under another name nothing waits for it.
    drop(mtom);
    let shared = r#"ingest.topics=["$share/house/tele/+/SENSOR"]"#;
    let other = "broker.client_id=another";
    let mtom = Mtom::serve("gateway", dir.path(), &[shared, &*url, other]);
    assert_eq!(once(&mtom, "plug", false).await["since_latest"], true);
}
