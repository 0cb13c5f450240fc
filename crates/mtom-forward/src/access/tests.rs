use super::{Access, Denied};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue};

const LIVE: &str = "127.0.0.1:8765";
const PAGE: &str = "127.0.0.1:8080";

fn local() -> Access {
    Access::new(LIVE.parse().unwrap()).with_page(PAGE.parse().unwrap())
}

fn on_lan() -> Access {
    Access::new("192.168.13.64:8765".parse().unwrap())
        .with_page("192.168.13.64:8080".parse().unwrap())
}

/// `headers`: `host | origin`, an origin of `-` is none.
#[track_caller]
fn check(access: &Access, headers: &str, expected: Result<(), Denied>) {
    let (host, origin) = headers.split_once(" | ").unwrap();
    let mut map = HeaderMap::new();
    map.append("host", host.parse().unwrap());
    if origin != "-" {
        map.append("origin", origin.parse().unwrap());
    }
    assert_eq!(access.check(&map), expected, "{headers}");
}

#[test]
fn local_names_are_served_to_file_pages_programs_and_the_own_page() {
    for host in [
        LIVE,
        "localhost:8765",
        "LOCALHOST",
        "localhost.:8765",
        "[::1]:8765",
        "127.8.9.1",
        "[::ffff:127.0.0.1]:1",
        // A tunnel ends at another port.
        "localhost:9999",
    ] {
        for origin in ["-", "null", "http://127.0.0.1:8080", "http://localhost:8080"] {
            check(&local(), &format!("{host} | {origin}"), Ok(()));
        }
    }
}

#[test]
fn foreign_names_are_refused_whatever_they_point_to() {
    for host in [
        "evil.example:8765",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8765",
        "192.168.13.64:8765",
        "0.0.0.0:8765",
        "[fe80::1]:8765",
        "2130706433",
    ] {
        check(&local(), &format!("{host} | -"), Err(Denied::Host));
    }
}

#[test]
fn foreign_pages_are_refused() {
    for origin in [
        "http://evil.example",
        "http://evil.example:8080",
        "http://127.0.0.1:8081",
        "http://127.0.0.1",
        "https://127.0.0.1",
        "ftp://127.0.0.1:8080",
        "http://127.0.0.1:8080.evil.example",
        "http://127.0.0.1:8080@evil.example",
        "http://localhost.evil.example:8080",
        "file://",
        "NULL",
        "",
        "null, null",
        "http://192.168.13.64:8080",
    ] {
        check(&local(), &format!("{LIVE} | {origin}"), Err(Denied::Origin));
    }
}

#[test]
fn no_page_means_no_origin_but_null() {
    let access = Access::new(LIVE.parse().unwrap());
    check(&access, &format!("{LIVE} | http://127.0.0.1:8080"), Err(Denied::Origin));
    check(&access, &format!("{LIVE} | null"), Ok(()));
}

#[test]
fn an_added_origin_is_that_one_only() {
    let access = local().with_origin("https://home.example");
    check(&access, &format!("{LIVE} | https://home.example"), Ok(()));
    check(&access, &format!("{LIVE} | https://home.example:8080"), Err(Denied::Origin));
    check(&access, &format!("{LIVE} | http://home.example"), Err(Denied::Origin));
}

#[test]
fn the_address_listened_on_is_ours() {
    check(&on_lan(), "192.168.13.64:8765 | http://192.168.13.64:8080", Ok(()));
    check(&on_lan(), "localhost:8765 | http://192.168.13.64:8080", Ok(()));
    check(&on_lan(), "192.168.13.65:8765 | -", Err(Denied::Host));
    check(&on_lan(), "gateway.home:8765 | -", Err(Denied::Host));
}

#[test]
fn any_host_admits_the_page_under_that_host_only() {
    let access = Access::new("0.0.0.0:8765".parse().unwrap())
        .with_page("0.0.0.0:8080".parse().unwrap())
        .any_host(true);
    check(&access, "gateway.home:8765 | http://gateway.home:8080", Ok(()));
    check(&access, "192.168.1.5:8765 | http://192.168.1.5:8080", Ok(()));
    check(&access, "gateway.home:8765 | http://gateway.home:8081", Err(Denied::Origin));
    check(&access, "gateway.home:8765 | http://evil.example:8080", Err(Denied::Origin));
    check(&access, "gateway.home:8765 | http://evil.example", Err(Denied::Origin));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for host in ["", "local host", "localhost:", "localhost:x", "localhost:65536", "[::1", "a/b"] {
        check(&local(), &format!("{host} | -"), Err(Denied::Unreadable));
    }
    let twice = |name: &'static str, values: [&'static str; 2]| {
        let mut map = HeaderMap::new();
        map.append("host", HeaderValue::from_static(LIVE));
        if name == "host" {
            map.clear();
        }
        for value in values {
            map.append(name, HeaderValue::from_static(value));
        }
        local().check(&map)
    };
    assert_eq!(twice("host", [LIVE, "evil.example"]), Err(Denied::Unreadable));
    assert_eq!(twice("origin", ["null", "http://evil.example"]), Err(Denied::Unreadable));
    assert_eq!(local().check(&HeaderMap::new()), Err(Denied::Unreadable));
    let mut bytes = HeaderMap::new();
    bytes.append("host", HeaderValue::from_bytes(b"local\xffhost").unwrap());
    assert_eq!(local().check(&bytes), Err(Denied::Unreadable));
}
