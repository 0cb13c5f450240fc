//! What Home Assistant hears and says: a plain MQTT client in its place, the embedded broker and mosquitto.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, mosquitto_pub, mosquitto_retain};
use crate::soon;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

const ON: [&str; 3] =
    ["homeassistant.announce=true", "simulate.actuators=1", "ingest.topics=[\"#\"]"];

/// Home Assistant, as far as a broker sees it.
struct House {
    client: AsyncClient,
    events: EventLoop,
    gateway: String,
}

impl House {
    async fn at(broker: SocketAddr, dir: &Path) -> Self {
        let options = MqttOptions::new("house", (broker.ip().to_string(), broker.port()));
        let (client, events) = AsyncClient::builder(options).capacity(16).build();
        let gateway = std::fs::read_to_string(dir.join("client-id")).unwrap();
        let mut house = Self { client, events, gateway };
        for filter in ["homeassistant/#", "mtom/#"] {
            house.client.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
        }
        house
            .until("its subscription", |event| matches!(event, Incoming::SubAck(_)).then_some(()))
            .await;
        house
    }

    async fn until<T>(&mut self, what: &str, wanted: impl Fn(&Incoming) -> Option<T>) -> T {
        soon(what, async {
            loop {
                if let Event::Incoming(incoming) = self.events.poll().await.unwrap()
                    && let Some(found) = wanted(&incoming)
                {
                    return found;
                }
            }
        })
        .await
    }

    /// The next message on a topic, and whether it was kept.
    async fn hears(&mut self, topic: &str) -> (String, bool) {
        self.until(topic, |incoming| match incoming {
            Incoming::Publish(publish) if publish.topic == topic.as_bytes() => {
                Some((String::from_utf8(publish.payload.to_vec()).unwrap(), publish.retain))
            }
            _ => None,
        })
        .await
    }

    async fn hears_word(&mut self, topic: &str, word: &str) {
        while self.hears(topic).await.0 != word {}
    }

    fn says(&self, topic: &str, payload: &str) {
        let options = PublishOptions::new(QoS::AtLeastOnce);
        self.client.try_publish(topic, payload.to_owned(), options).unwrap();
    }

    fn config(&self, rest: &str) -> String {
        format!("homeassistant/device/{}{rest}/config", self.gateway)
    }

    fn topic(&self, rest: &str) -> String {
        format!("mtom/{}/{rest}", self.gateway)
    }
}

/// Which series there are, and how many messages were refused.
async fn account(mtom: &Mtom) -> (Vec<String>, u64) {
    let series = mtom.get("/api/v1/series").await;
    let series = series["series"].as_array().unwrap().iter().map(|one| {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        format!("{}/{}", text("device"), text("quantity"))
    });
    let rejected = mtom.get("/api/v1/audit").await["rejected"].as_u64().unwrap();
    (series.collect(), rejected)
}

impl Mtom {
    /// How it stands between it and Home Assistant, once there are at least so many of those.
    async fn homeassistant_when(&self, key: &str, count: u64) -> Value {
        soon(key, async {
            loop {
                let said = self.get("/api/v1/homeassistant").await;
                if said[key].as_u64() >= Some(count) {
                    return said;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

fn read(config: &str) -> Value {
    serde_json::from_str(config).unwrap()
}

/// What is there is told, again when Home Assistant starts, and nothing of it comes back as a reading.
async fn told_switched_and_told_again(mtom: &Mtom, broker: SocketAddr) {
    // Until the gateway has subscribed.
    soon("the first reading", async {
        while account(mtom).await.0.is_empty() {
            assert!(mosquitto_pub(broker, "Environ/Temperature", "23.4 °C".as_bytes()));
        }
    })
    .await;
    let mut house = House::at(broker, &mtom.dir).await;
    let (device, led) = (house.config("_d_Environ"), house.config("_a_TEMP_LED"));
    let number = house.topic("reading/Environ/Temperature");
    let config = read(&house.hears(&device).await.0);
    assert_eq!(config["o"]["name"], "mtom");
    assert_eq!(config["dev"]["name"], "Environ");
    let sensor = &config["cmps"]["Temperature"];
    assert_eq!(sensor["p"], "sensor");
    assert_eq!(sensor["unit_of_measurement"], "°C");
    assert_eq!(sensor["device_class"], "temperature");
    assert_eq!(sensor["state_topic"], number.as_str());
    assert_eq!(sensor["expire_after"], 900);
    assert_eq!(sensor["unique_id"], format!("{}_d_Environ_Temperature", house.gateway));
    assert_eq!(sensor["default_entity_id"], "sensor.environ_temperature");
    assert!(sensor.get("object_id").is_none());
    let said = mtom.homeassistant_when("devices", 1).await;
    assert_eq!((&said["announce"], &said["switches"]), (&true.into(), &1.into()));
    assert_eq!((&said["home"], &said["not_taken"]), (&Value::Null, &Value::Null));
    // It starts: everything is told again, the number too, which nobody has kept.
    house.says("homeassistant/status", "online");
    let config = read(&house.hears(&led).await.0);
    let switch = &config["cmps"]["switch"];
    assert_eq!(switch["command_topic"], house.topic("actuator/TEMP_LED/set"));
    assert_eq!(house.hears(&number).await, ("23.4".into(), false));
    assert_eq!(mtom.get("/api/v1/homeassistant").await["home"], "online");
    // The rule of the original wants it off, a person in Home Assistant wants it on.
    let (state, set) =
        (house.topic("actuator/TEMP_LED/state"), house.topic("actuator/TEMP_LED/set"));
    house.says(&set, "ON");
    house.hears_word(&state, "ON").await;
    let actuator = mtom.actuator_when("on", |led| led["reported"]["led"] == "on").await;
    assert_eq!(actuator["desired"]["cause"], "by hand, in Home Assistant");
    house.says(&set, "perhaps");
    house.says(&set, "AUTO");
    house.hears_word(&state, "OFF").await;
    // Whatever is heard of all this with "#" is nobody's reading.
    assert_eq!(account(mtom).await, (vec!["Environ/Temperature".into()], 0));
    // Readings of others below these names are.
    assert!(mosquitto_pub(broker, "mtom/kitchen/temperature", b"21"));
    assert!(mosquitto_pub(broker, "homeassistant/sensor/attic/state", b"22"));
    soon("readings of others", async {
        while account(mtom).await.0.len() != 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(account(mtom).await.1, 0);
}

#[tokio::test]
async fn home_assistant_is_told_what_there_is_and_switches_it_at_our_broker() {
    if program().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mtom = Mtom::serve("up", dir.path(), &ON);
    told_switched_and_told_again(&mtom, mtom.ready.mqtt).await;
}

#[tokio::test]
async fn home_assistant_is_told_what_there_is_and_switches_it_at_mosquitto_until_it_is_taken_back()
{
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let serve = |more: &[&str]| {
        let all: Vec<_> = [url.as_str()].iter().chain(&ON).chain(more).copied().collect();
        Mtom::serve("up", dir.path(), &all)
    };
    let mut mtom = serve(&[]);
    told_switched_and_told_again(&mtom, broker.address).await;
    // A broker that comes again is told again.
    broker.restart(program);
    let mut house = House::at(broker.address, dir.path()).await;
    let gateway = house.topic("gateway");
    house.hears_word(&gateway, "online").await;
    // One that is gone says so, by its last will.
    mtom.kill();
    house.hears_word(&gateway, "offline").await;
    // Commands of meanwhile are of another day: one that the broker has kept, and one that it would keep for a session,
    // where "#" in `ingest.topics` brings whatever came.
    let set = house.topic("actuator/TEMP_LED/set");
    assert!(mosquitto_retain(broker.address, &set, b"ON"));
    assert!(mosquitto_pub(broker.address, &set, b"ON"));
    assert!(mosquitto_pub(broker.address, "Environ/Temperature", "19.5 °C".as_bytes()));
    let mut mtom = serve(&[]);
    house.hears_word(&gateway, "online").await;
    // What waited behind it in the session has come.
    soon("the reading that waited", async {
        let newest = || async { mtom.get("/api/v1/latest").await["readings"][0]["value"].clone() };
        while newest().await != 19.5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The copy came before this one, which is no command.
    assert!(mosquitto_pub(broker.address, &set, b"perhaps"));
    // A connection that was made anew brings the copy once more.
    let said = mtom.homeassistant_when("refused", 2).await;
    assert_eq!(said["obeyed"], 0);
    let led = mtom.get("/api/v1/actuators").await["actuators"][0].clone();
    assert_ne!(led["desired"]["cause"], "by hand, in Home Assistant");
    assert!(mosquitto_retain(broker.address, &set, b""));
    // One that is given now is.
    assert!(mosquitto_pub(broker.address, &set, b"ON"));
    let said = mtom.homeassistant_when("obeyed", 1).await;
    assert_eq!(said["connection"], "up");
    assert!(said["refused"].as_u64() >= Some(2), "{said}");
    assert!(mosquitto_pub(broker.address, &set, b"AUTO"));
    mtom.homeassistant_when("obeyed", 2).await;
    // What is not there any more is taken back, and the rest stays.
    assert!(mtom.stop("-TERM").success());
    let (device, led) = (house.config("_d_Environ"), house.config("_a_TEMP_LED"));
    let state = house.topic("actuator/TEMP_LED/state");
    mtom = serve(&["simulate.actuators=0"]);
    house.hears_word(&led, "").await;
    house.hears_word(&state, "").await;
    assert!(mtom.stop("-TERM").success());
    mtom = serve(&["homeassistant.announce=false"]);
    house.hears_word(&device, "").await;
    drop(mtom);
}

#[tokio::test]
async fn who_changes_the_broker_is_told_how_the_one_of_before_forgets() {
    let Some(program) = program() else { return };
    let (before, now) = (Mosquitto::start(program), Mosquitto::start(program));
    let dir = tempfile::tempdir().unwrap();
    let serve = |url: &str| {
        let url = format!("broker.url={url}");
        let all: Vec<_> = [url.as_str()].iter().chain(&ON).copied().collect();
        Mtom::serve("up", dir.path(), &all)
    };
    let urls = [before.address, now.address].map(|address| format!("mqtt://{address}"));
    let mut mtom = serve(&urls[0]);
    let mut house = House::at(before.address, dir.path()).await;
    let (led, gateway) = (house.config("_a_TEMP_LED"), house.topic("gateway"));
    house.hears(&led).await;
    house.hears_word(&gateway, "online").await;
    assert_eq!(mtom.get("/api/v1/homeassistant").await["left"], Value::Null);
    assert!(mtom.stop("-TERM").success());
    let mut mtom = serve(&urls[1]);
    let left = mtom.get("/api/v1/homeassistant").await["left"].clone();
    assert_eq!(left["broker"], urls[0].as_str(), "{left}");
    // Nobody but a person does it: what is said works as it stands.
    let command = left["command"].as_str().unwrap();
    let shell = Command::new("sh").args(["-c", command]).current_dir(dir.path()).status().unwrap();
    assert!(shell.success(), "{command}");
    house.hears_word(&led, "").await;
    house.hears_word(&gateway, "").await;
    // It is told where it is now, and a start later that is how it always was.
    assert_ne!(House::at(now.address, dir.path()).await.hears(&led).await.0, "");
    assert!(mtom.stop("-TERM").success());
    let mtom = serve(&urls[1]);
    assert_eq!(mtom.get("/api/v1/homeassistant").await["left"], Value::Null);
}
