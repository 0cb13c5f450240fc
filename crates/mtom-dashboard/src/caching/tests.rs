//! What may be kept, what is said to who has it, and how it travels: over real sockets.

use super::is_known;
use crate::testing::{Answer, Server};
use axum::http::{HeaderMap, HeaderValue, header};
use flate2::read::GzDecoder;
use std::io::Read as _;

impl Server {
    async fn get_with(&self, path: &str, headers: &str) -> Answer {
        self.head_or_get("GET", path, headers).await
    }

    async fn head_or_get(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = self.address;
        self.ask(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}")).await
    }
}

/// As it was sent: an answer's head is held in lower case.
fn tag_of(answer: &Answer) -> String {
    answer.header("etag").unwrap().replace("w/", "W/")
}

fn unpacked(answer: &Answer) -> String {
    let mut text = String::new();
    GzDecoder::new(&answer.bytes[..]).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn who_has_it_already_is_told_so_without_a_body_until_it_changes() {
    let mut server = Server::start().await;
    server.store(&[20.0]);
    for path in ["/api/v1/latest", "/api/v1/readings?limit=5", "/api/v1/devices"] {
        let first = server.get(path).await;
        let tag = tag_of(&first);
        let named = format!("If-None-Match: \"other\", {tag}\r\n");
        let again = server.get_with(path, &named).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0), "{path}: {again:?}");
        assert_eq!(again.header("content-type"), None);
        for answer in [&first, &again] {
            assert_eq!(tag_of(answer), tag);
            assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
        }
        server.store(&[21.0]);
        let changed = server.get_with(path, &named).await;
        assert_eq!(changed.status, 200, "{path}");
        assert_ne!(tag_of(&changed), tag);
    }
    server.stop().await;
}

#[tokio::test]
async fn head_says_of_the_body_what_get_says() {
    let mut server = Server::start().await;
    server.store(&[20.0; 30]);
    for headers in ["", "Accept-Encoding: gzip\r\n"] {
        let path = "/api/v1/readings";
        let got = server.get_with(path, headers).await;
        let head = server.head_or_get("HEAD", path, headers).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0));
        for name in ["etag", "content-type", "content-encoding", "content-length", "vary"] {
            assert_eq!(head.header(name), got.header(name), "{name}");
        }
        let named = format!("{headers}If-None-Match: {}\r\n", tag_of(&got));
        assert_eq!(server.head_or_get("HEAD", path, &named).await.status, 304);
    }
    server.stop().await;
}

/// The plain and the packed answer are one, so a tag that came with the one is known to the other (RFC 9110 §8.8.3).
#[tokio::test]
async fn one_weak_tag_stands_for_the_plain_and_the_packed_bytes() {
    let mut server = Server::start().await;
    server.store(&[20.0; 30]);
    let path = "/api/v1/readings";
    let plain = server.get(path).await;
    let packed = server.get_with(path, "Accept-Encoding: br, gzip;q=0.5\r\n").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(unpacked(&packed), plain.body);
    assert_eq!(packed.header("content-length"), Some(&*packed.bytes.len().to_string()));
    assert!(packed.bytes.len() * 4 < plain.bytes.len(), "{}", packed.bytes.len());
    let tag = tag_of(&plain);
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(tag_of(&packed), tag);
    for encoding in ["gzip", "identity"] {
        let headers = format!("Accept-Encoding: {encoding}\r\nIf-None-Match: {tag}\r\n");
        let known = server.get_with(path, &headers).await;
        assert_eq!((known.status, known.bytes.len()), (304, 0), "{encoding}");
        assert_eq!(known.header("content-encoding"), None);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_short_refused_or_how_things_are_now_is_not_packed_or_kept() {
    let server = Server::start().await;
    let gzip = "Accept-Encoding: gzip\r\n";
    let refused = server.get_with("/api/v1/rejects?limit=0", gzip).await;
    assert_eq!((refused.header("etag"), refused.header("cache-control")), (None, Some("no-store")));
    for path in ["/healthz", "/readyz", "/api/v1/status", "/api/v1/storage", "/api/v1/actuators"] {
        let answer = server.get_with(path, &format!("{gzip}If-None-Match: *\r\n")).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!((answer.header("etag"), answer.header("content-encoding")), (None, None));
    }
    let metrics = server.get_with("/metrics", gzip).await;
    assert_eq!(metrics.header("content-encoding"), Some("gzip"));
    assert!(unpacked(&metrics).starts_with("# HELP "));
    server.stop().await;
}

#[tokio::test]
async fn an_address_that_is_also_written_to_takes_no_notice_of_tags_then() {
    let server = Server::start().await;
    let (host, path) = (server.address, "/api/v1/rules");
    assert!(server.get(path).await.header("etag").is_some());
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/toml\r\n\
         If-None-Match: *\r\nContent-Length: 0\r\n"
    );
    let put = server.ask(&head).await;
    assert_eq!((put.status, put.header("etag")), (503, None));
    server.stop().await;
}

#[test]
fn tags_are_compared_weakly_and_in_lists() {
    let ours = HeaderValue::from_static("W/\"0af1\"");
    for (values, is) in [
        (&["W/\"0af1\""][..], true),
        (&["\"0af1\""], true),
        (&["\"x\", W/\"0af1\""], true),
        (&["\"x\"", "\"y\",W/\"0af1\""], true),
        (&["*"], true),
        (&["\"0af\""], false),
        (&["0af1"], false),
        (&["W/\"0AF1\""], false),
        (&["\"*\""], false),
        (&[""], false),
        (&[], false),
    ] {
        let asked =
            values.iter().map(|value| (header::IF_NONE_MATCH, HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in asked {
            headers.append(name, value);
        }
        assert_eq!(is_known(&headers, &ours), is, "{values:?}");
    }
}
