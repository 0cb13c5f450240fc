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
use tempfile::TempDir;
use world::{Bug, check};

/// Few enough for every change; the long run is by hand.
const SCHEDULES: u32 = 60;

pub(crate) fn folder() -> TempDir {
    // Memory where there is some: these tests ask what is kept, not whether a disk keeps it.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

#[test]
fn every_schedule_ends_as_the_model_says() {
    let count = std::env::var("MTOM_MODEL_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let cases = count.unwrap_or(SCHEDULES);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&schedule::schedules(), |turns| check(&turns, Bug::None).map_err(TestCaseError::fail))
        .unwrap();
    eprintln!("faults: schedules beside the model: {cases}, failures: 0");
}
