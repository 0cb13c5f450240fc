//! `kill -9` at every moment that can be told apart from outside.
//!
//! What a killed process leaves changes only with its system calls, so being killed before each of
//! them in turn is being killed everywhere: before BEGIN, within a batch, before and after COMMIT,
//! before and after the sync, around the acknowledgement, while the log is emptied, while numbers are
//! reserved, while the file is made. Nothing has to be built into the journal for it. What was written
//! must survive, synced or not.

use crate::child::{self, Said};
use crate::failing::{Place, SEED, SIZE, counts, judge_all, none, tracer};
use crate::oracle::Expected;
use crate::plan::Plan;
use crate::power::judge_safely;
use crate::{skip, strace, times};
use std::os::unix::process::ExitStatusExt;

/// The calls that change something or say something, and those that lock.
const CALLS: [&str; 10] = [
    "fcntl",
    "openat",
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "?unlink",
    "close",
];
const KILL: i32 = 9;

#[derive(Debug)]
struct Kill {
    life: usize,
    call: &'static str,
    number: usize,
}

fn judge_kill(plan: &Plan, kill: &Kill) -> Result<(), String> {
    let place = Place::new();
    for life in 0..kill.life {
        assert!(place.live(life, &[]).status.success());
    }
    let what = [
        "-P".to_owned(),
        place.said.to_str().unwrap().to_owned(),
        "-e".to_owned(),
        format!("trace={}", kill.call),
        "-e".to_owned(),
        format!("inject={}:signal=KILL:when={}", kill.call, kill.number),
    ];
    let output = place.live(kill.life, &tracer(&place.home, &place.log, &what));
    if output.status.signal() != Some(KILL) {
        return Err(format!("it was to be killed and ended with {}", output.status));
    }
    let said = child::said(&place.said);
    judge_safely(&place.database, plan, &Expected::of(plan, &said).with_written(&said))
}

#[test]
fn what_was_written_survives_a_kill_before_every_system_call() {
    if let Some(why) = strace::is_missing() {
        return skip(&why);
    }
    let plan = Plan::of(SEED, &SIZE);
    let mut kills = Vec::new();
    let place = Place::new();
    for life in 0..SIZE.lives {
        for (call, count) in CALLS.into_iter().zip(counts(&place, life, &CALLS)) {
            kills.extend((1..=count).map(|number| Kill { life, call, number }));
        }
    }
    let step = usize::try_from(times(23, 1)).unwrap();
    let kills: Vec<_> = kills.into_iter().step_by(step).collect();
    let wrong = judge_all(&kills, |kill| judge_kill(&plan, kill));
    eprintln!("faults: kills before a system call: {}, failures: {}", kills.len(), wrong.len());
    none(&wrong, kills.len());
}

/// The planted bug: saying that a batch is written before it is.
#[test]
fn a_planted_word_before_the_commit_is_caught_by_a_kill() {
    if let Some(why) = strace::is_missing() {
        return skip(&why);
    }
    let plan = Plan::of(SEED, &SIZE);
    let place = Place::new();
    let what = ["-e", "trace=pwrite64", "-e", "inject=pwrite64:signal=KILL:when=200"];
    place.live(0, &tracer(&place.home, &place.log, &what.map(str::to_owned)));
    let mut said = child::said(&place.said);
    let Some(&Said::Sent(last)) = said.last() else {
        panic!("killed outside of a commit: {said:?}")
    };
    said.push(Said::Written(last));
    let expected = Expected::of(&plan, &said).with_written(&said);
    assert!(judge_safely(&place.database, &plan, &expected).is_err());
}
