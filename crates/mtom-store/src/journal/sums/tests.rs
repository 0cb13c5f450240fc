use crate::batch::tests::check_sums;
use crate::file::beside;
use crate::journal::Journal;
use crate::retention::Keep;
use crate::testing::{Folder, SECOND, after, celsius, store};
use std::time::Duration;

/// Some readings, written ahead of their sums.
fn ahead(journal: &mut Journal, values: &[(f64, i64)]) {
    let mut batch = journal.begin().unwrap();
    for (value, at) in values {
        batch.reading(&celsius("a", *value), after(*at)).unwrap();
    }
    batch.write_ahead(true).unwrap();
}

fn unsummed(journal: &Journal) -> u64 {
    let audit = journal.history().audit().unwrap();
    assert_eq!(audit.findings(), Vec::<String>::new());
    audit.unsummed
}

/// The disk takes no sums.
fn refuse(journal: &Journal) {
    let sql = "CREATE TRIGGER refused BEFORE UPDATE OF minute_count ON rollup_open
               BEGIN SELECT RAISE(ABORT, 'no'); END";
    journal.connection.execute_batch(sql).unwrap();
}

/// One reading in the sums, and two more that the disk has refused to take into them.
fn refused() -> (Folder, Journal) {
    let folder = Folder::new();
    let mut journal = folder.open();
    store(&mut journal, &[(celsius("a", 20.0), after(0))]);
    refuse(&journal);
    ahead(&mut journal, &[(21.0, SECOND), (22.0, 2 * SECOND)]);
    journal.sum_up();
    (folder, journal)
}

fn take(journal: &Journal) {
    journal.connection.execute_batch("DROP TRIGGER refused").unwrap();
}

#[test]
fn the_sums_of_what_was_written_ahead_follow() {
    let folder = Folder::new();
    let mut journal = folder.open();
    ahead(&mut journal, &[(20.0, 0), (21.0, 90 * SECOND)]);
    assert_eq!(unsummed(&journal), 2);
    journal.sum_up();
    assert_eq!(unsummed(&journal), 0);
    check_sums(&folder);
    // Once more adds nothing.
    journal.sum_up();
    ahead(&mut journal, &[(22.0, 95 * SECOND)]);
    store(&mut journal, &[(celsius("b", 1.0), after(0)), (celsius("a", 19.0), after(SECOND))]);
    assert_eq!(unsummed(&journal), 0);
    check_sums(&folder);
}

#[test]
fn a_process_that_ends_before_the_sums_leaves_them_to_the_next() {
    let folder = Folder::new();
    let mut journal = folder.open();
    store(&mut journal, &[(celsius("a", 20.0), after(0))]);
    ahead(&mut journal, &[(21.0, SECOND), (30.0, -4_000 * SECOND)]);
    ahead(&mut journal, &[(22.0, 3_600 * SECOND)]);
    let copy = Folder::new();
    for suffix in ["", "-wal"] {
        std::fs::copy(beside(&folder.path(), suffix), beside(&copy.path(), suffix)).unwrap();
    }
    assert_eq!(unsummed(&copy.open()), 0);
    check_sums(&copy);
    // One that ends by itself leaves nothing.
    drop(journal);
    let left: i64 = folder
        .plain()
        .query_row("SELECT reading_id_last - summed_reading_id FROM total", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    check_sums(&folder);
}

#[test]
fn a_program_that_keeps_the_file_is_not_waited_for() {
    let folder = Folder::new();
    let mut journal = folder.open();
    ahead(&mut journal, &[(21.0, SECOND)]);
    let other = folder.plain();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    journal.sum_up();
    assert_eq!(unsummed(&journal), 1);
    other.execute_batch("ROLLBACK").unwrap();
    journal.sum_up();
    assert_eq!(unsummed(&journal), 0);
    check_sums(&folder);
}

#[test]
fn sums_that_the_disk_refuses_come_with_the_next_batch() {
    let (folder, mut journal) = refused();
    ahead(&mut journal, &[(23.0, 3 * SECOND)]);
    assert_eq!(unsummed(&journal), 3);
    take(&journal);
    // A batch that is undone takes them with it, and they come again.
    let mut batch = journal.begin().unwrap();
    batch.reading(&celsius("a", 99.0), after(4 * SECOND)).unwrap();
    drop(batch);
    assert_eq!(unsummed(&journal), 3);
    store(&mut journal, &[(celsius("a", 24.0), after(5 * SECOND))]);
    assert_eq!(unsummed(&journal), 0);
    check_sums(&folder);
}

#[test]
fn what_the_sums_do_not_have_is_not_deleted() {
    let (_folder, mut journal) = refused();
    let keep = Keep { raw: Some(Duration::ZERO), ..Keep::default() };
    let later = after(86_400 * SECOND);
    while journal.forget(&keep, later, None).unwrap().has_more {}
    assert_eq!(journal.history().audit().unwrap().readings, 2);
    assert_eq!(unsummed(&journal), 2);
    take(&journal);
    journal.sum_up();
    while journal.forget(&keep, later, None).unwrap().has_more {}
    assert_eq!(journal.history().audit().unwrap().readings, 0);
    assert_eq!(unsummed(&journal), 0);
}
