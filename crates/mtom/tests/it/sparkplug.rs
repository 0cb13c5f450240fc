//! A Sparkplug B node on the real binary's broker and on mosquitto: its births, data and deaths become readings and
//! who is there, a gateway that comes later asks for the births, and a rule switches one of its metrics.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, get, mosquitto_pub};
use crate::soon;
use mtom_protocol::payload::sparkplug::{
    BD_SEQ, BOOLEAN, Kind, Metric, Payload, Place, PropertySet, PropertyValue, REBIRTH, Value,
    property_value,
};
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, LastWill, MqttOptions, PublishOptions, QoS,
};
use serde_json::Value as Json;
use std::net::SocketAddr;

const TOPICS: &str = r#"ingest.topics=["Environ/#", "spBv1.0/#"]"#;
const RULE: &str = r#"rule=[{when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",then=[{actuator="PUMP"}]}]"#;
const SWITCH: &str =
    r#"actuator=[{name="PUMP",link="mqtt+sparkplug:plant/cell/pump/Outputs/LED"}]"#;
const LED: &str = "Outputs/LED";
const LED_ALIAS: u64 = 20;
const LEVEL_ALIAS: u64 = 21;
const INT16: u32 = 2;
const INT64: u32 = 4;
const DOUBLE: u32 = 10;
const STRING: u32 = 12;

/// The test is the node, with the device `pump` behind it.
struct Node {
    client: AsyncClient,
    events: EventLoop,
    seq: u64,
    bd_seq: u64,
    led: bool,
}

fn place(kind: Kind, device: Option<&str>) -> Place<'_> {
    Place { kind, group: "plant", node: "cell", device }
}

fn session(number: u64) -> Metric {
    let (name, datatype, value) = (Some(BD_SEQ.into()), Some(INT64), Some(Value::Long(number)));
    Metric { name, datatype, value, ..Metric::default() }
}

fn metric(name: &str, alias: u64, datatype: u32, value: Value) -> Metric {
    let (name, alias) = (Some(name.into()), Some(alias));
    Metric { name, alias, datatype: Some(datatype), value: Some(value), ..Metric::default() }
}

/// Data have numbers for names.
fn data(alias: u64, value: Value) -> Metric {
    Metric { alias: Some(alias), value: Some(value), ..Metric::default() }
}

impl Node {
    /// Connects as the specification says: its death first, then its births.
    async fn on(broker: SocketAddr, bd_seq: u64) -> Self {
        let mut options = MqttOptions::new("cell", (broker.ip().to_string(), broker.port()));
        let death = Payload { metrics: vec![session(bd_seq)], ..Payload::default() };
        let topic = place(Kind::Death, None).topic();
        options.set_last_will(LastWill::new(topic, death.bytes(), QoS::AtLeastOnce, false));
        let (client, events) = AsyncClient::builder(options).capacity(16).build();
        let mut node = Self { client, events, seq: 0, bd_seq, led: false };
        node.until(|event| matches!(event, Incoming::ConnAck(_)).then_some(())).await;
        node.subscribe(Some("pump")).await;
        node.subscribe(None).await;
        node.births();
        // What comes after this has the births behind it: the broker takes all in their order.
        node.subscribe(None).await;
        node
    }

    async fn subscribe(&mut self, device: Option<&str>) {
        let topic = place(Kind::Command, device).topic();
        self.client.try_subscribe(topic, QoS::AtLeastOnce).unwrap();
        self.until(|event| matches!(event, Incoming::SubAck(_)).then_some(())).await;
    }

    fn births(&mut self) {
        self.seq = 0;
        let text = property_value::Value::Text("degC".into());
        let value = PropertyValue { datatype: Some(STRING), value: Some(text) };
        let properties = PropertySet { keys: vec!["engUnit".into()], values: vec![value] };
        let supply = metric("Supply", 1, DOUBLE, Value::Double(21.5));
        let supply = Metric { properties: Some(properties), ..supply };
        let rebirth = metric(REBIRTH, 0, BOOLEAN, Value::Boolean(false));
        self.say(Kind::Birth, None, vec![session(self.bd_seq), rebirth, supply]);
        let level = metric("Level", LEVEL_ALIAS, INT16, Value::Int(0xfffb));
        let led = metric(LED, LED_ALIAS, BOOLEAN, Value::Boolean(self.led));
        let serial = metric("Serial", 22, STRING, Value::Text("A-1".into()));
        self.say(Kind::Birth, Some("pump"), vec![level, led, serial]);
    }

    fn say(&mut self, kind: Kind, device: Option<&str>, metrics: Vec<Metric>) {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let timestamp = u64::try_from(now).ok();
        let payload = Payload { timestamp, metrics, seq: Some(self.seq) };
        self.seq = (self.seq + 1) % 256;
        let options = PublishOptions::new(QoS::AtMostOnce);
        self.client.try_publish(place(kind, device).topic(), payload.bytes(), options).unwrap();
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

    /// The next command: the name of its metric, by its number where it has one, and what it is to be.
    async fn command(&mut self) -> (String, bool) {
        self.until(|incoming| match incoming {
            Incoming::Publish(publish) => {
                assert!(!publish.retain && publish.qos == QoS::AtMostOnce, "as Sparkplug says");
                let mut said = Payload::read(&publish.payload).unwrap();
                let metric = said.metrics.remove(0);
                assert!(said.seq.is_none() && metric.timestamp.is_some());
                let is_on = metric.truth().unwrap().unwrap();
                let name = metric.called().map(str::to_owned);
                let by_number = (metric.alias == Some(LED_ALIAS)).then(|| LED.to_owned());
                assert!(name.is_some() != by_number.is_some(), "a number stands for the name");
                assert_ne!(name.as_deref(), Some(LED), "its birth has given it a number");
                Some((name.or(by_number).unwrap(), is_on))
            }
            _ => None,
        })
        .await
    }

    /// Does as it is told, says its births when it is asked for them, and says what its LED is.
    async fn obey(&mut self) -> bool {
        soon("another state", self.obey_when_told()).await
    }

    async fn obey_when_told(&mut self) -> bool {
        loop {
            let (name, is_on) = self.command().await;
            if name == REBIRTH {
                self.births();
                continue;
            }
            assert_eq!(name, LED);
            let is_news = self.led != is_on;
            self.led = is_on;
            // By exception: who is told what it is already says nothing.
            if is_news {
                self.say(Kind::Data, Some("pump"), vec![data(LED_ALIAS, Value::Boolean(is_on))]);
                return is_on;
            }
        }
    }

    /// Lives on until `done`, and says its births when it is asked for them.
    async fn while_waiting<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                found = &mut done => return found,
                (name, is_on) = self.command() => {
                    if name == REBIRTH {
                        self.births();
                    } else {
                        self.led = is_on;
                        let led = data(LED_ALIAS, Value::Boolean(is_on));
                        self.say(Kind::Data, Some("pump"), vec![led]);
                    }
                }
            }
        }
    }
}

/// The newest value of each series and whether its device is there, once it is so.
async fn once(mtom: &Mtom, wanted: &[&str]) {
    let mut last = Vec::new();
    let reached = soon("the readings", async {
        loop {
            let devices = mtom.get("/api/v1/devices").await;
            last = devices["devices"].as_array().unwrap().iter().flat_map(lines).collect();
            if last == wanted {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    reached.await;
}

fn lines(device: &Json) -> Vec<String> {
    let there = match device["availability"]["available"].as_bool() {
        None => "unknown",
        Some(true) => "there",
        Some(false) => "gone",
    };
    let readings = device["readings"].as_array().unwrap().iter();
    let line = |reading: &Json| {
        let (name, quantity) = (&device["name"], &reading["quantity"]);
        let (value, unit) = (reading["value"].as_f64().unwrap(), &reading["unit"]);
        format!("{name} {quantity} {value} {unit} {there}").replace('"', "")
    };
    readings.map(line).collect()
}

/// While the node answers, the readings come to be so.
async fn becomes(mtom: &Mtom, node: &mut Node, wanted: &[&str]) {
    node.while_waiting(once(mtom, wanted)).await;
}

async fn live_and_die(mtom: &Mtom, broker: SocketAddr) {
    let mut node = Node::on(broker, 1).await;
    let born = [
        "plant/cell Supply 21.5 °C there",
        "plant/cell/pump Level -5  there",
        "plant/cell/pump Outputs/LED 0  there",
    ];
    // Until the gateway has subscribed nothing reaches it; then data make it ask.
    node.say(Kind::Data, Some("pump"), vec![data(LEVEL_ALIAS, Value::Int(0xfffb))]);
    becomes(mtom, &mut node, &born).await;
    node.say(Kind::Data, Some("pump"), vec![data(LEVEL_ALIAS, Value::Int(7))]);
    let risen = [born[0], "plant/cell/pump Level 7  there", born[2]];
    becomes(mtom, &mut node, &risen).await;
    // It dies without a word, and its device with it.
    drop(node);
    once(mtom, &risen.map(|line| line.replace("there", "gone")).each_ref().map(|l| &**l)).await;
    let mut node = Node::on(broker, 2).await;
    becomes(mtom, &mut node, &born).await;
    node.say(Kind::Death, Some("pump"), Vec::new());
    let alone = [born[0], "plant/cell/pump Level -5  gone", "plant/cell/pump Outputs/LED 0  gone"];
    becomes(mtom, &mut node, &alone).await;
    let audit = mtom.get("/api/v1/audit").await;
    let (_, metrics) = get(mtom.ready.dashboard, "/metrics").await;
    assert!(metrics.contains("\nmtom_sparkplug_nodes 1\n"), "{audit} {metrics}");
}

#[tokio::test]
async fn a_nodes_metrics_are_readings_on_the_embedded_broker() {
    let mtom = Mtom::up(&[TOPICS]);
    live_and_die(&mtom, mtom.ready.mqtt).await;
    let audit = mtom.get("/api/v1/audit").await;
    assert_eq!(audit["rejected"], 0, "{audit}");
}

#[tokio::test]
async fn a_gateway_that_comes_later_asks_a_node_on_mosquitto_for_its_births() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", broker.address);
    let mut node = Node::on(broker.address, 1).await;
    let mut mtom = Mtom::serve("gateway", dir.path(), &[TOPICS, &url]);
    for number in 0..2_u32 {
        // It heard no birth: what it hears first is data, until it has asked.
        let value = format!("plant/cell/pump Level {number}  there");
        let led = "plant/cell/pump Outputs/LED 0  there";
        node.while_waiting(subscribed(&mtom)).await;
        node.say(Kind::Data, Some("pump"), vec![data(LEVEL_ALIAS, Value::Int(0xfffb))]);
        assert_eq!(node.command().await, (REBIRTH.to_owned(), true));
        node.births();
        node.say(Kind::Data, Some("pump"), vec![data(LEVEL_ALIAS, Value::Int(number))]);
        becomes(&mtom, &mut node, &["plant/cell Supply 21.5 °C there", &value, led]).await;
        if number == 0 {
            assert!(mtom.stop("-TERM").success());
            mtom = Mtom::serve("gateway", dir.path(), &[TOPICS, &url]);
        }
    }
}

/// Until the gateway hears what is published at another broker.
async fn subscribed(mtom: &Mtom) {
    soon("its subscriptions", async {
        while !mtom.get("/api/v1/log").await.to_string().contains("connected to the broker") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// What is wanted is wanted because of this reading, which may still be on its way when the broker has it.
fn is_for(actuator: &Json, celsius: &str) -> bool {
    actuator["desired"]["cause"].as_str().is_some_and(|cause| cause.contains(celsius))
}

fn reported(led: &'static str) -> impl Fn(&Json) -> bool {
    move |actuator| {
        actuator["reported"]["led"] == led
            && actuator["reported"]["number"] == actuator["desired"]["number"]
    }
}

async fn follow_the_rule(mtom: &Mtom, broker: SocketAddr) {
    let hot =
        |celsius: &str| assert!(mosquitto_pub(broker, "Environ/Temperature", celsius.as_bytes()));
    mtom.actuator_when("nobody is there yet", |actuator| actuator["link_state"] != "up").await;
    hot("25.0");
    mtom.actuator_when("the first", |actuator| is_for(actuator, "25")).await;
    let mut node = Node::on(broker, 1).await;
    assert!(node.obey().await, "told the newest when it was born");
    node.while_waiting(mtom.actuator_when("on", reported("on"))).await;
    hot("24.9");
    assert!(!node.obey().await);
    node.while_waiting(mtom.actuator_when("off", reported("off"))).await;
    // Somebody switches it by hand.
    node.led = true;
    node.say(Kind::Data, Some("pump"), vec![data(LED_ALIAS, Value::Boolean(true))]);
    assert!(!node.obey().await);
    node.while_waiting(mtom.actuator_when("off again", reported("off"))).await;
    drop(node);
    mtom.actuator_when("its death", |actuator| actuator["link_state"] == "away").await;
    for celsius in ["26", "20", "27"] {
        hot(celsius);
    }
    mtom.actuator_when("the newest", |actuator| is_for(actuator, "27")).await;
    let mut node = Node::on(broker, 2).await;
    assert!(node.obey().await, "nothing old came before");
    node.while_waiting(mtom.actuator_when("on", reported("on"))).await;
}

#[tokio::test]
async fn a_metric_of_a_node_on_the_embedded_broker_follows_the_rule() {
    if program().is_none() {
        return;
    }
    let mtom = Mtom::up(&[TOPICS, SWITCH, RULE]);
    follow_the_rule(&mtom, mtom.ready.mqtt).await;
}

#[tokio::test]
async fn a_metric_of_a_node_on_mosquitto_follows_the_rule_and_a_restart_of_the_broker() {
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let url = format!("broker.url=mqtt://{}", broker.address);
    let mtom = Mtom::up(&[TOPICS, SWITCH, RULE, &url]);
    subscribed(&mtom).await;
    follow_the_rule(&mtom, broker.address).await;
    broker.stop();
    let lost = mtom.actuator_when("no broker", |actuator| actuator["link_state"] == "away").await;
    assert!(lost["link_reason"].as_str().unwrap().contains("broker"), "{lost}");
    broker.start_again(program);
    let mut node = Node::on(broker.address, 3).await;
    assert!(node.obey().await);
    node.while_waiting(mtom.actuator_when("on", reported("on"))).await;
    // The gateway hears it again too: the broker keeps its session.
    assert!(mosquitto_pub(broker.address, "Environ/Temperature", b"20"));
    assert!(!node.obey().await);
    node.while_waiting(mtom.actuator_when("off", reported("off"))).await;
}
