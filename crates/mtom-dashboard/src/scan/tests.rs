use super::{Device, Scan};
use crate::testing::{Server, soon};
use serde_json::json;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

const PATH: &str = "/api/v1/actuators/scan";

fn answering(answer: Result<Vec<Device>, String>) -> Scan {
    Arc::new(move |_, _| Box::pin(std::future::ready(answer.clone())))
}

#[tokio::test]
async fn what_is_in_reach_is_told_with_what_to_write() {
    let led = Device {
        link: "ble:C6:55:44:33:22:11".into(),
        name: Some("TEMP_LED".into()),
        is_classic: false,
        signal_dbm: Some(-40),
        has_service: Some(true),
    };
    let (link, name) = ("spp:00:11:22:33:44:55".into(), None);
    let old = Device { link, name, is_classic: true, signal_dbm: None, has_service: None };
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = Server::with_scan(Arc::new(move |adapter, span| {
        seen.lock().unwrap().push((adapter, span));
        Box::pin(std::future::ready(Ok(vec![led.clone(), old.clone()])))
    }))
    .await;
    let answer = server.get(PATH).await;
    let expected = json!({"devices": [
        {"link": "ble:C6:55:44:33:22:11", "name": "TEMP_LED", "kind": "le", "signal_dbm": -40, "has_service": true},
        {"link": "spp:00:11:22:33:44:55", "name": null, "kind": "classic", "signal_dbm": null, "has_service": null},
    ]});
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_eq!(server.get(&format!("{PATH}?adapter=hci1&seconds=3")).await.status, 200);
    let seconds = Duration::from_secs;
    assert_eq!(*asked.lock().unwrap(), [(None, seconds(12)), (Some("hci1".into()), seconds(3))]);
    server.stop().await;
}

#[tokio::test]
async fn what_keeps_this_computer_from_searching_is_told_with_the_next_step() {
    let trouble = "Bluetooth is blocked: rfkill unblock bluetooth";
    let server = Server::with_scan(answering(Err(trouble.into()))).await;
    let answer = server.get(PATH).await;
    assert_eq!((answer.status, &answer.json()["detail"]), (503, &json!(trouble)));
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_what_is_expected() {
    let server = Server::with_scan(answering(Ok(Vec::new()))).await;
    for (query, expected) in [
        ("?seconds=0", "expected 1 to 60"),
        ("?seconds=61", "expected 1 to 60"),
        ("?seconds=many", "seconds"),
        ("?name=TEMP_LED", "unknown field"),
    ] {
        let answer = server.get(&format!("{PATH}{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains(expected), "{query}: {}", answer.body);
    }
    server.stop().await;
    let server = Server::start().await;
    assert_eq!(server.get(PATH).await.status, 503, "there is nobody who could search");
    server.stop().await;
}

#[tokio::test]
async fn a_second_search_is_refused_and_one_that_nobody_waits_for_ends() {
    let (began, mut begun) = mpsc::channel(2);
    let searching = Arc::new(Semaphore::new(1));
    let permits = Arc::clone(&searching);
    let server = Server::with_scan(Arc::new(move |_, _| {
        let (began, permits) = (began.clone(), Arc::clone(&permits));
        Box::pin(async move {
            let _searching = permits.acquire().await.unwrap();
            began.send(()).await.unwrap();
            pending().await
        })
    }))
    .await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    first.write_all(request.as_bytes()).await.unwrap();
    soon("the search", begun.recv()).await.unwrap();
    let second = server.get(PATH).await;
    assert_eq!(second.status, 429, "{second:?}");
    drop(first);
    drop(soon("the end of the search", searching.acquire()).await.unwrap());
    server.stop().await;
}
