//! Schedules of whatever can happen to a journal, beside a model of a few lines.
//!
//! `MTOM_MODEL_SCHEDULES` says how many; without it sixty. Each planted bug is caught by the
//! same comparison, where it should be.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says what it found"
)]

mod compare;
mod model;
mod planted;
mod readers;
mod schedule;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;
use tempfile::TempDir;
use world::{Bug, check};

/// Few enough for every change; the long run is by hand.
const SCHEDULES: u32 = 60;
/// A long run says how far it is.
const TOLD_EVERY: u32 = 500;

pub(crate) fn folder() -> TempDir {
    // Memory where there is some: these tests ask what is kept, not whether a disk keeps it.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

#[test]
fn every_schedule_ends_as_the_model_says() {
    let count = std::env::var("MTOM_MODEL_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let cases = count.unwrap_or(SCHEDULES);
    let hands = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let hands = u32::try_from(hands).unwrap().min(cases.max(1));
    let progress = Progress { start: Instant::now(), done: AtomicU32::new(0), cases };
    std::thread::scope(|scope| {
        for hand in 0..hands {
            let share = cases / hands + u32::from(hand < cases % hands);
            let progress = &progress;
            scope.spawn(move || run(share, progress));
        }
    });
    assert_eq!(progress.done.into_inner(), cases, "schedules that were tried");
    eprintln!("faults: schedules beside the model: {cases}, failures: 0");
}

/// A share of the schedules, from seeds of its own.
fn run(cases: u32, progress: &Progress) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&schedule::schedules(), |turns| {
            check(&turns, Bug::None).map_err(TestCaseError::fail)?;
            progress.one_more();
            Ok(())
        })
        .unwrap();
}

/// How far the long run is.
struct Progress {
    start: Instant,
    done: AtomicU32,
    cases: u32,
}

impl Progress {
    fn one_more(&self) {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        if done.is_multiple_of(TOLD_EVERY) {
            let seconds = self.start.elapsed().as_secs();
            eprintln!("{done} of {} schedules in {seconds} s", self.cases);
        }
    }
}
