//! Bugs that are planted one by one: the comparison says of each what is wrong.

use crate::model::{DAY, HOUR, MINUTE, SECOND};
use crate::schedule::{End, Item, Taken, Turn, What};
use crate::world::{Bug, check};

/// A reading of device 0 with a number, so many seconds ago.
fn keyed(seq: u64, ago: i64, quarters: i32) -> Item {
    let value = f64::from(quarters) / 4.0;
    let what = What { device: 0, kind: 0, key: Some((0, seq)), value };
    Item::Reading { what, taken_after: Some(-ago * SECOND), pause: 0 }
}

fn batch(items: Vec<Item>, end: End) -> Turn {
    Turn::Batch { items, end }
}

/// A bit of everything.
fn schedule() -> Vec<Turn> {
    let other = What { device: 2, kind: 2, key: None, value: 50.0 };
    let future =
        Item::Reading { what: other.clone(), taken_after: Some(10 * MINUTE), pause: 40 * SECOND };
    let import = Item::Import { what: other, after: -50 * DAY, taken: Taken::Believed };
    let keep_all = Turn::Forget { raw: Some(DAY), sums: Some(DAY), keeps_undrained: true };
    vec![
        batch(
            (1..12)
                .map(|seq| keyed(seq, seq.cast_signed() * 100, 8 - 3 * i32::try_from(seq).unwrap()))
                .collect(),
            End::Commit,
        ),
        batch(vec![keyed(20, 5_000, 1), Item::Again(3), Item::Reject, future], End::Write),
        Turn::Crash,
        batch(vec![keyed(21, 3, 2), import], End::Write),
        Turn::Sync,
        Turn::PowerCut,
        batch(vec![keyed(22, 1, 1)], End::Crash),
        batch(vec![keyed(23, 1, 1)], End::Write),
        Turn::PowerCut,
        Turn::Drained(60),
        keep_all,
        batch(vec![keyed(24, 2, 7)], End::Commit),
    ]
}

#[track_caller]
fn caught(schedule: &[Turn], bug: Bug, where_it_shows: &str) {
    let said = check(schedule, bug).expect_err(where_it_shows);
    assert!(said.contains(where_it_shows), "{bug:?}: {said}");
}

#[test]
fn bugs_in_the_file_are_caught() {
    let schedule = schedule();
    check(&schedule, Bug::None).unwrap();
    for (where_it_shows, sql) in [
        // Known again as if it had never come.
        ("pages by number", "INSERT INTO reading (id, series, at_micros, value, topic,
             arrived_after_micros, is_device_time, boot, seq)
             SELECT 99, series, at_micros, value, topic, arrived_after_micros, is_device_time, boot, seq
             FROM reading WHERE id = 1;"),
        ("the size", "UPDATE total SET readings_deleted = 1"),
        ("pages", "DELETE FROM reading WHERE id = 2"),
        ("pages", "UPDATE reading SET at_micros = at_micros + 1 WHERE id = 2"),
        ("pages of a device", "DELETE FROM rollup_minute WHERE minute = (SELECT min(minute) FROM rollup_minute WHERE series = 1)"),
        ("pages of values", "UPDATE rollup_minute SET max = min - 1"),
        ("pages of values of a quantity in a time", "UPDATE rollup_hour SET max = min - 1"),
        ("latest", "UPDATE rollup_open SET last_at_micros = last_at_micros - 1"),
        ("database:N", "UPDATE temperature_count SET count = count + 1 WHERE level = 1"),
        ("a chart", "UPDATE rollup_minute SET sum = sum + 1"),
        ("a chart", "UPDATE rollup_hour SET last = last + 1"),
        ("a chart", "UPDATE rollup_day SET min = min - 1"),
        ("a chart", "UPDATE rollup_open SET minute_max = minute_max + 1"),
        ("a chart", "UPDATE rollup_open SET hour_sum = hour_sum - 1"),
        ("a chart", "UPDATE rollup_open SET day_count = day_count + 1"),
        ("the account", "UPDATE total SET duplicate = 0"),
        ("rejects", "UPDATE reject SET arrived_at_micros = 7"),
        ("drained", "UPDATE total SET drained_reading_id = 2"),
        ("missing numbers", "DELETE FROM seq_run WHERE first = 20"),
    ] {
        caught(&schedule, Bug::Sql(sql), where_it_shows);
    }
}

#[test]
fn numbers_that_are_forgotten_are_caught_when_they_come_again() {
    let schedule = [
        batch(vec![keyed(1, 5, 1)], End::Commit),
        Turn::Restart,
        batch(vec![Item::Again(0)], End::Commit),
    ];
    check(&schedule, Bug::None).unwrap();
    caught(&schedule, Bug::Sql("DELETE FROM seq_run"), "the account");
}

#[test]
fn bugs_of_the_journal_are_caught() {
    let schedule = schedule();
    for (where_it_shows, bug) in [
        ("the account", Bug::Unsynced),
        ("the account", Bug::Unwritten),
        ("the account", Bug::Torn),
        ("pages of a time", Bug::ClockBelieved),
        ("pages by number", Bug::ImportArrives),
        ("pages", Bug::CursorSkips),
    ] {
        caught(&schedule, bug, where_it_shows);
    }
    let ahead =
        [batch(vec![keyed(1, 9, 1)], End::Ahead), batch(vec![keyed(2, 1, 1)], End::AheadCrash)];
    check(&ahead, Bug::None).unwrap();
    caught(&ahead, Bug::Unsummed, "pages");
}

#[test]
fn bugs_of_retention_are_caught() {
    let old = batch(
        (1..9).map(|seq| keyed(seq, HOUR / SECOND + 10 * seq.cast_signed() - 42, 1)).collect(),
        End::Commit,
    );
    let forget = |keeps_undrained| Turn::Forget { raw: Some(HOUR), sums: None, keeps_undrained };
    for (turns, bug) in [
        ([old.clone(), Turn::Drained(70), forget(true)], Bug::Undrained),
        ([old, Turn::Drained(0), forget(false)], Bug::TooEarly),
    ] {
        check(&turns, Bug::None).unwrap();
        caught(&turns, bug, "pages by number");
    }
}
