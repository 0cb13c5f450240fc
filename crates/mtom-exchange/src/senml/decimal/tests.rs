use super::*;

#[test]
fn seconds_are_read_as_they_are_written() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("1", Some(SECOND)),
        ("1.5", Some(SECOND * 3 / 2)),
        ("-1.5", Some(-SECOND * 3 / 2)),
        ("15e-1", Some(SECOND * 3 / 2)),
        ("0.15E1", Some(SECOND * 3 / 2)),
        ("1764000000.123456", Some(1_764_000_000_123_456_000_000)),
        ("1.764000000123456e9", Some(1_764_000_000_123_456_000_000)),
        ("1e-12", Some(1)),
        ("1e-13", Some(0)),
        ("0e2147483647", None),
        ("0e999", Some(0)),
        ("1e20", Some(MAX)),
        ("1e21", None),
        ("1e999", None),
        ("", None),
        ("-", None),
        (".5", None),
        ("1e", None),
        ("\"1\"", None),
        ("null", None),
    ] {
        assert_eq!(picos(text), expected, "{text}");
    }
}
