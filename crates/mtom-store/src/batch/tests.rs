use crate::error::StoreError;
use crate::record::{CommandOutcome, CommandRecord, CommandRow, Counts, Reject, Stored};
use crate::testing::{
    Folder, NOW, SECOND, after, celsius, keyed, reading, store, store_new, taken,
};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;

const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

#[test]
fn a_reading_comes_back_as_it_went_in() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let mut expected = Vec::new();
    for (index, unit) in (0_u32..).zip(Unit::ALL) {
        let value = f64::from(index) + 0.1;
        let mut one = reading("site/Küche \"1\"; DROP TABLE reading--", "a.b'c", value, unit);
        if index % 2 == 0 {
            one = keyed(one, "boot\0'", u64::MAX - u64::from(index));
        }
        if index % 3 == 0 {
            one = taken(one, after(-SECOND));
        }
        // The topic need not be what device and quantity say.
        one.topic = format!("other/{}", index % 5).into();
        expected.push(store_new(&mut journal, one, after(i64::from(index))));
    }
    expected.sort_by_key(|row| (row.at, row.id));
    let page = journal
        .history()
        .page(&crate::history::PageQuery { limit: 100, ..Default::default() })
        .unwrap();
    assert_eq!(page.rows, expected);
    assert_eq!(page.next, None);
}

#[test]
fn the_time_that_counts() {
    #[track_caller]
    fn check(taken_at: UnixMicros, at: UnixMicros, suspect: bool) {
        let folder = Folder::new();
        let mut journal = folder.open();
        let stored = store_new(&mut journal, taken(celsius("a", 20.0), taken_at), NOW);
        assert_eq!((stored.at, stored.suspect), (at, suspect));
        assert_eq!(stored.reading.taken_at, Some(taken_at), "what the device said is kept");
        assert_eq!(journal.history().latest_temperature().unwrap(), Some(stored));
    }
    check(NOW, NOW, false);
    check(after(-30 * DAY), after(-30 * DAY), false);
    check(after(-30 * DAY - 1), NOW, true);
    check(after(5 * MINUTE), after(5 * MINUTE), false);
    check(after(5 * MINUTE + 1), NOW, true);
    check(UnixMicros(0), NOW, true);
    check(UnixMicros(i64::MIN), NOW, true);
    check(UnixMicros(i64::MAX), NOW, true);
}

#[test]
fn the_same_key_on_the_same_series_is_the_same_reading() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let first = keyed(celsius("a", 20.0), "boot", 1);
    store_new(&mut journal, first.clone(), NOW);
    let duplicate = Stored::Duplicate;

    // In a later batch, twice in one batch, with another value: the key decides.
    let again = keyed(celsius("a", 99.0), "boot", 1);
    let later = (again, after(SECOND));
    assert_eq!(
        store(&mut journal, &[later.clone(), later]),
        [duplicate.clone(), duplicate.clone()]
    );

    // Another series, boot, number or device is another reading, and so is one without a key.
    for other in [
        keyed(reading("a", "Humidity", 20.0, Unit::Percent), "boot", 1),
        keyed(celsius("a", 20.0), "boot 2", 1),
        keyed(celsius("a", 20.0), "boot", 2),
        keyed(celsius("b", 20.0), "boot", 1),
        celsius("a", 20.0),
        celsius("a", 20.0),
    ] {
        store_new(&mut journal, other, NOW);
    }
    assert_eq!(journal.counts(), Counts { stored: 7, duplicate: 2, rejected: 0 });

    // Also after a restart, when nothing is remembered.
    drop(journal);
    let mut journal = folder.open();
    assert_eq!(store(&mut journal, &[(first, after(DAY))]), [duplicate]);
    assert_eq!(journal.counts(), Counts { stored: 7, duplicate: 3, rejected: 0 });
    assert_eq!(journal.history().counts().unwrap(), journal.counts());
}

#[test]
fn a_dropped_batch_leaves_nothing() {
    let folder = Folder::new();
    let mut journal = folder.open();
    store_new(&mut journal, celsius("known", 20.0), NOW);
    let before = dump(&folder);

    let mut batch = journal.begin().unwrap();
    let undone = batch.reading(&keyed(celsius("new", 21.0), "boot", 1), after(1)).unwrap();
    batch.reading(&keyed(celsius("new", 21.0), "boot", 1), after(1)).unwrap();
    batch.reject(&reject("t", b"x")).unwrap();
    batch.rule_state("rule", b"state").unwrap();
    batch.command(&command(1)).unwrap();
    drop(batch);

    assert_eq!(dump(&folder), before);
    assert_eq!(journal.counts(), Counts { stored: 1, ..Counts::default() });
    assert_eq!(journal.rule_states().unwrap(), []);
    // The names that the batch added were remembered by numbers that are no longer theirs.
    let mut others = [("other", 3.0), ("new", 4.0)].map(|(name, value)| {
        store_new(&mut journal, keyed(celsius(name, value), "boot", 1), after(2))
    });
    let Stored::New(undone) = undone else { panic!("it was new") };
    assert_eq!(others[0].id, undone.id, "no number is lost either");
    let latest = journal.history().latest().unwrap();
    others.sort_by_key(|row| row.reading.device.to_string());
    assert_eq!(latest[1..], others);
    check_sums(&folder);
}

#[test]
fn a_process_that_is_killed_leaves_nothing_of_its_batch() {
    let folder = Folder::new();
    let copy = Folder::new();
    let mut journal = folder.open();
    store_new(&mut journal, celsius("a", 20.0), NOW);
    let last = store_new(&mut journal, celsius("a", 21.0), after(1));
    let mut batch = journal.begin().unwrap();
    for index in 0..20_000 {
        batch.reading(&celsius("a", 22.0), after(2 + index)).unwrap();
    }
    // What a killed process leaves is its files as they are now; SQLite keeps no other memory.
    for suffix in ["", "-wal"] {
        let from = crate::file::beside(&folder.path(), suffix);
        std::fs::copy(from, crate::file::beside(&copy.path(), suffix)).unwrap();
    }
    let mut survivor = copy.open();
    assert_eq!(survivor.counts(), Counts { stored: 2, ..Counts::default() });
    assert_eq!(survivor.history().latest_temperature().unwrap(), Some(last.clone()));
    let next = store_new(&mut survivor, celsius("a", 23.0), after(9));
    assert_eq!(next.id, last.id + 1);
    drop(batch);
}

#[test]
fn a_full_disk_refuses_the_batch_and_nothing_else() {
    let folder = Folder::new();
    let mut journal = folder.open();
    store_new(&mut journal, celsius("a", 20.0), NOW);
    let before = dump(&folder);
    let pages: i64 =
        journal.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |journal: &crate::journal::Journal, pages: i64| {
        journal
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    };
    limit(&journal, pages);

    let mut batch = journal.begin().unwrap();
    let mut error = None;
    for index in 0..10_000 {
        error = batch.reading(&celsius("a", 21.0), after(index)).err();
        if error.is_some() {
            break;
        }
    }
    assert!(matches!(error, Some(StoreError::Full(_))), "{error:?}");
    assert!(matches!(batch.reading(&celsius("a", 1.0), NOW), Err(StoreError::Broken)));
    assert!(matches!(batch.commit(), Err(StoreError::Broken)));
    assert_eq!(dump(&folder), before);

    limit(&journal, 1_000_000);
    let next = store_new(&mut journal, celsius("a", 22.0), after(1));
    assert_eq!((next.id, journal.counts().stored), (2, 2));
    check_sums(&folder);
}

#[test]
fn a_commit_that_fails_leaves_nothing() {
    let folder = Folder::new();
    let mut journal = folder.open();
    // A deferred constraint is looked at by COMMIT itself, as a disk that fails is.
    journal
        .connection
        .execute_batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);",
        )
        .unwrap();
    let before = dump(&folder);
    let mut batch = journal.begin().unwrap();
    batch.reading(&celsius("a", 20.0), NOW).unwrap();
    batch.reject(&reject("t", b"x")).unwrap();
    batch.journal.connection.execute("INSERT INTO child VALUES (1)", []).unwrap();
    assert!(matches!(batch.commit(), Err(StoreError::Failed(_))));

    assert_eq!(dump(&folder), before);
    assert_eq!(journal.counts(), Counts::default());
    assert_eq!(store_new(&mut journal, celsius("a", 21.0), NOW).id, 1);
    check_sums(&folder);
}

#[test]
fn a_value_that_is_not_finite_is_an_error_of_the_batch() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let mut batch = journal.begin().unwrap();
    assert!(batch.reading(&celsius("a", f64::NAN), NOW).is_err());
    assert!(batch.commit().is_err());
    assert_eq!(journal.counts(), Counts::default());
}

#[test]
fn a_program_that_writes_meanwhile_is_waited_for_or_named() {
    let folder = Folder::new();
    let mut journal = folder.open();
    journal.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let plain = folder.plain();
    plain.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(journal.begin(), Err(StoreError::Busy(_))));
    plain.execute_batch("ROLLBACK").unwrap();
    store_new(&mut journal, celsius("a", 20.0), NOW);
}

#[test]
fn rejects_keep_their_head() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let payload: Vec<u8> = (0..=255).cycle().take(300).collect();
    // `ü` has two bytes: the 256th byte is inside one.
    let topic = format!("x{}", "ü".repeat(200));
    let mut batch = journal.begin().unwrap();
    let ids = [
        batch.reject(&reject("Environ/Temperature", b"")).unwrap(),
        batch.reject(&reject("</script>\0", &payload[..256])).unwrap(),
        batch.reject(&reject(&topic, &payload)).unwrap(),
    ];
    batch.commit().unwrap();
    assert_eq!(ids, [1, 2, 3]);

    let history = journal.history();
    let rows = history.rejects(None, 10).unwrap();
    let seen: Vec<_> =
        rows.iter().map(|row| (row.id, row.payload_head.len(), row.payload_len)).collect();
    assert_eq!(seen, [(3, 256, 300), (2, 256, 256), (1, 0, 0)]);
    assert_eq!(rows[0].topic, format!("x{}", "ü".repeat(127)));
    assert_eq!(rows[0].payload_head, payload[..256]);
    assert_eq!(rows[1].topic, "</script>\0");
    assert_eq!((rows[2].code.as_str(), rows[2].arrived_at), ("empty", NOW));
    assert_eq!(history.rejects(Some(3), 1).unwrap(), rows[1..2]);
    assert_eq!(history.rejects(Some(1), 10).unwrap(), []);
    assert_eq!(journal.counts().rejected, 3);

    drop(journal);
    let mut journal = folder.open();
    let mut batch = journal.begin().unwrap();
    assert_eq!(batch.reject(&reject("t", b"x")).unwrap(), 4, "no number is used twice");
}

#[test]
fn the_ledger_follows_a_command() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let mut batch = journal.begin().unwrap();
    for number in 1..=4 {
        batch.command(&command(number)).unwrap();
    }
    batch.command_outcome(2, CommandOutcome::Sent, after(1)).unwrap();
    batch.command_outcome(3, CommandOutcome::Sent, after(2)).unwrap();
    batch.commit().unwrap();
    let mut batch = journal.begin().unwrap();
    assert!(batch.command_outcome(2, CommandOutcome::Applied, after(3)).unwrap());
    assert!(batch.command_outcome(2, CommandOutcome::Applied, after(9)).unwrap());
    let refused = CommandOutcome::Refused { reason: "expected h N, c N or ?" };
    assert!(batch.command_outcome(3, refused, after(4)).unwrap());
    assert!(!batch.command_outcome(99, CommandOutcome::Applied, after(5)).unwrap());
    assert!(!batch.command_outcome(u64::MAX, refused, after(5)).unwrap());
    batch.commit().unwrap();

    let row = |number| CommandRow {
        command: command(number),
        sent_at: None,
        applied_at: None,
        refused_at: None,
        refused_reason: None,
    };
    let applied = CommandRow { sent_at: Some(after(1)), applied_at: Some(after(3)), ..row(2) };
    let refused = CommandRow {
        sent_at: Some(after(2)),
        refused_at: Some(after(4)),
        refused_reason: Some("expected h N, c N or ?".into()),
        ..row(3)
    };
    let history = journal.history();
    assert_eq!(history.commands(10).unwrap(), [row(4), refused, applied, row(1)]);
    assert_eq!(history.commands(1).unwrap(), [row(4)]);

    let mut batch = journal.begin().unwrap();
    assert!(batch.command(&command(4)).is_err(), "a number is used once");
}

#[test]
fn rule_state_belongs_to_its_batch() {
    let folder = Folder::new();
    let mut journal = folder.open();
    assert_eq!(journal.rule_states().unwrap(), []);
    for state in [&b"one"[..], b"", b"\0two"] {
        let mut batch = journal.begin().unwrap();
        batch.rule_state("a", b"overwritten").unwrap();
        batch.rule_state("b", b"other").unwrap();
        batch.rule_state("a", state).unwrap();
        batch.commit().unwrap();
        let kept = [("a".into(), state.to_vec()), ("b".into(), b"other".to_vec())];
        assert_eq!(journal.rule_states().unwrap(), kept);
    }
    let mut batch = journal.begin().unwrap();
    batch.forget_rule_state("b").unwrap();
    batch.commit().unwrap();
    drop(journal);
    assert_eq!(folder.open().rule_states().unwrap(), [("a".into(), b"\0two".to_vec())]);
}

#[test]
fn sums_are_those_of_the_readings() {
    let folder = Folder::new();
    let mut journal = folder.open();
    // Halves have exact sums in any order. Times go back and forth over hours and days, some equal.
    let mut batches = Vec::new();
    let mut state = 7_u64;
    for _ in 0..40 {
        let batch: Vec<_> = (0..50)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let pick = |count: u64, shift: u32| i64::try_from((state >> shift) % count);
                let device = format!("d{}", pick(5, 20).unwrap());
                let value = f64::from(i32::try_from(pick(80, 30).unwrap()).unwrap()) / 2.0;
                let unit = [Unit::Celsius, Unit::Fahrenheit, Unit::Percent, Unit::Kelvin]
                    [usize::try_from(pick(4, 40).unwrap()).unwrap()];
                let taken_at = after(-pick(3 * 86_400, 33).unwrap() / 30 * 30 * SECOND);
                let one = taken(reading(&device, "value", value, unit), taken_at);
                (keyed(one, "b", state >> 54), NOW)
            })
            .collect();
        batches.push(batch);
    }
    for batch in &batches {
        store(&mut journal, batch);
    }
    let counts = journal.counts();
    assert_eq!(counts.stored + counts.duplicate, 2_000);
    assert!(counts.duplicate > 0, "the data has some of everything");
    check_sums(&folder);
}

#[test]
fn a_late_reading_is_not_the_last() {
    let folder = Folder::new();
    let mut journal = folder.open();
    for (value, at) in [(1.0, 5), (2.0, 5), (3.0, 4)] {
        store_new(&mut journal, celsius("a", value), after(at));
    }
    let last: f64 =
        folder.plain().query_row("SELECT last FROM minutes", [], |row| row.get(0)).unwrap();
    assert_eq!(last.to_bits(), 2.0_f64.to_bits());
    check_sums(&folder);
}

/// Compares every sum with one that is made of the readings alone.
#[track_caller]
pub(crate) fn check_sums(folder: &Folder) {
    let plain = folder.plain();
    let minute = 60 * SECOND;
    let spans = [("minute", minute), ("hour", 60 * minute), ("day", 1_440 * minute)];
    for (span, width) in spans {
        let recomputed = format!(
            "SELECT at_micros / {width} AS span, series, count(*), min(value),
                 max(value), sum(value),
                 (SELECT value FROM reading AS r WHERE r.series = reading.series
                      AND r.at_micros / {width} = reading.at_micros / {width}
                  ORDER BY r.at_micros DESC, r.id DESC LIMIT 1),
                 max(at_micros) % {width}
             FROM reading GROUP BY span, series ORDER BY span, series"
        );
        let kept = format!("SELECT * FROM {span}s ORDER BY {span}, series");
        assert_eq!(rows(&plain, &kept), rows(&plain, &recomputed), "{span}");
    }
    check_counts(folder);
}

/// Compares what `database:N` counts on with the readings alone.
#[track_caller]
pub(crate) fn check_counts(folder: &Folder) {
    let plain = folder.plain();
    for (level, width) in (0..).zip(crate::rollup::COUNTED) {
        let recomputed = format!(
            "SELECT at_micros / {width} AS span, count(*)
             FROM reading JOIN series ON series.id = reading.series AND series.is_temperature
             GROUP BY span ORDER BY span"
        );
        let kept = format!(
            "SELECT span, count FROM temperature_count WHERE level = {level} ORDER BY span"
        );
        assert_eq!(rows(&plain, &kept), rows(&plain, &recomputed), "{level}");
    }
}

/// Every row of every table, as another program sees them.
fn dump(folder: &Folder) -> Vec<String> {
    let plain = folder.plain();
    rows(&plain, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .iter()
        .flat_map(|name| {
            let mut lines = rows(&plain, &format!("SELECT * FROM {name}"));
            lines.insert(0, name.clone());
            lines
        })
        .collect()
}

fn rows(plain: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = plain.prepare(sql).unwrap();
    let columns = statement.column_count();
    let line = |row: &rusqlite::Row<'_>| {
        let cells: Vec<String> = (0..columns)
            .map(|column| match row.get::<_, rusqlite::types::Value>(column).unwrap() {
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            })
            .collect();
        Ok(cells.join(" | "))
    };
    let found = statement.query_map([], line).unwrap();
    found.map(Result::unwrap).collect()
}

fn reject<'a>(topic: &'a str, payload: &'a [u8]) -> Reject<'a> {
    Reject { topic, payload, code: "empty", reason: "the payload is empty", arrived_at: NOW }
}

fn command(number: u64) -> CommandRecord {
    CommandRecord {
        number,
        actuator: "led".into(),
        on: number.is_multiple_of(2),
        rule: "heat@1".into(),
        rule_version: None,
        reading: (number > 1).then_some(number + 100),
        cause: "25.0 °C ≥ 25 °C".into(),
        condition: None,
        decided_at: after(i64::try_from(number).unwrap()),
    }
}

#[test]
fn stored_readings_carry_their_number() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let ids = store(&mut journal, &[(celsius("a", 1.0), NOW), (celsius("b", 2.0), NOW)])
        .into_iter()
        .map(|stored| match stored {
            Stored::New(StoredReading { id, .. }) => id,
            Stored::Duplicate => panic!("both are new"),
        });
    assert_eq!(ids.collect::<Vec<_>>(), [1, 2]);
}
