//! Who gets what, without sockets: time and datagrams are values.

use super::{Fate, Outgoing, Receivers};
use crate::feed::Feed;
use crate::origin::Origin;
use crate::udp::{LEASE, Secret};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So long a request that it is answered.
const LONG: usize = 64;
const SUBSCRIBERS_MAX: usize = 3;

fn stored(id: u64) -> Arc<StoredReading> {
    let at = UnixMicros(1_795_421_190_250_000);
    let device = if id.is_multiple_of(3) { "attic" } else { "cellar" };
    let reading = Reading {
        topic: format!("{device}/Temperature").into(),
        device: device.into(),
        quantity: "Temperature".into(),
        value: 20.5,
        unit: Unit::Celsius,
        taken_at: None,
        key: None,
    };
    Arc::new(StoredReading { id, at, arrived_at: at, suspect: false, reading })
}

/// Receivers, and the time.
struct House {
    receivers: Receivers,
    feed: Feed,
    now: Instant,
    newest: u64,
}

impl House {
    fn with(targets: &[&str], recent_max: usize) -> Self {
        let origin = Origin::named("test", || UnixMicros(0));
        let (feed, now) = (Feed::with_room(origin, 0, vec![], recent_max), Instant::now());
        let targets: Vec<_> = targets.iter().map(|target| target.parse().unwrap()).collect();
        let secret = Secret::new([7; 32]);
        let receivers = Receivers::new(feed.clone(), secret, &targets, SUBSCRIBERS_MAX, now);
        Self { receivers, feed, now, newest: 0 }
    }

    fn new() -> Self {
        Self::with(&[], 100)
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        if self.receivers.lease_end().is_some_and(|end| end <= self.now) {
            self.receivers.expire(self.now);
        }
    }

    fn store(&mut self, count: u64) {
        let batch: Vec<_> = (self.newest + 1..=self.newest + count).map(stored).collect();
        self.newest += count;
        self.feed.offer(&batch);
        self.receivers.rung();
    }

    /// What that request is answered, as it is.
    fn hear(&mut self, from: &str, datagram: &[u8]) -> Option<Value> {
        let answer = self.receivers.hear(datagram, from.parse().unwrap(), self.now)?;
        Some(serde_json::from_slice(&answer).unwrap())
    }

    /// What that request is answered where it is long enough.
    fn ask(&mut self, from: &str, request: &Value) -> Value {
        self.hear(from, format!("{:LONG$}", request.to_string()).as_bytes()).expect("an answer")
    }

    /// It proves its address and says that.
    fn prove(&mut self, from: &str, mut request: Value) -> Value {
        let mut answer = self.ask(from, &json!({}));
        assert_eq!((&answer["subscribed"], answer.get("sent")), (&json!(0), None));
        request["cookie"] = answer["cookie"].take();
        self.ask(from, &request)
    }

    /// What goes out: to whom, its number, and which reading.
    fn sent(&mut self) -> Vec<(String, u64, u64)> {
        self.sent_where(|_| true)
    }

    /// The same where the system takes only some of it.
    fn sent_where(&mut self, takes: impl Fn(u64) -> bool) -> Vec<(String, u64, u64)> {
        let mut sent = Vec::new();
        while !self.receivers.is_content() {
            self.receivers.serve_next(self.now, |Outgoing { to, bytes, .. }| {
                let said: Value = serde_json::from_slice(bytes).unwrap();
                let [seq, id] = ["seq", "id"].map(|key| said[key].as_u64().unwrap());
                if !takes(id) {
                    return Fate::NoRoom;
                }
                sent.push((to.to_string(), seq, id));
                Fate::Sent
            });
        }
        sent.sort();
        sent
    }
}

const A: &str = "10.0.0.1:1";
const B: &str = "10.0.0.2:1";

fn to(address: &str, datagrams: impl IntoIterator<Item = (u64, u64)>) -> Vec<(String, u64, u64)> {
    datagrams.into_iter().map(|(seq, id)| (address.to_owned(), seq, id)).collect()
}

#[test]
fn who_has_proved_its_address_gets_what_comes_from_then_on() {
    let mut house = House::new();
    house.store(5);
    let answer = house.prove(A, json!({"subscribe": ["attic/#"]}));
    assert_eq!((&answer["subscribed"], &answer["sent"]), (&json!(60), &json!(0)));
    house.store(5);
    assert_eq!(house.sent(), to(A, [(1, 6), (2, 9)]));
    house.prove(B, json!({}));
    house.store(2);
    let sent = [to(A, [(3, 12)]), to(B, [(1, 11), (2, 12)])].concat();
    assert_eq!(house.sent(), sent);
    let stats = house.feed.udp_stats();
    assert_eq!((stats.subscribers, stats.sent, stats.dropped), (2, 5, 0));
}

#[test]
fn a_lease_ends_unless_it_is_renewed() {
    let mut house = House::new();
    let mut answer = house.prove(A, json!({}));
    house.prove(B, json!({}));
    house.wait(LEASE.as_secs() - 1);
    house.store(1);
    assert_eq!(house.sent(), [to(A, [(1, 1)]), to(B, [(1, 1)])].concat());
    // The answer brings the cookie for the next time, so one that goes on asking has to prove nothing again.
    for round in 1..5 {
        answer = house.ask(A, &json!({"cookie": answer["cookie"]}));
        assert_eq!((&answer["subscribed"], &answer["sent"]), (&json!(60), &json!(round)));
        house.wait(59);
        house.store(1);
        assert_eq!(house.sent(), to(A, [(round + 1, round + 1)]));
    }
    house.wait(1);
    house.store(1);
    assert_eq!(house.sent(), []);
    assert_eq!((house.feed.udp_stats().subscribers, house.receivers.lease_end()), (0, None));
    // It comes again: numbers begin anew.
    house.ask(A, &json!({"cookie": answer["cookie"]}));
    house.store(1);
    assert_eq!(house.sent(), to(A, [(1, 7)]));
}

#[test]
fn a_cookie_that_is_too_old_is_answered_with_another() {
    let mut house = House::new();
    let cookie = house.ask(A, &json!({}))["cookie"].take();
    house.wait(119);
    assert_eq!(house.ask(A, &json!({"cookie": cookie}))["subscribed"], 60);
    house.wait(1);
    let answer = house.ask(A, &json!({"cookie": cookie}));
    assert_eq!(answer["subscribed"], 0);
    assert_ne!(answer["cookie"], cookie);
}

#[test]
fn another_wish_takes_the_place_of_the_first_and_numbers_go_on() {
    let mut house = House::new();
    house.prove(A, json!({}));
    house.store(2);
    assert_eq!(house.sent().len(), 2);
    let answer = house.prove(A, json!({"subscribe": ["attic/#"]}));
    assert_eq!(answer["sent"], 2);
    house.store(2);
    assert_eq!(house.sent(), to(A, [(3, 3)]));
}

#[test]
fn who_wants_no_more_gets_no_more() {
    let mut house = House::new();
    house.prove(A, json!({}));
    house.store(2);
    house.sent();
    assert_eq!(house.prove(A, json!({"unsubscribe": true})), json!({"subscribed": 0, "sent": 2}));
    house.store(2);
    assert_eq!(house.sent(), []);
    assert_eq!(house.prove(B, json!({"unsubscribe": true})), json!({"subscribed": 0, "sent": 0}));
}

#[test]
fn a_cookie_of_another_address_is_none() {
    let mut house = House::new();
    let cookie = house.ask(A, &json!({}))["cookie"].take();
    for forger in [B, "10.0.0.1:2"] {
        for request in [json!({"cookie": cookie}), json!({"cookie": cookie, "unsubscribe": true})] {
            assert_eq!(house.ask(forger, &request)["subscribed"], 0);
        }
    }
    house.store(1);
    assert_eq!((house.sent(), house.feed.udp_stats().subscribers), (vec![], 0));
}

#[test]
fn what_is_wrong_is_told_to_proven_addresses_alone() {
    let mut house = House::new();
    let wrong = json!({"after": 17});
    assert!(house.ask(A, &wrong).get("error").is_none());
    assert_eq!(house.prove(A, wrong)["error"], "after: nothing is sent again by UDP");
    let cookie = house.ask(A, &json!({}))["cookie"].take();
    // However short it was.
    let said = house.hear(A, format!(r#"{{"a":1,"cookie":{cookie}}}"#).as_bytes()).unwrap();
    assert!(said["error"].as_str().unwrap().starts_with("unknown field `a`"), "{said}");
    assert_eq!(house.feed.udp_stats().subscribers, 0);
}

#[test]
fn nobody_is_answered_with_more_than_it_said() {
    let mut house = House::new();
    let answer =
        house.receivers.hear(format!("{:LONG$}", "{}").as_bytes(), A.parse().unwrap(), house.now);
    let len = answer.unwrap().len();
    assert!(len <= LONG, "the docs say that {LONG} bytes are enough");
    assert!(house.hear(A, format!("{:len$}", "{}").as_bytes()).is_some());
    let short = len - 1;
    assert!(house.hear(A, format!("{:short$}", "{}").as_bytes()).is_none());
    assert!(house.hear(A, b"hello").is_none());
    assert_eq!(house.feed.udp_stats().unanswered, 2);
}

#[test]
fn two_gateways_do_not_talk_to_each_other() {
    let mut house = House::new();
    house.prove(A, json!({}));
    house.store(1);
    let mut said = Vec::new();
    house.receivers.serve_next(house.now, |outgoing| {
        said.push(outgoing.bytes.to_vec());
        Fate::Sent
    });
    // As if it had asked itself.
    let asked = house.ask(B, &json!({}));
    for answer in [asked.clone(), house.ask(B, &json!({"cookie": asked["cookie"]}))] {
        said.push(format!("{:200}", answer.to_string()).into_bytes());
    }
    house.receivers.farewell(|outgoing| {
        said.push(outgoing.bytes.to_vec());
        Fate::Sent
    });
    assert_eq!(said.len(), 5);
    for datagram in said {
        assert!(house.hear(B, &datagram).is_none(), "{}", String::from_utf8_lossy(&datagram));
    }
}

#[test]
fn one_more_than_there_are_places_is_told_so() {
    let mut house = House::with(&["10.1.0.1:1", "10.1.0.2:1"], 100);
    for number in 0..SUBSCRIBERS_MAX {
        assert_eq!(house.prove(&format!("10.0.0.1:{number}"), json!({}))["subscribed"], 60);
    }
    assert_eq!(house.prove(B, json!({}))["error"], "every place is taken");
    assert_eq!(house.prove("10.0.0.1:0", json!({}))["subscribed"], 60, "it has its place");
    let stats = house.feed.udp_stats();
    assert_eq!((stats.subscribers, stats.refused), (3, 1));
    house.wait(LEASE.as_secs());
    assert_eq!(house.prove(B, json!({}))["subscribed"], 60);
}

fn drives(id: &str, actuators: &[&str]) -> Value {
    json!({"status": true, "controller": {"name": "pc2", "id": id, "actuators": actuators}})
}

/// Who drives what, and whether it is away.
fn owners(house: &House) -> Vec<(String, bool)> {
    let known = house.feed.origin().owners.list(house.now).into_iter();
    known.map(|one| (one.claim.actuators.join(","), one.away_since.is_some())).collect()
}

#[test]
fn a_controller_holds_what_it_says_and_lets_go_of_what_it_no_longer_says() {
    let mut house = House::new();
    let answer = house.prove(A, drives("a", &["LED"]));
    assert_eq!(
        (&answer["subscribed"], &answer["gateway"]["history"]),
        (&json!(60), &json!("test"))
    );
    let refused = house.prove(B, drives("b", &["LED"]));
    assert_eq!(refused["code"], "controller_refused");
    assert_eq!(house.feed.udp_stats().subscribers, 1);
    // Another, and none: nothing is left behind.
    for id in 0..300 {
        let one = format!("LED {id}");
        assert_eq!(house.prove(A, drives(&id.to_string(), &[&one]))["subscribed"], 60);
        house.wait(30);
    }
    assert_eq!(house.prove(A, json!({}))["subscribed"], 60);
    assert!(owners(&house).iter().all(|(_, is_away)| *is_away), "{:?}", owners(&house));
    assert_eq!(house.prove(B, drives("b", &["LED"]))["subscribed"], 60);
    // A minute after it was heard of last it is free, not after two.
    house.wait(60);
    assert_eq!(owners(&house), []);
    assert_eq!(house.prove(A, drives("a", &["LED"]))["subscribed"], 60);
    house.prove(A, json!({"unsubscribe": true}));
    assert_eq!(owners(&house), [("LED".to_owned(), true)]);
}

#[test]
fn a_controller_that_comes_from_another_port_takes_its_own_place() {
    let mut house = House::new();
    house.prove(A, drives("a", &["LED"]));
    assert_eq!(house.prove("10.0.0.1:2", drives("a", &["LED"]))["subscribed"], 60);
    assert_eq!(house.prove(A, drives("a", &["LED"]))["code"], "connected_again");
    assert_eq!(house.feed.udp_stats().subscribers, 1);
    assert_eq!(owners(&house), [("LED".to_owned(), false)]);
}

#[test]
fn nobody_takes_all_places_and_strangers_do_not_take_the_room() {
    let mut house = House::new();
    house.receivers.subscribers_max = 1_000;
    for port in 1..=64 {
        assert_eq!(house.prove(&format!("10.0.0.1:{port}"), json!({}))["subscribed"], 60);
    }
    assert_eq!(house.prove("10.0.0.1:65", json!({}))["error"], "every place is taken");
    assert_eq!(house.prove(B, json!({}))["subscribed"], 60);
    // 66 that had proved nothing were answered in this second.
    let mut answered = 66;
    while house.hear("10.0.0.3:1", &[&b"{}"[..], &[b' '; 98]].concat()).is_some() {
        answered += 1;
    }
    assert_eq!(answered, 100);
    house.wait(1);
    assert!(house.hear("10.0.0.3:1", &[&b"{}"[..], &[b' '; 98]].concat()).is_some());
}

#[test]
fn targets_get_everything_without_a_word_and_for_ever() {
    let mut house = House::with(&[A, "239.1.2.3:9000"], 100);
    house.wait(10_000);
    house.store(1);
    assert_eq!(house.sent(), [to(A, [(1, 1)]), to("239.1.2.3:9000", [(1, 1)])].concat());
    assert_eq!(house.prove(A, json!({}))["error"], "this address gets every reading already");
    assert_eq!(house.prove(A, json!({"unsubscribe": true}))["sent"], 0);
    house.wait(10_000);
    house.store(1);
    assert_eq!(house.sent(), [to(A, [(2, 2)]), to("239.1.2.3:9000", [(2, 2)])].concat());
    assert_eq!(house.feed.udp_stats().subscribers, 0);
}

#[test]
fn what_the_system_does_not_take_is_lost_and_seen_to_be() {
    let mut house = House::new();
    house.prove(A, json!({}));
    house.store(80);
    let sent = house.sent_where(|id| id % 10 != 0);
    let expected = (1..=80).filter(|id| id % 10 != 0).map(|id| (id, id));
    let mut expected = to(A, expected);
    expected.sort();
    assert_eq!(sent, expected);
    assert_eq!(house.prove(A, json!({}))["sent"], 80);
    let stats = house.feed.udp_stats();
    assert_eq!((stats.sent, stats.dropped), (72, 8));
}

#[test]
fn while_there_is_no_room_those_who_may_be_gone_cost_the_others_nothing() {
    let mut house = House::with(&["10.1.0.1:1"], 100);
    house.prove(A, json!({}));
    house.wait(20);
    house.prove(B, json!({}));
    house.wait(10);
    // It was not heard of for half a minute, but there is room.
    house.store(1);
    assert_eq!(house.sent().len(), 3);
    house.store(1);
    assert_eq!(house.sent_where(|_| false), []);
    let mut expected = to("10.1.0.1:1", [(3, 3)]);
    house.store(1);
    expected.splice(0..0, to(B, [(3, 3)]));
    assert_eq!(house.sent(), expected, "not A");
    // It was not gone: now it counts what it lost.
    assert_eq!(house.prove(A, json!({}))["sent"], 3);
    house.store(1);
    assert_eq!(house.sent().len(), 3);
    assert_eq!(house.feed.udp_stats().dropped, 4);
}

#[test]
fn who_is_behind_what_is_in_memory_is_brought_to_the_newest() {
    let mut house = House::with(&[], 10);
    house.prove(A, json!({}));
    house.store(11);
    assert_eq!(house.sent(), []);
    assert_eq!(house.feed.udp_stats().passed_over, 11);
    house.store(2);
    assert_eq!(house.sent(), to(A, [(12, 12), (13, 13)]));
}

#[test]
fn each_has_its_turn() {
    let mut house = House::with(&[], 4_096);
    house.prove(A, json!({}));
    house.prove(B, json!({}));
    house.store(1_000);
    let mut turns = Vec::new();
    while !house.receivers.is_content() {
        let mut receiver = None;
        let count = house.receivers.serve_next(house.now, |outgoing| {
            receiver = Some(outgoing.to);
            Fate::Sent
        });
        turns.extend(receiver.map(|receiver| (receiver, count)));
    }
    assert!(turns.windows(2).all(|two| two[0].0 != two[1].0));
    assert!(turns.iter().all(|(_, count)| *count <= 32));
    assert_eq!(turns.iter().map(|(_, count)| count).sum::<usize>(), 2_000);
}

/// A datagram: bytes, or something like a request.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("[\"#\"]"),
        Just("[\"a#\"]"),
        Just("true"),
        Just("null"),
        Just("17"),
        Just("\"0123456789abcdef0123456789abcdef\""),
        Just("\"\""),
    ];
    let key = prop_oneof![
        Just("subscribe"),
        Just("unsubscribe"),
        Just("cookie"),
        Just("after"),
        Just("seq"),
        Just("error"),
        Just("pad"),
    ];
    let object =
        (proptest::collection::vec((key, value), 0..4), 0..200_usize).prop_map(|(fields, len)| {
            let fields: Vec<_> =
                fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{:len$}", format!("{{{}}}", fields.join(","))).into_bytes()
        });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), object]
}

proptest! {
    #[test]
    fn no_bytes_bring_an_unproven_address_more_than_it_said(
        datagrams in proptest::collection::vec((datagram(), any::<bool>(), 0..100_u64), 1..50),
    ) {
        let mut house = House::new();
        let [mine, other]: [SocketAddr; 2] = [A, B].map(|address| address.parse().unwrap());
        let (mut came, mut went) = (0, 0);
        // The other's cookie is of no use either.
        let of_other = house.ask(B, &json!({}))["cookie"].as_str().unwrap().to_owned();
        for (mut datagram, is_forged, seconds) in datagrams {
            if is_forged {
                datagram = format!(r#"{{"cookie":"{of_other}"}}{:1$}"#, "", datagram.len()).into_bytes();
            }
            let answer = house.receivers.hear(&datagram, mine, house.now).unwrap_or_default();
            prop_assert!(answer.len() <= datagram.len());
            came += datagram.len();
            went += answer.len();
            house.store(3);
            house.receivers.hear(&datagram, other, house.now);
            for (to, _, _) in house.sent() {
                prop_assert!(to != A);
            }
            house.wait(seconds);
        }
        prop_assert!(went <= came);
    }
}
