//! From a publish to the messages of a rule: a subscriber and a web server, across `kill -9`, and by way of
//! a mosquitto that was down.

use crate::mosquitto::{Mosquitto, program};
use crate::mtom::{Mtom, get, mosquitto_pub, output};
use crate::soon;
use mtom_broker::publisher::{Progress, Publisher};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOPIC: &str = "alarm/heat";

async fn client(broker: SocketAddr, id: &str) -> Publisher {
    let mut client = Publisher::new(id, &broker.ip().to_string(), broker.port());
    until(&mut client, Progress::Connected).await;
    client
}

async fn until(client: &mut Publisher, wanted: Progress) {
    let what = format!("{wanted:?}");
    soon(&what, async { while client.next().await.unwrap() != wanted {} }).await;
}

/// Hears what is published on the topic from now on.
async fn listener(broker: SocketAddr) -> Publisher {
    let mut listener = client(broker, "listener").await;
    listener.listen(TOPIC).unwrap();
    // A message of its own comes back when the subscription stands.
    let mine = Progress::Heard { payload: "mine".into() };
    loop {
        listener.publish(TOPIC, "mine", false).unwrap();
        let back = async { while listener.next().await.unwrap() != mine {} };
        if tokio::time::timeout(Duration::from_millis(50), back).await.is_ok() {
            return listener;
        }
    }
}

/// What a rule says on the topic, up to `last`.
async fn heard(listener: &mut Publisher, last: &str) -> Vec<String> {
    let mut messages = Vec::new();
    soon(last, async {
        while messages.last().is_none_or(|message| message != last) {
            if let Progress::Heard { payload } = listener.next().await.unwrap() {
                messages.push(String::from_utf8(payload.to_vec()).unwrap());
            }
        }
    })
    .await;
    messages.retain(|message| message != "mine");
    messages
}

async fn measure(device: &mut Publisher, celsius: &str) {
    device.publish("Environ/Temperature", celsius, true).unwrap();
    until(device, Progress::Acknowledged).await;
}

/// Takes one POST and says that it has it.
async fn post(server: &TcpListener) -> String {
    let (mut socket, _) = soon("a connection", server.accept()).await.unwrap();
    let mut asked = Vec::new();
    while asked.last() != Some(&b'}') {
        let mut bytes = [0; 4_096];
        let len = soon("the request", socket.read(&mut bytes)).await.unwrap();
        assert_ne!(len, 0, "it went away before the end of what it asks");
        asked.extend_from_slice(&bytes[..len]);
    }
    socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    String::from_utf8(asked).unwrap()
}

#[tokio::test]
async fn one_episode_is_told_once_although_the_web_server_was_away_and_the_gateway_killed() {
    // Nobody listens there yet.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rule = format!(
        r#"rule=[{{name="heat",when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="never",then=[
            {{publish="{TOPIC}",payload="{{{{ state }}}}",edge="both",qos=1}},{{webhook="http://me:word@{address}/hook"}}]}}]"#
    )
    .replace("\n            ", "");
    let dir = tempfile::tempdir().unwrap();
    let mut mtom = Mtom::serve("up", dir.path(), &[&rule]);
    let mut listening = listener(mtom.ready.mqtt).await;
    let mut device = client(mtom.ready.mqtt, "device").await;
    for _ in 0..50 {
        measure(&mut device, "26 °C").await;
    }
    assert_eq!(heard(&mut listening, "on").await, ["on"]);
    let alerts = soon("a try", async {
        loop {
            let alerts = mtom.get("/api/v1/alerts").await;
            if alerts["alerts"].as_array().unwrap().iter().any(|row| !row["last_error"].is_null()) {
                return alerts;
            }
        }
    })
    .await;
    assert_eq!(alerts["alerts"].as_array().unwrap().len(), 2, "{alerts}");
    assert!(!alerts.to_string().contains("word"), "{alerts}");

    mtom.kill();
    let server = TcpListener::bind(address).await.unwrap();
    let mut mtom = Mtom::serve("up", dir.path(), &[&rule]);
    let asked = post(&server).await;
    let number = |row: &serde_json::Value| format!("x-mtom-alert: {}\r\n", row["id"]);
    assert!(alerts["alerts"].as_array().unwrap().iter().any(|row| asked.contains(&number(row))));
    assert!(asked.contains("authorization: Basic bWU6d29yZA==\r\n"), "{asked}");
    assert!(asked.contains(r#""state":"on""#), "{asked}");
    let mut listening = listener(mtom.ready.mqtt).await;
    let mut device = client(mtom.ready.mqtt, "device").await;
    for celsius in ["26 °C", "27 °C", "20 °C", "19 °C"] {
        measure(&mut device, celsius).await;
    }
    assert_eq!(heard(&mut listening, "off").await, ["off"], "the episode went on");
    soon("every note", async {
        loop {
            let alerts = mtom.get("/api/v1/alerts").await;
            let rows = alerts["alerts"].as_array().unwrap();
            assert_eq!(rows.len(), 3, "{alerts}");
            if rows.iter().all(|row| !row["delivered_at"].is_null()) {
                return;
            }
        }
    })
    .await;
    let delivered = "mtom_alerts_delivered_total 2\n";
    soon("the account", async {
        while !get(mtom.ready.dashboard, "/metrics").await.1.contains(delivered) {}
    })
    .await;
    assert!(mtom.stop("-TERM").success());
    let again = tokio::time::timeout(Duration::from_millis(1), server.accept()).await;
    assert!(again.is_err(), "it was told once");
}

/// A subscriber whose session the broker keeps while it is away: what it has printed when it ends.
fn mosquitto_sub(broker: SocketAddr, until: &[&str]) -> String {
    let mut command = Command::new("mosquitto_sub");
    let (host, port) = (broker.ip().to_string(), broker.port().to_string());
    command.args(["-h", &host, "-p", &port, "-c", "-i", "listener", "-q", "1", "-t", TOPIC]);
    command.args(until);
    let output = output(command);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until so many alerts were raised, and all delivered or not.
async fn raised(mtom: &Mtom, count: usize, is_delivered: bool) {
    soon("the alert", async {
        loop {
            let alerts = mtom.get("/api/v1/alerts").await;
            let rows = alerts["alerts"].as_array().unwrap();
            let delivered = rows.iter().filter(|row| !row["delivered_at"].is_null()).count();
            if rows.len() == count && (!is_delivered || delivered == count) {
                assert!(is_delivered || delivered < count, "{alerts}");
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_alert_that_was_raised_while_mosquitto_was_down_comes_when_it_is_back() {
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let url = format!("broker.url=mqtt://{}", broker.address);
    // The end of its episode needs nothing but time.
    let rule = format!(
        r#"rule=[{{name="heat",when="Environ/Temperature",on="celsius >= 25.0",dwell="0s",max_age="5s",silent="off",then=[{{publish="{TOPIC}",payload="{{{{ state }}}}",edge="both",qos=1}}]}}]"#
    );
    let dir = tempfile::tempdir().unwrap();
    let mtom = Mtom::serve("up", dir.path(), &[&url, &rule]);
    // `-E` ends when it has subscribed.
    mosquitto_sub(broker.address, &["-E"]);
    soon("a reading", async {
        // Its subscription need not stand yet.
        while mtom.get("/api/v1/audit").await["stored"].as_u64() == Some(0) {
            mosquitto_pub(broker.address, "Environ/Temperature", "26 °C".as_bytes());
        }
    })
    .await;
    assert_eq!(mosquitto_sub(broker.address, &["-C", "1", "-W", "30"]), "on\n");
    raised(&mtom, 1, true).await;
    broker.stop();
    raised(&mtom, 2, false).await;
    broker.start_again(program);
    assert_eq!(mosquitto_sub(broker.address, &["-C", "1", "-W", "30"]), "off\n");
    raised(&mtom, 2, true).await;
}
