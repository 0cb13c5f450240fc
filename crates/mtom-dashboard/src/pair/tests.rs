use crate::testing::Server;
use mtom_gateway::pairing::Pairings;
use serde_json::json;

const PATH: &str = "/api/v1/actuators/LAMP/pair";

/// A link over Bluetooth that nobody serves, beside a cable.
async fn server() -> (Server, Pairings) {
    let pairings = Pairings::default();
    drop(pairings.desk("LAMP", &"ble:LAMP".parse().unwrap()));
    drop(pairings.desk("WIRE", &"serial:/dev/ttyS0".parse().unwrap()));
    (Server::with_pairings(pairings.clone()).await, pairings)
}

fn state(word: &str) -> serde_json::Value {
    json!({ "state": word, "number": null, "link": null, "reason": null })
}

#[tokio::test]
async fn it_is_begun_once_told_and_given_up() {
    let (server, _) = server().await;
    assert_eq!(server.get(PATH).await.json(), state("never"));
    let begun = server.send("POST", PATH, "application/json", "{}").await;
    assert_eq!((begun.status, begun.json()), (202, state("begun")));
    let again = server.send("POST", PATH, "application/json", "{}").await;
    assert_eq!(
        (again.status, &again.json()["next"]),
        (409, &json!("answer that one with PUT, or give it up with DELETE"))
    );
    assert_eq!(server.send("DELETE", PATH, "application/json", "").await.status, 204);
    let told = server.get(PATH).await.json();
    assert_eq!((&told["state"], &told["reason"]), (&json!("failed"), &json!("given up")));
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_next_step() {
    let (server, _) = server().await;
    for (method, path, body, status, detail) in [
        ("POST", "/api/v1/actuators/NOBODY/pair", "{}", 404, "expected LAMP, WIRE"),
        ("POST", "/api/v1/actuators/WIRE/pair", "{}", 422, "over Bluetooth LE"),
        ("PUT", PATH, "{\"passkey\": \"12345\"}", 400, "six digits"),
        ("PUT", PATH, "{}", 400, "expected {\"passkey\""),
        ("PUT", PATH, "{\"passkey\": \"123456\"}", 409, "nothing is asked of LAMP"),
        ("PUT", PATH, "{\"same\": true}", 409, "nothing is asked of LAMP"),
    ] {
        let answer = server.send(method, path, "application/json", body).await;
        let told = answer.json();
        assert_eq!(answer.status, status, "{method} {path} {body}: {told}");
        assert!(told["detail"].as_str().unwrap().contains(detail), "{told}");
    }
    // A form of another site is no JSON.
    assert_eq!(server.send("POST", PATH, "text/plain", "{}").await.status, 415);
    server.stop().await;
}
