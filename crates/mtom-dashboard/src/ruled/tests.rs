use crate::testing::{Answer, NOW, Server};
use mtom_protocol::time::UnixMicros;
use serde_json::{Value, json};

fn after(seconds: i64) -> UnixMicros {
    UnixMicros(NOW.0 + seconds * 1_000_000)
}

async fn asked(server: &Server, headers: &str) -> Answer {
    let host = server.address;
    server.ask(&format!("GET /api/v1/rules HTTP/1.1\r\nHost: {host}\r\n{headers}")).await
}

/// Empty rules; without anything that could take them 503 is as far as it goes.
async fn put_if(server: &Server, tags: &str) -> Answer {
    let host = server.address;
    let head = format!(
        "PUT /api/v1/rules HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/toml\r\n\
         Content-Length: 0\r\nIf-Match: {tags}\r\n"
    );
    server.ask(&head).await
}

#[tokio::test]
async fn rules_that_are_not_those_that_were_seen_are_left_in_their_place() {
    let mut server = Server::start().await;
    assert_eq!(put_if(&server, "*").await.status, 412, "there are none yet");
    server.journal.add_rule_set("mtom.toml", "one", after(0)).unwrap();
    let old = asked(&server, "").await.header("etag").unwrap().to_owned();
    assert!(old.starts_with("\"1-1795421190123456-"), "{old}");
    // Long enough to travel packed.
    let long = "# two\n".repeat(1_000);
    server.journal.add_rule_set("Ada", &long, after(1)).unwrap();
    let new = asked(&server, "").await.header("etag").unwrap().to_owned();
    let packed = asked(&server, "Accept-Encoding: gzip\r\n").await;
    let packed = packed.header("etag").unwrap().to_owned();
    assert_eq!(packed, format!("{}-gzip\"", new.trim_end_matches('"')));
    for known in [&new, &packed] {
        let unchanged = asked(&server, &format!("If-None-Match: {known}\r\n")).await;
        assert_eq!(unchanged.status, 304, "{known}");
    }
    assert_eq!(asked(&server, &format!("If-None-Match: {old}\r\n")).await.status, 200);

    for taken in [new.clone(), packed, "*".into(), format!("\"x\", {new}")] {
        assert_eq!(put_if(&server, &taken).await.status, 503, "{taken}");
    }
    for refused in [old, format!("W/{new}"), "\"\"".into(), "2".into(), "\"2-1\"".into()] {
        let answer = put_if(&server, &refused).await;
        assert_eq!(answer.status, 412, "{refused}: {answer:?}");
        let problem = answer.json();
        assert_eq!(problem["detail"], "other rules run meanwhile: version 2, from Ada");
        assert!(problem["next"].as_str().unwrap().contains("ETag"), "{problem}");
    }
    server.stop().await;
}

#[tokio::test]
async fn versions_are_paged_both_ways() {
    let mut server = Server::start().await;
    for number in 0..5 {
        server.journal.add_rule_set("Ada", "# rules", after(number)).unwrap();
    }
    for (order, expected) in [("desc", [5, 4, 3, 2, 1]), ("asc", [1, 2, 3, 4, 5])] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/rules/versions?order={order}&limit=2{cursor}");
            let page = server.get(&path).await.json();
            let versions = page["versions"].as_array().unwrap();
            seen.extend(versions.iter().map(|set| set["version"].as_u64().unwrap()));
            match page["next"].as_u64() {
                Some(next) => cursor = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{order}");
    }
    server.stop().await;
}

#[tokio::test]
async fn before_the_first_rules_there_were_none() {
    let mut server = Server::start().await;
    server.journal.add_rule_set("mtom.toml", "", after(5)).unwrap();
    let then = |at: i64| format!("/api/v1/rules?at={}", after(at).0);
    let answer = server.get(&then(4)).await.json();
    assert_eq!((&answer["rules"], &answer["version"]), (&json!([]), &Value::Null), "{answer}");
    assert_eq!(answer["until_micros"], after(5).0, "{answer}");
    // What they said, only whoever reads rules can tell.
    assert_eq!(server.get(&then(5)).await.status, 503);
    assert_eq!(server.get("/api/v1/rules?at=then").await.status, 400);
    server.stop().await;
}
