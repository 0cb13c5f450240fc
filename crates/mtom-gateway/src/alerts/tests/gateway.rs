//! Alerts of a whole gateway: from a device's message to a subscriber and a web server.

use super::server::{Answer, Server};
use super::soon;
use crate::Clock;
use crate::control::RuleSource;
use crate::gateway::Gateway;
use crate::settings::{HomeAssistant, Keep, Settings, Source};
use jiff::tz::TimeZone;
use mtom_broker::clients::Admission;
use mtom_broker::publisher::{Progress, Publisher};
use mtom_rules::{Consequence, Edge, Qos, RuleSpec};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn rule(url: &str) -> RuleSpec {
    let publish = Consequence::Publish {
        topic: "alarm/heat".into(),
        payload: Some("{{ state }}".into()),
        edge: Edge::Both,
        qos: Qos::AtLeastOnce,
        retain: false,
    };
    let webhook = Consequence::Webhook { url: url.into(), body: None, edge: Edge::On };
    let then = vec![publish, webhook];
    RuleSpec { dwell: Duration::ZERO, then, ..RuleSpec::original("none") }
}

async fn gateway(dir: &Path, spec: RuleSpec) -> Gateway {
    let begin = Instant::now();
    let clock: Clock = Arc::new(move || super::START.saturating_add(begin.elapsed()));
    let specs = vec![spec];
    let read = {
        let specs = specs.clone();
        Arc::new(move |_: &str| Ok(specs.clone()))
    };
    let settings = Settings {
        data_dir: dir.to_owned(),
        source: Source::Embedded {
            listen: ([127, 0, 0, 1], 0).into(),
            admission: Admission::Everyone,
        },
        topics: vec!["Environ/#".into()],
        ports: None,
        actuators: Vec::new(),
        rules: RuleSource { specs, text: "test".into(), read },
        database: None,
        keep: Keep::default(),
        home_assistant: HomeAssistant::default(),
    };
    Gateway::start(settings, clock, TimeZone::UTC).await.unwrap()
}

async fn client(address: &str, id: &str) -> Publisher {
    let (host, port) = address.rsplit_once(':').unwrap();
    let mut client = Publisher::new(id, host, port.parse().unwrap());
    heard(&mut client, Progress::Connected).await;
    client
}

async fn heard(client: &mut Publisher, wanted: Progress) {
    let what = format!("{wanted:?}");
    soon(&what, async { while client.next().await.unwrap() != wanted {} }).await;
}

/// What is heard next on the topic.
async fn next(client: &mut Publisher) -> String {
    soon("a message", async {
        loop {
            if let Progress::Heard { payload } = client.next().await.unwrap() {
                return String::from_utf8(payload.to_vec()).unwrap();
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_episode_is_one_message_and_one_post_also_when_the_server_comes_late() {
    // Nobody listens there yet.
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(dir.path(), rule(&format!("http://me:word@{address}/hook"))).await;
    let (mqtt, view, history) =
        (gateway.addresses().mqtt.clone(), gateway.view(), gateway.history());
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(gateway.run(stop.clone()));
    let mut listener = client(&mqtt, "listener").await;
    listener.listen("alarm/heat").unwrap();
    // A message of its own comes back when the subscription stands.
    loop {
        listener.publish("alarm/heat", "mine", false).unwrap();
        let event = tokio::time::timeout(Duration::from_millis(50), next(&mut listener)).await;
        if event.is_ok() {
            break;
        }
    }
    let mut device = client(&mqtt, "device").await;
    for _ in 0..50 {
        device.publish("Environ/Temperature", "26 °C", true).unwrap();
        heard(&mut device, Progress::Acknowledged).await;
    }
    device.publish("Environ/Temperature", "20 °C", true).unwrap();
    heard(&mut device, Progress::Acknowledged).await;
    let mut messages = Vec::new();
    while messages.last().is_none_or(|last| last != "off") {
        messages.push(next(&mut listener).await);
    }
    messages.retain(|message| message != "mine");
    assert_eq!(messages, ["on", "off"], "one at each end of the episode");

    let mut server = Server::start_on(address, &[Answer::Status("200 OK")]).await;
    let asked = soon("the post", server.asked.recv()).await.unwrap();
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert!(asked.body.contains("\"state\":\"on\""), "{}", asked.body);
    assert_eq!(asked.header("authorization"), Some("Basic bWU6d29yZA=="));
    soon("its note", async {
        while history.alerts(10).unwrap().iter().any(|row| row.delivered_at.is_none()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.cancel();
    soon("the end", tasks.join_next()).await.unwrap().unwrap().unwrap();
    let rows = history.alerts(10).unwrap();
    assert_eq!(rows.len(), 3);
    assert!(server.asked.is_empty(), "it was told once");
    let lines: Vec<_> = view.snapshot().log.iter().map(|entry| entry.event.to_string()).collect();
    assert!(!lines.concat().contains("word@"), "{lines:?}");
}
