//! `cargo xtask faults`: power cuts, kills, failing and full disks, changed files, and what they say.
//!
//! The tests are those of `cargo xtask test`; with `--long` they try so much more that it takes a few
//! hours. Of N tries without a failure the rate of failures is below 3/N, with 95 % confidence. What
//! fails does not keep the rest from its turn, and is named at the end.

use std::io::{BufRead as _, BufReader};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::programs;
use crate::repo::Repo;
use crate::setup::{self, Need};

/// What is run, each by one `cargo test`.
const RUNS: [&[&str]; 5] = [
    &["--package=mtom-store", "--test=faults", "--", "--nocapture"],
    &["--package=mtom-store", MODEL, "--", "--nocapture"],
    &["--package=mtom-store", "--test=it", "--", "--nocapture", "faults::"],
    &["--package=mtom", "--bin=mtom", "--", "--nocapture", "config::tests::mutated"],
    &["--package=mtom", "--test=it", "--", "--nocapture", "crash::", "disk_full::", "killed::"],
];
/// Computes more than it waits.
const MODEL: &str = "--test=model";

/// What makes the tests try more.
const LONG: [(&str, &str); 3] =
    [("MTOM_FAULTS_LONG", "1"), ("MTOM_FAULTS", "50"), ("MTOM_MODEL_SCHEDULES", "100000")];

/// What a test says in a line of its own: `faults: power cuts: 10000, failures: 0`.
#[derive(Debug, PartialEq, Eq)]
struct Figure {
    what: String,
    tries: u64,
    failures: u64,
}

impl Figure {
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("faults: ")?;
        let (what, rest) = rest.split_once(": ")?;
        let (tries, failures) = rest.split_once(", failures: ")?;
        Some(Self {
            what: what.to_string(),
            tries: tries.parse().ok()?,
            failures: failures.trim().parse().ok()?,
        })
    }

    /// One line of the table.
    fn line(&self) -> String {
        let Self { what, tries, failures } = self;
        let bound = match (*failures, u32::try_from(*tries)) {
            (0, Ok(tries)) if tries > 0 => format!("rate < {:.3} %", 300.0 / f64::from(tries)),
            _ => String::new(),
        };
        format!("{what:<36} {tries:>7} {failures:>9}  {bound}").trim_end().to_string()
    }
}

/// Runs all of them and prints their figures; fails if one failed.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    let is_long = match args {
        [] => false,
        [long] if long == "--long" => true,
        _ => bail!("faults takes --long or nothing; `cargo xtask help` tells more"),
    };
    let needs = [Need::Strace, Need::MariaDb];
    if let Some((_, lack)) = setup::provide(repo, &needs).into_iter().next() {
        bail!("the faults are made with strace, and some of them to MariaDB: {lack}");
    }
    let start = Instant::now();
    let mut figures = Vec::new();
    let mut failed = Vec::new();
    for arguments in RUNS {
        let mut test = repo.cargo();
        test.args(["test", "--no-fail-fast"]);
        if is_long {
            test.envs(LONG).args(arguments.contains(&MODEL).then_some("--release"));
        }
        test.args(arguments);
        println!("── {}", programs::shown(&test));
        let mut process = test.stderr(Stdio::piped()).spawn().context("cannot start cargo")?;
        let said = process.stderr.take().context("cargo has no standard error")?;
        for line in BufReader::new(said).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            eprintln!("{line}");
            figures.extend(Figure::parse(&line));
        }
        if !process.wait()?.success() {
            failed.push(programs::shown(&test));
        }
    }
    println!("\n{:<36} {:>7} {:>9}  with 95 % confidence", "faults", "tries", "failures");
    for figure in &figures {
        println!("{}", figure.line());
    }
    println!("{:.0} s", start.elapsed().as_secs_f64());
    for test in &failed {
        // A test that panics may have no figure above.
        println!("FAILED  {test}");
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests;
