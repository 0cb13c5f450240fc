//! The embedded page.

use super::{ASSETS, Asset, HASH, IMMUTABLE, file, find, from_disk, page, serve, takes_gzip};
use axum::http::{HeaderMap, HeaderValue, header};
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
    for name in ["app.js", "page.css", "icon.svg", "parts/below.js"] {
        assert!(file(HASH, name, &HeaderMap::new()).is_some(), "{name}");
    }
}

#[test]
fn the_worker_keeps_the_files_of_its_own_tree_and_all_that_the_page_needs() {
    let worker = std::str::from_utf8(find("worker.js").unwrap().plain).unwrap();
    assert!(worker.contains(&format!("TREE = \"{HASH}\"")));
    let (_, rest) = worker.split_once("FILES = \"").unwrap();
    let kept: Vec<_> = rest.split('"').next().unwrap().split(' ').collect();
    for name in ["index.html", "app.js", "page.css", "manifest.webmanifest", "icon.png"] {
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

/// What each module named by its arguments imports, as JavaScript itself reads it.
const IMPORTS: &str = "const { SourceTextModule } = require('vm');
const { readFileSync } = require('fs');
for (const file of process.argv.slice(1))
  console.log(new SourceTextModule(readFileSync(file, 'utf8')).dependencySpecifiers.join(' '));";

/// Each file costs a browser milliseconds, and what one imports is known only when it is there.
#[test]
fn the_page_begins_with_one_script_and_one_style_sheet() {
    let page = std::str::from_utf8(find("index.html").unwrap().plain).unwrap();
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("rel=\"stylesheet\"").count(), 1);
    let folder = tempfile::tempdir().unwrap();
    let files = ["app.js", "below.js", "reference.js"].map(|name| folder.path().join(name));
    for (file, name) in files.iter().zip(["app.js", "parts/below.js", "parts/reference.js"]) {
        std::fs::write(file, find(name).unwrap().plain).unwrap();
    }
    assert_eq!(node(IMPORTS, &files), "\n../app.js\n\n");
    let sheet = std::str::from_utf8(find("page.css").unwrap().plain).unwrap();
    assert!(!sheet.contains("@import") && sheet.contains(".device"));
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
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let read = |name: &str| {
        let bytes = from_disk(find(name).unwrap(), folder.path())?;
        Some(String::from_utf8(bytes).unwrap())
    };
    write("index.html", "new /a/@tree@/");
    assert_eq!(read("index.html"), Some(format!("new /a/{HASH}/")));
    assert_eq!(read("app.js"), None);
    write("index.html", "<script src=\"/a/@tree@/app.js\"></script>");
    write("app.js", "import { name } from \"./b.js\";\n");
    let said = read("app.js").unwrap();
    assert_eq!(said, "throw new Error(\"web/b.js: is named and not there\");\n");
    write("b.js", "export const name = 1;\n");
    assert!(read("app.js").unwrap().contains("const name = 1;"));
}

#[test]
fn the_pages_are_asked_for_again_each_time() {
    for name in ["index.html", "api.html", "worker.js"] {
        let response = page(name, &HeaderMap::new()).unwrap();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache", "{name}");
        assert!(response.headers().contains_key(header::ETAG), "{name}");
    }
}
