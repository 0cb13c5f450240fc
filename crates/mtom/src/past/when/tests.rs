use super::When;
use jiff::tz::{TimeZone, offset};
use mtom_protocol::time::UnixMicros;

/// 2026-11-24T08:00:00Z.
const NOW: UnixMicros = UnixMicros(1_795_507_200_000_000);
const HOUR: i64 = 3_600_000_000;

#[track_caller]
fn check(text: &str, expected: i64) {
    let zone = TimeZone::fixed(offset(1));
    let when: When = text.parse().unwrap();
    assert_eq!(when.instant(NOW, &zone).0, expected, "{text}");
}

#[test]
fn times_as_people_type_them() {
    check("2h", NOW.0 - 2 * HOUR);
    check("90s", NOW.0 - HOUR / 40);
    check("7d", NOW.0 - 168 * HOUR);
    check("2026-11-24T08:00:00Z", NOW.0);
    check("2026-11-24T09:00:00+01:00", NOW.0);
    check("2026-11-24 09:00", NOW.0);
    check("2026-11-24T09:00:00.5", NOW.0 + 500_000);
    check(" 2026-11-24 ", NOW.0 - 9 * HOUR);
    check("9999999999y", NOW.0 - i64::MAX);
}

#[test]
fn everything_else_says_what_is_expected() {
    for text in ["", "2", "h", "-2h", "yesterday", "2h30m", "2026-13-01", "18446744073709551615y"] {
        let refused = text.parse::<When>().unwrap_err();
        assert!(refused.contains("2h") && refused.contains("2026-11-24"), "{text}: {refused}");
    }
}
