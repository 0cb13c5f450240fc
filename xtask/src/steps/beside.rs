//! Steps in a process of their own, beside other steps: these compute, the others mostly wait and come first
//! whenever they do not.
//!
//! What they print is kept in `target/beside` and printed when all have ended, so that the lines of two steps
//! never mix.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::report::Outcome;

/// They run, one after the other.
pub(super) struct Beside {
    names: Vec<&'static str>,
    process: Child,
    log: PathBuf,
}

/// How one of them ended.
pub(super) type Ended = (&'static str, Outcome, Duration);

impl Beside {
    /// Starts this program once more, for these steps.
    pub(super) fn start(repo: &Repo, names: &[&'static str]) -> Result<Self> {
        let dir = repo.target().join("beside");
        let log = dir.join("steps.log");
        // Not where the running one came from: a build of the whole workspace may have put another in its place.
        let program = std::env::args_os().next().context("no name of this program")?;
        let list = names.join(",");
        let begin = || {
            fs::create_dir_all(&dir)?;
            let out = File::create(&log)?;
            let mut command = standing_back(&program);
            command.args(["test", "--only", &list]).stdin(Stdio::null());
            command.stdout(out.try_clone()?).stderr(out).spawn()
        };
        let process = begin().with_context(|| format!("cannot start the steps {list}"))?;
        Ok(Self { names: names.to_vec(), process, log })
    }

    /// Waits for their end, prints what they have printed, and tells how each ended.
    pub(super) fn end(mut self) -> Vec<Ended> {
        let status = self.process.wait();
        let said = fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        print!("{said}");
        let is_done = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        let died = status.map_or_else(|error| error.to_string(), |it| it.to_string());
        outcomes(&self.names, &said, is_done, &died)
    }
}

/// Whoever ends before them does not leave them behind.
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

/// What the lines say that end the steps. A step without one has failed, and so has the last when the process
/// failed and no step did.
fn outcomes(names: &[&'static str], said: &str, is_done: bool, died: &str) -> Vec<Ended> {
    let broken = || Outcome::Failed(format!("its process ended with {died}"));
    let mut all: Vec<Ended> = names
        .iter()
        .map(|name| {
            let (outcome, took) = outcome(name, said).unwrap_or_else(|| (broken(), Duration::ZERO));
            (*name, outcome, took)
        })
        .collect();
    let has_failed = all.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)));
    if has_failed == is_done
        && let Some((_, outcome, _)) = all.last_mut()
    {
        *outcome = broken();
    }
    all
}

/// What the line says that ends the step; `None` without one.
fn outcome(name: &str, said: &str) -> Option<(Outcome, Duration)> {
    let head = format!("── {name} ");
    let end = said.lines().rev().find_map(|line| line.strip_prefix(&head))?;
    let why = || end.split_once(": ").map(|(_, why)| why.to_owned());
    let outcome = match end.split([' ', ',', ':']).next()? {
        "passed" => Outcome::Passed,
        "SKIPPED" => return Some((Outcome::Skipped(why()?), Duration::ZERO)),
        "FAILED" => Outcome::Failed(why()?),
        _ => return None,
    };
    let seconds = end.split_once(", ")?.1.split(' ').next()?.parse().ok()?;
    Some((outcome, Duration::try_from_secs_f64(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Duration, outcomes};
    use crate::report::Outcome;

    const DIED: &str = "signal 9";

    fn broken() -> Outcome {
        Outcome::Failed("its process ended with signal 9".into())
    }

    #[test]
    fn the_last_line_of_a_step_tells_how_it_ended() {
        let a_second = Duration::from_secs(1);
        for (line, is_done, expected) in [
            ("── ble passed, 1.0 s", true, (Outcome::Passed, a_second)),
            ("── ble FAILED, 1.0 s: a: b", false, (Outcome::Failed("a: b".into()), a_second)),
            ("── ble SKIPPED: no qemu", true, (Outcome::Skipped("no qemu".into()), Duration::ZERO)),
            ("── ble passed, 1.0 s", false, (broken(), a_second)),
            ("── ble SKIPPED: no qemu", false, (broken(), Duration::ZERO)),
            ("── ble FAILED, 1.0 s: a", true, (broken(), a_second)),
            ("── blest passed, 1.0 s", true, (broken(), Duration::ZERO)),
        ] {
            let said = format!("── step ble: what it does\n{line}\n\n── all steps\n");
            let (outcome, took) = expected;
            assert_eq!(
                outcomes(&["ble"], &said, is_done, DIED),
                [("ble", outcome, took)],
                "{line}"
            );
        }
    }

    #[test]
    fn each_of_several_has_an_end_of_its_own() {
        let said =
            "── step fmt: a\n── fmt passed, 2.0 s\n── step doc: b\n── doc FAILED, 3.0 s: c\n";
        let two = Duration::from_secs(2);
        let expected = [
            ("fmt", Outcome::Passed, two),
            ("doc", Outcome::Failed("c".into()), Duration::from_secs(3)),
            ("ble", broken(), Duration::ZERO),
        ];
        assert_eq!(outcomes(&["fmt", "doc", "ble"], said, false, DIED), expected);
    }
}
