use super::MIGRATIONS;
use crate::batch::tests::check_sums;
use crate::file::APPLICATION_ID;
use crate::history::PageQuery;
use crate::journal::Journal;
use crate::record::Stored;
use crate::testing::{Folder, NOW, SECOND, after, celsius, keyed, store};
use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use rusqlite::{Connection, params};

/// A file as version 1 left it: three series, times in both directions, keys with gaps.
fn version_1(folder: &Folder) -> Vec<StoredReading> {
    let file = names_of_version_1(folder);
    let mut rows: Vec<_> = (1..=300).map(|id| row_of_version_1(&file, id)).collect();
    for (table, width) in [("rollup_minute", 60 * SECOND), ("rollup_hour", 3_600 * SECOND)] {
        file.execute_batch(&format!(
            "INSERT INTO {table}
             SELECT at_micros / {width} * {width}, series, count(*), min(value), max(value),
                 sum(value), value, max(at_micros)
             FROM reading GROUP BY at_micros / {width}, series",
        ))
        .unwrap();
    }
    rows.sort_by_key(|row| (row.at, row.id));
    rows
}

fn names_of_version_1(folder: &Folder) -> Connection {
    let file = Connection::open(folder.path()).unwrap();
    file.pragma_update(None, "journal_mode", "wal").unwrap();
    file.execute_batch(MIGRATIONS[0]).unwrap();
    file.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    file.execute_batch(
        "INSERT INTO schema_version VALUES (1, 0);
         INSERT INTO series VALUES (1, 'a', 't', '°C', 1), (2, 'b', 't', '°F', 1), (3, 'b', 'h', '%', 0);
         INSERT INTO topic VALUES (1, 'x/t'), (2, 'x/h');
         INSERT INTO boot VALUES (1, 'one'), (2, 'two');
         UPDATE total SET stored = 300, duplicate = 5, rejected = 2, reading_id_last = 300,
             command_number_last = 7;",
    )
    .unwrap();
    file
}

fn row_of_version_1(file: &Connection, id: i64) -> StoredReading {
    let series = id % 3;
    let arrived_at = after(id * SECOND);
    let taken_at = match id % 4 {
        0 => None,
        1 => Some(UnixMicros(5)),
        _ => Some(after(-(id * 61) % 9_000 * SECOND)),
    };
    let suspect = id % 4 == 1;
    let at = taken_at.filter(|_| !suspect).unwrap_or(arrived_at);
    let boot = (id % 5 != 0).then_some(id % 2);
    file.execute(
        "INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            series + 1,
            at.0,
            id,
            series % 2 + 1,
            1.5,
            arrived_at.0,
            taken_at.map(|at| at.0),
            suspect,
            boot.map(|boot| boot + 1),
            boot.map(|_| id)
        ],
    )
    .unwrap();
    let index = usize::try_from(series).unwrap();
    StoredReading {
        id: id.cast_unsigned(),
        at,
        arrived_at,
        suspect,
        reading: Reading {
            topic: ["x/t", "x/h"][index % 2].into(),
            device: ["a", "b", "b"][index].into(),
            quantity: ["t", "t", "h"][index].into(),
            value: 1.5,
            unit: [Unit::Celsius, Unit::Fahrenheit, Unit::Percent][index],
            taken_at,
            key: boot.map(|boot| ReadingKey {
                boot: ["one", "two"][usize::try_from(boot).unwrap()].into(),
                seq: id.cast_unsigned(),
            }),
        },
    }
}

#[test]
fn a_file_of_version_1_has_the_same_history_after_it() {
    let folder = Folder::new();
    let expected = version_1(&folder);
    let mut journal = folder.open();
    let all = PageQuery { limit: 1_000, ..PageQuery::default() };
    assert_eq!(journal.history().page(&all).unwrap().rows, expected);
    check_sums(&folder);
    assert_eq!(journal.counts().duplicate, 5);
    assert_eq!(journal.reserve_command_numbers(1).unwrap(), 8..9);

    // What was stored is known, and what lies between is not.
    let known = expected.iter().find(|row| row.reading.key.is_some()).unwrap().reading.clone();
    let seq = known.key.as_ref().unwrap().seq;
    let unknown = keyed(known.clone(), "one", seq + 1_000);
    let stored = store(&mut journal, &[(known, NOW), (unknown, NOW), (celsius("c", 1.0), NOW)]);
    assert!(matches!(stored[..], [Stored::Duplicate, Stored::New(_), Stored::New(_)]));
    check_sums(&folder);
}

#[test]
fn tables_that_are_not_those_of_the_version_are_refused_untouched() {
    // As after a page with the newest rows was lost, and a bit of a column's name.
    let harms = [
        (
            "DELETE FROM schema_version WHERE version > 2",
            "rule_state has no only_row, as version 2 has",
        ),
        (
            "ALTER TABLE total RENAME COLUMN drained_reject_id TO drained_reject_ie",
            "total has no drained_reject_id",
        ),
        ("DROP INDEX command_by_actuator", "command_by_actuator has no actuator"),
    ];
    for (harm, said) in harms {
        let folder = Folder::new();
        drop(folder.open());
        let file = folder.plain();
        file.execute_batch(harm).unwrap();
        file.close().unwrap();
        let before = std::fs::read(folder.path()).unwrap();
        let error = Journal::open(&folder.path(), NOW).err().unwrap().to_string();
        assert!(error.contains(said) && error.contains("restore a backup"), "{harm}: {error}");
        assert_eq!(std::fs::read(folder.path()).unwrap(), before, "{harm}");
    }
}

#[test]
fn tables_and_views_that_somebody_added_are_theirs() {
    let folder = Folder::new();
    drop(folder.open());
    let file = folder.plain();
    file.execute_batch("CREATE TABLE mine (a, b); CREATE VIEW warm AS SELECT * FROM history")
        .unwrap();
    file.close().unwrap();
    assert!(Journal::open(&folder.path(), NOW).is_ok());
}
