//! What the picture of the path is drawn from.

use super::blind_of;
use crate::testing::{NOW, Server};
use mtom_gateway::view::{Counts, Hop, LogEvent};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use serde_json::{Value, json};

#[tokio::test]
async fn nothing_has_passed_at_the_start() {
    let server = Server::start().await;
    let path = server.get("/api/v1/path").await.json();
    assert_eq!(path["received_per_minute"], 0);
    assert_eq!(path["decided_to_applied_micros"], Value::Null);
    assert_eq!(path["broker_lost"], Value::Null);
    assert_eq!(path["failing_since"], Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn what_passes_and_what_is_broken_is_told() {
    let server = Server::start().await;
    server.view.counts(Counts { received: 10, ..Counts::default() }, NOW);
    server.view.counts(Counts { received: 13, ..Counts::default() }, NOW);
    let (actuator, led) = ("TEMP_LED".to_owned(), Led::On);
    let applied = LogEvent::Applied { actuator, number: 1, led, latency_micros: 2_100 };
    server.view.log(NOW, Hop::Actuator, applied);
    let lost = LogEvent::BrokerLost { url: "mqtt://far:1883".into(), reason: "refused".into() };
    server.view.log(NOW, Hop::Broker, lost);
    let path = server.get("/api/v1/path").await.json();
    assert_eq!(path["received_per_minute"], 3);
    assert_eq!(
        (&path["applied_per_minute"], &path["decided_to_applied_micros"]),
        (&json!(1), &json!(2_100))
    );
    let expected = json!({
        "url": "mqtt://far:1883",
        "since": NOW.rfc3339(),
        "since_micros": NOW.0,
        "reason": "refused",
    });
    assert_eq!(path["broker_lost"], expected);
    server.stop().await;
}

#[tokio::test]
async fn rules_that_could_not_be_used_are_told_until_others_are_taken() {
    let server = Server::start().await;
    let reason = "rules:3:1: there is no actuator \"LAMP\"".to_owned();
    server.view.log(NOW, Hop::Rules, LogEvent::RulesRefused { version: 5, reason });
    let refused = server.get("/api/v1/path").await.json()["rules_refused"].clone();
    assert_eq!((&refused["version"], &refused["since_micros"]), (&json!(5), &json!(NOW.0)));
    assert!(refused["reason"].as_str().unwrap().contains("LAMP"), "{refused}");
    let applied = LogEvent::RulesApplied { version: 7, count: 1, source: "Ada".into() };
    server.view.log(NOW, Hop::Rules, applied);
    assert_eq!(server.get("/api/v1/path").await.json()["rules_refused"], Value::Null);
    server.stop().await;
}

#[test]
fn one_reading_of_another_kind_is_no_trouble_yet() {
    let since = |seconds: i64| UnixMicros(NOW.0 - seconds * 1_000_000);
    let rules = |ages: &[i64]| {
        ages.iter().map(|age| (format!("r{age}").into(), since(*age))).collect::<Vec<_>>()
    };
    assert!(blind_of(rules(&[]), NOW).is_none());
    assert!(blind_of(rules(&[9, 1]), NOW).is_none());
    let found = blind_of(rules(&[60, 10, 9]), NOW).unwrap();
    assert_eq!((&*found.rule, found.since_micros, found.more), ("r60", since(60).0, 1));
}
