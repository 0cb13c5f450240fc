use super::{UnixMicros, parse_span};
use jiff::tz::{TimeZone, offset};
use std::time::Duration;

const AT: UnixMicros = UnixMicros(1_795_421_190_123_456);

#[test]
fn the_original_sees_local_time_to_the_second() {
    assert_eq!(AT.original(&TimeZone::UTC), "2026-11-23 08:06:30");
    assert_eq!(AT.original(&TimeZone::fixed(offset(8))), "2026-11-23 16:06:30");
}

#[test]
fn the_original_time_reads_back() {
    let zone = TimeZone::fixed(offset(8));
    let seconds = UnixMicros(AT.0 / 1_000_000 * 1_000_000);
    assert_eq!(UnixMicros::parse_original(&AT.original(&zone), &zone), Some(seconds));
    for text in ["2026-11-23", "2026-11-23T08:06:30", "2026-13-23 08:06:30", "x"] {
        assert_eq!(UnixMicros::parse_original(text, &zone), None, "{text}");
    }
}

#[test]
fn rfc3339_round_trips() {
    assert_eq!(AT.rfc3339(), "2026-11-23T08:06:30.123456Z");
    assert_eq!(UnixMicros::parse_rfc3339(&AT.rfc3339()), Some(AT));
    assert_eq!(UnixMicros::parse_rfc3339("2026-11-23T16:06:30.123456+08:00"), Some(AT));
}

#[test]
fn a_time_without_a_zone_names_no_instant() {
    for text in ["2026-11-23 08:06:30", "yesterday", "", "2026-13-01T00:00:00Z"] {
        assert_eq!(UnixMicros::parse_rfc3339(text), None, "{text}");
    }
}

#[test]
fn the_far_ends_do_not_overflow() {
    assert_eq!(UnixMicros(i64::MAX).saturating_add(Duration::MAX).0, i64::MAX);
    assert!(UnixMicros(i64::MIN).rfc3339().starts_with("-009999"));
    assert_eq!(UnixMicros(5).since(UnixMicros(9)), Duration::ZERO);
}

#[test]
fn a_span_is_a_whole_number_and_its_unit() {
    for (text, millis) in [
        ("0s", 0),
        ("250ms", 250),
        ("10s", 10_000),
        ("10 s", 10_000),
        ("5m", 300_000),
        ("24h", 86_400_000),
        ("7d", 604_800_000),
        ("2w", 1_209_600_000),
        ("1y", 31_536_000_000),
        ("18446744073709551615ms", u64::MAX),
    ] {
        assert_eq!(parse_span(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in [
        "",
        "s",
        "10",
        "-1s",
        "+1s",
        "1.5s",
        " 1s",
        "1s ",
        "1é",
        "٣s",
        "1S",
        "18446744073709551615m",
    ] {
        assert_eq!(parse_span(text), None, "{text}");
    }
}
