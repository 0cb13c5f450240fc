//! The embedded page.

use super::{
    ASSETS, Asset, HASH, IMMUTABLE, MARKS, file, find, from_disk, page, serve, takes_gzip,
};
use crate::testing::Server;
use axum::http::{HeaderMap, HeaderValue, header};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn asks(name: header::HeaderName, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
}

/// Of a build that reads nothing from disk.
fn encoding_of(asset: &'static Asset, headers: &HeaderMap) -> Option<String> {
    let response = serve(asset, headers, IMMUTABLE, None);
    response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn the_page_is_embedded_with_its_hash_in_every_address() {
    let page = std::str::from_utf8(find("index.html").unwrap().plain).unwrap();
    assert!(!page.contains("@tree@"));
    assert!(page.contains(&format!("src=\"/a/{HASH}/app.js\"")));
    for name in ["app.js", "style.css", "icon.svg", "parts/state.js"] {
        assert!(file(HASH, name, &HeaderMap::new()).is_some(), "{name}");
    }
}

#[test]
fn the_worker_keeps_the_files_of_its_own_tree_and_all_that_the_page_needs() {
    let worker = std::str::from_utf8(find("worker.js").unwrap().plain).unwrap();
    assert!(worker.contains(&format!("TREE = \"{HASH}\"")));
    let (_, rest) = worker.split_once("FILES = \"").unwrap();
    let kept: Vec<_> = rest.split('"').next().unwrap().split(' ').collect();
    for name in ["index.html", "app.js", "style.css", "manifest.webmanifest", "icon.png"] {
        assert!(kept.contains(&name), "{name}");
    }
    for name in kept {
        assert!(file(HASH, name, &HeaderMap::new()).is_some(), "{name}");
        assert!(name != "worker.js" && name != "api.html", "{name}");
    }
}

#[test]
fn only_what_the_page_needs_is_embedded() {
    for asset in ASSETS {
        let tool = ["test/", "node_modules/", "package", "tsconfig", "biome", ".d.ts"];
        assert!(!tool.iter().any(|part| asset.name.contains(part)), "{}", asset.name);
    }
}

#[test]
fn names_from_outside_reach_nothing_but_the_table() {
    let headers = HeaderMap::new();
    for name in
        ["../Cargo.toml", "package.json", "", "/etc/passwd", "parts/../index.html", "nothing"]
    {
        assert!(file(HASH, name, &headers).is_none(), "{name}");
    }
    assert!(file("0000000000000000", "app.js", &headers).is_none(), "another tree");
}

/// Which of the modules named by its arguments are none.
const PARSE: &str = "const { SourceTextModule } = require('vm');
const { readFileSync } = require('fs');
for (const file of process.argv.slice(1)) {
  try { new SourceTextModule(readFileSync(file, 'utf8')); }
  catch (error) { console.log(file + ': ' + error); }
}";

#[test]
fn without_its_comments_each_module_still_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let ours =
        ASSETS.iter().filter(|it| it.name.ends_with(".js") && !it.name.starts_with("vendor/"));
    let mut files = Vec::new();
    for asset in ours {
        let text = std::str::from_utf8(asset.plain).unwrap();
        assert!(!text.contains("\n/**"), "{}", asset.name);
        files.push(folder.path().join(asset.name.replace('/', "-")));
        std::fs::write(files.last().unwrap(), text).unwrap();
    }
    files.push(folder.path().join("broken.js"));
    std::fs::write(files.last().unwrap(), "const = 1;").unwrap();
    let said = node(PARSE, &files);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("broken.js: SyntaxError"), "{said}");
}

fn node(script: &str, files: &[impl AsRef<std::ffi::OsStr>]) -> String {
    let mut node = Command::new("node");
    node.args(["--no-warnings", "--experimental-vm-modules", "-e", script, "--"]).args(files);
    let output = node.output().expect("node, which the page's tools need anyway");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The modules that the one named by its argument imports, at any depth, as JavaScript itself reads them.
const REACH: &str = "const { SourceTextModule } = require('vm');
const { readFileSync } = require('fs');
const { dirname, join } = require('path');
const seen = new Set();
const reach = (file) => {
  const { dependencySpecifiers } = new SourceTextModule(readFileSync(file, 'utf8'));
  for (const path of dependencySpecifiers) {
    const next = join(dirname(file), path);
    if (seen.has(next)) continue;
    seen.add(next);
    console.log(next);
    reach(next);
  }
};
reach(process.argv[1]);";

/// The addresses of the modules that a page has loaded before it asks for them.
fn preloaded(page: &str) -> Vec<String> {
    let links = page.split("<link rel=\"modulepreload\" href=\"").skip(1);
    links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn every_module_that_the_page_begins_with_is_asked_for_at_once() {
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
    let found = node(REACH, &[format!("{web}/app.js")]);
    let web = Path::new(web).canonicalize().unwrap();
    let reached: BTreeSet<_> = found
        .lines()
        .map(|file| Path::new(file).canonicalize().unwrap())
        .map(|file| format!("/a/{HASH}/{}", file.strip_prefix(&web).unwrap().display()))
        .collect();
    assert!(reached.len() > 30, "{reached:?}");
    let links = preloaded(std::str::from_utf8(find("index.html").unwrap().plain).unwrap());
    let preloaded: BTreeSet<_> = links.iter().cloned().collect();
    assert_eq!(preloaded, reached);
    assert_eq!(preloaded.len(), links.len(), "each once");
}

#[tokio::test]
async fn what_is_asked_for_at_once_is_there() {
    let server = Server::start().await;
    let links = preloaded(&server.get("/").await.body);
    assert!(!links.is_empty());
    for link in links {
        let answer = server.get(&link).await;
        assert_eq!(answer.status, 200, "{link}");
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"), "{link}");
    }
    server.stop().await;
}

#[test]
fn gzip_is_sent_to_those_who_take_it() {
    for (value, takes) in [
        ("gzip", true),
        ("deflate, GZIP;q=0.5, br", true),
        ("br", false),
        ("gzip;q=0", false),
        ("gzip; q=0.0", false),
        ("", false),
    ] {
        let headers = asks(header::ACCEPT_ENCODING, value);
        assert_eq!(takes_gzip(&headers), takes, "{value}");
        let encoding = takes.then(|| "gzip".to_owned());
        assert_eq!(encoding_of(find("app.js").unwrap(), &headers), encoding);
    }
}

#[test]
fn the_whole_page_is_small() {
    let bytes: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
    assert!(bytes <= 150 * 1024, "{bytes} bytes gzipped");
}

#[test]
fn the_folder_wins_over_the_table_where_it_has_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let source = "new @tree@ <!-- @modules@ -->";
    std::fs::write(folder.path().join("index.html"), source).unwrap();
    let read = from_disk(find("index.html").unwrap(), folder.path()).unwrap();
    assert_eq!(read, format!("new {HASH} {}", MARKS[2].1).into_bytes());
    assert!(from_disk(find("app.js").unwrap(), folder.path()).is_none());
}

#[test]
fn the_pages_are_asked_for_again_each_time() {
    for name in ["index.html", "api.html", "worker.js"] {
        let response = page(name, &HeaderMap::new()).unwrap();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache", "{name}");
        assert!(response.headers().contains_key(header::ETAG), "{name}");
    }
}
