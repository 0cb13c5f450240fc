//! Every address over real sockets, and how the server ends.

use crate::testing::{Server, celsius, limits, soon};
use mtom_gateway::view::{ActuatorView, Counts, LinkState, RuleView, Told, Trust};
use mtom_protocol::link::Led;
use mtom_protocol::unit::Unit;
use mtom_store::record::{
    AlertOutcome, AlertRecord, AlertTarget, CommandOutcome, CommandRecord, Reject,
};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NOW: mtom_protocol::time::UnixMicros = crate::testing::NOW;

#[tokio::test]
async fn a_whole_gateway_is_healthy_and_ready() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.body, "ok\n");
    assert_eq!(server.get("/readyz").await.body, "ready\n");
    server.stop().await;
}

#[tokio::test]
async fn the_status_says_where_everything_is() {
    let server = Server::within(limits(), Some("open".into())).await;
    let status = server.get("/api/v1/status").await.json();
    assert_eq!(status["version"], "1.2.3");
    assert_eq!(status["now_micros"], NOW.0);
    assert_eq!(status["now"], "2026-11-23T08:06:30.123456Z");
    assert_eq!(status["zone"], json!({"name": null, "offset_seconds": 28_800}));
    assert_eq!(status["listens"]["mqtt"], "127.0.0.1:1883");
    assert_eq!((&status["insecure"], &status["simulated"]), (&json!("open"), &json!(true)));
    server.stop().await;
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let mut server = Server::start().await;
    server.store(&[20.0, 21.0, 22.0, 23.0, 24.0]);
    for (order, expected) in
        [("asc", [20.0, 21.0, 22.0, 23.0, 24.0]), ("desc", [24.0, 23.0, 22.0, 21.0, 20.0])]
    {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/readings?order={order}&limit=2{after}");
            let page = server.get(&path).await.json();
            let readings = page["readings"].as_array().unwrap();
            seen.extend(readings.iter().map(|reading| reading["celsius"].as_f64().unwrap()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{order}");
    }
    server.stop().await;
}

#[tokio::test]
async fn readings_are_found_by_device_and_quantity() {
    let mut server = Server::start().await;
    server.store(&[20.0]);
    let mut batch = server.journal.begin().unwrap();
    let mut other = celsius(77.0);
    (other.device, other.unit) = ("\u{53a8}\u{623f} & hall".into(), Unit::Fahrenheit);
    batch.reading(&other, NOW).unwrap();
    batch.commit().unwrap();
    let path = "/api/v1/readings?device=%E5%8E%A8%E6%88%BF+%26+hall&quantity=Temperature";
    let found = server.get(path).await.json();
    assert_eq!(found["readings"].as_array().unwrap().len(), 1);
    let reading = &found["readings"][0];
    assert_eq!((&reading["celsius"], &reading["fahrenheit"]), (&json!(25.0), &json!(77.0)));
    let none = server.get("/api/v1/readings?device=nobody").await.json();
    assert_eq!(none, json!({"readings": [], "next": null}));
    server.stop().await;
}

#[tokio::test]
async fn the_newest_of_everything_is_told() {
    let mut server = Server::start().await;
    server.store(&[20.0, 26.5]);
    server.view.actuator(ActuatorView {
        name: "LED".into(),
        link: "tcp:127.0.0.1:7000".into(),
        link_state: LinkState::Broken,
        link_reason: "connection reset".into(),
        link_since: NOW,
        link_down_since: Some(NOW),
        simulated: false,
        desired: None,
        reported: Some(Told { led: Led::On, number: 7, at: NOW }),
        sent: None,
        firmware: None,
        trust: Some(Trust::WrongKey),
        latency_micros: Some(2_100),
    });
    server.view.rules(vec![RuleView {
        name: "hot".into(),
        when: "Environ/#".into(),
        on: "celsius >= 25.0".into(),
        off: None,
        actuators: vec!["LED".into()],
    }]);
    server.view.counts(Counts { received: 3, stored: 2, rejected: 1, ..Counts::default() }, NOW);
    let latest = server.get("/api/v1/latest").await.json();
    assert_eq!(latest["readings"].as_array().unwrap().len(), 1);
    assert_eq!(latest["readings"][0]["value"], 26.5);
    let actuator = &server.get("/api/v1/actuators").await.json()["actuators"][0];
    let snapshot = server.get("/api/v1/snapshot").await;
    assert_eq!(snapshot.header("cache-control"), Some("no-store"));
    let mut watcher = server.watch().await;
    assert_eq!(snapshot.json(), watcher.frame().await);
    assert_eq!(snapshot.json()["readings"], latest["readings"]);
    assert_eq!(actuator["link_state"], "broken");
    assert_eq!(actuator["link_down_since_micros"], NOW.0);
    assert_eq!((&actuator["reported"]["led"], &actuator["sent"]), (&json!("on"), &json!(null)));
    let alone = server.get("/api/v1/actuators/LED/status").await;
    assert_eq!((alone.status, &alone.json()), (200, actuator));
    let nobody = server.get("/api/v1/actuators/LAMP/status").await;
    let detail = "there is no actuator \"LAMP\": expected LED";
    assert_eq!((nobody.status, &nobody.json()["detail"]), (404, &json!(detail)));
    let rules = server.get("/api/v1/rules").await.json();
    assert_eq!(rules["rules"][0]["on"], "celsius >= 25.0");
    let audit = server.get("/api/v1/audit").await.json();
    let expected = json!({"received": 3, "stored": 2, "duplicate": 0, "rejected": 1, "in_flight": 0, "ignored": 0});
    assert_eq!(audit, expected);
    server.stop().await;
}

#[tokio::test]
async fn rejects_and_commands_come_newest_first() {
    let mut server = Server::start().await;
    let mut batch = server.journal.begin().unwrap();
    for payload in [&b"\xff\xfe"[..], b"23,4", b"<script>"] {
        let (code, reason) = ("not_a_number", "not a number");
        batch
            .reject(&Reject { topic: "Environ/T", payload, code, reason, arrived_at: NOW })
            .unwrap();
    }
    let command = CommandRecord {
        number: 1,
        actuator: "LED".into(),
        on: true,
        rule: "hot".into(),
        rule_version: None,
        reading: Some(9),
        cause: "26.5 °C".into(),
        condition: None,
        decided_at: NOW,
    };
    batch.command(&CommandRecord { number: 2, on: false, ..command.clone() }).unwrap();
    batch.command(&command).unwrap();
    batch.command_outcome(1, CommandOutcome::Applied, NOW).unwrap();
    batch.commit().unwrap();
    let first = server.get("/api/v1/rejects?limit=2").await.json();
    assert_eq!(first["rejects"][0]["payload_head"], "<script>");
    let next = first["next"].as_u64().unwrap();
    let last = server.get(&format!("/api/v1/rejects?limit=2&after={next}")).await.json();
    assert_eq!(last["rejects"][0]["payload_head"], "\u{fffd}\u{fffd}");
    assert_eq!((last["rejects"].as_array().unwrap().len(), &last["next"]), (1, &json!(null)));
    let newest = server.get("/api/v1/commands?limit=1").await.json();
    assert_eq!((&newest["commands"][0]["number"], &newest["next"]), (&json!(2), &json!(2)));
    let ledger = server.get("/api/v1/commands?limit=1&before=2").await.json();
    assert_eq!(ledger["next"], json!(null));
    let command = &ledger["commands"][0];
    assert_eq!((&command["led"], &command["reading"]), (&json!("on"), &json!(9)));
    assert_eq!(command["applied_at_micros"], NOW.0);
    for (stretch, count) in [("from", 2), ("until", 0)] {
        let found = server.get(&format!("/api/v1/commands?{stretch}={}", NOW.0)).await.json();
        assert_eq!(found["commands"].as_array().unwrap().len(), count, "{stretch}");
    }
    server.stop().await;
}

#[tokio::test]
async fn alerts_come_newest_first_without_what_is_secret_of_their_targets() {
    let mut server = Server::start().await;
    let mut batch = server.journal.begin().unwrap();
    let topic = AlertTarget::Topic { topic: "alarm/heat".into(), qos: 1, retain: false };
    let url = AlertTarget::Url("https://me:word@example.org:8443/services/T0/key?a=b".into());
    for target in [topic, url] {
        batch
            .alert(&AlertRecord {
                rule: "heat".into(),
                rule_version: "00000000000000ff".into(),
                target,
                body: "{\"state\":\"on\"}".into(),
                begins: true,
                reading: Some(9),
                cause: "reading 9".into(),
                raised_at: NOW,
            })
            .unwrap();
    }
    let (error, next_try_at) = ("answered 503".to_owned(), NOW);
    batch.alert_outcome(2, &AlertOutcome::Failed { error, next_try_at }, NOW).unwrap();
    batch.alert_outcome(1, &AlertOutcome::Delivered, NOW).unwrap();
    batch.commit().unwrap();
    let all = server.get("/api/v1/alerts").await.json();
    let [failed, delivered] = &all["alerts"].as_array().unwrap()[..] else { panic!("{all}") };
    assert_eq!(
        (&failed["target"], &failed["tries"]),
        (&json!("https://example.org:8443/…"), &json!(1))
    );
    assert_eq!(
        (&failed["next_try_at_micros"], &failed["last_error"]),
        (&json!(NOW.0), &json!("answered 503"))
    );
    assert_eq!(
        (&delivered["target"], &delivered["kind"]),
        (&json!("alarm/heat"), &json!("publish"))
    );
    assert_eq!(delivered["delivered_at_micros"], NOW.0);
    assert_eq!((&delivered["led"], &delivered["body_len"]), (&json!("on"), &json!(14)));
    let newest = server.get("/api/v1/alerts?limit=1").await.json();
    assert_eq!(newest["alerts"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn every_wrong_question_gets_one_clear_answer() {
    let server = Server::start().await;
    for (path, status, word) in [
        ("/api/v1/readings?limit=0", 400, "1 to 1000"),
        ("/api/v1/readings?limit=1001", 400, "1 to 1000"),
        ("/api/v1/readings?limit=-1", 400, "limit"),
        ("/api/v1/readings?order=up", 400, "asc"),
        ("/api/v1/readings?after=5", 400, "cursor"),
        ("/api/v1/readings?after='%20OR%201", 400, "cursor"),
        ("/api/v1/readings?limit=5&limit=6", 400, "limit"),
        ("/api/v1/readings?nothing=1", 400, "nothing"),
        ("/api/v1/rejects?after=x", 400, "after"),
        ("/api/v1/rejects?after=9223372036854775808", 400, "`after` is out of range"),
        ("/api/v1/commands?before=9223372036854775808", 400, "`before` is out of range"),
        ("/api/v1/alerts?limit=0", 400, "1 to 1000"),
        ("/api/v1/commands?limit=99999999999999999999", 400, "limit"),
        ("/api/v1/nothing", 404, "/api/v1/nothing"),
        ("/a/0000000000000000/app.js", 404, "no such file"),
        ("/a/x/../../Cargo.toml", 404, "no such file"),
        ("/live", 426, "Upgrade"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.head.contains("content-type: application/problem+json"), "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        let detail = problem["detail"].as_str().unwrap().to_lowercase();
        assert!(detail.contains(&word.to_lowercase()), "{path}: {detail}");
        assert!(!problem["next"].as_str().unwrap().is_empty());
    }
    let post = format!("POST /api/v1/status HTTP/1.1\r\nHost: {}\r\n", server.address);
    assert_eq!(server.ask(&post).await.status, 405);
    server.stop().await;
}

#[tokio::test]
async fn a_history_that_is_gone_is_said_and_disturbs_nothing_else() {
    let mut server = Server::start().await;
    server.store(&[20.0]);
    // Gone before anybody has read: a reader that has it open goes on with what it holds.
    std::fs::remove_file(server.folder.path().join("mtom.db")).unwrap();
    for path in ["/readyz", "/api/v1/readings", "/api/v1/rejects", "/api/v1/commands"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
        assert!(!answer.body.contains("mtom.db"), "no path leaves the computer");
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/api/v1/latest").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn foreign_pages_and_names_are_refused_everywhere() {
    let server = Server::start().await;
    let own = format!("Host: {}\r\n", server.address);
    for path in ["/", "/api/v1/status", "/api/v1/readings", "/live", "/healthz", "/nothing"] {
        for headers in [
            format!("{own}Origin: https://evil.example\r\n"),
            format!("{own}Origin: null\r\n"),
            format!("{own}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"),
            "Host: evil.example\r\n".to_owned(),
        ] {
            let answer = server.ask(&format!("GET {path} HTTP/1.1\r\n{headers}")).await;
            assert_eq!(answer.status, 403, "{path} {headers}");
            assert!(!answer.json()["next"].as_str().unwrap().is_empty());
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn every_answer_keeps_the_page_its_own() {
    let server = Server::start().await;
    for path in ["/", "/api/v1/status", "/nothing"] {
        let head = server.get(path).await.head;
        for wanted in [
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "default-src 'none'; script-src 'self'; style-src 'self';",
            "frame-ancestors 'none'",
            &format!("ws://{}", server.address),
        ] {
            assert!(head.contains(wanted), "{path} lacks {wanted}: {head}");
        }
        assert!(!head.contains("unsafe-"));
    }
    assert!(server.get("/api/v1/status").await.head.contains("cache-control: no-store"));
    server.stop().await;
}

#[tokio::test]
async fn the_page_and_its_files_are_served() {
    let server = Server::start().await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    let (_, rest) = page.body.split_once("src=\"/a/").unwrap();
    let (script, _) = rest.split_once('"').unwrap();
    let script = server.get(&format!("/a/{script}")).await;
    assert_eq!(script.status, 200);
    assert!(script.head.contains("content-type: text/javascript"), "{}", script.head);
    server.stop().await;
}

#[tokio::test]
async fn heads_that_are_broken_or_endless_end_their_connection_only() {
    let server = Server::start().await;
    let endless = format!("GET / HTTP/1.1\r\nx: {}\r\n", "a".repeat(64 * 1024));
    for bytes in [&b"\x16\x03\x01 this is TLS"[..], b"\0\0\0\0\r\n\r\n", endless.as_bytes()] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let _ = socket.write_all(bytes).await;
        let mut answer = Vec::new();
        // Closed with an answer or without; a reset is a close too.
        let _ = soon("the connection's end", socket.read_to_end(&mut answer)).await;
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let limits = super::Limits { head: Duration::from_millis(50), ..limits() };
    let server = Server::within(limits, None).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut answer = Vec::new();
    let _ = soon("the connection's end", socket.read_to_end(&mut answer)).await;
    assert_eq!(server.metric("mtom_page_requests_late_total").await, 1);
    server.stop().await;
}

/// A byte comes again and again, the end of the head never.
#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for_longer() {
    let head = Duration::from_millis(300);
    let server = Server::within(super::Limits { head, ..limits() }, None).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let mut pace = tokio::time::interval(head / 2);
    let mut written = 0;
    while socket.write_all(b"G").await.is_ok() {
        written += 1;
        assert!(written < 20, "it is still open");
        pace.tick().await;
    }
    assert_eq!(server.metric("mtom_page_requests_late_total").await, 1);
    server.stop().await;
}

/// More than there are places of any kind never finish their request; who asks at once is answered at once.
#[tokio::test]
async fn those_who_never_finish_their_request_hold_nobody_up() {
    let head = Duration::from_secs(3_600);
    let limits = super::Limits { connections_max: 2, visitors_max: 8, head, ..limits() };
    let server = Server::within(limits, None).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(b"G").await.unwrap();
        slow.push(socket);
        if slow.len() % 10 == 0 {
            assert_eq!(server.get("/healthz").await.status, 200);
        }
    }
    // The oldest are closed, and no more than that.
    let (late, early) = (slow.split_off(92), slow);
    for mut socket in early {
        let ended = soon("the connection's end", socket.read(&mut [0])).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    let rest =
        format!("ET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address);
    for mut socket in late.into_iter().skip(1) {
        socket.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an answer", socket.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_end_waits_for_nobody_who_does_not_end() {
    let server = Server::start().await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop().await;
    drop((idle, half));
}

#[tokio::test]
async fn one_connection_more_than_there_are_places_waits_for_one() {
    let wait = Duration::from_secs(3_600);
    let limits = super::Limits { connections_max: 1, wait, ..limits() };
    let server = Server::within(limits, None).await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let mut buffer = [0; 4_096];
    first.write_all(request.as_bytes()).await.unwrap();
    assert!(soon("an answer", first.read(&mut buffer)).await.unwrap() > 0);
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(request.as_bytes()).await.unwrap();
    // The first is asked again after the second has asked, and answered before it.
    first.write_all(request.as_bytes()).await.unwrap();
    assert!(soon("an answer", first.read(&mut buffer)).await.unwrap() > 0);
    assert!(second.try_read(&mut buffer).is_err(), "it has no place yet");
    drop(first);
    assert!(soon("an answer", second.read(&mut buffer)).await.unwrap() > 0);
    drop(second);
    server.stop().await;
}

mod places;
