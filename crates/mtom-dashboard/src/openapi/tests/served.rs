//! What the document says that is answered is what is answered, over real sockets.

use super::document;
use crate::change::RULES_LEN_MAX;
use crate::testing::{Answer, Server};
use serde_json::Value;
use std::fmt::Write as _;

/// One operation of the document, to be asked in different ways.
struct Operation {
    method: String,
    path: String,
    about: Value,
}

/// One way to ask.
#[derive(Default)]
struct How<'a> {
    /// In the place of what is written in the path; `None`: the example.
    name: Option<&'a str>,
    /// Behind the parameters that must be there.
    query: String,
    host: Option<&'a str>,
    /// In the place of the one that is expected.
    kind: Option<&'a str>,
    body: Option<Vec<u8>>,
}

fn operations() -> Vec<Operation> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, about)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            about,
        })
    };
    paths.iter().flat_map(of).collect()
}

fn encoded(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    text.bytes().fold(String::new(), |mut all, byte| {
        write!(all, "%{byte:02X}").unwrap();
        all
    })
}

impl Operation {
    fn parameters(&self, place: &'static str) -> Vec<&Value> {
        let all = self.about["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|one| one["in"] == place).collect()
    }

    /// The kind of its body, and one that it takes.
    fn body(&self) -> Option<(&str, Vec<u8>)> {
        let (kind, _) = self.about["requestBody"]["content"].as_object()?.iter().next()?;
        let json: &[u8] = match self.path.rsplit('/').next() {
            Some("set") => b"{\"led\":\"on\",\"seconds\":600}",
            Some("pair") if self.method == "PUT" => b"{\"same\":true}",
            Some("rollback") => b"{\"version\":1}",
            Some("allowed") => b"{\"name\":\"esp32\"}",
            _ => b"{}",
        };
        Some((kind, if kind == "application/json" { json.to_vec() } else { Vec::new() }))
    }

    async fn ask(&self, server: &Server, how: How<'_>) -> Answer {
        let mut path = self.path.clone();
        for one in self.parameters("path") {
            let name = how.name.map_or_else(|| encoded(&one["example"]), ToOwned::to_owned);
            path = path.replace(&format!("{{{}}}", one["name"].as_str().unwrap()), &name);
        }
        let asked = |name: &str| how.query.starts_with(&format!("{name}="));
        let mut query = how.query.clone();
        for one in self.parameters("query").iter().filter(|one| one["required"] == true) {
            let name = one["name"].as_str().unwrap();
            if !asked(name) {
                write!(query, "&{name}={}", encoded(&one["example"])).unwrap();
            }
        }
        let host = how.host.map_or_else(|| server.address.to_string(), ToOwned::to_owned);
        let mut head = format!("{} {path}?{query} HTTP/1.1\r\nHost: {host}\r\n", self.method);
        let mut body = Vec::new();
        if let Some((kind, bytes)) = self.body() {
            body = how.body.unwrap_or(bytes);
            let (kind, len) = (how.kind.unwrap_or(kind), body.len());
            write!(head, "Content-Type: {kind}\r\nContent-Length: {len}\r\n").unwrap();
        }
        server.ask_with(&head, &body).await
    }

    /// How to be told that status; `None`: it takes what another test has.
    fn way_to(&self, status: &str) -> Option<How<'static>> {
        let how = match status {
            "400" if !self.parameters("query").is_empty() => {
                How { query: "nothing=1".into(), ..How::default() }
            }
            "400" if !self.parameters("path").is_empty() => {
                How { name: Some("%FF"), ..How::default() }
            }
            "400" => How { body: Some(b"\xff".to_vec()), ..How::default() },
            "403" => How { host: Some("evil.example"), ..How::default() },
            // Without anything that could pair, a name is not looked for.
            "404" if self.path.ends_with("/pair") => return None,
            "404" if self.method == "GET" => How { name: Some("nobody"), ..How::default() },
            "413" => How { body: Some(vec![b'#'; RULES_LEN_MAX + 1]), ..How::default() },
            "415" => How { kind: Some("text/plain"), ..How::default() },
            "503" => How::default(),
            _ => return None,
        };
        Some(how)
    }
}

#[tokio::test]
async fn every_problem_of_an_operation_can_come() {
    let whole = Server::start().await;
    // Without a file, nothing that is kept can be read; nothing can be changed in either.
    let broken = Server::start().await;
    std::fs::remove_file(broken.folder.path().join("mtom.db")).unwrap();
    let mut seen = 0;
    for operation in operations() {
        for status in operation.about["responses"].as_object().unwrap().keys() {
            let Some(how) = operation.way_to(status) else { continue };
            let server = if status == "503" { &broken } else { &whole };
            let answer = operation.ask(server, how).await;
            let Operation { method, path, .. } = &operation;
            assert_eq!(answer.status.to_string(), *status, "{method} {path}: {answer:?}");
            assert!(answer.head.contains("content-type: application/problem+json"), "{answer:?}");
            assert_eq!(answer.json()["status"], answer.status, "{method} {path}");
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
    whole.stop().await;
    broken.stop().await;
}

#[tokio::test]
async fn every_example_is_taken_and_nothing_beyond_a_range() {
    let server = Server::start().await;
    let mut ranges = 0;
    for operation in operations() {
        for one in operation.parameters("query") {
            let (name, schema) = (one["name"].as_str().unwrap(), &one["schema"]);
            let with = |value: &Value| How {
                query: format!("{name}={}", encoded(value)),
                ..How::default()
            };
            let taken = operation.ask(&server, with(&one["example"])).await;
            assert_ne!(taken.status, 400, "{} {name}: {taken:?}", operation.path);
            let (Some(min), Some(max)) = (schema["minimum"].as_i64(), schema["maximum"].as_i64())
            else {
                continue;
            };
            for beyond in [i128::from(min) - 1, i128::from(max) + 1] {
                let refused = operation.ask(&server, with(&beyond.to_string().into())).await;
                assert_eq!(refused.status, 400, "{} {name}={beyond}", operation.path);
            }
            ranges += 1;
        }
    }
    assert!(ranges > 6, "{ranges}");
    server.stop().await;
}

/// 304 stands in the document where there is a tag, and nowhere else.
#[tokio::test]
async fn what_may_be_kept_is_said() {
    let mut server = Server::start().await;
    server.store(&[20.0]);
    let mut kept = 0;
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let answer = operation.ask(&server, How::default()).await;
        if answer.status != 200 {
            continue;
        }
        let is_kept = operation.about["responses"].get("304").is_some();
        assert_eq!(answer.header("etag").is_some(), is_kept, "{}", operation.path);
        let cache = if is_kept { "private, no-cache" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(cache), "{}", operation.path);
        kept += usize::from(is_kept);
    }
    assert!(kept > 8, "{kept}");
    server.stop().await;
}
