use super::*;
use crate::testing::{NOW, Server, soon};
use mtom_gateway::control::Place;
use serde_json::{Value, json};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const PATH: &str = "/api/v1/rules/replay";
const TOML: &str = "application/toml";

fn comparison(question: &Question) -> Comparison {
    let band = |switches, shares: &[Option<f64>]| Band {
        switches,
        on: Duration::from_millis(1_500),
        shares: shares.to_vec(),
    };
    Comparison {
        from: question.from,
        until: question.until,
        readings: 3,
        took: Duration::from_millis(12),
        only_old: 0,
        only_new: 1,
        actuators: vec![Account {
            actuator: "LAMP".into(),
            old: band(0, &[None, Some(0.0)]),
            new: band(1, &[Some(1.0), Some(1.0 / 3.0)]),
        }],
        differences: vec![Difference {
            is_new: true,
            at: question.from,
            actuator: "LAMP".into(),
            led: Led::On,
            rule: "heat".into(),
            reading: Some(7),
            cause: "reading 7".into(),
        }],
        not_compared: vec!["FAN".into()],
    }
}

async fn server(replay: Replay) -> Server {
    Server::with_replay(replay).await
}

fn lines(body: &str) -> Vec<Value> {
    // Chunked: the lengths stand on lines of their own.
    body.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(Value::is_object)
        .collect()
}

#[tokio::test]
async fn steps_of_the_way_and_then_what_would_have_been() {
    let asked = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&asked);
    let server = server(Arc::new(move |_, question, go_on| {
        *seen.lock().unwrap() = Some(question.clone());
        assert!(go_on(1, 4) && go_on(1, 4) && go_on(4, 4));
        Ok(comparison(question))
    }))
    .await;
    let answer = server.post(&format!("{PATH}?since=24h"), TOML, "some rules").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("application/x-ndjson"), "{answer:?}");
    let lines = lines(&answer.body);
    assert_eq!(lines[0], json!({"progress": {"done": 1, "of": 4}}));
    assert_eq!(lines[1], json!({"progress": {"done": 4, "of": 4}}));
    let found = &lines[2]["comparison"];
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!((&found["readings"], &found["only_new"]), (&json!(3), &json!(1)));
    assert_eq!(found["actuators"][0]["old"]["shares"], json!([null, 0.0]));
    assert_eq!(found["actuators"][0]["new"]["shares"], json!([1.0, 0.333]));
    assert_eq!(found["actuators"][0]["new"]["on_seconds"], json!(1.5));
    assert_eq!(found["differences"][0]["only"], "new");
    assert_eq!(found["not_compared"], json!(["FAN"]));
    let question = asked.lock().unwrap().take().unwrap();
    assert_eq!(question.text, "some rules");
    assert_eq!(question.from, UnixMicros(NOW.0 - 24 * 3_600_000_000));
    assert_eq!(question.until, NOW);
    server.stop().await;
}

#[tokio::test]
async fn mistakes_are_named_with_their_places() {
    let server = server(Arc::new(|_, _, _| {
        let place = Some(Place { line: 4, column: 7, length: 7 });
        let nowhere = Mistake { place: None, text: "no rule".into() };
        Err(ReplayError::Rules(vec![Mistake { place, text: "unknown".into() }, nowhere]))
    }))
    .await;
    let answer = server.post(PATH, TOML, "").await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let expected = json!([
        {"place": {"line": 4, "column": 7, "length": 7}, "message": "unknown"},
        {"place": null, "message": "no rule"},
    ]);
    assert_eq!(answer.json()["mistakes"], expected);
    server.stop().await;
}

#[tokio::test]
async fn one_is_played_at_a_time_and_ends_when_its_client_goes_away() {
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell_begun, tell_ended) = (Arc::clone(&begun), Arc::clone(&ended));
    let server = server(Arc::new(move |_, _, go_on| {
        tell_begun.notify_one();
        while go_on(0, 1) {
            std::thread::yield_now();
        }
        tell_ended.notify_one();
        Err(ReplayError::Stopped)
    }))
    .await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {}\r\nContent-Type: {TOML}\r\nContent-Length: 0\r\n\r\n",
        server.address
    );
    first.write_all(head.as_bytes()).await.unwrap();
    soon("the beginning", begun.notified()).await;
    soon("the head of the answer", first.read_u8()).await.unwrap();
    let refused = server.post(PATH, TOML, "").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body.contains("wait until it has ended"), "{refused:?}");
    drop(first);
    soon("the end", ended.notified()).await;
    server.stop().await;
}

#[tokio::test]
async fn it_ends_with_the_server() {
    let begun = Arc::new(Notify::new());
    let tell = Arc::clone(&begun);
    let server = server(Arc::new(move |_, _, go_on| {
        tell.notify_one();
        while go_on(0, 1) {
            std::thread::yield_now();
        }
        Err(ReplayError::Stopped)
    }))
    .await;
    let answer = {
        let mut asked = std::pin::pin!(server.post(PATH, TOML, ""));
        tokio::select! {
            answer = &mut asked => panic!("{answer:?}"),
            () = soon("the beginning", begun.notified()) => {}
        }
        server.cancel();
        asked.await
    };
    let said = lines(&answer.body);
    assert!(said.iter().all(|line| line.get("comparison").is_none()), "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_next_step() {
    let server = server(Arc::new(|_, _, _| Err(ReplayError::Failed("no disk".into())))).await;
    for (path, kind, status, said) in [
        (format!("{PATH}?since=soon"), TOML, 400, "`since` is no time"),
        (format!("{PATH}?since=1h&until=2h"), TOML, 400, "not before"),
        (format!("{PATH}?sinse=1h"), TOML, 400, "unknown field"),
        (PATH.to_owned(), "text/plain", 415, "expected application/toml"),
        (format!("{PATH}?since=2026-11-23T00:00:00Z"), TOML, 503, "no disk"),
    ] {
        let answer = server.post(&path, kind, "").await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.body.contains(said), "{path}: {answer:?}");
    }
    server.stop().await;
    let server = Server::start().await;
    assert_eq!(server.post(PATH, TOML, "").await.status, 503);
    server.stop().await;
}
