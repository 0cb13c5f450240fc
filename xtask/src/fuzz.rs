//! `cargo xtask fuzz`: bytes from outside, as many as there is time for.
//!
//! The targets are the files in `fuzz/targets`. What a target finds it leaves in `fuzz/artifacts`, and the
//! command that shows it again is printed. libFuzzer comes with the crate; a C++ compiler must be there.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::programs;
use crate::repo::Repo;

const CARGO_FUZZ: &str = "cargo-fuzz";
const CARGO_FUZZ_VERSION: &str = "0.13.2";
const SECONDS: u32 = 60;

/// What to run and for how long each.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    seconds: u32,
    targets: Vec<String>,
}

impl Choice {
    /// `--seconds N` and the names of targets; without names all of them.
    fn parse(args: &[String], all: &[String]) -> Result<Self> {
        let mut choice = Self { seconds: SECONDS, targets: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let seconds = match arg.strip_prefix("--seconds") {
                Some("") => args.next().map(String::as_str),
                Some(rest) => rest.strip_prefix('='),
                None if all.contains(arg) => {
                    choice.targets.push(arg.clone());
                    continue;
                }
                None => bail!("no fuzz target `{arg}`; there are {}", all.join(", ")),
            };
            let number = seconds.and_then(|seconds| seconds.parse().ok());
            // libFuzzer takes 0 for: without an end.
            choice.seconds = number
                .filter(|seconds| *seconds > 0)
                .context("--seconds needs how long each target runs, as in --seconds 60")?;
        }
        if choice.targets.is_empty() {
            choice.targets = all.to_vec();
        }
        Ok(choice)
    }
}

/// Runs the targets one after the other; ends at the first that finds something.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    let choice = Choice::parse(args, &targets(repo)?)?;
    provide(repo)?;
    for target in &choice.targets {
        println!("── {target}, {} s", choice.seconds);
        programs::run(&mut fuzz(repo, target, choice.seconds)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn targets(repo: &Repo) -> Result<Vec<String>> {
    let dir = repo.root().join("fuzz/targets");
    let mut names = Vec::new();
    for entry in
        std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Builds cargo-fuzz when it is missing.
fn provide(repo: &Repo) -> Result<()> {
    if programs::find(CARGO_FUZZ, &[own_tools(repo).join("bin")]).is_some() {
        return Ok(());
    }
    println!("building {CARGO_FUZZ} with cargo install; this takes a minute, once");
    let package = format!("{CARGO_FUZZ}@{CARGO_FUZZ_VERSION}");
    let mut cargo = repo.cargo();
    programs::run(cargo.args(["install", "--locked", &package, "--root"]).arg(own_tools(repo)))
}

/// A folder of its own: pip empties the one of the other tools when it brings them.
fn own_tools(repo: &Repo) -> PathBuf {
    repo.tools().join("fuzz")
}

fn fuzz(repo: &Repo, target: &str, seconds: u32) -> Result<Command> {
    let dir = repo.root().join("fuzz");
    let corpus = dir.join("corpus").join(target);
    std::fs::create_dir_all(&corpus)
        .with_context(|| format!("cannot create {}", corpus.display()))?;
    let mut command = repo.cargo();
    command.env("PATH", programs::path_with(&own_tools(repo).join("bin")));
    // The sanitizers are not stable yet, and the compiler is.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.args(["fuzz", "run", "--fuzz-dir"]).arg(&dir).arg(target).arg(corpus);
    let seeds = dir.join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    // Whoever waits for ever is a finding too.
    command.args(["-timeout=10", "-print_final_stats=1", "-verbosity=0"]);
    Ok(command)
}

#[cfg(test)]
mod tests;
