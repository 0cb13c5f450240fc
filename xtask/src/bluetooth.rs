//! `cargo xtask bluetooth`: the real binary against the real Linux Bluetooth stack, without a radio.
//!
//! Debian's kernel and bluetoothd run in an emulated machine, with virtual controllers; inside, the suite
//! of `crates/mtom/tests/bluetooth` drives `mtom` and its simulated devices. What fails is tried once
//! more in a new machine, and that is said. `target/bluetooth` keeps a JUnit file and all logs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::programs;
use crate::repo::Repo;
use crate::report::{Outcome, Trouble};
use crate::setup::{self, Need};
use image::Image;
use results::{Report, Results};

pub(crate) mod bumble;
mod guest;
mod image;
mod needed;
mod packages;
mod results;

pub(crate) use guest::QEMU;

const HELP: &str = "\
cargo xtask bluetooth [--list] [name…]

Runs the Bluetooth tests, those whose names contain one of these words or all of them, in an emulated
machine with Debian's kernel, BlueZ and virtual controllers. Results: target/bluetooth/junit.xml, and
every log of the first and the second try beside it.

  --list    name the tests

examples:
  cargo xtask bluetooth
  cargo xtask bluetooth ble::
  cargo xtask bluetooth spp::by_profile serial
";

/// What it is called as a benchmark.
pub(crate) const BENCH: &str = "bluetooth";
/// Where the guest writes down what it has measured.
const FIGURES: &str = "figures.txt";

/// What the suite needs of this machine.
pub(crate) const NEEDS: &[Need] = &[Need::QemuPc, Need::BluetoothGuest];

/// A program of the suite: what cargo calls it, and its name in the guest.
type Program = (&'static str, &'static str, &'static str);
const PROGRAMS: [Program; 3] =
    [("bin", "mtom", "mtom"), ("test", "bluetooth", "suite"), ("example", "drive", "drive")];

/// The command.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    if args.iter().any(|arg| arg == "--list") {
        let suite = executable(&built(repo, BUILDS[0])?, "test", "bluetooth")?;
        programs::run(Command::new(suite).arg("--list"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = args.iter().find(|arg| arg.starts_with('-')) {
        bail!("bluetooth does not know `{unknown}`; `cargo xtask bluetooth --help` tells more");
    }
    let lacks = setup::provide(repo, NEEDS);
    let result = match crate::report::Lack::all(lacks.iter().map(|(_, lack)| lack)) {
        Some(lack) => Err(Trouble::Skipped(lack)),
        None => suite(repo, args).map_err(Trouble::Failed),
    };
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    match Outcome::of(result, is_ci) {
        Outcome::Passed => Ok(ExitCode::SUCCESS),
        Outcome::Failed(why) => bail!(why),
        Outcome::Skipped(why) => {
            println!("SKIPPED: {why}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Sees that there is a guest to boot.
pub(crate) fn provide(repo: &Repo) -> Result<()> {
    Image::provide(repo).map(drop)
}

/// All tests, as a step.
pub(crate) fn step(repo: &Repo) -> Result<(), Trouble> {
    Ok(suite(repo, &[])?)
}

/// Builds, boots, boots once more for what failed, reports.
fn suite(repo: &Repo, words: &[String]) -> Result<()> {
    let image = Image::provide(repo)?;
    println!("the guest is {}", image.about);
    let dir = repo.target().join("bluetooth");
    let programs = dir.join("programs");
    build(repo, &programs, &BUILDS, &PROGRAMS)?;
    let first = try_once(repo, &image, &dir, "first", words)?;
    let open = if first.plan.is_empty() { words.to_vec() } else { first.open() };
    let is_done = !first.plan.is_empty() && open.is_empty();
    let second = if is_done {
        None
    } else {
        let what = if first.plan.is_empty() { "the suite".into() } else { open.join(", ") };
        println!("RETRIED, once: {what}");
        Some(try_once(repo, &image, &dir, "second", &open)?)
    };
    let report = Report { first, second };
    fs::write(dir.join("junit.xml"), report.junit())?;
    let (failed, flaky) = (report.failed(), report.flaky());
    println!("{} passed, {} failed", report.passed_len(), failed.len());
    if !flaky.is_empty() {
        println!("passed at the second try only: {}", flaky.join(", "));
    }
    println!("results and logs: {}", dir.display());
    if report.passed_len() + failed.len() == 0 {
        bail!("no test ran; are the names right? `cargo xtask bluetooth --list` tells them");
    }
    match failed.first() {
        Some(_) => bail!("{} failed, twice: {}", failed.len(), failed.join(", ")),
        None => Ok(()),
    }
}

fn try_once(
    repo: &Repo,
    image: &Image,
    dir: &Path,
    name: &str,
    words: &[String],
) -> Result<Results> {
    let (start, results) = (Instant::now(), dir.join(name));
    let _ = fs::remove_dir_all(&results);
    fs::create_dir_all(&results)?;
    let programs = dir.join("programs");
    fs::write(programs.join("suite/words"), words.join("\n"))?;
    let archive = dir.join("initramfs");
    image.with_programs(&programs, &archive)?;
    let ended = guest::boot(repo, image, &archive, &results);
    fs::remove_file(&archive)?;
    if let Err(error) = ended {
        println!("{error:#}");
    }
    println!("the {name} try took {:.1} s", start.elapsed().as_secs_f64());
    let text = fs::read_to_string(results.join("results.jsonl")).unwrap_or_default();
    Ok(Results::parse(&text))
}

/// What is built: the packages of the step `test`, so that nothing is built a second time, and the one
/// program that drives a link through btleplug.
const BUILDS: [&[&str]; 2] = [
    &["build", "--workspace", "--bin", "mtom", "--test", "bluetooth"],
    &["build", "--workspace", "--features", "mtom-actuator/btleplug", "--example", "drive"],
];
/// What is measured, as people run it.
const BENCH_BUILD: &[&str] =
    &["build", "--release", "--package=mtom", "--bin", "mtom", "--test", "bluetooth"];

/// Measures, once, and shows the figures.
pub(crate) fn bench(repo: &Repo) -> Result<ExitCode> {
    if let Some((_, lack)) = setup::provide(repo, NEEDS).into_iter().next() {
        bail!("Bluetooth is measured in an emulated machine: {lack}");
    }
    let image = Image::provide(repo)?;
    let dir = repo.target().join("bluetooth-bench");
    build(repo, &dir.join("programs"), &[BENCH_BUILD], &PROGRAMS[..2])?;
    let results = try_once(repo, &image, &dir, "first", &["bench::".into()])?;
    let open = results.open();
    if results.plan.is_empty() || !open.is_empty() {
        bail!("not measured: {}; logs: {}", open.join(", "), dir.display());
    }
    println!("in {}:", image.about);
    print!("{}", fs::read_to_string(dir.join("first").join(FIGURES))?);
    Ok(ExitCode::SUCCESS)
}

/// Builds the programs of the suite and puts them into `to`, without what only a debugger reads.
fn build(repo: &Repo, to: &Path, builds: &[&[&str]], wanted: &[Program]) -> Result<()> {
    println!("building mtom and the suite");
    let _ = fs::remove_dir_all(to);
    let to = to.join("suite");
    fs::create_dir_all(&to)?;
    let mut said = String::new();
    for arguments in builds {
        said += &built(repo, arguments)?;
    }
    for (kind, name, as_what) in wanted {
        let program = executable(&said, kind, name)?;
        let mut strip = repo.program("strip")?;
        programs::stdout_of(strip.arg("-o").arg(to.join(as_what)).arg(program))?;
    }
    Ok(())
}

/// Builds, and what cargo says about it as JSON lines.
fn built(repo: &Repo, arguments: &[&str]) -> Result<String> {
    let mut cargo = repo.cargo();
    cargo.args(arguments).arg("--message-format=json-render-diagnostics");
    let output = cargo.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("`{}` ended with {}", programs::shown(&cargo), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The path that cargo tells of in its messages.
fn executable(said: &str, kind: &str, name: &str) -> Result<PathBuf> {
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut of_target = messages.filter(|message| {
        message["target"]["name"] == name && message["target"]["kind"][0] == kind
    });
    let path = of_target.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    path.with_context(|| format!("cargo has not told of {kind} {name}"))
}

#[cfg(test)]
mod tests;
