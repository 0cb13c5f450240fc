//! Every development command, in one small program: `cargo xtask help` lists them.
//!
//! It assumes Rust, Node and a package manager. What else is missing it installs by package name and
//! says so; where it may not, it says what to install. It never hides the output of what it runs.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a development command talks to the person who typed it"
)]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::repo::Repo;

mod api;
mod autobahn;
mod bench;
mod bluetooth;
mod cross;
mod dist;
mod emulation;
mod faults;
mod firmware;
mod fuzz;
mod mutants;
mod platform;
mod programs;
mod python;
mod repo;
mod report;
mod setup;
mod soak;
mod steps;
mod tidy;
mod up;
mod vendor;
mod wine;

const HELP: &str = "\
cargo xtask <command>

  up [args…]      set up, build mtom in release and run `mtom up` with these arguments
  test            set up and run every check and every test
  bench [args…]   set up, build in release and run the benchmarks with these arguments
  autobahn [6.*…] Autobahn|Testsuite before the WebSocket ports of the binary in release
  firmware build  build the images for ESP32 boards into target/firmware
  firmware size   the same, then how large they are; fails when one is over its budget
  bluetooth       the real binary with Linux's own Bluetooth, in an emulated machine
  cross [name…]   mtom for other computers: windows under Wine, the unit tests for arm64 and armv7 under QEMU
  dist [name…]    archives for linux, arm64, armv7 and windows into target/dist; --twice: and compares two builds
  faults          power cuts, kills, failing and full disks, changed files; --long for many more
  fuzz [target…]  throw bytes at what takes bytes from outside, a minute each; --seconds N
  soak page       the page stays open before a thousand devices, and must not grow; --minutes N
  soak brokers    a hundred restarts of mosquitto, NATS, RabbitMQ and rmqtt each, two hundred cuts of the link
  mutants [file…] change the rules' code in a thousand places and see that a test fails, for an hour
  tidy            check the rules of the house that no other tool checks
  vendor          fetch the page's third-party files into web/vendor
  help            this text

test takes:
  --only a[,b…]   run these steps alone
  --list          name the steps

firmware takes:
  --board NAME    esp32c3 or esp32c6; without it both
  --bin NAME      sensor or actuator; without it both

examples:
  cargo xtask up
  cargo xtask up --set dashboard.listen=127.0.0.1:0
  cargo xtask test --only fmt,clippy,test
  cargo xtask firmware build --board esp32c3 --bin sensor
  cargo xtask bluetooth --help
  cargo xtask bench --help
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<ExitCode> {
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", args),
    };
    // `up` and `bench` hand everything on, `--help` too: it belongs to the program that they run. `bluetooth`
    // has a text of its own.
    let asks_help = rest.iter().any(|arg| arg == "--help" || arg == "-h");
    match command {
        "up" => up::run(&Repo::open()?, rest),
        "autobahn" if !asks_help => autobahn::run_all(&Repo::open()?, rest),
        "bench" => bench::run(&Repo::open()?, rest),
        "bluetooth" => bluetooth::run(&Repo::open()?, rest),
        "firmware" if !asks_help => firmware::run(&Repo::open()?, rest),
        "cross" if !asks_help => cross::run(&Repo::open()?, rest),
        "dist" if !asks_help => dist::run(&Repo::open()?, rest),
        "faults" if !asks_help => faults::run(&Repo::open()?, rest),
        "fuzz" if !asks_help => fuzz::run(&Repo::open()?, rest),
        "mutants" if !asks_help => mutants::run(&Repo::open()?, rest),
        "soak" if !asks_help => soak::run(&Repo::open()?, rest),
        "help" | "--help" | "-h" => help(),
        "test" | "tidy" | "vendor" | "firmware" | "cross" | "dist" | "faults" | "autobahn"
        | "fuzz" | "mutants" | "soak"
            if asks_help =>
        {
            help()
        }
        "test" => steps::run(&Repo::open()?, &steps::Choice::parse(rest)?),
        "tidy" => no_more(rest).and_then(|()| tidy::run(&Repo::open()?)),
        "vendor" => {
            no_more(rest)?;
            vendor::run(&Repo::open()?).context("could not fetch the page's files")?;
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no command `{other}`; `cargo xtask help` lists them"),
    }
}

fn help() -> Result<ExitCode> {
    print!("{HELP}");
    Ok(ExitCode::SUCCESS)
}

fn no_more(rest: &[String]) -> Result<()> {
    match rest.first() {
        Some(extra) => bail!("`{extra}` is one argument too many; `cargo xtask help` tells more"),
        None => Ok(()),
    }
}
