use super::beside;
use crate::error::OpenError;
use crate::journal::Journal;
use crate::testing::{Folder, NOW, after, celsius, store, store_new};
use std::fs;
use std::path::Path;

/// Opens what `make` has put there and wants it refused, with no byte changed and no file added.
#[track_caller]
fn check_refused(make: impl FnOnce(&Folder), expected: &str) -> OpenError {
    let folder = Folder::new();
    make(&folder);
    let bytes = |suffix| fs::read(beside(&folder.path(), suffix)).ok();
    let (before, log_before, mut files) = (bytes(""), bytes("-wal"), folder.files());
    let refused = Journal::open(&folder.path(), NOW).unwrap_err();
    assert_eq!(bytes(""), before, "the file is as it was");
    assert_eq!(bytes("-wal"), log_before, "its log too");
    if log_before.is_none() {
        files.push("mtom.db.lock".into());
        files.sort();
        files.dedup();
        assert_eq!(folder.files(), files, "no side files");
    }
    let message = refused.to_string();
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("mtom.db") && message.contains("nothing was changed"), "{message}");
    refused
}

#[track_caller]
fn check_damaged(make: impl FnOnce(&Folder), expected: &str) {
    let refused = check_refused(make, expected);
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
    assert!(refused.to_string().contains("restore a backup"), "{refused}");
}

#[test]
fn a_newer_version_is_refused() {
    let refused = check_refused(
        |folder| {
            drop(folder.open());
            newer(folder);
        },
        "has schema version 12, this mtom knows versions up to 5",
    );
    assert!(matches!(refused, OpenError::Newer { found: 12, known: 5, .. }), "{refused:?}");
}

#[test]
fn a_newer_version_that_stands_only_in_the_log_is_refused() {
    let refused = check_refused(
        |folder| {
            let other = Folder::new();
            // While it is open nothing of the log goes into the file.
            let open = other.open();
            newer(&other);
            for suffix in ["", "-wal"] {
                fs::copy(beside(&other.path(), suffix), beside(&folder.path(), suffix)).unwrap();
            }
            drop(open);
        },
        "has schema version 12",
    );
    assert!(matches!(refused, OpenError::Newer { .. }), "{refused:?}");
}

#[test]
fn what_is_no_database_is_refused() {
    check_damaged(|folder| write(folder, b"x"), "not an SQLite file");
    check_damaged(|folder| write(folder, &[0; 8_192]), "not an SQLite file");
    check_damaged(|folder| write(folder, b"SQLite format 3\0"), "not an SQLite file");
    check_damaged(|folder| write(folder, &b"23.4 \xc2\xb0C\n".repeat(1_000)), "not an SQLite file");
    check_damaged(|folder| fs::create_dir(folder.path()).unwrap(), "it is a folder");
}

#[test]
fn a_database_of_another_program_is_refused() {
    check_damaged(
        |folder| folder.plain().execute_batch("CREATE TABLE temp2 (time, temp)").unwrap(),
        "another program",
    );
}

#[test]
fn a_truncated_database_is_refused() {
    for kept in [100, 4_095, 4_096, 20_000] {
        check_damaged(|folder| write(folder, &good()[..kept]), &format!("it ends after {kept} of"));
    }
}

#[test]
fn an_overwritten_database_is_refused() {
    let len = good().len();
    // Garbage and zeros over a page each, and over the rest of the header.
    for at in (4_096..len).step_by(4_096) {
        for filler in [0x5a, 0x00] {
            let mut bytes = good();
            bytes[at..at + 4_096].fill(filler);
            check_damaged(|folder| write(folder, &bytes), "(");
        }
    }
    let mut bytes = good();
    bytes[100..4_096].fill(0x5a);
    check_damaged(|folder| write(folder, &bytes), "(");
    let mut bytes = good();
    bytes[16..100].fill(0xff);
    check_damaged(|folder| write(folder, &bytes), "(");
}

#[test]
fn a_missing_row_of_version_is_refused() {
    check_damaged(
        |folder| {
            drop(folder.open());
            folder.plain().execute_batch("DELETE FROM schema_version").unwrap();
        },
        "no schema version",
    );
    check_damaged(
        |folder| {
            drop(folder.open());
            folder.plain().execute_batch("DROP TABLE schema_version").unwrap();
        },
        "no schema version",
    );
}

/// A database with some of everything, closed.
fn good() -> Vec<u8> {
    let folder = Folder::new();
    let mut journal = folder.open();
    let readings: Vec<_> = (0..2_000).map(|at| (celsius("a", 20.0), after(at))).collect();
    store(&mut journal, &readings);
    store_new(&mut journal, celsius("b", 21.0), NOW);
    drop(journal);
    fs::read(folder.path()).unwrap()
}

fn newer(folder: &Folder) {
    let sql = "INSERT INTO schema_version VALUES (12, 0); CREATE TABLE later (a);";
    folder.plain().execute_batch(sql).unwrap();
}

fn write(folder: &Folder, bytes: &[u8]) {
    fs::write(folder.path(), bytes).unwrap();
}

#[test]
fn side_files_stand_beside() {
    assert_eq!(beside(Path::new("/a/mtom.db"), "-wal"), Path::new("/a/mtom.db-wal"));
    assert_eq!(super::folder(Path::new("mtom.db")), Path::new("."));
}
