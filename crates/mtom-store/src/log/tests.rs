use super::{KEPT_LEN, RESTARTED_LEN};
use crate::file::beside;
use crate::journal::Journal;
use crate::testing::{Folder, NOW, celsius, store_new};
use std::sync::atomic::{AtomicU8, Ordering};

const BATCH_LEN: usize = 2 * 1024 * 1024;
/// What the log of a busy gateway may take.
const LOG_LEN_MAX: u64 = 64_000_000;

/// Writes batches of `BATCH_LEN`; how long the log is after each.
fn fill(folder: &Folder, journal: &mut Journal, batches: usize) -> Vec<u64> {
    // What does not change is not written.
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let one = |_| {
        let state = vec![NEXT.fetch_add(1, Ordering::Relaxed); BATCH_LEN];
        let mut batch = journal.begin().unwrap();
        batch.rule_state("rule", &state).unwrap();
        batch.commit().unwrap();
        std::fs::metadata(beside(&folder.path(), "-wal")).unwrap().len()
    };
    (0..batches).map(one).collect()
}

fn longest(lens: &[u64]) -> u64 {
    *lens.iter().max().unwrap()
}

#[test]
fn without_readers_the_log_starts_anew_by_itself() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let lens = fill(&folder, &mut journal, 60);
    assert!(longest(&lens) <= RESTARTED_LEN, "{lens:?}");
    assert!(longest(&lens) >= KEPT_LEN.cast_unsigned(), "it is not used: {lens:?}");
}

#[test]
fn a_log_that_readers_made_long_starts_anew() {
    let folder = Folder::new();
    let mut journal = folder.open();
    fill(&folder, &mut journal, 1);
    let plain = folder.plain();
    plain.execute_batch("BEGIN; SELECT count(*) FROM reading;").unwrap();
    let lens = fill(&folder, &mut journal, 20);
    assert!(longest(&lens) < RESTARTED_LEN && journal.log.blocked.is_none(), "{lens:?}");
    // A newer reader comes before the older one goes: there is never nobody.
    let newer = folder.plain();
    newer.execute_batch("BEGIN; SELECT count(*) FROM reading;").unwrap();
    plain.execute_batch("ROLLBACK").unwrap();
    let lens = fill(&folder, &mut journal, 4);
    assert!(longest(&lens) > RESTARTED_LEN, "{lens:?}");
    newer.execute_batch("ROLLBACK").unwrap();
    let lens = fill(&folder, &mut journal, 60);
    assert!(longest(&lens) <= LOG_LEN_MAX, "{lens:?}");
    assert!(journal.log.blocked.is_none());
}

#[test]
fn who_reads_an_old_state_for_long_is_seldom_waited_for() {
    let folder = Folder::new();
    let mut journal = folder.open();
    store_new(&mut journal, celsius("a", 20.0), NOW);
    let plain = folder.plain();
    plain.execute_batch("BEGIN; SELECT count(*) FROM reading;").unwrap();
    // Three times as long as it may be; every batch is taken.
    let lens = fill(&folder, &mut journal, 100);
    assert!(longest(&lens) > 3 * LOG_LEN_MAX, "{lens:?}");
    let tries = journal.log.blocked.unwrap().tries;
    assert!((3..=14).contains(&tries), "{tries}");

    // Once nobody reads the log is copied, started anew and cut.
    plain.execute_batch("ROLLBACK").unwrap();
    let lens = fill(&folder, &mut journal, 10);
    assert!(*lens.last().unwrap() <= LOG_LEN_MAX, "{lens:?}");
    assert!(journal.log.blocked.is_none(), "the episode is over");
    assert_eq!(journal.counts().stored, 1);
    drop((plain, journal));
    assert_eq!(folder.files(), ["mtom.db", "mtom.db.lock"]);
}
