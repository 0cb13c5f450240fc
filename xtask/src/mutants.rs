//! `cargo xtask mutants`: changes the rules' code in one place after the other and looks whether a test fails.
//!
//! A change that no test sees has survived; it shows a test that is missing or code that does nothing. What
//! survives is listed, and fewer than [`KILLED_PERCENT_MIN`] percent killed is a failure. A change that makes
//! the tests run for ever is killed too, and one that does not compile counts nowhere.
//!
//! The workspace is copied, so one may go on working meanwhile. Each change costs a build and a run of the
//! tests of the one crate: without debug information, and with few cases for each property, it is seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::programs;
use crate::repo::Repo;

const CARGO_MUTANTS: &str = "cargo-mutants";
const CARGO_MUTANTS_VERSION: &str = "27.1.0";
/// What is changed, and whose tests have to see it.
const PACKAGE: &str = "mtom-rules";
/// How many cases a property test tries. More see little more, and every change pays for them.
const CASES: &str = "20";
/// The tests take 3 s; those of a change that makes them run for ever take this long.
const TIMEOUT_SECONDS: u32 = 45;
const KILLED_PERCENT_MIN: usize = 90;

/// What became of the changes of one file, or of all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    caught: usize,
    timeout: usize,
    missed: usize,
    unviable: usize,
}

/// Everything that one run found.
#[derive(Debug, Default)]
struct Found {
    files: BTreeMap<String, Counts>,
    survivors: Vec<String>,
}

/// Runs cargo-mutants; `args` are names of files, as in `engine/cycles.rs`, and without any it is all.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    let source = format!("crates/{PACKAGE}/src");
    let mut globs = Vec::new();
    for file in args {
        if !repo.root().join(&source).join(file).is_file() {
            bail!("no file `{file}` in {source}; expected one as in lamp.rs or engine/cycles.rs");
        }
        globs.push(format!("--file={source}/{file}"));
    }
    provide(repo)?;
    let output = repo.target().join("mutants");
    std::fs::create_dir_all(&output)
        .with_context(|| format!("cannot create {}", output.display()))?;
    let mut command = repo.cargo();
    command.env("PATH", programs::path_with(&own_tools(repo).join("bin")));
    command.env("CARGO_TARGET_DIR", &output);
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.env("PROPTEST_CASES", CASES);
    command.env("RUST_BACKTRACE", "0");
    command.args(["mutants", "--package", PACKAGE, "--cargo-arg=--lib"]);
    command.args(["--timeout", &TIMEOUT_SECONDS.to_string(), "--output"]).arg(&output).args(globs);
    // It ends with a code of its own for survivors and for those that ran for ever; what it wrote tells more.
    let status = command.status().context("cannot start cargo mutants")?;
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        bail!("`{}` ended with {status}", programs::shown(&command));
    }
    let found = read(&output.join("mutants.out/outcomes.json"))?;
    print!("{}", report(&found));
    let total = total(&found);
    let is_enough = total.killed() * 100 >= KILLED_PERCENT_MIN * total.tested();
    if !is_enough {
        bail!("fewer than {KILLED_PERCENT_MIN} % of the changes were seen by a test");
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds cargo-mutants when it is missing.
fn provide(repo: &Repo) -> Result<()> {
    if programs::find(CARGO_MUTANTS, &[own_tools(repo).join("bin")]).is_some() {
        return Ok(());
    }
    println!("building {CARGO_MUTANTS} with cargo install; this takes a minute, once");
    let package = format!("{CARGO_MUTANTS}@{CARGO_MUTANTS_VERSION}");
    let mut cargo = repo.cargo();
    programs::run(cargo.args(["install", "--locked", &package, "--root"]).arg(own_tools(repo)))
}

/// A folder of its own: pip empties the one of the other tools when it brings them.
fn own_tools(repo: &Repo) -> PathBuf {
    repo.tools().join("mutants")
}

fn read(path: &Path) -> Result<Found> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let outcomes: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    found(&outcomes)
}

/// What `outcomes.json` says of each change.
fn found(outcomes: &Value) -> Result<Found> {
    let mut found = Found::default();
    let list = outcomes["outcomes"].as_array().context("outcomes.json has no outcomes")?;
    for outcome in list {
        // The tests without any change are in the list too.
        let mutant = &outcome["scenario"]["Mutant"];
        let (Some(file), Some(name)) = (mutant["file"].as_str(), mutant["name"].as_str()) else {
            continue;
        };
        let file = file.split_once("/src/").map_or(file, |(_, file)| file);
        let counts = found.files.entry(file.to_owned()).or_default();
        match outcome["summary"].as_str() {
            Some("CaughtMutant") => counts.caught += 1,
            Some("Timeout") => counts.timeout += 1,
            Some("Unviable") => counts.unviable += 1,
            Some("MissedMutant") => {
                counts.missed += 1;
                found.survivors.push(name.to_owned());
            }
            other => bail!("cargo mutants says {other:?} of {name}"),
        }
    }
    Ok(found)
}

fn total(found: &Found) -> Counts {
    found.files.values().fold(Counts::default(), |all, one| Counts {
        caught: all.caught + one.caught,
        timeout: all.timeout + one.timeout,
        missed: all.missed + one.missed,
        unviable: all.unviable + one.unviable,
    })
}

impl Counts {
    const fn killed(&self) -> usize {
        self.caught + self.timeout
    }

    const fn tested(&self) -> usize {
        self.killed() + self.missed
    }

    fn line(&self, name: &str) -> String {
        let Self { caught, timeout, missed, unviable } = self;
        // Nothing to kill is nothing that survived.
        let percent = (self.killed() * 100).checked_div(self.tested()).unwrap_or(100);
        format!("{name:<24} {caught:>7} {timeout:>8} {missed:>7} {unviable:>9} {percent:>6} %\n")
    }
}

fn report(found: &Found) -> String {
    let mut text = format!(
        "\n{:<24} {:>7} {:>8} {:>7} {:>9} {:>8}\n",
        "file", "caught", "timeout", "missed", "unviable", "killed"
    );
    for (file, counts) in &found.files {
        text.push_str(&counts.line(file));
    }
    text.push_str(&total(found).line("all"));
    for survivor in &found.survivors {
        text.push_str(&format!("survived: {survivor}\n"));
    }
    text
}

#[cfg(test)]
mod tests;
