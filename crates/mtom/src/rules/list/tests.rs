use super::*;
use expect_test::expect;
use serde_json::json;

/// 2026-11-23 08:06:30.
const NOW: i64 = 1_795_421_190_000_000;

fn pending(timer: &str, does: &str, seconds: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "seconds of a test")]
    let at = NOW + (seconds * 1e6) as i64;
    json!({ "timer": timer, "does": does, "at_micros": at })
}

#[test]
fn each_rule_says_how_it_is_and_what_it_waits_for() {
    let answer = json!({
        "now_micros": NOW,
        "rules": [
            { "name": "heat lamp", "state": "unknown", "since_micros": null, "silent": false,
              "blind_since_micros": null,
              "pending": [pending("max_age", "off", 8.2), pending("for", "on", 3_598.0)] },
            { "name": "frost\u{1b}[2J", "state": "off", "since_micros": NOW - 500_000, "silent": true,
              "blind_since_micros": null, "pending": [pending("schedule", "begin", 200_000.0)] },
            { "name": "damp", "state": "unknown", "since_micros": null, "silent": false,
              "blind_since_micros": NOW - 60_000_000, "pending": [pending("max_age", "hold", -1.0)] },
        ],
        "actuators": [
            { "name": "TEMP_LED", "manual": "off", "pending": pending("override", "on", 90.0) },
            { "name": "FAN", "manual": "on", "pending": null },
            { "name": "LAMP", "manual": "unknown", "pending": pending("dwell", "on", 1.0) },
        ],
        "totals": { "on": 0, "off": 1, "unknown": 2 },
        "next": null,
    });
    expect![[r#"
        RULE                     STATE    SINCE                    WAITS FOR
        heat lamp                unknown  -                        off in 9 s (max_age); on in 59 min 58 s (for)
        frost?[2J                off      2026-11-23 08:06:29.500  it begins in 2 d 7 h (schedule); a reading: it is silent
        damp                     unknown  -                        no change in 0 s (max_age); a reading that it understands: it knows nothing of those since 2026-11-23 08:05:30.000
        TEMP_LED, off by hand, waits for on in 1 min 30 s (override)
        FAN, on by hand, waits for a person
        LAMP, by rules, waits for on in 1 s (dwell)
        rules: 3, of them on: 0, off: 1, unknown: 2"#]]
    .assert_eq(&lines(&answer, &TimeZone::UTC).join("\n"));
    let more = json!({ "rules": [{}], "totals": { "on": 1_000 }, "next": 1 });
    let last = lines(&more, &TimeZone::UTC).pop().unwrap();
    assert_eq!(last, "the first 1 are listed: more with --limit");
}
