//! What MQTT 5 brings: the words of a device beside its payload, a limit of what is under way, a session that is
//! known to be lost.

use crate::client::{Client, settings};
use crate::mosquitto::{Mosquitto, program};
use crate::{delivery, progress};
use mtom_broker::client::{Change, Settings};
use mtom_broker::publisher::{Progress, Publisher};
use mtom_mqtt::target::{Spoken, Target, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn target(broker: &Mosquitto, version: Version) -> Target {
    Target { version, ..Target::plain("127.0.0.1", broker.address.port()) }
}

#[tokio::test]
async fn what_a_device_says_beside_its_payload_arrives() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let target = target(&broker, Version::Auto);
    let mut client = Client::of(target.clone());
    assert_eq!(
        client.change().await,
        Change::Connected { session_lost: false, spoken: Spoken::V5 }
    );
    let mut device = Publisher::to("device", &target);
    let said = [("mtom-boot", "b1"), ("mtom-seq", "7")];
    device.publish_with("Environ/Temperature", "26.5 °C", true, &said).unwrap();
    progress(&mut device, Progress::Acknowledged).await;
    let arrived = delivery(&mut client.deliveries).await;
    let expected = said.map(|(name, value)| (name.into(), value.into()));
    assert_eq!(arrived.message.properties, expected);
    arrived.safe();
    client.end().await;
}

#[tokio::test]
async fn a_broker_that_knows_3_1_1_only_is_spoken_to_in_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client =
        Client::of(Target { version: Version::Auto, ..Target::plain("127.0.0.1", port) });
    let mut levels = Vec::new();
    while levels.len() < 2 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let level = head[8];
        levels.push(level);
        // It says what 3.1.1 says about a version that it does not know, or greets [MQTT-3.1.2-2].
        let answer = [0x20, 2, 0, u8::from(level != 4)];
        stream.write_all(&answer).await.unwrap();
    }
    assert_eq!(levels, [5, 4]);
    // It has hung up then.
    assert!(matches!(client.change().await, Change::Lost { .. }));
    client.end().await;
}

#[tokio::test]
async fn the_broker_sends_no_more_than_may_be_under_way() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::with(program, "allow_anonymous true\nmax_inflight_messages 0\n");
    let target = target(&broker, Version::V5);
    let mut client = Client::start(Settings { receive_max: 3, ..settings(target.clone()) });
    assert!(matches!(client.change().await, Change::Connected { .. }));
    let mut device = Publisher::to("device", &target);
    for number in 0..10 {
        device.publish("Environ/Temperature", &number.to_string(), true).unwrap();
        progress(&mut device, Progress::Acknowledged).await;
    }
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(delivery(&mut client.deliveries).await);
    }
    // A message that is not held back would be here by now: it was published long before this one.
    device.listen("Environ/Humidity").unwrap();
    progress(&mut device, Progress::Listening).await;
    device.publish("Environ/Humidity", "50", true).unwrap();
    progress(&mut device, Progress::Heard { payload: "50".into() }).await;
    assert!(client.deliveries.try_recv().is_err());
    for number in 3..11 {
        held.remove(0).safe();
        held.push(delivery(&mut client.deliveries).await);
        let expected = if number == 10 { "50".to_owned() } else { number.to_string() };
        assert_eq!(held.last().unwrap().message.payload, expected.as_bytes());
    }
    client.end().await;
}

#[tokio::test]
async fn a_session_that_is_lost_is_said_once_and_subscribed_again() {
    let Some(program) = program() else { return };
    for version in [Version::V3, Version::V5] {
        let broker = Mosquitto::start(program);
        let target = target(&broker, version);
        // As after a restart of the gateway: another process had the session, and this broker never did.
        let mut client = Client::start(Settings { is_known: true, ..settings(target.clone()) });
        let Change::Connected { session_lost: true, .. } = client.change().await else { panic!() };
        let mut device = Publisher::to("device", &target);
        device.publish("Environ/Temperature", "1", true).unwrap();
        progress(&mut device, Progress::Acknowledged).await;
        drop(delivery(&mut client.deliveries).await);
        // The connection is made anew; the session was kept this time.
        assert!(matches!(client.change().await, Change::Lost { .. }));
        let Change::Connected { session_lost: false, .. } = client.change().await else { panic!() };
        delivery(&mut client.deliveries).await.safe();
        client.end().await;
    }
}
