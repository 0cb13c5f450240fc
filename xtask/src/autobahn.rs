//! The WebSocket ports before Autobahn|Testsuite, which runs on Python 2.7 alone: an environment with it, and the test
//! that asks the real binary with it.
//!
//! Debian has had no Python 2.7 since 12 and its Python 3 cannot read the suite; a Python 2.7 from anywhere else
//! does: of another system, or of pyenv.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::programs;
use crate::python::Environment;
use crate::repo::Repo;

// 25.10.1 of 2025, by its own company, Apache 2.0.
const SUITE: Environment = Environment {
    name: "autobahn",
    package: "autobahntestsuite==25.10.1",
    check: "from autobahntestsuite import version; assert version == '25.10.1'",
};
// The last that makes environments of Python 2.7. 2023, by PyPA, MIT.
const VIRTUALENV: Environment = Environment {
    name: "virtualenv",
    package: "virtualenv==20.21.1",
    check: "import virtualenv; assert virtualenv.__version__ == '20.21.1'",
};
const TEST: &str = "crates/mtom/tests/autobahn/cases.py";
/// Where the results go, below `target`.
const REPORT: &str = "autobahn-report";
const PROGRAMS: [&str; 2] = ["python2.7", "python2"];
/// Cases of the first eight chapters: what frames may be. Without those about how fast large messages come back.
const QUICK: [&str; 8] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];

/// What there is to say where there is no Python 2.7.
pub(crate) const NO_PYTHON: &str = "Autobahn|Testsuite runs on Python 2.7 alone, and this system has none; `pyenv install 2.7` makes one";

/// `cargo xtask autobahn [PATTERN…]`: all cases, or those of the patterns, before a binary in release.
pub(crate) fn run_all(repo: &Repo, patterns: &[String]) -> Result<ExitCode> {
    provide(repo)?;
    programs::run(repo.cargo().args(["build", "--release", "--package=mtom"]))?;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    run(&repo.binary("release", "mtom"), repo, &patterns)?;
    Ok(ExitCode::SUCCESS)
}

/// The quick cases, before `binary`.
pub(crate) fn run_quick(binary: &Path, repo: &Repo) -> Result<()> {
    run(binary, repo, &QUICK)
}

fn run(binary: &Path, repo: &Repo, patterns: &[&str]) -> Result<()> {
    let report = repo.target().join(REPORT);
    programs::run(SUITE.python(repo).arg("-B").arg(TEST).arg(binary).arg(report).args(patterns))
}

/// Makes the environment, unless it is there.
pub(crate) fn provide(repo: &Repo) -> Result<()> {
    if SUITE.is_there(repo) {
        return Ok(());
    }
    let python = python(repo).context(NO_PYTHON)?;
    VIRTUALENV.provide(repo)?;
    let mut make = VIRTUALENV.python(repo);
    make.args(["-m", "virtualenv", "--quiet", "--clear", "--python"]).arg(python);
    programs::stdout_of(make.arg(SUITE.folder(repo)))?;
    SUITE.install(repo)
}

/// Whether it is there, or what it is made of.
pub(crate) fn can_run(repo: &Repo) -> bool {
    SUITE.is_there(repo) || python(repo).is_some()
}

/// A Python 2.7 that starts.
fn python(repo: &Repo) -> Option<PathBuf> {
    let named = PROGRAMS.iter().filter_map(|name| repo.find(name));
    named.chain(of_pyenv(repo)).find(|path| {
        let mut ask = std::process::Command::new(path);
        ask.args(["-c", "import sys; print(sys.version_info[:2])"]);
        programs::stdout_of(&mut ask).is_ok_and(|said| said.trim_ascii() == b"(2, 7)")
    })
}

/// Those that pyenv has: its own name on the path starts none that is not chosen.
fn of_pyenv(repo: &Repo) -> Vec<PathBuf> {
    let root = repo.program("pyenv").and_then(|mut pyenv| programs::stdout_of(pyenv.arg("root")));
    let root = root.ok().and_then(|said| String::from_utf8(said).ok()).unwrap_or_default();
    let versions = std::fs::read_dir(Path::new(root.trim()).join("versions"));
    let versions = versions.into_iter().flatten().flatten();
    let of_two =
        versions.filter(|version| version.file_name().to_string_lossy().starts_with("2.7"));
    of_two.map(|version| version.path().join("bin/python")).collect()
}
