//! Bluetooth LE without a radio and without a kernel: bumble, from Python's package index, in an environment of its own, and
//! the test that drives the real binary with it.

use std::path::Path;

use anyhow::Result;

use crate::programs;
use crate::python::Environment;
use crate::repo::Repo;

const BUMBLE: Environment =
    Environment { name: "bumble", package: "bumble==0.0.236", check: "import bumble.controller" };
const TEST: &str = "crates/mtom/tests/ble/ble.py";

/// Makes the environment, unless it is there.
pub(crate) fn provide(repo: &Repo) -> Result<()> {
    BUMBLE.provide(repo)
}

/// Runs the test against `binary`.
pub(crate) fn run(binary: &Path, repo: &Repo) -> Result<()> {
    programs::run(BUMBLE.python(repo).arg(TEST).arg(binary))
}
