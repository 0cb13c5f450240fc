//! Those that do not keep to RFC 6455 hear why they are closed, however much of theirs is not read.

use super::silence::{follower, raw_frame, raw_viewer};
use crate::live::socket::MESSAGE_LEN_MAX;
use crate::testing::{Server, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A frame under the mask 0.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap();
    let head = [&[first, 0x80 | 127][..], &[0; 4], &len.to_be_bytes(), &[0; 4]].concat();
    [&head, payload].concat()
}

/// What breaks the protocol, with the code that answers it (RFC 6455 §7.4.1).
fn cases() -> [(Vec<u8>, u16); 4] {
    [
        (frame(0x81, &[b'x'; MESSAGE_LEN_MAX + 1]), 1009),
        (frame(0x81, b"\xff\xfe"), 1007),
        // A reserved bit, and an opcode that nobody has defined.
        (vec![0xc1, 0x80, 0, 0, 0, 0], 1002),
        (vec![0x83, 0x80, 0, 0, 0, 0], 1002),
    ]
}

async fn expect_close(tcp: &mut TcpStream, code: u16) {
    let (first, payload) = soon("a close frame", raw_frame(tcp)).await.expect("no close frame");
    assert_eq!((first, payload.get(..2)), (0x88, Some(&code.to_be_bytes()[..])), "{code}");
    // Answered, or not: then it is over.
    tcp.write_all(&[0x88, 0x82, 0, 0, 0, 0, payload[0], payload[1]]).await.unwrap();
    assert_eq!(soon("the end", tcp.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_viewer_that_breaks_the_protocol_is_told_which_way() {
    let server = Server::start().await;
    for (bytes, code) in cases() {
        let mut viewer = raw_viewer(&server).await;
        viewer.write_all(&bytes).await.unwrap();
        expect_close(&mut viewer, code).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn one_who_follows_and_breaks_the_protocol_is_told_which_way() {
    for (bytes, code) in cases() {
        let (mut tcp, mut heard, mut served) = follower().await;
        tcp.write_all(&bytes).await.unwrap();
        expect_close(&mut tcp, code).await;
        drop(tcp);
        assert!(soon("the end", heard.recv()).await.unwrap().is_err());
        while served.join_next().await.is_some() {}
    }
}
