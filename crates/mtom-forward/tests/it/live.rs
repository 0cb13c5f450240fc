//! `wire.md` §1.2, frame for frame.

use crate::support::{Port, hub, new_data, reading, reading_of};
use crate::viewer::{GREETINGS, LIMIT, Viewer};
use jiff::tz::TimeZone;
use mtom_forward::live::LiveHub;
use mtom_forward::server::Limits;
use mtom_protocol::unit::Unit;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// What the original's page does, opened from a file in a browser.
#[tokio::test]
async fn the_original_page_gets_its_exchange() {
    let hub = LiveHub::new(TimeZone::UTC, Some(&reading(0, 24.5)));
    let port = Port::live(&hub).await;
    let headers = [
        ("Origin", "null"),
        ("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0.0.0"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Cache-Control", "no-cache"),
        ("Accept-Language", "zh-CN,zh;q=0.9"),
    ];
    let mut page = Viewer::connect_with(port.address, "/", &headers).await.unwrap();
    page.say("hello").await;
    page.expect(&GREETINGS).await;
    page.say("realtime").await;
    page.expect(&[new_data("08:06:30", "24.5")]).await;
    hub.offer(&reading(2, 25.0));
    hub.offer(&reading(4, -3.1));
    page.expect(&[new_data("08:06:32", "25.0"), new_data("08:06:34", "-3.1")]).await;
    page.send(Message::Close(None)).await;
    assert!(matches!(page.message().await, Message::Close(_)));
    port.ended().await;
}

/// What the original's `client.py` does with the library `websockets`: no Origin, and a message
/// is sent only when the one before it was answered.
#[tokio::test]
async fn the_original_python_client_gets_its_exchange() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let headers = [
        ("User-Agent", "Python/3.9 websockets/10.4"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ];
    let mut client = Viewer::connect_with(port.address, "/", &headers).await.unwrap();
    client.say("hello").await;
    for greeting in GREETINGS {
        assert_eq!(client.hear().await, greeting);
    }
    client.say("realtime").await;
    client.send(Message::Ping(Bytes::from_static(b"keep"))).await;
    assert_eq!(client.message().await, Message::Pong(Bytes::from_static(b"keep")));
    for second in 0..50 {
        hub.offer(&reading(second, 20.5));
        client
            .expect(&[new_data(
                &format!("08:{:02}:{:02}", 6 + (30 + second) / 60, (30 + second) % 60),
                "20.5",
            )])
            .await;
    }
}

#[tokio::test]
async fn the_bytes_are_those_of_rfc_6455_without_a_mask() {
    let hub = LiveHub::new(TimeZone::UTC, Some(&reading(0, 24.5)));
    let port = Port::live(&hub).await;
    let mut tcp = TcpStream::connect(port.address).await.unwrap();
    // The key and its answer are those of the RFC's example.
    let request = format!(
        "GET /any/path?x=1 HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        port.address
    );
    // `hello` and `realtime`, masked with zeroes, do not wait for the answer to the handshake.
    tcp.write_all(request.as_bytes()).await.unwrap();
    tcp.write_all(b"\x81\x85\0\0\0\0hello\x81\x88\0\0\0\0realtime").await.unwrap();
    let mut expected = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        .to_vec();
    for text in GREETINGS.map(String::from).into_iter().chain([new_data("08:06:30", "24.5")]) {
        expected.extend([0x81, u8::try_from(text.len()).unwrap()]);
        expected.extend(text.as_bytes());
    }
    let mut got = vec![0; expected.len()];
    timeout(LIMIT, tcp.read_exact(&mut got)).await.expect("all bytes").unwrap();
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&expected));
}

#[tokio::test]
async fn realtime_needs_no_hello() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut viewer = Viewer::connect_with(port.address, "/live/?a=b#c", &[]).await.unwrap();
    viewer.say("realtime").await;
    viewer.expect_nothing_more().await;
    hub.offer(&reading(0, 1.5));
    viewer.expect(&[new_data("08:06:30", "1.5")]).await;
}

#[tokio::test]
async fn hello_alone_starts_no_stream() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.expect_nothing_more().await;
    hub.offer(&reading(0, 1.5));
    viewer.expect_nothing_more().await;
}

#[tokio::test]
async fn a_second_realtime_starts_no_second_stream() {
    let hub = LiveHub::new(TimeZone::UTC, Some(&reading(0, 1.0)));
    let port = Port::live(&hub).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say("realtime").await;
    viewer.say("realtime").await;
    viewer.expect(&[new_data("08:06:30", "1.0")]).await;
    viewer.expect_nothing_more().await;
    hub.offer(&reading(1, 2.0));
    viewer.say("realtime").await;
    viewer.expect(&[new_data("08:06:31", "2.0")]).await;
    viewer.expect_nothing_more().await;
}

#[tokio::test]
async fn the_last_known_reading_is_the_newest_temperature() {
    let hub = LiveHub::new(TimeZone::UTC, Some(&reading(0, 1.0)));
    let port = Port::live(&hub).await;
    hub.offer(&reading(1, 2.0));
    let mut percent = reading(2, 40.0);
    percent.reading.unit = Unit::Percent;
    hub.offer(&percent);
    let mut fahrenheit = reading(3, 77.0);
    fahrenheit.reading.unit = Unit::Fahrenheit;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say("realtime").await;
    viewer.expect(&[new_data("08:06:31", "2.0")]).await;
    hub.offer(&fahrenheit);
    viewer.expect(&[new_data("08:06:33", "25.0")]).await;
}

/// Viewers come at any moment while readings come too: from its first frame on, each viewer has
/// every reading once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_viewer_gets_each_reading_once_and_in_order() {
    const READINGS: i32 = 3_000;
    const VIEWERS: usize = 40;
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut tasks = JoinSet::new();
    for _ in 0..VIEWERS {
        let address = port.address;
        tasks.spawn(async move {
            let mut viewer = Viewer::connect(address).await;
            viewer.say("realtime").await;
            let mut before = None;
            loop {
                let value = celsius(&viewer.hear().await);
                assert!(before.is_none_or(|before: i32| value == before + 1), "{before:?} {value}");
                before = Some(value);
                if value == READINGS {
                    return;
                }
            }
        });
    }
    let source = hub.clone();
    tasks.spawn(async move {
        for number in 0..=READINGS {
            source.offer(&reading(0, f64::from(number)));
            yield_now().await;
        }
    });
    let all = async { while tasks.join_next().await.transpose().unwrap().is_some() {} };
    timeout(LIMIT, all).await.expect("all viewers have all readings");
    assert_eq!(hub.stats().skipped, 0);
    port.ended().await;
    assert_eq!(hub.stats().port.open, 0);
}

pub(crate) fn celsius(frame: &str) -> i32 {
    let (_, temp) = frame.split_once(r#""temp":"#).unwrap_or_else(|| panic!("no data: {frame}"));
    temp.trim_end_matches(".0}}").parse().unwrap_or_else(|_| panic!("no number: {frame}"))
}

#[tokio::test]
async fn readings_of_all_devices_are_shown() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say("realtime").await;
    viewer.expect_nothing_more().await;
    hub.offer(&reading_of("a", 0, 1.5));
    hub.offer(&reading_of("b", 0, 2.5));
    viewer.expect(&[new_data("08:06:30", "1.5"), new_data("08:06:30", "2.5")]).await;
}

#[tokio::test]
async fn the_end_is_said_to_every_viewer() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut viewers = Vec::new();
    for number in 0..5 {
        let mut viewer = Viewer::connect(port.address).await;
        if number % 2 == 0 {
            viewer.say("realtime").await;
        }
        viewer.expect_nothing_more().await;
        viewers.push(viewer);
    }
    port.stop();
    for viewer in &mut viewers {
        assert_eq!(viewer.close_code().await, 1001);
    }
    drop(viewers);
    port.ended().await;
}

#[tokio::test]
async fn the_end_waits_for_nobody_for_long() {
    let hub = LiveHub::new(TimeZone::UTC, Some(&reading(0, 1.0)));
    let limits = Limits { farewell: Duration::from_millis(100), ..Limits::default() };
    let port = Port::live_with(&hub, limits).await;
    // One that never opens, one that never answers the close frame, one that is stuck in a write.
    let _silent = TcpStream::connect(port.address).await.unwrap();
    let mut deaf = Viewer::connect(port.address).await;
    deaf.expect_nothing_more().await;
    let mut stuck = Viewer::connect_narrow(port.address, 1).await;
    stuck.say("realtime").await;
    stuck.hear().await;
    crate::slow::fill(&hub).await;
    port.ended().await;
}

#[tokio::test]
async fn an_ended_port_refuses_new_viewers() {
    let port = Port::live(&hub()).await;
    let address = port.address;
    port.ended().await;
    assert!(TcpStream::connect(address).await.is_err());
}
