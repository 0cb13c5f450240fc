//! Who may open a connection, and what the others hear.

use crate::support::{Port, hub, until};
use crate::viewer::{LIMIT, Viewer};
use expect_test::{Expect, expect};
use mtom_forward::server::Limits;
use mtom_forward::tally::PortStats;
use std::io::ErrorKind::WouldBlock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

#[tokio::test]
async fn the_own_page_file_pages_and_programs_may() {
    let port = Port::live(&hub()).await;
    for headers in [
        &[][..],
        &[("Origin", "null")],
        &[("Origin", "http://127.0.0.1:8080")],
        &[("Origin", "http://localhost:8080"), ("Host", "localhost:8765")],
        &[("Host", "[::1]")],
    ] {
        Viewer::connect_with(port.address, "/", headers).await.unwrap().expect_nothing_more().await;
    }
}

async fn check_refused(headers: &[(&'static str, &str)], expected: Expect) {
    let hub = hub();
    let port = Port::live(&hub).await;
    let (status, sentence) = Viewer::connect_with(port.address, "/", headers).await.err().unwrap();
    expected.assert_eq(&format!("{status} {sentence}"));
    until("it is counted", || hub.stats().port.refused == 1).await;
    assert_eq!(hub.stats().port.open, 0);
    Viewer::connect(port.address).await.expect_nothing_more().await;
}

#[tokio::test]
async fn a_foreign_page_is_refused_with_a_sentence() {
    check_refused(
        &[("Origin", "http://evil.example")],
        expect![[r#"
            403 this Origin may not connect: open the page from the gateway itself or from a file
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_foreign_name_is_refused_with_a_sentence() {
    check_refused(
        &[("Host", "evil.example:8765"), ("Origin", "http://evil.example:8765")],
        expect![[r#"
            403 this Host is not served: use localhost or the address that the gateway listens on
        "#]],
    )
    .await;
}

/// What a request without a WebSocket hears, up to the end of the connection.
async fn check_answer(request: &[u8], expected: Expect) {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut tcp = TcpStream::connect(port.address).await.unwrap();
    tcp.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    timeout(LIMIT, tcp.read_to_end(&mut answer)).await.expect("closed").unwrap();
    expected.assert_eq(&String::from_utf8(answer).unwrap().replace('\r', ""));
    until("it is counted", || hub.stats().port.malformed == 1).await;
    assert_eq!(hub.stats().port.refused, 0);
}

#[tokio::test]
async fn a_person_who_types_the_port_into_a_browser_reads_why() {
    check_answer(
        b"GET / HTTP/1.1\r\nHost: localhost:8765\r\nAccept: text/html\r\n\r\n",
        expect![[r#"
            HTTP/1.1 426 Upgrade Required
            Upgrade: websocket
            Sec-WebSocket-Version: 13
            Content-Type: text/plain; charset=utf-8
            X-Content-Type-Options: nosniff
            Content-Length: 81
            Connection: close

            this port speaks WebSocket: connect with ws://, and see the dashboard for a page
        "#]],
    )
    .await;
}

const NOT_HTTP: &str = "HTTP/1.1 400 Bad Request
Content-Type: text/plain; charset=utf-8
X-Content-Type-Options: nosniff
Content-Length: 70
Connection: close

expected an HTTP/1.1 request, GET, with at most 8192 bytes of headers
";

#[tokio::test]
async fn what_is_no_request_hears_what_is_expected() {
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000));
    for request in [
        &b"hello\n\n"[..],
        b"\0\0\0\0\n\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        long.as_bytes(),
    ] {
        let port = Port::live(&hub()).await;
        let mut tcp = TcpStream::connect(port.address).await.unwrap();
        tcp.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        timeout(LIMIT, tcp.read_to_end(&mut answer)).await.expect("closed").unwrap();
        let answer = String::from_utf8(answer).unwrap().replace('\r', "");
        let name = String::from_utf8_lossy(&request[..request.len().min(20)]).into_owned();
        assert_eq!(answer, NOT_HTTP, "{name:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_key_or_a_host_hears_so() {
    check_answer(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
        expect![[r#"
            HTTP/1.1 400 Bad Request
            Content-Type: text/plain; charset=utf-8
            X-Content-Type-Options: nosniff
            Content-Length: 36
            Connection: close

            expected a Sec-WebSocket-Key header
        "#]],
    )
    .await;
    check_answer(
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
        expect![[r#"
            HTTP/1.1 400 Bad Request
            Content-Type: text/plain; charset=utf-8
            X-Content-Type-Options: nosniff
            Content-Length: 70
            Connection: close

            expected one Host header and at most one Origin header, both readable
        "#]],
    )
    .await;
}

#[tokio::test]
async fn one_that_never_asks_is_closed_and_gives_its_place_back() {
    let limits =
        Limits { viewers_max: 1, handshake: Duration::from_millis(50), ..Limits::default() };
    let hub = hub();
    let port = Port::live_with(&hub, limits).await;
    let mut tcp = TcpStream::connect(port.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
    let read = timeout(LIMIT, tcp.read(&mut [0; 64])).await.expect("closed");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert_eq!(hub.stats().port, PortStats { late: 1, ..PortStats::default() });
    Viewer::connect(port.address).await.expect_nothing_more().await;
}

/// Two hundred that say their request byte by byte, each byte in time but the whole never.
#[tokio::test]
async fn those_who_ask_byte_by_byte_are_closed_and_hold_nobody_up() {
    const SLOW: usize = 200;
    let handshake = Duration::from_millis(500);
    let limits = Limits { viewers_max: 1, handshake, ..Limits::default() };
    let hub = hub();
    let port = Port::live_with(&hub, limits).await;
    let mut slow = JoinSet::new();
    for _ in 0..SLOW {
        let mut tcp = TcpStream::connect(port.address).await.unwrap();
        slow.spawn(async move {
            let mut pace = interval(handshake / 20);
            let request = b"GET / HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x'));
            for byte in request {
                pace.tick().await;
                if tcp.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        });
    }
    // There is one place, and they have none: none of them is in the way of who asks at once.
    Viewer::connect(port.address).await.expect_nothing_more().await;
    let closed = async { while slow.join_next().await.transpose().unwrap().is_some() {} };
    timeout(LIMIT, closed).await.expect("every one is closed");
    until("nobody is left", || hub.stats().port.open == 0).await;
    assert_eq!(hub.stats().port, PortStats { late: SLOW as u64, ..PortStats::default() });
}

/// More never ask than may wait: the oldest of them go, and whoever asks comes in.
#[tokio::test]
async fn of_too_many_who_never_ask_the_oldest_are_closed() {
    let limits = Limits { visitors_max: 8, handshake: LIMIT * 2, ..Limits::default() };
    let hub = hub();
    let port = Port::live_with(&hub, limits).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(TcpStream::connect(port.address).await.unwrap());
    }
    Viewer::connect(port.address).await.expect_nothing_more().await;
    // Seven of them are left, the youngest.
    for tcp in &mut slow[..93] {
        let read = timeout(LIMIT, tcp.read(&mut [0; 64])).await.expect("closed");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    for tcp in &slow[93..] {
        assert!(tcp.try_read(&mut [0; 64]).is_err_and(|error| error.kind() == WouldBlock));
    }
    let port = hub.stats().port;
    assert_eq!((port.crowded, port.late), (93, 0));
}

#[tokio::test]
async fn beyond_the_cap_there_is_503_until_a_place_is_free() {
    let hub = hub();
    let limits = Limits { viewers_max: 2, ..Limits::default() };
    let port = Port::live_with(&hub, limits).await;
    let mut first = Viewer::connect(port.address).await;
    let mut second = Viewer::connect(port.address).await;
    first.expect_nothing_more().await;
    second.expect_nothing_more().await;
    let refused = Viewer::connect_with(port.address, "/", &[]).await.err().unwrap();
    assert_eq!(refused, (503, "all places for viewers are taken: try again later\n".into()));
    assert_eq!(hub.stats().port.refused, 1);
    drop(second);
    until("the place is free", || hub.stats().port.open == 1).await;
    let mut third = Viewer::connect(port.address).await;
    third.expect_nothing_more().await;
    first.expect_nothing_more().await;
}
