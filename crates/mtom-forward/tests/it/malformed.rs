//! `wire.md` §1.4: one clear answer, and nothing else is disturbed.

use crate::history::Rows;
use crate::support::{Port, hub, new_data, reading};
use crate::viewer::{LIMIT, Viewer};
use expect_test::{Expect, expect};
use mtom_forward::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Not for 8765, whatever it is.
const NOT_LIVE: [&str; 14] = [
    "",
    " ",
    "Hello",
    "hello ",
    "hello\n",
    "realtime\0",
    "database:0",
    "{\"type\":\"hello\"}",
    "<script>alert(1)</script>",
    "'; DROP TABLE temp; --",
    "\u{feff}hello",
    "héllo",
    "获取更多历史数据",
    "stop",
];

async fn check_live(viewer: &mut Viewer, message: Message, expected: &Expect) {
    viewer.send(message).await;
    expected.assert_eq(&viewer.hear().await);
}

#[tokio::test]
async fn a_live_viewer_hears_what_was_wrong_and_stays() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut viewer = Viewer::connect(port.address).await;
    let unknown = expect![[
        r#"{"state":"Error","type":"error","response":"unknown request: expected hello, realtime or replay:<from>:<to>:<speed>"}"#
    ]];
    let binary = expect![[
        r#"{"state":"Error","type":"error","response":"binary frame: expected a text frame"}"#
    ]];
    // First before, then during the stream.
    for _ in 0..2 {
        for text in NOT_LIVE {
            check_live(&mut viewer, Message::text(text), &unknown).await;
        }
        check_live(&mut viewer, Message::text("x".repeat(4_096)), &unknown).await;
        check_live(&mut viewer, Message::binary("realtime"), &binary).await;
        check_live(&mut viewer, Message::binary(Bytes::new()), &binary).await;
        viewer.say("realtime").await;
        viewer.expect_nothing_more().await;
    }
    hub.offer(&reading(0, 1.5));
    viewer.expect(&[new_data("08:06:30", "1.5")]).await;
}

async fn check_history(viewer: &mut Viewer, text: &str, expected: &Expect) {
    viewer.say(text).await;
    expected.assert_eq(&viewer.hear().await);
}

#[tokio::test]
async fn a_reader_of_history_hears_what_was_wrong_and_stays() {
    let port = Port::history(Rows::new(3), Limits::default()).await;
    let mut viewer = Viewer::connect(port.address).await;
    let unknown = expect![[
        r#"{"state":"Error","type":"error","response":"unknown request: expected hello or database:N"}"#
    ]];
    let offset = expect![[
        r#"{"state":"Error","type":"error","response":"database:N takes a whole number from 0 to 9223372036854775807"}"#
    ]];
    for text in ["", "realtime", "Database:0", "database", "database 0", " database:0"] {
        check_history(&mut viewer, text, &unknown).await;
    }
    for text in [
        "database:",
        "database:-1",
        "database:-0",
        "database:+1",
        "database:1.5",
        "database:1e3",
        "database:x",
        "database: 0",
        "database:0 ",
        "database:0x10",
        "database:٣",
        "database:9223372036854775808",
        "database:18446744073709551616",
        "database:0; DROP TABLE temp",
        "database:NaN",
    ] {
        check_history(&mut viewer, text, &offset).await;
    }
    viewer.send(Message::binary("database:0")).await;
    assert!(viewer.hear().await.contains("binary frame"));
    viewer.say("database:9223372036854775807").await;
    viewer.expect(&[crate::history::EMPTY, crate::history::CLOSE]).await;
}

#[tokio::test]
async fn a_request_may_come_in_pieces_with_a_ping_between() {
    let port = Port::live(&hub()).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.piece(Data::Text, b"he", false).await;
    viewer.send(Message::Ping(Bytes::from_static(b"1"))).await;
    viewer.piece(Data::Continue, b"", false).await;
    viewer.piece(Data::Continue, b"llo", true).await;
    assert_eq!(viewer.message().await, Message::Pong(Bytes::from_static(b"1")));
    viewer.expect(&crate::viewer::GREETINGS).await;
    // A letter that is cut in two is a letter all the same.
    viewer.piece(Data::Text, "é".as_bytes().split_at(1).0, false).await;
    viewer.piece(Data::Continue, "é".as_bytes().split_at(1).1, true).await;
    assert!(viewer.hear().await.contains("unknown request"));
}

/// What a client sends and with which code it is closed. Another viewer goes on undisturbed.
async fn check_closes(pieces: &[(Data, &[u8], bool)], code: u16) {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut other = Viewer::connect(port.address).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say("realtime").await;
    viewer.expect_nothing_more().await;
    for (data, bytes, last) in pieces {
        viewer.piece(*data, bytes, *last).await;
    }
    assert_eq!(viewer.close_code().await, code);
    other.expect_nothing_more().await;
    drop((viewer, other));
    port.ended().await;
}

#[tokio::test]
async fn invalid_utf_8_closes_with_1007() {
    check_closes(&[(Data::Text, b"\xff", true)], 1007).await;
    check_closes(&[(Data::Text, b"hello\xc3", true)], 1007).await;
    check_closes(&[(Data::Text, b"\xc3", false), (Data::Continue, b"x", true)], 1007).await;
    check_closes(&[(Data::Text, b"\xed\xa0\x80", true)], 1007).await;
}

#[tokio::test]
async fn a_message_over_the_limit_closes_with_1009() {
    check_closes(&[(Data::Text, &[b'x'; 4_097], true)], 1009).await;
    check_closes(&[(Data::Binary, &[0; 4_097], true)], 1009).await;
    check_closes(&[(Data::Text, &[b'x'; 1 << 20], true)], 1009).await;
    check_closes(&[(Data::Text, &[b'x'; 4_000], false), (Data::Continue, &[b'x'; 97], true)], 1009)
        .await;
}

/// Closing with unread bytes would reset the connection, and some systems then drop the reason.
#[tokio::test]
async fn one_that_is_still_sending_hears_why_it_is_closed() {
    let port = Port::live(&hub()).await;
    let mut tcp = open(&port).await;
    tcp.write_all(b"\x81\xff\0\0\0\0\0\x20\0\0\0\0\0\0").await.unwrap();
    tcp.write_all(&vec![b'x'; 0x20_0000]).await.unwrap();
    check_goodbye(tcp, 1009).await;
}

#[tokio::test]
async fn a_broken_protocol_closes_with_1002() {
    check_closes(&[(Data::Continue, b"hello", true)], 1002).await;
    check_closes(&[(Data::Text, b"he", false), (Data::Text, b"llo", true)], 1002).await;
    check_closes(&[(Data::Reserved(3), b"hello", true)], 1002).await;
}

#[tokio::test]
async fn a_frame_without_a_mask_closes_with_1002() {
    let port = Port::live(&hub()).await;
    let mut tcp = open(&port).await;
    tcp.write_all(b"\x81\x05hello").await.unwrap();
    check_goodbye(tcp, 1002).await;
}

/// A connection that speaks bytes.
async fn open(port: &Port) -> TcpStream {
    let mut tcp = TcpStream::connect(port.address).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    tcp.write_all(request.as_bytes()).await.unwrap();
    tcp
}

/// The next frame closes with `code`, and then the connection ends without a reset.
async fn check_goodbye(mut tcp: TcpStream, code: u16) {
    let mut answer = Vec::new();
    timeout(LIMIT, tcp.read_to_end(&mut answer)).await.expect("closed").unwrap();
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let frame = &answer[head..];
    assert_eq!((frame[0], u16::from_be_bytes([frame[2], frame[3]])), (0x88, code), "{frame:?}");
}
