//! Those who ask and then keep their place, or wait for one: nobody does either for ever.

use crate::server::Limits;
use crate::testing::{LIMIT, Server, limits, soon};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const EVER: Duration = Duration::from_secs(3_600);

fn request(server: &Server) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address)
}

/// One that has a place, and keeps it.
async fn placed(server: &Server) -> TcpStream {
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(request(server).as_bytes()).await.unwrap();
    assert!(soon("an answer", tcp.read(&mut [0; 4_096])).await.unwrap() > 0);
    tcp
}

#[tokio::test]
async fn who_has_found_no_place_in_time_is_told_so() {
    let wait = Duration::from_millis(50);
    let server = Server::within(Limits { connections_max: 1, wait, ..limits() }, None).await;
    let first = placed(&server).await;
    // Its connection ends, though it did not ask for that.
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(request(&server).as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", second.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    assert!(answer.contains("1 connections are there already"), "{answer}");
    drop(first);
    // Its place may not be free yet.
    let begun = Instant::now();
    while server.get("/healthz").await.status != 200 {
        assert!(begun.elapsed() < LIMIT, "its place is never free");
    }
    assert!(server.metric("mtom_page_connections_refused_total").await > 0);
    server.stop().await;
}

#[tokio::test]
async fn of_those_who_wait_for_a_place_the_oldest_is_told_to_go_when_there_are_too_many() {
    let limits = Limits { connections_max: 1, visitors_max: 2, wait: EVER, head: EVER, ..limits() };
    let server = Server::within(limits, None).await;
    let mut first = placed(&server).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(request(&server).as_bytes()).await.unwrap();
        waiting.push(tcp);
        // Answered after that request was heard, which came before.
        first.write_all(request(&server).as_bytes()).await.unwrap();
        assert!(soon("an answer", first.read(&mut [0; 4_096])).await.unwrap() > 0);
    }
    let late = waiting.split_off(3);
    for mut tcp in waiting {
        let mut answer = String::new();
        soon("the connection's end", tcp.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
        assert!(answer.contains("too many wait for a place already"), "{answer}");
    }
    drop(first);
    for mut tcp in late {
        assert!(soon("an answer", tcp.read(&mut [0; 4_096])).await.unwrap() > 0);
    }
    assert_eq!(server.metric("mtom_page_requests_crowded_total").await, 3);
    assert_eq!(server.metric("mtom_page_connections_refused_total").await, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_later_head_that_never_ends_is_not_waited_for_and_counted_but_silence_is_no_head() {
    let head = Duration::from_millis(200);
    let server = Server::within(Limits { head, ..limits() }, None).await;
    let mut silent = placed(&server).await;
    let ended = soon("the connection's end", silent.read(&mut [0])).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    assert_eq!(server.metric("mtom_page_requests_late_total").await, 0, "it owed nothing");
    let mut begun = placed(&server).await;
    begun.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let _ = soon("the connection's end", begun.read_to_end(&mut Vec::new())).await;
    assert_eq!(server.metric("mtom_page_requests_late_total").await, 1);
    // Byte by byte it takes no longer.
    let mut slow = placed(&server).await;
    let mut pace = tokio::time::interval(head / 2);
    let mut written = 0;
    while slow.write_all(b"G").await.is_ok() {
        written += 1;
        assert!(written < 20, "it is still open");
        pace.tick().await;
    }
    assert_eq!(server.metric("mtom_page_requests_late_total").await, 2);
    server.stop().await;
}

#[tokio::test]
async fn who_may_not_ask_and_who_asks_for_nothing_are_counted() {
    let server = Server::start().await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "403"),
        ("\x16\x03\x01\x02\x00\r\n\r\n", "400"),
    ] {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an answer", tcp.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(server.metric("mtom_page_requests_forbidden_total").await, 1);
    assert_eq!(server.metric("mtom_page_requests_malformed_total").await, 1);
    assert_eq!(server.metric("mtom_page_connections_refused_total").await, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_never_ends_holds_no_place() {
    let body = Duration::from_millis(50);
    let limits = Limits { connections_max: 1, body, wait: EVER, ..limits() };
    let server = Server::within(limits, None).await;
    for path in ["rules", "actuators/LED/set", "actuators/LED/pair", "clients/allowed"] {
        let head = format!(
            "PUT /api/v1/{path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000\r\n\r\n{{",
            server.address
        );
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an answer", tcp.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
        assert!(answer.contains("the body is not complete after 0.05 s"), "{path}: {answer}");
        // It does not leave by itself.
        assert_eq!(server.get("/healthz").await.status, 200);
    }
    assert_eq!(server.metric("mtom_page_bodies_late_total").await, 4);
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_take_its_answer_holds_no_place() {
    let stall = Duration::from_millis(100);
    let limits = Limits { connections_max: 1, stall, wait: EVER, ..limits() };
    let server = Server::within(limits, None).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut tcp = socket.connect(server.address).await.unwrap();
    // Together far more than the buffers on both sides hold.
    let page = format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    for _ in 0..50 {
        if tcp.write_all(page.as_bytes()).await.is_err() {
            break;
        }
    }
    assert_eq!(server.metric("mtom_page_connections_slow_total").await, 1);
    assert_eq!(server.metric("mtom_page_connections").await, 1, "who asks");
    drop(tcp);
    server.stop().await;
}
