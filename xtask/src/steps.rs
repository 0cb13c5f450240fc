//! `cargo xtask test`: every check and every test, one after the other, quick ones first; those that
//! compile run beside those that mostly wait.
//!
//! A failing step does not stop the others. What a step needs is installed before the first one starts.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::bluetooth::{self, bumble};
use crate::platform::Platform;
use crate::repo::Repo;
use crate::report::{Lack, Outcome, Report, Trouble};
use crate::setup::{self, BARE_METAL, Need};
use crate::{api, autobahn, cross, emulation, firmware, programs, tidy};
use beside::Beside;

mod beside;

/// Which steps to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    List,
    Run(Vec<&'static str>),
}

impl Choice {
    /// `--list`, `--only a,b` or nothing, which is all.
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut names = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let list = match arg.as_str() {
                "--list" => return Ok(Self::List),
                "--only" => {
                    args.next().ok_or_else(|| anyhow!("--only needs the names of steps"))?
                }
                other => match other.strip_prefix("--only=") {
                    Some(list) => list,
                    None => bail!("test does not know `{other}`; `cargo xtask help` tells more"),
                },
            };
            for name in list.split(',') {
                let Some(step) = STEPS.iter().find(|step| step.name == name) else {
                    let all: Vec<_> = STEPS.iter().map(|step| step.name).collect();
                    bail!("no step `{name}`; there are {}", all.join(", "));
                };
                names.push(step.name);
            }
        }
        if names.is_empty() {
            names.extend(STEPS.iter().map(|step| step.name));
        }
        Ok(Self::Run(names))
    }
}

/// Runs the chosen steps and prints how they ended; fails if one failed.
pub(crate) fn run(repo: &Repo, choice: &Choice) -> Result<ExitCode> {
    let Choice::Run(names) = choice else {
        for step in &STEPS {
            println!("{:<12} {}", step.name, step.what);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let steps: Vec<&Step> = STEPS.iter().filter(|step| names.contains(&step.name)).collect();
    let needs: Vec<Need> = steps.iter().flat_map(|step| step.needs).copied().collect();
    println!("── set-up");
    let lacks = setup::provide(repo, &needs);
    let mut report = Report::default();
    let mut companions = Companions::of(&steps);
    for step in steps {
        if companions.names.contains(&step.name) {
            continue;
        }
        if WAITS.contains(&step.name) {
            companions.start(repo);
        }
        println!("── step {}: {}", step.name, step.what);
        let start = Instant::now();
        let lacks = lacks.iter().filter(|(need, _)| step.needs.contains(need));
        let result = match Lack::all(lacks.map(|(_, lack)| lack)) {
            Some(lack) => Err(Trouble::Skipped(lack)),
            None => (step.run)(repo),
        };
        ended(&mut report, step.name, Outcome::of(result, is_ci), start.elapsed());
    }
    companions.end(&mut report);
    println!("\n── all steps\n{report}");
    Ok(if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The steps that run beside those that mostly wait: from the first of those on.
struct Companions {
    names: Vec<&'static str>,
    running: Option<Result<Beside>>,
}

impl Companions {
    fn of(steps: &[&Step]) -> Self {
        let has = |list: &[&str]| steps.iter().any(|step| list.contains(&step.name));
        let names = if has(&WAITS) { COMPUTES.as_slice() } else { &[] };
        let names = names.iter().copied().filter(|name| has(&[name])).collect();
        Self { names, running: None }
    }

    fn start(&mut self, repo: &Repo) {
        if self.running.is_none() && !self.names.is_empty() {
            println!("── beside what follows: {}", self.names.join(", "));
            self.running = Some(Beside::start(repo, &self.names));
        }
    }

    fn end(self, report: &mut Report) {
        match self.running {
            Some(Ok(beside)) => {
                for (name, outcome, took) in beside.end() {
                    report.add(name, outcome, took);
                }
            }
            Some(Err(error)) => {
                for name in self.names {
                    let outcome = Outcome::Failed(format!("{error:#}"));
                    ended(report, name, outcome, Duration::ZERO);
                }
            }
            None => {}
        }
    }
}

/// Says how a step ended and keeps it.
fn ended(report: &mut Report, name: &'static str, outcome: Outcome, took: Duration) {
    let seconds = took.as_secs_f64();
    match &outcome {
        Outcome::Passed => println!("── {name} passed, {seconds:.1} s"),
        Outcome::Failed(why) => println!("── {name} FAILED, {seconds:.1} s: {why}"),
        Outcome::Skipped(why) => println!("── {name} SKIPPED: {why}"),
    }
    report.add(name, outcome, took);
}

struct Step {
    name: &'static str,
    what: &'static str,
    needs: &'static [Need],
    run: fn(&Repo) -> Result<(), Trouble>,
}

/// These mostly wait: for an emulated machine, for a browser.
const WAITS: [&str; 2] = ["bluetooth", "browser"];
/// These compute: where one of the others is chosen too they run beside it, in this order, in a process of their
/// own that stands back. They build into folders of their own, so that nobody waits for their lock.
const COMPUTES: [&str; 4] = ["clippy", "firmware", "doc", "windows"];

const STEPS: [Step; 20] = [
    Step { name: "fmt", what: "cargo fmt --check", needs: &[], run: fmt },
    Step { name: "tidy", what: "the rules of the house", needs: &[], run: tidy_step },
    Step { name: "typos", what: "spelling", needs: &[Need::Typos], run: typos },
    Step { name: "deny", what: "bans, licences, sources", needs: &[Need::CargoDeny], run: deny },
    Step {
        name: "advisories",
        what: "known weaknesses of dependencies",
        needs: &[Need::CargoDeny],
        run: advisories,
    },
    Step { name: "page-types", what: "tsc over web/", needs: &[Need::Page], run: page_types },
    Step { name: "page-lint", what: "biome over web/", needs: &[Need::Page], run: page_lint },
    Step {
        name: "page-unit",
        what: "node --test in web/test",
        needs: &[Need::Page],
        run: page_unit,
    },
    Step {
        name: "bare-metal",
        what: "protocol and device without an operating system",
        needs: &[Need::BareMetal],
        run: bare_metal,
    },
    Step {
        name: "test",
        what: "cargo test, with mosquitto, NATS and RabbitMQ as external brokers and MariaDB as the database",
        needs: if cfg!(target_os = "linux") {
            &[
                Need::Mosquitto,
                Need::Brokers,
                Need::MariaDb,
                Need::Network,
                Need::Strace,
                Need::DbusMock,
                Need::Chromium,
            ]
        } else {
            &[Need::Mosquitto, Need::MariaDb, Need::Chromium]
        },
        run: test,
    },
    Step {
        name: "api",
        what: "schemathesis asks the real binary what its OpenAPI document describes",
        needs: &[Need::Schemathesis],
        run: |repo| Ok(api::run(&build_binary(repo)?, repo)?),
    },
    Step {
        name: "autobahn",
        what: "Autobahn|Testsuite asks the WebSocket ports of the real binary what RFC 6455 allows and forbids",
        needs: &[Need::Autobahn],
        run: |repo| Ok(autobahn::run_quick(&build_binary(repo)?, repo)?),
    },
    Step {
        name: "emulation",
        what: "both devices on bare metal under QEMU, against the real binary",
        needs: &[Need::BareMetal, Need::Mosquitto, Need::Qemu],
        run: |repo| Ok(emulation::run(repo)?),
    },
    Step {
        name: "ble",
        what: "the actuator over Bluetooth LE, with a virtual controller and central",
        needs: &[Need::Bumble],
        run: |repo| Ok(bumble::run(&build_binary(repo)?, repo)?),
    },
    Step {
        name: "bluetooth",
        what: "the real binary with Linux's own Bluetooth, in an emulated machine",
        needs: bluetooth::NEEDS,
        run: bluetooth::step,
    },
    Step {
        name: "browser",
        what: "the page in Chromium, in web/test/browser",
        needs: &[Need::Page, Need::Mosquitto, Need::Chromium],
        run: browser,
    },
    Step { name: "clippy", what: "cargo clippy -D warnings", needs: &[], run: clippy },
    Step {
        name: "firmware",
        what: "the images of the boards and their sizes",
        needs: &[Need::Firmware],
        run: firmware::step,
    },
    Step { name: "doc", what: "cargo doc -D warnings", needs: &[], run: doc },
    Step {
        name: "windows",
        what: "mtom.exe under Wine: a controller, its serial port, its end",
        needs: &[Need::Cross(Platform::Windows), Need::Emulator(Platform::Windows)],
        run: cross::step,
    },
];

fn fmt(repo: &Repo) -> Result<(), Trouble> {
    Ok(programs::run(repo.cargo().args(["fmt", "--all", "--check"]))?)
}

fn tidy_step(repo: &Repo) -> Result<(), Trouble> {
    match tidy::findings(repo)?.len() {
        0 => Ok(()),
        count => Err(anyhow!("{count} findings").into()),
    }
}

fn typos(repo: &Repo) -> Result<(), Trouble> {
    Ok(programs::run(&mut repo.program("typos")?)?)
}

fn deny(repo: &Repo) -> Result<(), Trouble> {
    let mut deny = repo.program("cargo-deny")?;
    // Which crates come in twice is a question for `cargo deny check bans`, not for every run.
    deny.args(["check", "--allow=duplicate", "--hide-inclusion-graph"]);
    Ok(programs::run(deny.args(["bans", "licenses", "sources"]))?)
}

fn advisories(repo: &Repo) -> Result<(), Trouble> {
    let mut deny = repo.program("cargo-deny")?;
    deny.args(["check", "advisories"]).env("GIT_TERMINAL_PROMPT", "0");
    let output = programs::output_of(&mut deny)?;
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{}", said.trim());
    if output.status.success() {
        return Ok(());
    }
    if said.contains("failed to fetch advisory database") && setup::says_unreachable(&said) {
        let why = "the host of the advisory database does not answer";
        return Err(Trouble::Skipped(Lack::Outside(why.into())));
    }
    Err(anyhow!("`{}` ended with {}", programs::shown(&deny), output.status).into())
}

fn clippy(repo: &Repo) -> Result<(), Trouble> {
    // The second: what other systems than Linux do over Bluetooth, which nothing else compiles on Linux.
    let scopes: [&[&str]; 2] =
        [&["--workspace"], &["--package=mtom-actuator", "--features=btleplug"]];
    for scope in scopes {
        let mut cargo = repo.cargo();
        cargo.arg("clippy").args(scope).arg("--target-dir").arg(repo.target().join("checks"));
        programs::run(cargo.args(["--all-targets", "--", "-Dwarnings"]))?;
    }
    Ok(())
}

fn bare_metal(repo: &Repo) -> Result<(), Trouble> {
    let crates: [&[&str]; 2] = [
        &["--package=mtom-protocol", "--no-default-features"],
        &["--package=mtom-device", "--features=ble"],
    ];
    for args in crates {
        programs::run(repo.cargo().args(["check", "--target", BARE_METAL]).args(args))?;
    }
    Ok(())
}

fn test(repo: &Repo) -> Result<(), Trouble> {
    let binary = build_binary(repo)?;
    let mut cargo = repo.cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]).env("MTOM_BIN", binary);
    if let Some(chromium) = setup::chromium(repo) {
        cargo.env("CHROMIUM", chromium);
    }
    Ok(programs::run(&mut cargo)?)
}

fn doc(repo: &Repo) -> Result<(), Trouble> {
    let mut cargo = repo.cargo();
    cargo.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings");
    Ok(programs::run(cargo.arg("--target-dir").arg(repo.target().join("checks")))?)
}

fn page_types(repo: &Repo) -> Result<(), Trouble> {
    Ok(programs::run(page_tool(repo, "tsc")?.arg("--noEmit"))?)
}

fn page_lint(repo: &Repo) -> Result<(), Trouble> {
    let mut biome = page_tool(repo, "biome")?;
    biome.args(["ci", "--error-on-warnings", "."]);
    if !std::io::stdout().is_terminal() {
        // It colours files and pipes too.
        biome.arg("--colors=off");
    }
    Ok(programs::run(&mut biome)?)
}

fn page_unit(repo: &Repo) -> Result<(), Trouble> {
    let browser = repo.web().join("test/browser");
    let files = test_files(&repo.web().join("test"), &browser);
    Ok(programs::run(&mut node_test(repo, files, "web/test")?)?)
}

fn browser(repo: &Repo) -> Result<(), Trouble> {
    let files = test_files(&repo.web().join("test/browser"), Path::new(""));
    let mut node = node_test(repo, files, "web/test/browser")?;
    node.env("MTOM_BIN", build_binary(repo)?);
    if let Some(chromium) = setup::chromium(repo) {
        node.env("CHROMIUM", chromium);
    }
    Ok(programs::run(&mut node)?)
}

/// Builds the debug binary with the features that `cargo test` builds it with, so that it is built once.
fn build_binary(repo: &Repo) -> Result<PathBuf> {
    programs::run(repo.cargo().args(["build", "--workspace", "--bins", "--tests"]))?;
    Ok(repo.binary("debug", "mtom"))
}

/// A program from `web/node_modules`, started in `web`.
fn page_tool(repo: &Repo, name: &str) -> Result<Command> {
    let bin = repo.web().join("node_modules/.bin");
    let path = bin.join(if cfg!(windows) { format!("{name}.cmd") } else { name.to_string() });
    if !path.exists() {
        bail!("{name} is not among the page's packages (web/package.json)");
    }
    let mut command = Command::new(path);
    command.current_dir(repo.web());
    Ok(command)
}

/// `node --test` over `files`, one file at a time: the machine has few cores and each may start a broker. What a
/// failed test leaves open holds nobody up.
fn node_test(repo: &Repo, files: Vec<PathBuf>, place: &str) -> Result<Command> {
    if files.is_empty() {
        bail!("there is no *.test.js or *.test.mjs in {place}");
    }
    let mut node = repo.program("node")?;
    node.current_dir(repo.web())
        .args(["--test", "--test-force-exit", "--test-concurrency=1"])
        .args(files);
    Ok(node)
}

/// The test files below `dir`, in order, leaving out the folder `except`.
fn test_files(dir: &Path, except: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path != except {
            files.extend(test_files(&path, except));
        } else if path.to_string_lossy().ends_with(".test.js")
            || path.to_string_lossy().ends_with(".test.mjs")
        {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests;
