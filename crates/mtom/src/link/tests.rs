use super::Link;
use expect_test::expect;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use serde_json::{Value, json};

/// 2026-11-23 08:06:30.
const NOW: i64 = 1_795_421_190_000_000;
const HOUR: i64 = 3_600_000_000;

fn words(state: &str, since: i64, down_since: Option<i64>, reason: &str) -> String {
    let actuator = json!({
        "link": "ble:TEMP_LED", "link_state": state, "link_reason": reason,
        "link_since_micros": since, "link_down_since_micros": down_since,
    });
    Link::of(&actuator).words(UnixMicros(NOW), &TimeZone::UTC)
}

#[test]
fn a_link_is_told_with_its_age_and_its_reason() {
    let reason = "ble:TEMP_LED: not found within 12s; is it on, and in reach?";
    let said = [
        words("up", NOW - HOUR, None, ""),
        words("searching", NOW, Some(NOW - 30 * HOUR), reason),
        words("broken", NOW, Some(NOW), "ble:TEMP_LED: closed by the other end"),
        words("away", NOW - HOUR, Some(NOW - HOUR), "stopped"),
    ];
    expect![[r#"
        up since 07:06:30
        searching since 08:06:30, not up since 2026-11-22 02:06:30: not found within 12s; is it on, and in reach?
        broken since 08:06:30: closed by the other end
        away since 07:06:30: stopped"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn what_a_gateway_leaves_out_or_what_would_steer_a_terminal_does_no_harm() {
    let told = Link::of(&json!({ "link_state": "up\u{1b}[2J", "link_since_micros": i64::MAX }));
    assert_eq!(told.words(UnixMicros(NOW), &TimeZone::UTC), format!("up?[2J since {}", i64::MAX));
    assert_eq!(Link::of(&Value::Null), Link::default());
}
