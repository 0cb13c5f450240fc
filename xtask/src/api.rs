//! The HTTP API against its own document: schemathesis, from Python's package index, in an environment of its own, and
//! the test that asks the real binary with it.

use std::path::Path;

use anyhow::Result;

use crate::programs;
use crate::python::Environment;
use crate::repo::Repo;

// 4.32 of 2026, by its own company, MIT.
const SCHEMATHESIS: Environment = Environment {
    name: "schemathesis",
    package: "schemathesis==4.32.5",
    check: "import schemathesis; assert schemathesis.__version__ == '4.32.5'",
};
const TEST: &str = "crates/mtom/tests/api/api.py";
/// Where the results go, below `target`.
const REPORT: &str = "schemathesis.xml";

/// Makes the environment, unless it is there.
pub(crate) fn provide(repo: &Repo) -> Result<()> {
    SCHEMATHESIS.provide(repo)
}

/// Runs the test against `binary`.
pub(crate) fn run(binary: &Path, repo: &Repo) -> Result<()> {
    let report = repo.target().join(REPORT);
    programs::run(SCHEMATHESIS.python(repo).arg(TEST).arg(binary).arg(report))
}
