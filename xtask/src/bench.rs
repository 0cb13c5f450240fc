//! `cargo xtask bench`: mtom beside what it is measured against, in one run.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::programs;
use crate::repo::Repo;
use crate::setup::{self, Need};

/// Sets up mosquitto, builds in release, becomes the benchmark program with `args`.
///
/// The benchmark finds the binary under test in `MTOM_BIN`.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    if let Some((_, lack)) = setup::provide(repo, &[Need::Mosquitto]).into_iter().next() {
        bail!("the benchmarks measure against mosquitto: {lack}");
    }
    let build = ["build", "--release", "--package=mtom", "--package=mtom-bench"];
    programs::run(repo.cargo().args(build))?;
    let mut bench = repo.cargo();
    bench.args(["run", "--release", "--quiet", "--package=mtom-bench", "--"]).args(args);
    programs::become_program(bench.env("MTOM_BIN", repo.binary("release", "mtom")))
}
