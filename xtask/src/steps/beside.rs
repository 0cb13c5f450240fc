//! A step in a process of its own, beside another step: this one computes, the other mostly waits and comes
//! first whenever it does not.
//!
//! What it prints is kept in `target/beside` and printed when it has ended, so that the lines of two steps
//! never mix.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::report::Outcome;

/// It runs.
pub(super) struct Beside {
    pub(super) name: &'static str,
    process: Child,
    log: PathBuf,
    begun: Instant,
}

impl Beside {
    /// Starts this program once more, for the one step.
    pub(super) fn start(repo: &Repo, name: &'static str) -> Result<Self> {
        let dir = repo.target().join("beside");
        let log = dir.join(format!("{name}.log"));
        // Not where the running one came from: a build of the whole workspace may have put another in its place.
        let program = std::env::args_os().next().context("no name of this program")?;
        let begin = || {
            fs::create_dir_all(&dir)?;
            let out = File::create(&log)?;
            let mut command = standing_back(&program);
            command.args(["test", "--only", name]).stdin(Stdio::null());
            command.stdout(out.try_clone()?).stderr(out).spawn()
        };
        let process = begin().with_context(|| format!("cannot start the step {name}"))?;
        Ok(Self { name, process, log, begun: Instant::now() })
    }

    /// Waits for its end, prints what it has printed, and tells how it ended.
    pub(super) fn end(mut self) -> (Outcome, Duration) {
        let status = self.process.wait();
        let took = self.begun.elapsed();
        let said = fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        print!("{said}");
        let is_done = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        let outcome = outcome(self.name, &said, is_done).unwrap_or_else(|| {
            let status = status.map_or_else(|error| error.to_string(), |it| it.to_string());
            Outcome::Failed(format!("its process ended with {status}"))
        });
        (outcome, took)
    }
}

/// Whoever ends before it does not leave it behind.
impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program when nobody else wants the processor.
fn standing_back(program: &OsStr) -> Command {
    if !cfg!(unix) {
        return Command::new(program);
    }
    let mut command = Command::new("nice");
    command.args(["-n", "15"]).arg(program);
    command
}

/// What the line says that ends the step; `None` without one, or when it does not fit how the process ended.
fn outcome(name: &str, said: &str, is_done: bool) -> Option<Outcome> {
    let head = format!("── {name} ");
    let end = said.lines().rev().find_map(|line| line.strip_prefix(&head))?;
    let why = || end.split_once(": ").map(|(_, why)| why.to_owned());
    match end.split([' ', ',', ':']).next()? {
        "passed" if is_done => Some(Outcome::Passed),
        "SKIPPED" if is_done => Some(Outcome::Skipped(why()?)),
        "FAILED" if !is_done => Some(Outcome::Failed(why()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::outcome;
    use crate::report::Outcome;

    #[test]
    fn the_last_line_of_a_step_tells_how_it_ended() {
        for (line, is_done, expected) in [
            ("── ble passed, 1.0 s", true, Some(Outcome::Passed)),
            ("── ble FAILED, 1.0 s: a: b", false, Some(Outcome::Failed("a: b".into()))),
            ("── ble SKIPPED: no qemu", true, Some(Outcome::Skipped("no qemu".into()))),
            ("── ble passed, 1.0 s", false, None),
            ("── ble SKIPPED: no qemu", false, None),
            ("── ble FAILED, 1.0 s: a", true, None),
            ("── blest passed, 1.0 s", true, None),
        ] {
            let said = format!("── step ble: what it does\n{line}\n\n── all steps\n");
            assert_eq!(outcome("ble", &said, is_done), expected, "{line}");
        }
    }
}
