//! Who may hold the thermometer, and at what.

use super::Simulator;
use crate::testing::Server;
use serde_json::Value;
use std::sync::{Arc, Mutex};

const PATH: &str = "/api/v1/simulator/temperature";
const JSON: &str = "application/json";

#[tokio::test]
async fn it_is_held_and_let_go() {
    let held = Arc::new(Mutex::new(None));
    let (set, get) = (Arc::clone(&held), Arc::clone(&held));
    let server = Server::with_simulator(Simulator {
        topic: "Environ/Temperature".into(),
        hold: Arc::new(move |celsius| *set.lock().unwrap() = celsius),
        held: Arc::new(move || *get.lock().unwrap()),
    })
    .await;
    let shown = async || server.get("/api/v1/simulator").await.json();
    assert_eq!(shown().await["celsius"], Value::Null);
    assert_eq!(server.put(PATH, JSON, "{\"celsius\": 26.5}").await.status, 204);
    assert_eq!(*held.lock().unwrap(), Some(26.5));
    assert_eq!(shown().await["celsius"], 26.5);
    for (body, status) in [
        ("{\"celsius\": 1e9}", 400),
        ("{\"celsius\": 125.00000000000001}", 400),
        ("{\"celsius\": \"hot\"}", 400),
        ("{\"kelvin\": 1}", 400),
    ] {
        assert_eq!(server.put(PATH, JSON, body).await.status, status, "{body}");
    }
    let form = server.put(PATH, "text/plain", "{\"celsius\": 20}").await;
    assert_eq!(form.status, 415, "what a form of another site can send is not taken");
    assert_eq!(*held.lock().unwrap(), Some(26.5));
    assert_eq!(server.put(PATH, JSON, "{\"celsius\": null}").await.status, 204);
    assert_eq!(*held.lock().unwrap(), None);
    server.stop().await;
}

#[tokio::test]
async fn where_nothing_is_simulated_it_says_how_to() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/v1/simulator").await.json()["topic"], Value::Null);
    let answer = server.put(PATH, JSON, "{\"celsius\": 26.5}").await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.body.contains("simulate.sensors = 1"), "{answer:?}");
    server.stop().await;
}
