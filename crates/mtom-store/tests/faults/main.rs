//! The journal under faults that come from outside of the process, judged from outside too.
//!
//! A child process drives a journal by a plan and says into a file of its own what it is about to
//! store and what it was told is safe. Whatever then happens to the disk or to the child, what a
//! new journal reads must be: acknowledged ⊆ stored ⊆ sent, each once, and exactly what the plan
//! says those batches lead to. Each check must also catch a bug that is planted for it.
//!
//! `MTOM_FAULTS_LONG=1` runs the long versions; `cargo xtask faults --long` sets it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says what it found and why it skips"
)]
#![cfg(target_os = "linux")]

mod child;
mod disk;
mod failing;
mod killed;
mod mutated;
mod oracle;
mod plan;
mod power;
mod strace;

use std::path::PathBuf;

/// How often: in CI, and in the long run.
fn times(ci: u64, long: u64) -> u64 {
    if std::env::var_os("MTOM_FAULTS_LONG").is_some() { long } else { ci }
}

/// A folder in memory where there is one: nothing here needs a real disk, and much is written.
fn scratch() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let within = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("mtom-faults").tempdir_in(within).unwrap()
}

/// Says that a test cannot run here; in CI it has to.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}: CI must not skip");
    eprintln!("SKIPPED: {why}");
}
