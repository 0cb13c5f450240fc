//! Bluetooth LE without a radio and without a kernel: bumble, from Python's package index, in an environment of its own, and
//! the test that drives the real binary with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::programs;
use crate::repo::Repo;
use crate::setup::{apt_install, may_install};

const BUMBLE: &str = "bumble==0.0.236";
const TEST: &str = "crates/mtom/tests/ble/ble.py";
/// Debian leaves out of Python what makes an environment.
const DEBIAN: [&str; 2] = ["python3", "python3-venv"];

/// Makes the environment, unless it is there.
pub(crate) fn provide(repo: &Repo) -> Result<()> {
    if programs::stdout_of(python(repo).args(["-c", "import bumble.controller"])).is_ok() {
        return Ok(());
    }
    println!("installing {BUMBLE} into target/bumble with pip");
    if make_environment(repo).is_err() && may_install(repo) {
        apt_install(repo, &DEBIAN)?;
    }
    make_environment(repo).with_context(|| {
        format!(
            "no Python environment can be made; on Debian: apt-get install {}",
            DEBIAN.join(" ")
        )
    })?;
    let mut pip = python(repo);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", BUMBLE]);
    programs::stdout_of(&mut pip).map(drop)
}

/// Runs the test against `binary`.
pub(crate) fn run(binary: &Path, repo: &Repo) -> Result<()> {
    programs::run(python(repo).arg(TEST).arg(binary))
}

fn make_environment(repo: &Repo) -> Result<()> {
    let mut python = repo.program("python3")?;
    programs::stdout_of(python.args(["-m", "venv", "--clear"]).arg(environment(repo))).map(drop)
}

/// The environment's own Python.
fn python(repo: &Repo) -> Command {
    let program = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let mut python = Command::new(environment(repo).join(program));
    python.current_dir(repo.root());
    python
}

fn environment(repo: &Repo) -> PathBuf {
    repo.target().join("bumble")
}
