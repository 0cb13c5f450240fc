//! Settings that come over MQTT, and the introduction to Home Assistant.

use super::*;

#[tokio::test(start_paused = true)]
async fn settings_from_afar_are_applied_kept_once_and_told() {
    let world = World::new(|_| {});
    let told = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            peer.reading("mtom/env1/settings").await.unwrap();
            let set = br#"{"period":"10s","topic":"Cellar/Temperature","format":"json"}"#;
            peer.publish("mtom/env1/set", set).await;
            let told = peer.reading("mtom/env1/settings").await.unwrap();
            // As a retained message comes again with each connection.
            peer.publish("mtom/env1/set", set).await;
            assert_eq!(peer.reading("mtom/env1/settings").await.unwrap(), told);
            let payload = peer.reading("Cellar/Temperature").await.unwrap();
            assert!(payload.starts_with("{\"temperature\":20."), "{payload}");
            peer.reading("Cellar/Temperature").await.unwrap();
            peer.reading("Cellar/Temperature").await.unwrap();
            told
        })
        .await;
    assert_eq!(told, r#"{"period":"10s","topic":"Cellar/Temperature","format":"json"}"#);
    let kept = world.kept.0.borrow();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].period_millis, kept[0].topic.as_str()), (10_000, "Cellar/Temperature"));
    assert_eq!(kept[0].id.as_str(), "env1");
    let times = world.seen.times("measured");
    assert_eq!(times[2] - times[1], 10_000, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_period_does_not_wait_for_the_end_of_the_long_one() {
    let world = World::new(|settings| settings.period_millis = 3_600_000);
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            peer.reading(TOPIC).await.unwrap();
            peer.publish("mtom/env1/set", br#"{"period":"2s"}"#).await;
            assert_eq!(peer.reading(TOPIC).await.unwrap(), "20.1 °C");
        })
        .await;
    assert!(world.seen.times("measured")[1] < 1_000);
}

#[tokio::test(start_paused = true)]
async fn settings_that_cannot_be_used_change_nothing_and_are_answered() {
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            peer.reading("mtom/env1/settings").await.unwrap();
            let bad: [&[u8]; 5] =
                [br#"{"period":"1ms"}"#, br#"{"topic":"a/#"}"#, b"\xff\xfe", b"", &[b'x'; 250]];
            for payload in bad {
                peer.publish("mtom/env1/set", payload).await;
                let told = peer.reading("mtom/env1/settings").await.unwrap();
                assert!(told.contains(r#""period":"2s""#), "{told}");
                assert!(told.contains(r#","refused":""#) && told.ends_with("\"}"), "{told}");
            }
            peer.reading(TOPIC).await.unwrap();
        })
        .await;
    assert!(world.kept.0.borrow().is_empty());
    assert_eq!(world.seen.lines("settings refused").len(), 5);
    assert_eq!(world.seen.times("connected to the broker").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn home_assistant_is_told_on_request_and_again_when_it_starts() {
    let world = World::new(|settings| settings.discovery = true);
    let (first, again) = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let first = peer.reading("homeassistant/device/env1/config").await.unwrap();
            peer.reading(TOPIC).await.unwrap();
            peer.publish("homeassistant/status", b"online").await;
            (first, peer.reading("homeassistant/device/env1/config").await.unwrap())
        })
        .await;
    assert_eq!(first, again);
    expect_test::expect![[r#"{"dev":{"ids":["env1"],"name":"env1","mf":"mtom","sw":"1.0.0"},"o":{"name":"mtom","sw":"1.0.0"},"avty_t":"mtom/env1/status","cmps":{"temperature":{"p":"sensor","unique_id":"env1_temperature","default_entity_id":"sensor.env1_temperature","dev_cla":"temperature","stat_cla":"measurement","unit_of_meas":"°C","stat_t":"Environ/Temperature","val_tpl":"{{ value.split(' ')[0] }}","exp_aft":10}}}"#]]
    .assert_eq(&first);
}

#[tokio::test(start_paused = true)]
async fn everything_fits_its_packet_at_its_longest() {
    let world = World::new(|settings| {
        settings.discovery = true;
        settings.format = Format::Json;
        settings.set("id", &"i".repeat(32)).unwrap();
        settings.set("topic", &"t".repeat(64)).unwrap();
        settings.set("user", &"u".repeat(64)).unwrap();
        settings.set("password", &"p".repeat(64)).unwrap();
    });
    world.away.set(4);
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let topic = "t".repeat(64);
            for _ in 0..8 {
                peer.reading(&topic).await.unwrap();
            }
        })
        .await;
    assert!(world.seen.lines("no broker: a message").is_empty());
    assert_eq!(world.seen.times("connected to the broker").len(), 1);
}
