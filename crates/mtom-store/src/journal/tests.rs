use super::Journal;
use crate::error::{OpenError, StoreError};
use crate::file::beside;
use crate::history::{History, PageQuery};
use crate::log::Log;
use crate::migrations::MIGRATIONS;
use crate::record::{Counts, Reject};
use crate::testing::{Folder, NOW, after, celsius, store, store_new};
use std::fs;

#[test]
fn what_other_threads_may_have() {
    fn send<T: Send>() {}
    fn share<T: Send + Sync + Clone>() {}
    send::<Journal>();
    share::<History>();
}

#[test]
fn a_restart_keeps_everything() {
    let folder = Folder::new();
    let all = PageQuery { limit: 100, ..PageQuery::default() };
    let mut journal = folder.open();
    let readings: Vec<_> = (0..30).map(|at| (celsius("a", 20.0), after(at))).collect();
    store(&mut journal, &readings);
    let mut batch = journal.begin().unwrap();
    let reject = Reject { topic: "t", payload: b"x", code: "c", reason: "r", arrived_at: NOW };
    batch.reject(&reject).unwrap();
    batch.rule_state("rule", b"state").unwrap();
    batch.commit().unwrap();
    let page = journal.history().page(&all).unwrap();
    let rejects = journal.history().rejects(None, 10).unwrap();
    let counts = Counts { stored: 30, duplicate: 0, rejected: 1 };
    assert_eq!(journal.counts(), counts);
    drop(journal);
    assert_eq!(folder.files(), ["mtom.db", "mtom.db.lock"], "a clean end leaves one file");

    let mut journal = folder.open();
    assert_eq!(journal.history().page(&all).unwrap(), page);
    assert_eq!(journal.history().rejects(None, 10).unwrap(), rejects);
    assert_eq!(journal.rule_states().unwrap(), [("rule".into(), b"state".to_vec())]);
    assert_eq!(journal.counts(), counts);
    assert_eq!(store_new(&mut journal, celsius("a", 1.0), NOW).id, 31);
}

#[test]
fn it_is_durable_by_its_settings() {
    let folder = Folder::new();
    let journal = folder.open();
    let setting = |name| -> String {
        let value = journal.connection.pragma_query_value(None, name, |row| row.get(0));
        match value.unwrap() {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{name} is {other:?}"),
        }
    };
    assert_eq!(setting("journal_mode"), "wal");
    assert_eq!(setting("synchronous"), "1", "NORMAL: the sync of a commit is ours");
}

#[test]
fn a_file_without_a_log_or_with_another_sync_is_refused() {
    let folder = Folder::new();
    let mut connection = rusqlite::Connection::open(folder.path()).unwrap();
    let refused = |connection: &rusqlite::Connection| {
        let refused = super::check_durable(connection, &folder.path()).unwrap_err();
        assert!(refused.to_string().contains("local disk"), "{refused}");
    };
    refused(&connection);
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    refused(&connection);
    connection.pragma_update(None, "synchronous", "normal").unwrap();
    super::check_durable(&connection, &folder.path()).unwrap();
    // Memory takes no log, and says nothing.
    connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    refused(&connection);
}

#[cfg(unix)]
#[test]
fn a_commit_and_a_reservation_wait_for_the_sync_and_fail_with_it() {
    // A file that cannot be synced: the system answers EINVAL.
    let unsyncable = || Log::of(fs::File::options().write(true).open("/dev/null").unwrap());
    let is_unsynced = |outcome| matches!(outcome, Err(StoreError::Unsynced(_)));
    let folder = Folder::new();
    let mut journal = folder.open();
    journal.log = unsyncable();
    journal.begin().unwrap().write().unwrap();
    assert!(is_unsynced(journal.begin().unwrap().commit()));
    assert!(is_unsynced(journal.sync()), "the next sync would lie");
    assert!(is_unsynced(journal.begin().map(drop)));
    journal.log = unsyncable();
    assert!(is_unsynced(journal.reserve_command_numbers(1).map(drop)));
}

#[test]
fn command_numbers_are_never_given_twice() {
    let folder = Folder::new();
    let copy = Folder::new();
    let mut journal = folder.open();
    assert_eq!(journal.reserve_command_numbers(3).unwrap(), 1..4);
    assert_eq!(journal.reserve_command_numbers(0).unwrap(), 4..4);
    assert_eq!(journal.reserve_command_numbers(1).unwrap(), 4..5);
    // A batch that is undone, or committed, does not turn them back.
    drop(journal.begin().unwrap());
    assert_eq!(journal.reserve_command_numbers(5).unwrap(), 5..10);
    store_new(&mut journal, celsius("a", 20.0), NOW);
    // As after `kill -9`: the files as they are while the journal is open.
    for suffix in ["", "-wal"] {
        fs::copy(beside(&folder.path(), suffix), beside(&copy.path(), suffix)).unwrap();
    }
    assert_eq!(copy.open().reserve_command_numbers(1).unwrap(), 10..11);
    drop(journal);
    assert_eq!(folder.open().reserve_command_numbers(1).unwrap(), 10..11);
}

#[test]
fn a_second_journal_is_refused() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let refused = Journal::open(&folder.path(), NOW).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    let message = refused.to_string();
    let by = format!("mtom process (process {})", std::process::id());
    assert!(message.contains(&by) && message.contains("data.dir"), "{message}");
    store_new(&mut journal, celsius("a", 20.0), NOW);
    drop(journal);
    assert_eq!(folder.open().counts().stored, 1);
}

#[test]
fn readers_outlive_the_journal() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let history = journal.history();
    let stored = store_new(&mut journal, celsius("a", 20.0), NOW);
    let expected = [stored];
    assert_eq!(history.latest().unwrap(), expected);
    drop(journal);
    assert_eq!(history.latest().unwrap(), expected);
    let mut journal = folder.open();
    let newer = store_new(&mut journal, celsius("a", 21.0), after(1));
    assert_eq!(history.latest().unwrap(), [newer]);
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    #[track_caller]
    fn check(path: &std::path::Path) {
        let refused = Journal::open(path, NOW).unwrap_err();
        assert!(matches!(refused, OpenError::Folder { .. }), "{refused:?}");
        let folder = path.parent().unwrap().display().to_string();
        assert!(refused.to_string().contains(&folder), "{refused}");
    }
    let folder = Folder::new();
    check(&folder.path().with_file_name("missing").join("mtom.db"));
    fs::write(folder.path().with_file_name("file"), "").unwrap();
    check(&folder.path().with_file_name("file").join("mtom.db"));
    // Nobody may write there, not even root.
    if cfg!(target_os = "linux") {
        check(std::path::Path::new("/proc/mtom.db"));
    }
    assert_eq!(folder.files(), ["file"]);
}

#[test]
fn odd_paths_are_only_paths() {
    let folder = Folder::new();
    for name in ["a b", "50%25", "what?mode=memory", "a#b", "Küche's \"DB\"", "file:x"] {
        let path = folder.path().with_file_name(name);
        for expected in [0, 1] {
            let mut journal = Journal::open(&path, NOW).unwrap();
            assert_eq!(journal.counts().stored, expected, "{name}");
            store_new(&mut journal, celsius("a", 20.0), NOW);
            assert_eq!(journal.history().latest().unwrap().len(), 1);
        }
        assert!(path.is_file(), "{name}");
    }
}

#[test]
fn an_unfinished_creation_is_begun_again() {
    let folder = Folder::new();
    fs::write(beside(&folder.path(), ".new"), "half a database").unwrap();
    fs::write(beside(&folder.path(), ".new-wal"), "half a log").unwrap();
    assert_eq!(folder.open().counts(), Counts::default());
    assert_eq!(folder.files(), ["mtom.db", "mtom.db.lock"]);
}

const NEXT_VERSION: &str = "ALTER TABLE total ADD COLUMN extra INTEGER NOT NULL DEFAULT 7;";
/// The present version and one more.
fn with(next: &'static str) -> Vec<&'static str> {
    MIGRATIONS.iter().copied().chain([next]).collect()
}

const THIRD_FAILS: &str = "CREATE TABLE half (a); INSERT INTO missing VALUES (1);";

#[test]
fn an_older_version_is_backed_up_and_migrated() {
    let folder = Folder::new();
    let stored = store_new(&mut folder.open(), celsius("a", 20.0), NOW);
    let old = fs::read(folder.path()).unwrap();

    let journal = Journal::open_with(&folder.path(), after(1), &with(NEXT_VERSION)).unwrap();
    assert_eq!(journal.history().latest().unwrap(), [stored]);
    let extra: i64 = folder.plain().query_row("SELECT extra FROM total", [], |r| r.get(0)).unwrap();
    assert_eq!(extra, 7);
    drop(journal);
    assert_eq!(fs::read(beside(&folder.path(), ".v5.bak")).unwrap(), old);
    assert_eq!(folder.files(), ["mtom.db", "mtom.db.lock", "mtom.db.v5.bak"]);
    let applied: Vec<(u32, i64)> = folder
        .plain()
        .prepare("SELECT version, applied_at_micros FROM schema_version ORDER BY version")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        applied,
        [(1, NOW.0), (2, NOW.0), (3, NOW.0), (4, NOW.0), (5, NOW.0), (6, NOW.0 + 1)]
    );
}

#[test]
fn a_backup_holds_the_log_that_a_killed_process_left() {
    let folder = Folder::new();
    let copy = Folder::new();
    let mut journal = folder.open();
    store_new(&mut journal, celsius("a", 20.0), NOW);
    for suffix in ["", "-wal"] {
        fs::copy(beside(&folder.path(), suffix), beside(&copy.path(), suffix)).unwrap();
    }
    drop(Journal::open_with(&copy.path(), NOW, &with(NEXT_VERSION)).unwrap());
    fs::rename(beside(&copy.path(), ".v5.bak"), copy.path()).unwrap();
    assert_eq!(copy.open().counts().stored, 1);
}

#[test]
fn a_migration_that_fails_leaves_the_version_before_it() {
    let folder = Folder::new();
    drop(folder.open());
    let mut steps = with(NEXT_VERSION);
    steps.push(THIRD_FAILS);
    let refused = Journal::open_with(&folder.path(), NOW, &steps).unwrap_err();
    assert!(matches!(refused, OpenError::Failed { .. }), "{refused:?}");
    let journal = Journal::open_with(&folder.path(), NOW, &with(NEXT_VERSION)).unwrap();
    let half = "SELECT count(*) FROM sqlite_schema WHERE name = 'half'";
    let half: i64 = folder.plain().query_row(half, [], |row| row.get(0)).unwrap();
    assert_eq!(half, 0);
    drop(journal);
}

#[test]
fn a_creation_that_fails_leaves_no_database() {
    let folder = Folder::new();
    let refused = Journal::open_with(&folder.path(), NOW, &with(THIRD_FAILS));
    assert!(matches!(refused, Err(OpenError::Failed { .. })));
    assert!(!folder.path().exists());
    assert_eq!(folder.open().counts(), Counts::default());
}
