//! Readers of the history under load: they hold nothing between two calls, so the log stays short.

use crate::folder;
use crate::schedule::NOW;
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::history::chart::ChartQuery;
use mtom_store::history::{History, PageQuery};
use mtom_store::journal::Journal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const LOG_LEN_MAX: u64 = 64_000_000;
const READERS: usize = 50;
/// So many that a log which is never emptied is too long: about 0.7 MB each.
const BATCHES: i64 = 120;

/// Writes until the log would be several times too long; its greatest length.
fn load(journal: &mut Journal, path: &Path, batches: i64) -> u64 {
    let log = path.with_extension("db-wal");
    let mut longest = 0;
    for number in 0..batches {
        let mut batch = journal.begin().unwrap();
        for device in 0..500_i64 {
            let name = format!("d{device}");
            let reading = Reading {
                topic: name.as_str().into(),
                device: name.as_str().into(),
                quantity: "t".into(),
                value: 20.5,
                unit: Unit::Celsius,
                // Far apart: each batch touches pages of its own.
                taken_at: Some(UnixMicros(NOW - ((number * 7_919 + device) % 40_000) * 60_000_000)),
                key: None,
            };
            batch.reading(&reading, UnixMicros(NOW)).unwrap();
        }
        batch.commit().unwrap();
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    longest
}

fn read(history: &History, done: &AtomicBool) {
    let mut query = PageQuery { limit: 100, ..PageQuery::default() };
    while !done.load(Ordering::Acquire) {
        // As a client that takes its time: a page, then nothing is held until it asks again.
        let page = history.page(&query).unwrap();
        query.after = page.next;
        let chart = ChartQuery {
            device: "d7".into(),
            quantity: "t".into(),
            from: UnixMicros(0),
            until: UnixMicros(NOW + 1),
            points: 500,
        };
        history.chart(&chart).unwrap();
        std::thread::yield_now();
    }
}

#[test]
fn fifty_readers_do_not_keep_the_log_from_being_emptied() {
    let home = folder();
    let path = home.path().join("mtom.db");
    let mut journal = Journal::open(&path, UnixMicros(NOW)).unwrap();
    let done = AtomicBool::new(false);
    let longest = std::thread::scope(|scope| {
        for _ in 0..READERS {
            let history = journal.history();
            let done = &done;
            scope.spawn(move || read(&history, done));
        }
        let longest = load(&mut journal, &path, BATCHES);
        done.store(true, Ordering::Release);
        longest
    });
    assert!(longest <= LOG_LEN_MAX, "the log grew to {longest} bytes");
}

#[test]
fn a_reader_that_holds_a_transaction_is_caught_until_it_lets_go() {
    let home = folder();
    let path = home.path().join("mtom.db");
    let mut journal = Journal::open(&path, UnixMicros(NOW)).unwrap();
    load(&mut journal, &path, 1);
    // The planted bug: its state must stay readable, so the log cannot be emptied.
    let plain = rusqlite::Connection::open(&path).unwrap();
    plain.execute_batch("BEGIN; SELECT count(*) FROM reading;").unwrap();
    let longest = load(&mut journal, &path, BATCHES);
    assert!(longest > LOG_LEN_MAX, "only {longest} bytes: the check would not have seen it");
    // It lets go: the log is emptied and gives its space back.
    plain.execute_batch("ROLLBACK").unwrap();
    load(&mut journal, &path, 2);
    let longest = load(&mut journal, &path, BATCHES);
    assert!(longest <= LOG_LEN_MAX, "the log stayed at {longest} bytes");
}
