//! What an ESP32 is told to connect to.

use super::of;
use std::net::IpAddr;

fn check(listens: &str, expected: &[&str]) {
    let own =
        || -> Vec<IpAddr> { vec!["192.168.1.10".parse().unwrap(), "fd00::5".parse().unwrap()] };
    assert_eq!(of(listens, own), expected, "{listens}");
}

#[test]
fn what_listens_on_loopback_alone_is_reached_by_nobody_else() {
    for listens in ["127.0.0.1:1883", "[::1]:1883", "localhost:1883", "[::ffff:127.0.0.1]:1883", ""]
    {
        check(listens, &[]);
    }
}

#[test]
fn what_listens_everywhere_is_reached_by_our_own_addresses() {
    check("0.0.0.0:1883", &["192.168.1.10:1883"]);
    check("[::]:1883", &["192.168.1.10:1883", "[fd00::5]:1883"]);
}

#[test]
fn what_listens_on_one_address_or_elsewhere_is_reached_there() {
    check("192.168.1.10:1884", &["192.168.1.10:1884"]);
    check("broker.example:1883", &["broker.example:1883"]);
}

#[test]
fn our_own_addresses_are_for_others() {
    for ip in super::own() {
        assert!(!ip.is_loopback() && !ip.is_unspecified(), "{ip}");
    }
}
