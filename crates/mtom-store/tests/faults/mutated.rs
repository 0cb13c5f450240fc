//! Files that somebody or something has changed: they are refused with what to do, or read.
//!
//! What may be read from them: the log has checksums, so it is read up to the first frame that is
//! not whole, and the history is that of some batch, exactly, and at least what the database itself
//! held. SQLite has no checksum over a database. What changed inside a row is read as it is, and a
//! row whose topic or series changed to none is left out, but never more than half of them, or a
//! file of this size would have been refused. Of whatever else changed, no row may be missing. A
//! refusal says what to do and leaves every byte as it was.

use crate::child::{self, Task, in_full};
use crate::oracle::{Expected, judge_open};
use crate::plan::{Held, Plan, START, Size};
use crate::{scratch, times};
use fastrand::Rng;
use mtom_store::error::OpenError;
use mtom_store::history::PageQuery;
use mtom_store::journal::Journal;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Whoever needs longer for a file of some hundred kilobytes does not come back.
const LIMIT: Duration = Duration::from_secs(20);
const PAGE_LEN: usize = 4096;
const DATABASE: &str = "mtom.db";
const LOG: &str = "mtom.db-wal";
/// The first life is closed, the second leaves its log.
const SIZE: Size = Size { lives: 2, steps: 30, rule_state_len: 200 };

type Files = BTreeMap<&'static str, Vec<u8>>;

/// A good database.
struct Good {
    files: Files,
    plan: Plan,
    /// What the database file alone must hold.
    closed: Expected,
    held: Held,
}

impl Good {
    fn of(lives: usize) -> Self {
        let folder = scratch();
        let (database, said) = (folder.path().join(DATABASE), folder.path().join("said"));
        let plan = Plan::of(1, &SIZE);
        let mut closed = Vec::new();
        for life in 0..lives {
            let task = Task { seed: 1, size: &SIZE, life, database: &database, said: &said };
            assert!(task.command(&[]).output().unwrap().status.success());
            if plan.lives[life].is_closed {
                closed = child::said(&said);
            }
        }
        let said = child::said(&said);
        // What is sent after the last closing may be there, what was acknowledged before it must.
        let sent = said.iter().filter(|line| matches!(line, child::Said::Sent(_)));
        let lines: Vec<_> = closed.iter().chain(sent).cloned().collect();
        let read = |name: &str| fs::read(folder.path().join(name)).ok();
        let files = [DATABASE, LOG].into_iter().filter_map(|name| Some((name, read(name)?)));
        let written = said.iter().filter_map(|line| match line {
            child::Said::Written(batch) => Some(*batch),
            _ => None,
        });
        Self {
            files: files.collect(),
            closed: Expected::of(&plan, &lines).with_written(&closed),
            held: plan.outcome(&written.collect()),
            plan,
        }
    }
}

/// What happens with one set of files.
fn judge_files(
    good: &Good,
    files: &Files,
    changed: &str,
    is_inside: bool,
) -> Result<&'static str, String> {
    let folder = scratch();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let database = folder.path().join(DATABASE);
    match open(&database) {
        Err(error) => {
            let text = in_full(&error);
            let is_help = ["restore a backup", "run the newer mtom", "expected a folder"];
            if !is_help.iter().any(|help| text.contains(help)) {
                return Err(format!("it does not say what to do: {text}"));
            }
            for (name, bytes) in files {
                if fs::read(folder.path().join(name)).ok().as_ref() != Some(bytes) {
                    return Err(format!("refused, and {name} is changed: {text}"));
                }
            }
            Ok("refused")
        }
        Ok(journal) => {
            if changed == LOG {
                judge_open(journal, &database, &good.plan, &good.closed)?;
                return Ok("read");
            }
            read_and_write(journal, good, is_inside)
        }
    }
}

/// An error is an answer; a history that is short of rows without one is not.
fn read_and_write(
    mut journal: Journal,
    good: &Good,
    is_inside: bool,
) -> Result<&'static str, String> {
    let history = journal.history();
    let mut len = 0;
    let mut query = PageQuery { limit: 500, ..PageQuery::default() };
    loop {
        let Ok(page) = history.page(&query) else { return Ok("errors") };
        len += page.rows.len();
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let all = (
        history.original_page(3),
        history.latest(),
        history.rejects(None, 100),
        history.commands(100),
        history.counts(),
        journal.rule_states(),
    );
    let mut write = || {
        let mut batch = journal.begin()?;
        for row in good.held.rows.values().take(20) {
            batch.reading(&row.reading, START)?;
        }
        batch.commit()
    };
    let written = write();
    drop(journal);
    let (Ok(_), Ok(_), Ok(_), Ok(_), Ok(_), Ok(_)) = all else { return Ok("errors") };
    let expected = good.held.rows.len();
    let is_short = len != expected;
    if is_short && (!is_inside || len < expected / 2) {
        return Err(format!("{expected} readings were there, {len} are read without an error"));
    }
    Ok(match written {
        Ok(()) if is_short => "read, rows left out",
        Ok(()) => "read",
        Err(_) => "errors",
    })
}

/// The changes that leave pages where they are and change what is in them.
const INSIDE: [&str; 4] =
    ["bits are flipped", "a block is zero", "a block is noise", "its header is noise"];

/// Another test's child has our lock too between its fork and its exec: it lets go at once.
fn open(database: &Path) -> Result<Journal, OpenError> {
    loop {
        match Journal::open(database, START) {
            Err(OpenError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

/// Changes one file; returns how.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) -> &'static str {
    let len = bytes.len();
    let at = rng.usize(..len);
    match rng.u8(..10) {
        0 | 1 => {
            for _ in 0..rng.u8(1..9) {
                bytes[rng.usize(..len)] ^= 1 << rng.u8(..8);
            }
            "bits are flipped"
        }
        2 => {
            bytes.truncate(at);
            "it is cut off"
        }
        3 => {
            bytes.truncate(at / PAGE_LEN * PAGE_LEN);
            "it is cut off between pages"
        }
        4 => {
            let end = len.min(at + rng.usize(1..3 * PAGE_LEN));
            bytes[at..end].fill(0);
            "a block is zero"
        }
        5 => {
            let end = len.min(at + rng.usize(1..3 * PAGE_LEN));
            bytes[at..end].fill_with(|| rng.u8(..));
            "a block is noise"
        }
        6 => {
            let (a, b) = (at / PAGE_LEN, rng.usize(..len) / PAGE_LEN);
            for offset in 0..PAGE_LEN {
                let (a, b) = (a * PAGE_LEN + offset, b * PAGE_LEN + offset);
                if a < len && b < len {
                    bytes.swap(a, b);
                }
            }
            "two pages are swapped"
        }
        7 => {
            let tail = bytes[at..].to_vec();
            bytes.extend(tail);
            "its end is there twice"
        }
        8 => {
            let more = rng.usize(1..2 * PAGE_LEN);
            bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(more));
            "noise follows it"
        }
        _ => {
            for _ in 0..rng.u8(1..5) {
                bytes[rng.usize(..100.min(len))] = rng.u8(..);
            }
            "its header is noise"
        }
    }
}

/// Judges in a thread of its own, so that one that does not come back is noticed.
fn judge_within_limit(
    good: &'static Good,
    files: Files,
    changed: &'static str,
    is_inside: bool,
) -> Result<&'static str, String> {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let verdict =
            catch_unwind(AssertUnwindSafe(|| judge_files(good, &files, changed, is_inside)));
        let _ = done.send(verdict.unwrap_or_else(|_| Err("it panics".into())));
    });
    wait.recv_timeout(LIMIT).unwrap_or_else(|_| Err("it does not come back".into()))
}

fn leak(good: Good) -> &'static Good {
    Box::leak(Box::new(good))
}

#[test]
fn a_changed_file_is_refused_with_what_to_do_or_read() {
    let count = times(500, 10_000);
    let (closed, live) = (leak(Good::of(1)), leak(Good::of(2)));
    assert_eq!((closed.files.len(), live.files.len()), (1, 2), "a log where one should be");
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for seed in 0..count {
        let mut rng = Rng::with_seed(seed);
        let (good, changed) = match rng.u8(..4) {
            0 => (live, DATABASE),
            1 => (live, LOG),
            _ => (closed, DATABASE),
        };
        let mut files = good.files.clone();
        let how = mutate(files.get_mut(changed).unwrap(), &mut rng);
        match judge_within_limit(good, files, changed, INSIDE.contains(&how)) {
            Ok(end) => *ends.entry(end).or_default() += 1,
            Err(what) => wrong.push(format!(
                "seed {seed}, {changed} of {} files, {how}: {what}",
                good.files.len()
            )),
        }
    }
    eprintln!("changed files: {ends:?}");
    eprintln!("faults: changed files: {count}, failures: {}", wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

#[test]
fn a_database_that_is_gone_while_its_log_is_there_is_refused() {
    let live = Good::of(2);
    for rest in [None, Some(Vec::new())] {
        let mut files = live.files.clone();
        files.remove(DATABASE);
        files.extend(rest.map(|rest| (DATABASE, rest)));
        assert_eq!(judge_files(&live, &files, DATABASE, false), Ok("refused"));
    }
}

/// The planted bug: whoever cannot read a database makes a new one.
#[test]
fn a_planted_empty_history_is_caught() {
    let closed = Good::of(1);
    let folder = scratch();
    let journal = Journal::open(&folder.path().join(Path::new(DATABASE)), START).unwrap();
    assert!(read_and_write(journal, &closed, true).is_err());
}
