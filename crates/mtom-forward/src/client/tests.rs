use super::{Retry, WORDS_LEN_MAX, parse, words};
use std::time::Duration;

#[test]
fn delays_double_up_to_the_longest_and_begin_anew_after_a_success() {
    let (min, max) = (Duration::from_millis(500), Duration::from_secs(30));
    let mut retry = Retry::new(min, max);
    assert_eq!(retry.next(1.0), min);
    assert_eq!(retry.next(0.0), min);
    assert_eq!(retry.next(1.0), min * 4);
    for _ in 0..40 {
        retry.next(0.5);
    }
    assert_eq!(retry.next(1.0), max);
    assert_eq!(retry.next(0.0), max / 2);
    retry.succeeded();
    assert_eq!(retry.next(1.0), min);
}

#[test]
fn chance_outside_its_range_makes_no_strange_delay() {
    let mut retry = Retry::new(Duration::from_secs(1), Duration::from_secs(1));
    assert_eq!(retry.next(7.0), Duration::from_secs(1));
    assert_eq!(retry.next(-7.0), Duration::from_millis(500));
}

#[test]
fn only_addresses_that_can_work_are_tried() {
    for url in ["ws://127.0.0.1:8765", "ws://gateway.home", "ws://[::1]:8765/any/path?x=1"] {
        assert!(parse(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "127.0.0.1:8765",
        "http://127.0.0.1:8765",
        "wss://a:8765",
        "ws://",
        "ws:///x",
        "ws://a b",
    ] {
        let error = parse(url).unwrap_err().to_string();
        assert!(error.ends_with("expected ws://host:8765"), "{error}");
    }
}

#[test]
fn words_from_outside_stay_one_short_line() {
    assert_eq!(words("23,4 °C"), "23,4 °C");
    assert_eq!(words("a\nb\u{1b}[31m\0"), "a\\nb\\u{1b}[31m\\u{0}");
    assert_eq!(words(&"ä".repeat(5_000)).chars().count(), WORDS_LEN_MAX);
}
