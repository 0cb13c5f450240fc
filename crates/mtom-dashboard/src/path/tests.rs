//! What the picture of the path is drawn from.

use crate::testing::{NOW, Server};
use mtom_gateway::view::{Counts, Hop, LogEvent};
use mtom_protocol::link::Led;
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
