use super::{BackupError, back_up, restore, verify};
use crate::error::OpenError;
use crate::file::beside;
use crate::history::PageQuery;
use crate::journal::Journal;
use crate::testing::{Folder, NOW, after, celsius, keyed, store};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn fill(journal: &mut Journal, from: u64, count: u64) {
    let batch: Vec<_> = (from..from + count)
        .map(|seq| (keyed(celsius("a", 20.0), "boot", seq), after(seq.cast_signed())))
        .collect();
    store(journal, &batch);
}

fn stored(path: &Path) -> u64 {
    Journal::open(path, NOW).unwrap().counts().stored
}

#[test]
fn a_backup_of_a_busy_journal_is_one_state_of_it() {
    let folder = Folder::new();
    let mut journal = folder.open();
    fill(&mut journal, 0, 20_000);
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(20_000));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut journal = journal;
            while !done.load(Ordering::Acquire) && written.load(Ordering::Acquire) < 60_000 {
                fill(&mut journal, written.load(Ordering::Acquire), 50);
                written.fetch_add(50, Ordering::AcqRel);
            }
        });
        for round in 0..5 {
            let to = folder.path().with_file_name(format!("backup-{round}"));
            let before = written.load(Ordering::Acquire);
            let mut told = Vec::new();
            let summary = back_up(&folder.path(), &to, |pages, of| told.push((pages, of))).unwrap();
            let after = written.load(Ordering::Acquire) + 50;
            assert!((before..=after).contains(&summary.readings), "{}", summary.readings);
            assert!(summary.readings.is_multiple_of(50), "whole batches only");
            assert!(told.len() > 1 && told.last().is_some_and(|(pages, of)| pages == of));
            assert_eq!(verify(&to).unwrap(), summary);
            assert!(!beside(&to, ".part").exists() && !beside(&to, "-wal").exists());
        }
        done.store(true, Ordering::Release);
    });
    // It is a journal like any other.
    let copy = folder.path().with_file_name("backup-0");
    let readings = verify(&copy).unwrap().readings;
    let mut journal = Journal::open(&copy, NOW).unwrap();
    assert_eq!(journal.counts().stored, readings);
    fill(&mut journal, readings, 10);
    assert_eq!(journal.counts().stored, readings + 10);
}

#[test]
fn a_restore_brings_back_what_was_there() {
    let folder = Folder::new();
    let mut journal = folder.open();
    fill(&mut journal, 0, 100);
    let backup = folder.path().with_file_name("backup");
    back_up(&folder.path(), &backup, |_, _| ()).unwrap();
    fill(&mut journal, 100, 30);

    // In use, there already, and only then replaced.
    let in_use = restore(&backup, &folder.path(), true).unwrap_err();
    assert!(matches!(in_use, BackupError::Unusable(OpenError::InUse { .. })), "{in_use}");
    drop(journal);
    let refused = restore(&backup, &folder.path(), false).unwrap_err();
    assert!(matches!(refused, BackupError::WouldReplace { readings: 130, .. }), "{refused}");
    assert!(refused.to_string().contains("--force"));
    assert_eq!(stored(&folder.path()), 130);
    restore(&backup, &folder.path(), true).unwrap();
    assert_eq!(stored(&folder.path()), 100);
    assert_eq!(stored(&beside(&folder.path(), ".replaced")), 130);

    // To a place where nothing is.
    let elsewhere = folder.path().with_file_name("new").join("mtom.db");
    restore(&backup, &elsewhere, false).unwrap();
    let journal = Journal::open(&elsewhere, NOW).unwrap();
    let page = PageQuery { limit: 200, ..PageQuery::default() };
    assert_eq!(journal.history().page(&page).unwrap().rows.len(), 100);
}

#[test]
fn a_database_that_a_killed_process_left_can_be_replaced() {
    let folder = Folder::new();
    let mut journal = folder.open();
    fill(&mut journal, 0, 10);
    let backup = folder.path().with_file_name("backup");
    back_up(&folder.path(), &backup, |_, _| ()).unwrap();
    fill(&mut journal, 10, 10);
    let killed = Folder::new();
    for suffix in ["", "-wal"] {
        fs::copy(beside(&folder.path(), suffix), beside(&killed.path(), suffix)).unwrap();
    }
    restore(&backup, &killed.path(), true).unwrap();
    assert_eq!(stored(&killed.path()), 10, "the old log is not mixed into the new file");
    assert_eq!(stored(&beside(&killed.path(), ".replaced")), 20);
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let folder = Folder::new();
    let mut journal = folder.open();
    fill(&mut journal, 0, 2_000);
    let backup = folder.path().with_file_name("backup");
    back_up(&folder.path(), &backup, |_, _| ()).unwrap();
    let taken = back_up(&folder.path(), &backup, |_, _| ()).unwrap_err();
    assert!(matches!(taken, BackupError::TargetExists { .. }), "{taken}");
    drop(journal);

    let bytes = fs::read(&backup).unwrap();
    let mut flipped = bytes.clone();
    // A bit of a value in the middle of a page of readings: only the checksum of a table can tell.
    let half = bytes.len() / 2;
    flipped[half..half + 64].fill(0xa5);
    for (name, content) in [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("text", Some(b"not a database".repeat(100))),
        ("cut", Some(bytes[..bytes.len() - 4_096].to_vec())),
        ("damaged", Some(flipped)),
    ] {
        let path = folder.path().with_file_name(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let refused = restore(&path, &folder.path(), true).unwrap_err();
        let is_named = refused.to_string().contains(name);
        assert!(matches!(refused, BackupError::Unusable(_)) && is_named, "{name}: {refused}");
    }
    let nowhere = folder.path().with_file_name("nowhere").join("backup");
    let refused = back_up(&folder.path(), &nowhere, |_, _| ()).unwrap_err();
    assert!(refused.to_string().contains("nowhere"), "{refused}");
    assert!(back_up(&folder.path().with_file_name("missing"), &nowhere, |_, _| ()).is_err());
    assert_eq!(stored(&folder.path()), 2_000);
}

#[test]
fn a_copy_that_differs_is_found() {
    let folder = Folder::new();
    let mut journal = folder.open();
    fill(&mut journal, 0, 10);
    let backup = folder.path().with_file_name("backup");
    let before = back_up(&folder.path(), &backup, |_, _| ()).unwrap();
    rusqlite::Connection::open(&backup)
        .unwrap()
        .execute_batch("UPDATE reading SET value = 20.5 WHERE id = 5")
        .unwrap();
    let after = verify(&backup).unwrap();
    let found = super::difference(&before.tables, &after.tables);
    assert!(found.is_some_and(|what| what.contains("table reading")));
}
