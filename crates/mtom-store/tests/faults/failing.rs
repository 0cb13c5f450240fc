//! Every k-th operation on the files fails, once or for ever, or a write is cut short.
//!
//! `strace` answers the call in the place of the system. Nothing may be acknowledged falsely, nothing
//! panics; after a fault that passes the same process goes on, unless a sync failed: then it ends, with
//! the log left as it is, and the next process reads what is there.

use crate::child::{self, Said, Task};
use crate::oracle::Expected;
use crate::plan::{Plan, Size};
use crate::power::judge_safely;
use crate::{scratch, skip, strace, times};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The first life makes the file and closes it, the second leaves its log, the third reads it.
pub(crate) const SIZE: Size = Size { lives: 3, steps: 12, rule_state_len: 200 };
pub(crate) const SEED: u64 = 1;

/// What fails, and with which errors it does on real disks.
const CALLS: [(&str, &[&str]); 9] = [
    ("pwrite64", &["EIO", "ENOSPC"]),
    ("pread64", &["EIO"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("fdatasync", &["EIO", "ENOSPC"]),
    ("ftruncate", &["EIO", "ENOSPC"]),
    ("openat", &["EIO", "ENOSPC", "EMFILE"]),
    ("rename", &["EIO", "ENOSPC"]),
    ("?unlink", &["EIO"]),
    ("mmap", &["ENOMEM"]),
];

/// One fault in one life.
#[derive(Clone, Debug)]
struct Fault {
    life: usize,
    call: &'static str,
    error: &'static str,
    /// The first is 1.
    number: usize,
    is_for_ever: bool,
}

/// The files that a journal touches.
fn paths(home: &Path) -> Vec<PathBuf> {
    let names = ["", "-wal", "-shm", ".new", ".new-wal", ".new-shm", ".lock"];
    let files = names.into_iter().map(|end| home.join(format!("mtom.db{end}")));
    std::iter::once(home.to_owned()).chain(files).collect()
}

pub(crate) fn tracer(home: &Path, log: &Path, what: &[String]) -> Vec<String> {
    let mut command: Vec<String> =
        ["strace", "-f", "-qq", "-e", "signal=none", "-o"].map(str::to_owned).into();
    command.push(log.to_str().unwrap().to_owned());
    for path in paths(home) {
        command.extend(["-P".to_owned(), path.to_str().unwrap().to_owned()]);
    }
    command.extend_from_slice(what);
    command
}

/// A folder in which lives are lived one after the other.
pub(crate) struct Place {
    _folder: tempfile::TempDir,
    pub(crate) home: PathBuf,
    pub(crate) database: PathBuf,
    pub(crate) said: PathBuf,
    pub(crate) log: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = scratch();
        let home = folder.path().join("data");
        std::fs::create_dir(&home).unwrap();
        Self {
            database: home.join("mtom.db"),
            said: folder.path().join("said"),
            log: folder.path().join("log"),
            home,
            _folder: folder,
        }
    }

    pub(crate) fn live(&self, life: usize, wrapper: &[String]) -> Output {
        let (database, said) = (&self.database, &self.said);
        let task = Task { seed: SEED, size: &SIZE, life, database, said };
        task.command(wrapper).output().unwrap()
    }
}

/// How often a life makes each of the calls when nothing happens to it.
pub(crate) fn counts(place: &Place, life: usize, calls: &[&str]) -> Vec<usize> {
    let what = ["-e".to_owned(), format!("trace={}", calls.join(","))];
    let what = [&what[..], &["-P".to_owned(), place.said.to_str().unwrap().to_owned()]].concat();
    assert!(place.live(life, &tracer(&place.home, &place.log, &what)).status.success());
    let log = std::fs::read_to_string(&place.log).unwrap();
    let count = |call: &&str| {
        let begins = format!("{}(", call.trim_start_matches('?'));
        let lines = log.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(_, rest)| rest.trim_start().starts_with(&begins)).count()
    };
    calls.iter().map(count).collect()
}

/// All of them, then every `step`-th.
fn faults(step: usize) -> Vec<Fault> {
    let mut all = Vec::new();
    let place = Place::new();
    for life in 0..SIZE.lives {
        let counts = counts(&place, life, &CALLS.map(|(call, _)| call));
        for ((call, errors), count) in CALLS.into_iter().zip(counts) {
            for (number, error) in (1..=count).flat_map(|k| errors.iter().map(move |e| (k, *e))) {
                for is_for_ever in [false, true] {
                    all.push(Fault { life, call, error, number, is_for_ever });
                }
            }
        }
    }
    all.into_iter().step_by(step).collect()
}

/// How a child ended that had a fault; `Err` when it is none of the ends that are allowed.
fn end_of(output: &Output, said: &[Said]) -> Result<Option<i32>, String> {
    match output.status.code() {
        // Done, refused to open, ended because a sync failed.
        code @ Some(0 | 2 | 3) => Ok(code),
        _ => Err(format!(
            "it ended with {} after {:?}: {}",
            output.status,
            said.last(),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn judge_fault(plan: &Plan, fault: &Fault) -> Result<(), String> {
    let place = Place::new();
    for life in 0..fault.life {
        assert!(place.live(life, &[]).status.success());
    }
    let before = child::said(&place.said).len();
    let Fault { life, call, error, number, is_for_ever } = fault;
    let when = if *is_for_ever { format!("{number}+") } else { number.to_string() };
    let what = [
        "-e".to_owned(),
        format!("trace={call}"),
        "-e".to_owned(),
        format!("inject={}:error={error}:when={when}", call.trim_start_matches('?')),
    ];
    let output = place.live(*life, &tracer(&place.home, &place.log, &what));
    let said = child::said(&place.said);
    let code = end_of(&output, &said[before..])?;
    let failed = said[before..].iter().filter(|line| matches!(line, Said::Failed(..))).count();
    if !is_for_ever && failed > 1 {
        return Err(format!("{failed} batches failed after one fault: {said:?}"));
    }
    if code == Some(3) {
        // Nobody knows what of the log is on the disk: nothing may be built on it or take it away.
        let log = place.database.with_extension("db-wal");
        if std::fs::metadata(&log).map_or(0, |log| log.len()) == 0 {
            return Err("a sync of the log failed, and the log was emptied all the same".into());
        }
    }
    let expected = Expected::of(plan, &said);
    for next in life + 1..SIZE.lives {
        let output = place.live(next, &[]);
        if !output.status.success() {
            return Err(format!(
                "the next process ended with {}: {:?}",
                output.status,
                child::said(&place.said).last()
            ));
        }
    }
    let expected = if life + 1 < SIZE.lives {
        Expected::of(plan, &child::said(&place.said))
    } else {
        expected
    };
    judge_safely(&place.database, plan, &expected)
}

/// Judges every job on all cores; returns what was wrong.
pub(crate) fn judge_all<Job: Sync + std::fmt::Debug>(
    jobs: &[Job],
    judge: impl Fn(&Job) -> Result<(), String> + Sync,
) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if let Err(what) = judge(job) {
                        wrong.lock().unwrap().push(format!("{job:?}: {what}"));
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

pub(crate) fn none(wrong: &[String], len: usize) {
    let first = wrong[..wrong.len().min(10)].join("\n");
    assert!(wrong.is_empty(), "{} of {len}:\n{first}", wrong.len());
}

#[test]
fn an_operation_that_fails_costs_no_acknowledged_reading() {
    if let Some(why) = strace::is_missing() {
        return skip(&why);
    }
    let plan = Plan::of(SEED, &SIZE);
    // A prime, so that every kind of fault has its turn.
    let faults = faults(usize::try_from(times(29, 1)).unwrap());
    let wrong = judge_all(&faults, |fault| judge_fault(&plan, fault));
    eprintln!("faults: failing operations: {}, failures: {}", faults.len(), wrong.len());
    none(&wrong, faults.len());
}

/// The limit of a file's size makes the system write a part and then refuse.
#[test]
fn a_write_that_is_cut_short_costs_no_acknowledged_reading() {
    let plan = Plan::of(SEED, &SIZE);
    let step = usize::try_from(times(37, 3)).unwrap();
    // In units of 512 bytes, up to more than a log of one life takes.
    let limits: Vec<usize> = (1..1_200).step_by(step).collect();
    let wrong = judge_all(&limits, |limit| {
        let place = Place::new();
        // `sh` counts in 512 bytes. The signal would end the process, as it would any program.
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$@\"");
        let wrapper = ["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()];
        let output = place.live(0, &wrapper);
        end_of(&output, &child::said(&place.said))?;
        let expected = Expected::of(&plan, &child::said(&place.said));
        judge_safely(&place.database, &plan, &expected)
    });
    eprintln!("faults: writes cut short: {}, failures: {}", limits.len(), wrong.len());
    none(&wrong, limits.len());
}

/// The planted bug: a child whose acknowledgement does not wait for the commit.
#[test]
fn a_planted_acknowledgement_of_what_failed_is_caught() {
    let place = Place::new();
    let plan = Plan::of(SEED, &SIZE);
    assert!(place.live(0, &[]).status.success());
    let mut said = child::said(&place.said);
    let next = said.iter().filter(|line| matches!(line, Said::Sent(_))).count();
    said.extend([Said::Sent(next), Said::Acked(next)]);
    assert!(judge_safely(&place.database, &plan, &Expected::of(&plan, &said)).is_err());
}
