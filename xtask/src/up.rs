//! `cargo xtask up`: from a fresh clone to a running system.

use std::process::ExitCode;

use anyhow::Result;

use crate::repo::Repo;
use crate::{programs, vendor};

/// Sets up, builds in release, becomes `mtom up args…`.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    vendor::run_if_stale(repo)?;
    let binary = repo.binary("release", "mtom");
    if !binary.exists() {
        println!("building mtom in release; the first time takes some minutes");
    }
    programs::run(repo.cargo().args(["build", "--release", "--package=mtom"]))?;
    let mut mtom = std::process::Command::new(binary);
    programs::become_program(mtom.arg("up").args(args))
}
