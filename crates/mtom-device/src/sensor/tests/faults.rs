//! What the network and the broker do to a sensor.

use super::*;

/// The `seq` of a JSON payload.
fn seq(payload: &str) -> u32 {
    let (_, rest) = payload.split_once("\"seq\":").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

fn json(settings: &mut Settings) {
    settings.format = Format::Json;
}

#[tokio::test(start_paused = true)]
async fn readings_of_an_absent_broker_wait_and_come_in_order_with_their_own_times() {
    let world = World::new(json);
    world.clock.set(UnixMicros(1_795_421_190_000_000), Instant::from_ticks(0)).unwrap();
    world.away.set(4);
    let payloads = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let mut payloads = Vec::new();
            while payloads.len() < 6 {
                payloads.push(peer.reading(TOPIC).await.unwrap());
            }
            payloads
        })
        .await;
    let seqs: Vec<_> = payloads.iter().map(|payload| seq(payload)).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 5]);
    // Waits of 0.5, 1, 2 and 4 s: connected after 7.5 s, and yet the second is from 2 s.
    assert_eq!(world.seen.times("connected to the broker"), [7_500]);
    assert!(payloads[1].contains("\"2026-11-23T08:06:32.000Z\""), "{}", payloads[1]);
}

#[tokio::test(start_paused = true)]
async fn attempts_go_on_for_ever_at_most_a_minute_apart() {
    let world = World::new(|_| {});
    world.away.set(40);
    world
        .run(async |mut connections| {
            connections.recv().await.unwrap();
        })
        .await;
    let attempts = world.seen.times("connecting");
    let waits: Vec<_> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[..8], [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
    assert!(waits[8..].iter().all(|wait| *wait == 60_000), "{waits:?}");
    assert_eq!(world.seen.lines("no route").len(), 40);
}

#[tokio::test(start_paused = true)]
async fn without_a_network_nothing_is_tried_and_with_one_at_once() {
    let world = World::new(|_| {});
    world.network_at.set(Instant::from_secs(300));
    world
        .run(async |mut connections| {
            connections.recv().await.unwrap();
        })
        .await;
    assert_eq!(world.seen.times("connecting"), [300_000]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_accepts_and_never_answers_is_given_up_each_time_later() {
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            let mut silent = Vec::new();
            for _ in 0..3 {
                silent.push(connections.recv().await.unwrap());
            }
        })
        .await;
    assert_eq!(world.seen.times("connecting"), [0, 10_500, 21_500]);
    assert_eq!(world.seen.lines("no broker")[0], "no broker: the broker does not answer");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_closes_every_time_is_tried_further_and_further_apart() {
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            for _ in 0..5 {
                let mut peer = connections.recv().await.unwrap();
                peer.next().await.unwrap();
                peer.accept().await;
                peer.next().await.unwrap();
            }
        })
        .await;
    assert_eq!(world.seen.times("connecting"), [0, 500, 1_500, 3_500, 7_500]);
    assert_eq!(world.seen.lines("no broker")[0], "no broker: the connection was closed");
}

#[tokio::test(start_paused = true)]
async fn wrong_packets_and_garbage_end_the_connection_and_nothing_else() {
    let answers: [&[u8]; 6] = [
        &[0xd0, 0],
        &[0x40, 2, 0, 1],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0x20, 0xff, 0xff, 0xff, 0xff],
        &[0x20, 2, 0, 0],
        &[0; 64],
    ];
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            for answer in answers {
                let mut peer = connections.recv().await.unwrap();
                peer.next().await.unwrap();
                peer.send(answer).await;
            }
            let mut peer = connections.recv().await.unwrap();
            assert!(peer.reading(TOPIC).await.unwrap().ends_with(" °C"));
        })
        .await;
    let reasons = world.seen.lines("no broker");
    assert_eq!(reasons.len(), answers.len());
    let not_mqtt = reasons.iter().filter(|line| line.contains("does not speak MQTT 5")).count();
    assert!(not_mqtt >= 4, "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_named() {
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            peer.next().await.unwrap();
            // Bad user name or password [MQTT-5.0 3.2.2.2].
            peer.send(&[0x20, 3, 0, 0x86, 0]).await;
            connections.recv().await.unwrap();
        })
        .await;
    assert_eq!(
        world.seen.lines("no broker"),
        ["no broker: the broker refused: BadUsernameOrPassword"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_not_acknowledged_is_sent_again_with_its_own_number() {
    let world = World::new(json);
    let (first, again) = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let first = loop {
                match peer.next().await.unwrap() {
                    Packet::Connect { .. } => peer.accept().await,
                    Packet::Subscribe { id, .. } => peer.suback(id, &[0]).await,
                    Packet::Publish { topic, payload, .. } if topic == TOPIC => break payload,
                    Packet::Publish { id, .. } => peer.puback(id.unwrap(), 0).await,
                    other => panic!("unexpected {other:?}"),
                }
            };
            let mut next = connections.recv().await.unwrap();
            (first, next.reading(TOPIC).await.unwrap())
        })
        .await;
    assert_eq!((seq(&first), seq(&again)), (0, 0));
    assert_eq!(world.seen.lines("no broker"), ["no broker: the broker does not answer"]);
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_the_broker_refuses_is_kept_and_sent_again() {
    let world = World::new(json);
    let again = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            loop {
                match peer.next().await.unwrap() {
                    Packet::Connect { .. } => peer.accept().await,
                    Packet::Subscribe { id, .. } => peer.suback(id, &[0]).await,
                    Packet::Publish { topic, id, .. } if topic == TOPIC => {
                        // Quota exceeded [MQTT-5.0 3.4.2.1].
                        peer.puback(id.unwrap(), 0x97).await;
                        break;
                    }
                    Packet::Publish { id, .. } => peer.puback(id.unwrap(), 0).await,
                    other => panic!("unexpected {other:?}"),
                }
            }
            let mut next = connections.recv().await.unwrap();
            next.reading(TOPIC).await.unwrap()
        })
        .await;
    assert_eq!(seq(&again), 0);
    assert!(world.seen.lines("acknowledged").is_empty());
    assert_eq!(world.seen.lines("no broker"), ["no broker: the broker refused: QuotaExceeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_lets_nobody_listen_still_gets_readings() {
    let world = World::new(|_| {});
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let mut readings = 0;
            while readings < 2 {
                match peer.next().await.unwrap() {
                    Packet::Connect { .. } => peer.accept().await,
                    // Not authorised [MQTT-5.0 3.9.3].
                    Packet::Subscribe { id, .. } => peer.suback(id, &[0x87]).await,
                    Packet::Publish { topic, id, .. } => {
                        readings += u32::from(topic == TOPIC);
                        if let Some(id) = id {
                            peer.puback(id, 0).await;
                        }
                    }
                    other => panic!("unexpected {other:?}"),
                }
            }
        })
        .await;
    assert_eq!(world.seen.lines("the broker refused"), ["the broker refused: NotAuthorized"]);
    assert!(world.seen.lines("no broker").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_full_memory_gives_up_the_oldest_and_counts_it() {
    let world = World::new(|settings| {
        json(settings);
        settings.when_full = WhenFull::DropOldest;
    });
    world.away.set(6);
    let (payloads, state) = world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            let mut payloads = Vec::new();
            loop {
                match peer.published().await.unwrap() {
                    (topic, payload) if topic == TOPIC => payloads.push(payload),
                    (topic, payload) if topic.ends_with("/state") => break (payloads, payload),
                    _ => {}
                }
            }
        })
        .await;
    // 31.5 s without a broker: 16 measurements, of which the thermometer gave 15; 8 fit.
    assert_eq!(world.seen.lines("no room").len(), 7);
    assert_eq!(seq(&payloads[0]), 7);
    assert!(state.contains("\"dropped\":7"), "{state}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_for_the_broker_is_said_and_kept() {
    let world = World::new(json);
    world
        .run(async |mut connections| {
            let mut peer = connections.recv().await.unwrap();
            peer.next().await.unwrap();
            // Maximum packet size 100 [MQTT-5.0 3.2.2.3.6].
            peer.send(&[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 100]).await;
            while let Some(packet) = peer.next().await {
                match packet {
                    Packet::Publish { id: Some(id), .. } => peer.puback(id, 0).await,
                    Packet::Subscribe { id, .. } => peer.suback(id, &[0]).await,
                    _ => {}
                }
            }
            let mut next = connections.recv().await.unwrap();
            assert_eq!(seq(&next.reading(TOPIC).await.unwrap()), 0);
        })
        .await;
    assert_eq!(world.seen.lines("no broker"), ["no broker: a message is too large for the broker"]);
}

#[tokio::test(start_paused = true)]
async fn little_memory_makes_the_window_smaller_and_loses_nothing() {
    for tx_len in (400..=700).step_by(20) {
        let world = World::new(json);
        world.tx_len.set(tx_len);
        world.away.set(4);
        let seqs = world
            .run(async |mut connections| {
                let mut peer = connections.recv().await.unwrap();
                let mut seqs = Vec::new();
                while seqs.len() < 6 {
                    seqs.push(seq(&peer.reading(TOPIC).await.unwrap()));
                }
                seqs
            })
            .await;
        assert_eq!(seqs, [0, 1, 2, 3, 4, 5], "{tx_len}");
        assert_eq!(world.seen.times("connected to the broker").len(), 1, "{tx_len}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_moves_no_reading_that_was_taken() {
    let world = World::new(json);
    world.away.set(2);
    let payloads = world
        .run(async |mut connections| {
            world.clock.set(UnixMicros(1_795_421_190_000_000), Instant::from_ticks(0)).unwrap();
            Timer::after(Duration::from_secs(1)).await;
            let hour = 3_600_000_000;
            let jumped = UnixMicros(1_795_421_191_000_000 + hour);
            assert_eq!(world.clock.set(jumped, Instant::now()), Ok(hour));
            let mut peer = connections.recv().await.unwrap();
            [peer.reading(TOPIC).await.unwrap(), peer.reading(TOPIC).await.unwrap()]
        })
        .await;
    assert!(payloads[0].contains("T08:06:30.000Z") || payloads[0].contains("null"), "{payloads:?}");
    assert!(payloads[1].contains("T09:06:32.000Z"), "{payloads:?}");
}

#[test]
fn a_record_keeps_its_time_and_a_foreign_uptime_has_none() {
    let clock = WallClock::new();
    let record = |taken| Record { boot: 1, seq: 0, celsius: DeciCelsius(1), taken };
    clock.set(UnixMicros(1_795_421_190_000_000), Instant::from_ticks(0)).unwrap();
    assert_eq!(clock.time_of(&record(Taken::At(UnixMicros(7))), 2), Some(UnixMicros(7)));
    assert_eq!(clock.time_of(&record(Taken::Uptime(7)), 2), None);
}
