//! Who may ask and who may not.

use super::Access;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

#[track_caller]
fn check(access: Access, headers: &[(&'static str, &str)], may: bool) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        map.append(HeaderName::from_static(name), value);
    }
    assert_eq!(access.check(&map).is_ok(), may, "{headers:?}");
}

fn local() -> Access {
    Access::new("127.0.0.1:8080".parse().unwrap(), false)
}

#[test]
fn hosts_of_this_computer_are_served() {
    for host in [
        "localhost:8080",
        "LOCALHOST",
        "localhost.:8080",
        "127.0.0.1:8080",
        "127.9.9.9",
        "[::1]:8080",
    ] {
        check(local(), &[("host", host)], true);
    }
    let elsewhere = Access::new("192.168.1.5:8080".parse().unwrap(), false);
    check(elsewhere, &[("host", "192.168.1.5:8080")], true);
    check(elsewhere, &[("host", "192.168.1.6:8080")], false);
}

#[test]
fn foreign_hosts_are_refused() {
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@localhost",
        "localhost:8080/x",
        "",
        "192.168.1.5",
        "[::2]",
        "loc alhost",
        "l\u{f6}calhost",
    ] {
        check(local(), &[("host", host)], false);
    }
    check(local(), &[], false);
    check(local(), &[("host", "localhost"), ("host", "localhost")], false);
}

#[test]
fn the_page_itself_may_ask_and_no_other_page() {
    let host = ("host", "localhost:8080");
    for (origin, may) in [
        ("http://localhost:8080", true),
        ("https://localhost:8080", true),
        ("http://LOCALHOST:8080", true),
        ("http://localhost:8081", false),
        ("http://localhost", false),
        ("http://127.0.0.1:8080", false),
        ("https://evil.example", false),
        ("null", false),
        ("file://localhost:8080", false),
        ("localhost:8080", false),
        ("", false),
    ] {
        check(local(), &[host, ("origin", origin)], may);
    }
    check(local(), &[host, ("origin", "http://localhost:8080"), ("origin", "null")], false);
}

#[test]
fn what_another_site_embeds_is_refused_and_its_links_are_followed() {
    let host = ("host", "localhost:8080");
    for (site, mode, may) in [
        ("same-origin", "cors", true),
        ("none", "navigate", true),
        ("cross-site", "navigate", true),
        ("cross-site", "no-cors", false),
        ("same-site", "no-cors", false),
        ("cross-site", "websocket", false),
    ] {
        check(local(), &[host, ("sec-fetch-site", site), ("sec-fetch-mode", mode)], may);
    }
}

#[test]
fn an_insecure_gateway_takes_any_host_but_no_foreign_origin() {
    let any = Access::new("0.0.0.0:8080".parse().unwrap(), true);
    check(any, &[("host", "gateway.home:8080")], true);
    check(any, &[("host", "gateway.home:8080"), ("origin", "http://gateway.home:8080")], true);
    check(any, &[("host", "gateway.home:8080"), ("origin", "http://evil.example")], false);
    check(any, &[("host", "not a host")], false);
}
