//! Each case is a schedule, when to begin to look, and the changes that follow.

use super::*;
use expect_test::{Expect, expect};

fn moment(text: &str) -> UnixMicros {
    UnixMicros::parse_rfc3339(text).unwrap()
}

fn check(schedule: &str, from: &str, changes: usize, expected: Expect) {
    let schedule = Schedule::parse(schedule).unwrap();
    let mut now = moment(from);
    let mut lines = Vec::new();
    let mut turn = schedule.at(now);
    while lines.len() < changes {
        lines.push(format!(
            "{} {}",
            now.rfc3339().replace(":00.000000Z", "Z"),
            if turn.is_active { "begins" } else { "ends" }
        ));
        let was_active = turn.is_active;
        while turn.is_active == was_active {
            assert!(turn.until > now);
            // The very moment before is still as it was.
            let before = schedule.at(UnixMicros(turn.until.0 - 1));
            assert_eq!(before.is_active, was_active);
            now = turn.until;
            turn = schedule.at(now);
        }
    }
    expected.assert_eq(&lines.join("\n"));
}

fn check_error(schedule: &str, expected: Expect) {
    expected.assert_eq(&Schedule::parse(schedule).map(|_| ()).expect_err("must be refused"));
}

#[test]
fn office_hours() {
    // 2026-11-20 is a Friday.
    check(
        "Mon-Fri 07:00-19:00 Europe/Berlin",
        "2026-11-20T00:00:00Z",
        6,
        expect![[r#"
        2026-11-20T00:00Z ends
        2026-11-20T06:00Z begins
        2026-11-20T18:00Z ends
        2026-11-23T06:00Z begins
        2026-11-23T18:00Z ends
        2026-11-24T06:00Z begins"#]],
    );
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    check(
        "Fri 22:00-06:00",
        "2026-11-20T00:00:00Z",
        4,
        expect![[r#"
        2026-11-20T00:00Z ends
        2026-11-20T22:00Z begins
        2026-11-21T06:00Z ends
        2026-11-27T22:00Z begins"#]],
    );
    check(
        "Sun-Mon 22:00-06:00",
        "2026-11-20T00:00:00Z",
        5,
        expect![[r#"
        2026-11-20T00:00Z ends
        2026-11-22T22:00Z begins
        2026-11-23T06:00Z ends
        2026-11-23T22:00Z begins
        2026-11-24T06:00Z ends"#]],
    );
}

#[test]
fn whole_days_and_spans_that_touch_are_one() {
    check(
        "Sat,Sun",
        "2026-11-20T00:00:00Z",
        4,
        expect![[r#"
        2026-11-20T00:00Z ends
        2026-11-21T00:00Z begins
        2026-11-23T00:00Z ends
        2026-11-28T00:00Z begins"#]],
    );
    check(
        "08:00-12:00; 12:00-16:00",
        "2026-11-20T00:00:00Z",
        4,
        expect![[r#"
        2026-11-20T00:00Z ends
        2026-11-20T08:00Z begins
        2026-11-20T16:00Z ends
        2026-11-21T08:00Z begins"#]],
    );
    check(
        "Mon 20:00-24:00 UTC; Tue 00:00-02:00 UTC",
        "2026-11-20T00:00:00Z",
        4,
        expect![[r#"
        2026-11-20T00:00Z ends
        2026-11-23T20:00Z begins
        2026-11-24T02:00Z ends
        2026-11-30T20:00Z begins"#]],
    );
}

#[test]
fn always_is_always() {
    let schedule = Schedule::parse("Mon-Sun").unwrap();
    let mut now = moment("2026-03-20T00:00:00Z");
    for _ in 0..100 {
        let turn = schedule.at(now);
        assert!(turn.is_active && turn.until > now);
        now = turn.until;
    }
}

#[test]
fn when_clocks_go_forward_a_missing_time_is_the_first_there_is() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00.
    check(
        "02:30-05:00 Europe/Berlin",
        "2026-03-28T12:00:00Z",
        3,
        expect![[r#"
        2026-03-28T12:00Z ends
        2026-03-29T01:00Z begins
        2026-03-29T03:00Z ends"#]],
    );
    check(
        "01:00-02:30 Europe/Berlin",
        "2026-03-28T12:00:00Z",
        3,
        expect![[r#"
        2026-03-28T12:00Z ends
        2026-03-29T00:00Z begins
        2026-03-29T01:00Z ends"#]],
    );
    check(
        "02:15-02:45 Europe/Berlin",
        "2026-03-28T12:00:00Z",
        3,
        expect![[r#"
        2026-03-28T12:00Z ends
        2026-03-30T00:15Z begins
        2026-03-30T00:45Z ends"#]],
    );
    // On that day it begins and ends at the same moment, which is no moment of it.
    let gap = Schedule::parse("02:15-02:45 Europe/Berlin").unwrap();
    let turn = gap.at(moment("2026-03-29T01:00:00Z"));
    let next = moment("2026-03-30T00:15:00Z");
    assert_eq!(turn, Turn { is_active: false, until: next });
}

#[test]
fn when_clocks_go_back_a_double_hour_counts_both() {
    // Berlin, 2026-10-25: 03:00 becomes 02:00.
    check(
        "02:30-05:00 Europe/Berlin",
        "2026-10-24T12:00:00Z",
        3,
        expect![[r#"
        2026-10-24T12:00Z ends
        2026-10-25T00:30Z begins
        2026-10-25T04:00Z ends"#]],
    );
    check(
        "01:00-02:30 Europe/Berlin",
        "2026-10-24T12:00:00Z",
        3,
        expect![[r#"
        2026-10-24T12:00Z ends
        2026-10-24T23:00Z begins
        2026-10-25T01:30Z ends"#]],
    );
}

#[test]
fn mistakes_are_told_with_the_word_meant() {
    check_error(
        "",
        expect![[r#"expected days or times, as in "Mon-Fri 07:00-19:00 Europe/Berlin""#]],
    );
    check_error("Monn 07:00-19:00", expect!["there is no day `Monn`: did you mean `Mon`?"]);
    check_error("Freitag", expect!["there is no day `Freitag`: did you mean `Fri`?"]);
    check_error("7-19", expect!["expected times as in 07:00-19:00, found `7-19`"]);
    check_error("07:00-25:00", expect!["expected times as in 07:00-19:00, found `07:00-25:00`"]);
    check_error(
        "07:00-07:00",
        expect!["`07:00-07:00` ends when it begins: expected two times, or none for all day"],
    );
    check_error(
        "07:00-19:00 Europe/Berln",
        expect!["there is no zone `Europe/Berln`: did you mean `Europe/Berlin`?"],
    );
    check_error(
        "07:00-19:00 Nowhere/Nothing",
        expect!["there is no zone `Nowhere/Nothing`: expected one as in Europe/Berlin"],
    );
    check_error(
        "Mon 07:00-19:00 20:00-21:00",
        expect![[
            r#"`20:00-21:00` is one too many: expected days, times and a zone, as in "Mon-Fri 07:00-19:00 Europe/Berlin""#
        ]],
    );
    check_error(&"Mon;".repeat(40), expect!["expected at most 32 parts"]);
    assert!(Schedule::parse(&["Mon"; 32].join(";")).is_ok());
    check_error(&["Mon"; 33].join(";"), expect!["expected at most 32 parts"]);
    check_error("Mon,", expect!["expected one of Mon, Tue, Wed, Thu, Fri, Sat, Sun, found ``"]);
    check_error(
        "UTC",
        expect![[r#"expected days or times, as in "Mon-Fri 07:00-19:00 Europe/Berlin""#]],
    );
    for (text, extra) in [
        ("Mon UTC UTC", "UTC"),
        ("Mon UTC Europe/Berlin", "Europe/Berlin"),
        ("Mon Tue", "Tue"),
        ("07:00-08:00 Mon", "Mon"),
        ("UTC Mon", "Mon"),
    ] {
        let error = Schedule::parse(text).map(|_| ()).unwrap_err();
        assert!(error.starts_with(&format!("`{extra}` is one too many")), "{text}: {error}");
    }
    for text in ["007:00-08:00", "07:0-08:00", "7-08:00", "07:000-08:00"] {
        let error = Schedule::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(error, format!("expected times as in 07:00-19:00, found `{text}`"));
    }
}

#[test]
fn days_and_times_may_be_written_in_several_ways() {
    let same = [
        ("7:00-9:00", "07:00-09:00 UTC"),
        ("07:00-09:00 UTC", "Mon-Sun 07:00-09:00"),
        ("Mon, Tue 07:00-09:00", "mon,TUE 07:00-09:00"),
        ("Mon 00:00-24:00", "Mon"),
        ("Mon 00:00-00:00", "Mon"),
    ];
    for (one, other) in same {
        let (one, other) = (Schedule::parse(one).unwrap(), Schedule::parse(other).unwrap());
        for hour in 0..200 {
            let at = UnixMicros(1_800_000_000_000_000 + hour * 3_600_000_000);
            assert_eq!(one.at(at), other.at(at));
        }
    }
}

#[test]
fn no_time_makes_it_panic() {
    let schedule = Schedule::parse("Mon-Fri 07:00-19:00 America/New_York").unwrap();
    for at in [i64::MIN, -1, 0, 1, i64::MAX] {
        schedule.at(UnixMicros(at));
    }
}
