//! mtom on other computers: built here for each of them, and tried under emulation.
//!
//! For Windows the suite `windows` starts the binary under Wine, beside one of this computer; it is a step of
//! `cargo xtask test` too, and here the lints come first of what only Windows compiles. For another processor the unit
//! tests of all crates run under QEMU.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::platform::Platform;
use crate::programs;
use crate::repo::Repo;
use crate::report::Trouble;
use crate::setup;
use crate::wine::Wine;

/// Where lints and documents are made too, which share what runs while they are.
const BUILD_DIR: &str = "checks";
/// Packages that only work on what is built, on the computer that builds it.
const ONLY_HERE: [&str; 2] = ["xtask", "mtom-bench"];
/// Tests that open a serial port: QEMU's user mode answers `ENOSYS` to `TCGETS2` (ioctl_tty(2)), with which a port's
/// speed is set. A kernel has it, and on this computer they run with each `cargo xtask test`.
const SERIAL_PORTS: [&str; 2] = ["run::tests::serial::", "actuator::tests::serial::"];

/// Packages that are optimised where tests are emulated: unoptimised, those of the history (SQLite), of flash that loses
/// its power at every byte and of forged lines (SHA-256) take minutes each.
const EMULATED_OPTIMISED: [&str; 7] = [
    "libsqlite3-sys",
    "rusqlite",
    "sha2",
    "sequential-storage",
    "mtom-protocol",
    "mtom-store",
    "mtom-device",
];

/// `cargo xtask cross [NAME…]`; without a name all but this computer's own kind.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    let mut platforms = chosen(args)?;
    if platforms.is_empty() {
        platforms.extend(Platform::ALL.into_iter().filter(|platform| *platform != Platform::Linux));
    }
    let needs: Vec<_> = platforms.iter().flat_map(|platform| platform.needs()).collect();
    if let Some((_, lack)) = setup::provide(repo, &needs).into_iter().next() {
        bail!("{lack}");
    }
    for platform in platforms {
        println!("── {}, {}", platform.name(), platform.triple());
        match platform {
            Platform::Windows => {
                programs::run(for_windows(repo, "clippy").args(["--", "-Dwarnings"]))?;
                windows(repo)?;
            }
            Platform::Linux | Platform::Arm64 | Platform::Armv7 => unit_tests(repo, platform)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The platforms with these names, each once, in the order in which they are written.
pub(crate) fn chosen(args: &[String]) -> Result<Vec<Platform>> {
    let mut chosen = Vec::new();
    for arg in args {
        let found = Platform::ALL.into_iter().find(|platform| platform.name() == arg);
        let platform = found.with_context(|| {
            let names = Platform::ALL.map(Platform::name).join(", ");
            format!("no computer `{arg}`; there are {names}")
        })?;
        if !chosen.contains(&platform) {
            chosen.push(platform);
        }
    }
    Ok(chosen)
}

/// The step of `cargo xtask test`.
pub(crate) fn step(repo: &Repo) -> Result<(), Trouble> {
    Ok(windows(repo)?)
}

/// Builds the binary and lets the suite start it.
fn windows(repo: &Repo) -> Result<()> {
    programs::run(&mut for_windows(repo, "build"))?;
    // Those of code that only Windows compiles are seen nowhere else; cargo says them again.
    let mut again = for_windows(repo, "build");
    let said = programs::stdout_of(again.arg("--message-format=json"))?;
    if let Some(warning) = first_warning(&String::from_utf8_lossy(&said)) {
        bail!("there are warnings for Windows: {}", warning.trim());
    }
    let wine = Wine::provide(repo)?;
    let built = repo.target().join(BUILD_DIR).join(Platform::Windows.triple()).join("debug");
    let mut test = repo.cargo();
    test.env("MTOM_WINDOWS", built.join(Platform::Windows.program("mtom")));
    test.env("MTOM_WINDOWS_PORTS", wine.ports());
    wine.inhabit(&mut test);
    // The same packages as the step `test`, so that nothing is built a second time.
    test.args(["test", "--workspace", "--test", "it", "windows::", "--", "--ignored"]);
    let tested = programs::run(&mut test);
    wine.end()?;
    tested
}

/// The first of our warnings among what cargo says about a build (the Cargo Book, "External tools"). Those of others
/// it keeps to itself.
fn first_warning(said: &str) -> Option<String> {
    said.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let message = &line["message"];
        let is_warning = line["reason"] == "compiler-message" && message["level"] == "warning";
        is_warning.then(|| message["rendered"].as_str().unwrap_or_default().to_owned())
    })
}

/// `cargo` over the binary for Windows.
fn for_windows(repo: &Repo, command: &str) -> Command {
    let mut cargo = Platform::Windows.cargo(repo, command);
    cargo.arg("--target-dir").arg(repo.target().join(BUILD_DIR));
    // Nobody looks at a backtrace of it, and it is linked sooner without.
    cargo.args(["--package=mtom", "--config=profile.dev.debug=false"]);
    cargo
}

/// Builds all of it and runs what tests itself alone: sockets and processes of an emulated program are this
/// computer's own, and those are tried here.
fn unit_tests(repo: &Repo, platform: Platform) -> Result<()> {
    programs::run(emulated(repo, platform, "build").arg("--package=mtom"))?;
    let mut test = emulated(repo, platform, "test");
    test.arg("--workspace").args(ONLY_HERE.map(|package| format!("--exclude={package}")));
    test.args(["--lib", "--bins"]);
    // An emulated processor is many times slower, and chance is tried enough on this computer's own.
    test.arg("--no-fail-fast").env("PROPTEST_CASES", "16");
    if platform != Platform::Linux {
        let names = SERIAL_PORTS.join(", ");
        println!("left out, as QEMU cannot set the speed of a serial port: {names}");
        test.arg("--").args(SERIAL_PORTS.iter().flat_map(|name| ["--skip", name]));
    }
    programs::run(&mut test)
}

/// `cargo` over what is run under emulation; all of it is built alike, so that nothing is built twice.
fn emulated(repo: &Repo, platform: Platform, command: &str) -> Command {
    let mut cargo = platform.cargo(repo, command);
    if platform != Platform::Linux {
        cargo.args(
            EMULATED_OPTIMISED
                .map(|package| format!("--config=profile.dev.package.{package}.opt-level=2")),
        );
    }
    cargo
}

#[cfg(test)]
mod tests;
