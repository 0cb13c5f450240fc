//! The power fails at any moment, and what is then on the disk is read by a new journal.
//!
//! A real run is recorded with `strace`, every byte of it; the disks that a power cut could have left
//! are made from that. So the journal's own syncs count as they are, SQLite's too.

use crate::child::{self, Said, Task};
use crate::disk::{Cruelty, Disk, Image};
use crate::oracle::{Expected, judge};
use crate::plan::{Plan, SMALL, Size};
use crate::strace::{self, Op, Recording};
use crate::{scratch, skip, times};
use fastrand::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};

/// How many runs are recorded; their cuts are shared among them.
const RECORDINGS: u64 = 4;
/// A longer log than the journal lets grow: it is emptied while the journal is open.
const LARGE: Size = Size { lives: 1, steps: 90, rule_state_len: 1024 * 1024 };

/// One recorded run.
struct Run {
    seed: u64,
    plan: Plan,
    ops: Vec<Op>,
    database: PathBuf,
}

impl Run {
    fn record(seed: u64, size: &Size) -> Self {
        let folder = scratch();
        let home = folder.path().join("data");
        std::fs::create_dir(&home).unwrap();
        let (database, said) = (home.join("mtom.db"), folder.path().join("said"));
        let plan = Plan::of(seed, size);
        let mut recording = Recording::default();
        for life in 0..size.lives {
            let log = folder.path().join("log");
            let task = Task { seed, size, life, database: &database, said: &said };
            let output = task.command(&strace::recorder(&log)).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{:?} {told}", output.status);
            strace::read(&log, &home, &said, &mut recording);
        }
        // Without a fault everything is as planned, or the judge is wrong.
        let said = child::said(&said);
        let expected = Expected::of(&plan, &said).with_written(&said);
        judge(&database, &plan, &expected).unwrap();
        Self { seed, plan, ops: recording.ops, database }
    }

    /// Whether the journal wrote to its database while it was open.
    fn empties_its_log(&self) -> bool {
        let opened = self.ops.iter().position(|op| matches!(op, Op::Said(Said::Opened)));
        let last = self.ops.iter().rposition(|op| matches!(op, Op::Said(Said::Acked(_))));
        let database = |op: &Op| matches!(op, Op::Write { path, .. } if *path == self.database);
        self.ops[opened.unwrap()..last.unwrap()].iter().any(database)
    }

    /// Cuts the power `count` times and judges each disk. Returns what was wrong.
    fn cut(&self, count: u64, keeps: fn(&Op) -> bool) -> Vec<String> {
        let ops: Vec<&Op> = self.ops.iter().filter(|op| keeps(op)).collect();
        let mut rng = Rng::with_seed(self.seed);
        let mut moments: Vec<usize> = (0..count).map(|_| moment(&ops, &mut rng)).collect();
        moments.sort_unstable();
        let (hand_over, take) = mpsc::sync_channel(2);
        let take = Mutex::new(take);
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Ok(cut) = { take.lock().unwrap().recv() } {
                        let Err(wrong) = self.judge_cut(&cut) else { continue };
                        found.lock().unwrap().push(format!(
                            "seed {}, cut before operation {} ({:?}): {wrong}",
                            self.seed, cut.moment, cut.cruelty
                        ));
                    }
                });
            }
            let mut disk = Disk::default();
            let mut said = Vec::new();
            let mut done = 0;
            for moment in moments {
                for op in &ops[done..moment] {
                    disk.apply(op);
                    if let Op::Said(line) = op {
                        said.push(line.clone());
                    }
                }
                done = moment;
                let cruelty = Cruelty::any(&mut rng);
                let image = disk.cut(cruelty, &mut rng);
                let cut = Cut { moment, cruelty, image, said: said.clone() };
                hand_over.send(cut).unwrap();
            }
            drop(hand_over);
        });
        found.into_inner().unwrap()
    }

    fn judge_cut(&self, cut: &Cut) -> Result<(), String> {
        let folder = scratch();
        for (path, bytes) in &cut.image {
            std::fs::write(folder.path().join(path.file_name().unwrap()), bytes).unwrap();
        }
        let database = folder.path().join(self.database.file_name().unwrap());
        judge_safely(&database, &self.plan, &Expected::of(&self.plan, &cut.said))
    }
}

struct Cut {
    /// The first operation that was not even begun.
    moment: usize,
    cruelty: Cruelty,
    image: Image,
    said: Vec<Said>,
}

/// A panic is one more thing that may be wrong.
pub(crate) fn judge_safely(
    database: &Path,
    plan: &Plan,
    expected: &Expected,
) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| judge(database, plan, expected)))
        .unwrap_or_else(|_| Err("it panics".into()))
}

/// Half of them anywhere, half around what is rare: syncs, names, lengths, and writes that are not the
/// log's.
fn moment(ops: &[&Op], rng: &mut Rng) -> usize {
    let anywhere = rng.usize(..=ops.len());
    if rng.bool() {
        return anywhere;
    }
    let is_rare = |op: &Op| match op {
        Op::Write { path, .. } => !path.to_string_lossy().ends_with("-wal"),
        Op::Said(_) => false,
        _ => true,
    };
    let rare = ops[anywhere..].iter().position(|op| is_rare(op)).unwrap_or(0);
    (anywhere + rare + rng.usize(..3)).min(ops.len())
}

fn all(_: &Op) -> bool {
    true
}

/// Without the sync that is the journal's own it is `synchronous=NORMAL` alone.
fn without_own_sync(op: &Op) -> bool {
    !matches!(op, Op::Sync { path, is_own: true } if path.to_string_lossy().ends_with("-wal"))
}

fn without_sync_of_folder(op: &Op) -> bool {
    !matches!(op, Op::Sync { path, .. } if path.extension().is_none())
}

fn without_sync_of_database(op: &Op) -> bool {
    !matches!(op, Op::Sync { path, .. } if path.extension().is_some_and(|end| end == "db"))
}

fn is_possible() -> bool {
    match strace::is_missing() {
        None => true,
        Some(why) => {
            skip(&why);
            false
        }
    }
}

fn none(found: &[String], cuts: u64) {
    assert!(
        found.is_empty(),
        "{} of {cuts} cuts:\n{}",
        found.len(),
        found[..found.len().min(5)].join("\n")
    );
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_moment() {
    if !is_possible() {
        return;
    }
    let cuts = times(1_000, 10_000);
    let mut found = Vec::new();
    for seed in 1..=RECORDINGS {
        found.extend(Run::record(seed, &SMALL).cut(cuts / RECORDINGS, all));
    }
    eprintln!("faults: power cuts: {cuts}, failures: {}", found.len());
    none(&found, cuts);
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_while_the_full_log_is_emptied() {
    if !is_possible() {
        return;
    }
    let cuts = times(20, 300);
    let run = Run::record(1, &LARGE);
    assert!(run.empties_its_log(), "the log never was full: the plan is too small for this test");
    let found = run.cut(cuts, all);
    eprintln!("faults: power cuts around a full log: {cuts}, failures: {}", found.len());
    none(&found, cuts);
}

#[test]
fn planted_bugs_of_syncing_are_caught_by_power_cuts() {
    if !is_possible() {
        return;
    }
    let cuts = times(200, 1_000);
    let run = Run::record(1, &SMALL);
    for (bug, keeps) in [
        ("synchronous=NORMAL", without_own_sync as fn(&Op) -> bool),
        ("a rename without a sync of the folder", without_sync_of_folder),
        ("the log is emptied before the database is synced", without_sync_of_database),
    ] {
        let found = run.cut(cuts, keeps);
        eprintln!("planted: {bug}: caught by {} of {cuts} power cuts", found.len());
        assert!(!found.is_empty(), "{bug} is not caught");
    }
}
