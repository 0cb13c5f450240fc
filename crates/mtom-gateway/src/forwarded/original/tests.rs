use super::is_fresh;
use jiff::tz::{TimeZone, offset};
use mtom_forward::client::Received;
use mtom_protocol::time::UnixMicros;

const HEARD_AT: UnixMicros = UnixMicros(1_795_421_190_000_000); // 2026-11-23 08:06:30 UTC

fn check(time: &str, zone: &TimeZone, expected: bool) {
    let received = Received { time: time.into(), celsius: 30.0, heard_at: HEARD_AT, first: true };
    assert_eq!(is_fresh(&received, zone), expected, "{time}");
}

#[test]
fn only_a_time_of_the_last_seconds_is_fresh() {
    let utc = TimeZone::UTC;
    check("2026-11-23 08:06:30", &utc, true);
    check("2026-11-23 08:06:21", &utc, true);
    check("2026-11-23 08:06:39", &utc, true);
    check("2026-11-23 08:06:19", &utc, false);
    check("2026-11-23 07:51:30", &utc, false);
    check("2026-11-22 08:06:30", &utc, false);
    check("", &utc, false);
    check("yesterday", &utc, false);
}

#[test]
fn another_zone_is_passed_over_rather_than_guessed() {
    check("2026-11-23 16:06:30", &TimeZone::UTC, false);
    check("2026-11-23 16:06:30", &TimeZone::fixed(offset(8)), true);
}
