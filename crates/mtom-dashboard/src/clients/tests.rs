//! What is told of clients where the broker is not ours, and who may let somebody in.

use crate::testing::Server;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/clients/allowed";

#[tokio::test]
async fn of_another_broker_nothing_is_known_and_nobody_can_be_let_in() {
    let server = Server::start().await;
    let clients = server.get("/api/v1/clients").await.json();
    assert_eq!(clients["admission"], "external");
    assert_eq!((&clients["clients"], &clients["refused"]), (&json!([]), &json!([])));
    assert_eq!(clients["allowed"], Value::Array(Vec::new()));
    for answer in [
        server.put(PATH, "application/json", "{\"name\": \"esp32\"}").await,
        server
            .ask(&format!("DELETE {PATH}?name=esp32 HTTP/1.1\r\nHost: {}\r\n", server.address))
            .await,
    ] {
        // This server has nobody who could change anything.
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_a_page_of_another_site_sends_lets_nobody_in() {
    let server = Server::start().await;
    let form = server.put(PATH, "text/plain", "{\"name\": \"esp32\"}").await;
    assert_eq!(form.status, 415, "{form:?}");
    let foreign = format!(
        "DELETE {PATH}?name=esp32 HTTP/1.1\r\nHost: {}\r\nOrigin: http://evil.example\r\n",
        server.address
    );
    assert_eq!(server.ask(&foreign).await.status, 403);
    server.stop().await;
}
