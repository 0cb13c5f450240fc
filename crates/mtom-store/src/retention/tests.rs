use super::{Keep, ROWS_MAX, Step};
use crate::batch::tests::check_counts;
use crate::history::PageQuery;
use crate::journal::Journal;
use crate::record::{CommandRecord, Order, Reject};
use crate::rollup::SLOT;
use crate::testing::{Folder, NOW, SECOND, after, celsius, keyed, store, taken};
use mtom_protocol::time::UnixMicros;
use std::time::Duration;

const HOUR: i64 = 3_600 * SECOND;

/// One reading a minute and device, the oldest first, the newest at `NOW`.
fn filled(folder: &Folder, minutes: i64, devices: u64) -> Journal {
    let mut journal = folder.open();
    for first in (0..minutes).step_by(500) {
        let mut batch = Vec::new();
        for minute in first..(first + 500).min(minutes) {
            for device in 0..devices {
                let one =
                    keyed(celsius(&format!("d{device}"), 20.5), "boot", minute.cast_unsigned());
                batch.push((taken(one, after((minute - minutes + 1) * 60 * SECOND)), NOW));
            }
        }
        store(&mut journal, &batch);
    }
    journal
}

/// Steps until there is nothing to do. All of them, added up.
fn forget(journal: &mut Journal, keep: &Keep, disk_free: Option<u64>) -> Step {
    let mut all = Step::default();
    for _ in 0..10_000 {
        let step = journal.forget(keep, NOW, disk_free).unwrap();
        assert!(step.deleted <= 4 * ROWS_MAX.cast_unsigned());
        all.deleted += step.deleted;
        all.returned += step.returned;
        if !step.has_more {
            return all;
        }
    }
    panic!("it does not end");
}

fn oldest(journal: &Journal) -> UnixMicros {
    let query = PageQuery { limit: 1, ..PageQuery::default() };
    journal.history().page(&query).unwrap().rows[0].at
}

fn rows(folder: &Folder, sql: &str) -> i64 {
    folder.plain().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_too_old_goes_and_its_sums_stay() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 3_000, 4);
    let sums = rows(&folder, "SELECT count(*) FROM rollup_minute");
    let keep = Keep { raw: Some(Duration::from_hours(10)), ..Keep::default() };
    let step = forget(&mut journal, &keep, None);
    // Ten hours of the fifty, to the slot.
    assert_eq!(step.deleted, 4 * (3_000 - 600 - 1));
    assert_eq!(oldest(&journal), after(-10 * HOUR));
    assert_eq!(rows(&folder, "SELECT count(*) FROM rollup_minute"), sums);
    assert_eq!(journal.counts().stored, 12_000, "what was stored was stored");
    assert_eq!(rows(&folder, "SELECT readings_deleted FROM total"), 4 * 2_399);
    check_counts(&folder);
    let first = journal.history().original_page(0).unwrap();
    assert_eq!(first[0].at, after(-10 * HOUR), "database:0 is the oldest that is left");

    let keep = Keep { rollups: Some(Duration::from_hours(20)), ..keep };
    forget(&mut journal, &keep, None);
    assert_eq!(rows(&folder, "SELECT count(*) FROM rollup_minute"), 4 * 1_201);
    assert!(rows(&folder, "SELECT count(*) FROM rollup_day") >= 8, "days stay");
    assert_eq!(forget(&mut journal, &keep, None), Step::default());
}

#[test]
fn a_redelivery_of_what_was_forgotten_is_still_a_duplicate() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 600, 1);
    let keep = Keep { raw: Some(Duration::from_hours(1)), ..Keep::default() };
    assert!(forget(&mut journal, &keep, None).deleted > 0);
    let again = taken(keyed(celsius("d0", 20.5), "boot", 0), after(-599 * 60 * SECOND));
    store(&mut journal, &[(again, NOW)]);
    assert_eq!((journal.counts().stored, journal.counts().duplicate), (600, 1));
}

#[test]
fn a_file_that_is_too_large_shrinks_and_its_space_is_returned() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 10_000, 4);
    drop(journal);
    let before = std::fs::metadata(folder.path()).unwrap().len();
    journal = folder.open();
    let len_max = before / 2;
    let keep = Keep { len_max: Some(len_max), ..Keep::default() };
    let step = forget(&mut journal, &keep, None);
    assert!(step.deleted > 0 && step.returned > 0, "{step:?}");
    assert_eq!(forget(&mut journal, &keep, None), Step::default());
    check_counts(&folder);
    let newest = PageQuery { limit: 60, order: Order::Descending, ..PageQuery::default() };
    assert_eq!(journal.history().page(&newest).unwrap().rows.len(), 60, "the last hour stays");
    drop(journal);
    let after = std::fs::metadata(folder.path()).unwrap().len();
    assert!(after <= len_max, "{after} of {before}");
    assert_eq!(folder.open().counts().stored, 40_000);
}

#[test]
fn readings_go_before_sums() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 4_000, 4);
    let sums = rows(&folder, "SELECT count(*) FROM rollup_minute");
    // All but nothing may stay: one step at a time.
    let keep = Keep { len_max: Some(1), ..Keep::default() };
    while rows(&folder, "SELECT count(*) FROM reading") > 4 * 61 {
        assert_eq!(rows(&folder, "SELECT count(*) FROM rollup_minute"), sums);
        assert!(journal.forget(&keep, NOW, None).unwrap().has_more);
    }
    forget(&mut journal, &keep, None);
    assert_eq!(rows(&folder, "SELECT count(*) FROM reading"), 4 * 61);
    assert_eq!(rows(&folder, "SELECT count(*) FROM rollup_minute"), 4 * 1_441);
}

#[test]
fn a_disk_that_runs_full_is_relieved() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 3_000, 4);
    let keep = Keep { disk_free_min: 1_000_000, ..Keep::default() };
    assert_eq!(forget(&mut journal, &keep, Some(2_000_000)), Step::default());
    assert_eq!(forget(&mut journal, &keep, None), Step::default());
    let step = journal.forget(&keep, NOW, Some(0)).unwrap();
    assert!(step.deleted > 0 && step.for_disk, "{step:?}");
    // First the space that this made leaves the file.
    let step = journal.forget(&keep, NOW, Some(0)).unwrap();
    assert!(step.deleted > 0 || step.returned > 0, "{step:?}");
}

#[test]
fn what_another_database_lacks_is_kept() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 600, 2);
    let mut batch = journal.begin().unwrap();
    for _ in 0..3 {
        let arrived_at = after(-100 * HOUR);
        let reject = Reject { topic: "t", payload: b"x", code: "c", reason: "r", arrived_at };
        batch.reject(&reject).unwrap();
    }
    batch.commit().unwrap();
    let keep = Keep { raw: Some(Duration::ZERO), drained: Some((500, 1)), ..Keep::default() };
    assert_eq!(forget(&mut journal, &keep, None).deleted, 501);
    assert_eq!(rows(&folder, "SELECT min(id) FROM reading"), 501);
    assert_eq!(rows(&folder, "SELECT min(id) FROM reject"), 2);
    check_counts(&folder);
}

#[test]
fn the_ledger_keeps_what_each_actuator_is_to_be() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let mut batch = journal.begin().unwrap();
    for number in 1..=10 {
        batch
            .command(&CommandRecord {
                number,
                actuator: if number < 4 { "old".into() } else { "new".into() },
                on: true,
                rule: "r".into(),
                rule_version: None,
                reading: None,
                cause: "c".into(),
                condition: None,
                decided_at: after(-HOUR),
            })
            .unwrap();
    }
    batch.commit().unwrap();
    let keep = Keep { rollups: Some(Duration::ZERO), ..Keep::default() };
    assert_eq!(forget(&mut journal, &keep, None).deleted, 8);
    let left: Vec<u64> =
        journal.history().commands(20).unwrap().iter().map(|row| row.command.number).collect();
    assert_eq!(left, [10, 3]);
}

#[test]
fn sums_stay_as_long_as_the_readings_that_are_found_through_them() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 3_000, 2);
    let keep = Keep { rollups: Some(Duration::from_hours(1)), ..Keep::default() };
    forget(&mut journal, &keep, None);
    let query = PageQuery { device: Some("d1".into()), limit: 1_000, ..PageQuery::default() };
    assert_eq!(journal.history().page(&query).unwrap().rows[0].at, after(-2_999 * 60 * SECOND));
    assert_eq!(journal.history().latest().unwrap().len(), 2);
    // A full disk keeps no more than was asked for.
    let keep = Keep { raw: Some(Duration::from_hours(2)), disk_free_min: 1, ..keep };
    forget(&mut journal, &keep, Some(0));
    assert_eq!(oldest(&journal), after(-2 * HOUR));
}

#[test]
fn the_latest_is_the_newest_that_is_left() {
    let folder = Folder::new();
    let mut journal = folder.open();
    // Of `late` the newest by time came first, was drained and goes; older ones came after it.
    let came = [
        ("late", 0),
        ("silent", -HOUR),
        ("late", -50 * HOUR),
        ("late", -49 * HOUR),
        ("late", -49 * HOUR - 1),
        ("busy", 2 * HOUR),
    ];
    for (device, at) in came {
        store(&mut journal, &[(taken(celsius(device, 20.0), after(at)), after(at + 72 * HOUR))]);
    }
    let latest = |journal: &Journal| -> Vec<_> {
        let rows = journal.history().latest().unwrap();
        rows.iter().map(|row| (row.reading.device.to_string(), row.id)).collect()
    };
    let row = |device: &str, id| (device.to_owned(), id);
    assert_eq!(latest(&journal), [row("busy", 6), row("late", 1), row("silent", 2)]);
    let keep = Keep { raw: Some(Duration::ZERO), drained: Some((2, 0)), ..Keep::default() };
    let now = after(HOUR);
    assert_eq!(journal.forget(&keep, now, None).unwrap().deleted, 2);
    assert_eq!(latest(&journal), [row("busy", 6), row("late", 4)], "nothing of `silent` is left");
    assert_eq!(journal.history().latest_temperature().unwrap().unwrap().id, 6);
    // Once they are drained too they go.
    let keep = Keep { drained: Some((6, 0)), ..keep };
    assert_eq!(journal.forget(&keep, now, None).unwrap().deleted, 3);
    assert_eq!(latest(&journal), [row("busy", 6)]);
}

#[test]
fn what_cannot_go_is_looked_at_once_and_in_small_steps() {
    let folder = Folder::new();
    let mut journal = filled(&folder, 11_000, 4);
    // One that may go lies behind forty thousand that may not.
    let late = taken(celsius("late", 20.5), after(-60 * SECOND));
    let drained = Some((44_000, 0));
    store(&mut journal, &[(late, NOW)]);
    folder.plain().execute_batch("UPDATE reading SET id = -44001 WHERE id = 44001").unwrap();
    folder.plain().execute_batch("UPDATE reading SET id = id + 100000 WHERE id > 0").unwrap();
    folder.plain().execute_batch("UPDATE reading SET id = 1 WHERE id < 0").unwrap();
    let keep = Keep { raw: Some(Duration::ZERO), drained, ..Keep::default() };
    let nothing = Step { has_more: true, ..Step::default() };
    assert_eq!(journal.forget(&keep, NOW, None).unwrap(), nothing);
    assert_eq!(journal.forget(&keep, NOW, None).unwrap(), nothing);
    assert_eq!(journal.forget(&keep, NOW, None).unwrap(), Step { deleted: 1, ..nothing });
    assert_eq!(journal.forget(&keep, NOW, None).unwrap(), Step::default());
    let passed = journal.passed.slot;
    assert_eq!(passed, NOW.0 / SLOT);
    assert_eq!(journal.forget(&keep, NOW, None).unwrap(), Step::default());
    // What is drained since is looked for from the beginning.
    folder.plain().execute_batch("UPDATE reading SET id = 2 WHERE id = 100001").unwrap();
    store(&mut journal, &[(celsius("a", 1.0), NOW)]);
    let keep = Keep { drained: Some((44_002, 0)), ..keep };
    assert_eq!(journal.forget(&keep, NOW, None).unwrap().deleted, 1);
}
