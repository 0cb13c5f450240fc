//! A switch on the broker, as Tasmota is one: told by the rule, answered by the device, never told anything
//! old. With the embedded broker and with mosquitto.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, mosquitto_pub};
use crate::soon;
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, LastWill, MqttOptions, PublishOptions, QoS,
};
use serde_json::Value;
use std::net::SocketAddr;

const RULE: &str = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="PLUG"}]}]"#;
const SWITCH: &str = r#"actuator=[{name="PLUG",link="mqtt+tasmota:plug"}]"#;
const SET: &str = "cmnd/plug/POWER";
const RESULT: &str = "stat/plug/RESULT";
const LWT: &str = "tele/plug/LWT";

/// The test is the device.
struct Plug {
    client: AsyncClient,
    events: EventLoop,
    /// What it is; `None`: it was not told yet.
    is: Option<String>,
}

impl Plug {
    /// Connects as Tasmota does: its last will first, its greeting last.
    async fn on(broker: SocketAddr) -> Self {
        let mut options = MqttOptions::new("plug", (broker.ip().to_string(), broker.port()));
        options.set_last_will(LastWill::new(LWT, "Offline", QoS::AtLeastOnce, true));
        // Tasmota keeps its session: what its broker keeps for it reaches it.
        options.set_clean_session(false);
        let (client, events) = AsyncClient::builder(options).capacity(16).build();
        let mut plug = Self { client, events, is: None };
        plug.until(|event| matches!(event, Incoming::ConnAck(_)).then_some(())).await;
        plug.client.try_subscribe(SET, QoS::AtLeastOnce).unwrap();
        plug.until(|event| matches!(event, Incoming::SubAck(_)).then_some(())).await;
        plug.say(LWT, "Online", true);
        plug
    }

    async fn until<T>(&mut self, wanted: impl Fn(&Incoming) -> Option<T>) -> T {
        soon("the broker's word", async {
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

    /// The next command; the question of a new connection is passed over.
    async fn command(&mut self) -> String {
        self.until(|incoming| match incoming {
            Incoming::Publish(publish) if !publish.payload.is_empty() => {
                assert!(!publish.retain, "a command is never kept");
                Some(String::from_utf8(publish.payload.to_vec()).unwrap())
            }
            _ => None,
        })
        .await
    }

    fn say(&self, topic: &str, payload: &str, is_kept: bool) {
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(is_kept);
        self.client.try_publish(topic, payload.to_owned(), options).unwrap();
    }

    /// Does as it is told, and says so; what it was before it is told again until it has greeted, and
    /// whenever nobody hears its answer.
    async fn obey(&mut self) -> String {
        loop {
            let word = self.command().await;
            self.say(RESULT, &format!(r#"{{"POWER":"{word}"}}"#), false);
            if self.is.replace(word.clone()).as_ref() != Some(&word) {
                return word;
            }
        }
    }

    /// Somebody presses its button.
    fn press(&mut self, word: &str) {
        self.is = Some(word.to_owned());
        self.say(RESULT, &format!(r#"{{"POWER":"{word}"}}"#), false);
    }

    /// Lives on until `done`.
    async fn while_waiting<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                found = &mut done => return found,
                event = self.events.poll() => drop(event.unwrap()),
            }
        }
    }
}

fn reported(led: &'static str) -> impl Fn(&Value) -> bool {
    move |actuator| {
        actuator["reported"]["led"] == led
            && actuator["reported"]["number"] == actuator["desired"]["number"]
    }
}

/// What is wanted is wanted because of this reading: the gateway may still be on its way to it when the broker
/// has it.
fn is_for(actuator: &Value, celsius: &str) -> bool {
    actuator["desired"]["cause"].as_str().is_some_and(|cause| cause.contains(celsius))
}

async fn follow_the_rule(mtom: &Mtom, broker: SocketAddr) {
    let hot =
        |celsius: &str| assert!(mosquitto_pub(broker, "Environ/Temperature", celsius.as_bytes()));
    mtom.actuator_when("nobody is there yet", |actuator| actuator["link_state"] != "up").await;
    hot("25.0");
    mtom.actuator_when("the first", |actuator| is_for(actuator, "25")).await;
    let mut plug = Plug::on(broker).await;
    assert_eq!(plug.obey().await, "ON", "told the newest when it came");
    plug.while_waiting(mtom.actuator_when("on", reported("on"))).await;
    hot("24.9");
    assert_eq!(plug.obey().await, "OFF");
    plug.while_waiting(mtom.actuator_when("off", reported("off"))).await;
    plug.press("ON");
    assert_eq!(plug.obey().await, "OFF");
    plug.while_waiting(mtom.actuator_when("off again", reported("off"))).await;
    // It dies without a word; meanwhile it gets hot and cold and hot.
    drop(plug);
    mtom.actuator_when("its last will", |actuator| actuator["link_state"] == "away").await;
    for celsius in ["26", "20", "27"] {
        hot(celsius);
    }
    // All three, not only the first: it is the newest that counts for who comes back.
    mtom.actuator_when("the newest", |actuator| is_for(actuator, "27")).await;
    let mut plug = Plug::on(broker).await;
    assert_eq!(plug.obey().await, "ON", "nothing old came before");
    plug.while_waiting(mtom.actuator_when("on", reported("on"))).await;
}

#[tokio::test]
async fn a_switch_on_the_embedded_broker_follows_the_rule() {
    if program().is_none() {
        return;
    }
    let mtom = Mtom::up(&[SWITCH, RULE, r#"ingest.topics=["Environ/#", "stat/#", "cmnd/#"]"#]);
    follow_the_rule(&mtom, mtom.ready.mqtt).await;
    let audit = mtom.get("/api/v1/audit").await;
    assert_eq!(audit["rejected"], 0, "what is said to a switch is no reading: {audit}");
}

#[tokio::test]
async fn a_switch_on_mosquitto_follows_the_rule_and_a_restart_of_the_broker() {
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let mtom = Mtom::up(&[SWITCH, RULE, &format!("broker.url=mqtt://{}", broker.address)]);
    follow_the_rule(&mtom, broker.address).await;
    broker.stop();
    let lost = mtom.actuator_when("no broker", |actuator| actuator["link_state"] == "away").await;
    assert!(lost["link_reason"].as_str().unwrap().contains("broker"), "{lost}");
    broker.start_again(program);
    let mut plug = Plug::on(broker.address).await;
    assert_eq!(plug.obey().await, "ON");
    plug.while_waiting(mtom.actuator_when("on", reported("on"))).await;
}
