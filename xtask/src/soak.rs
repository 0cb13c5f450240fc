//! `cargo xtask soak page`: the page stays open for half an hour, and must not grow. `cargo xtask soak brokers`: a
//! hundred restarts of each broker and two hundred cuts of the link to it, and nothing is lost or stored twice.
//!
//! A thousand devices send a thousand readings/s to the page meanwhile. `--plant heap`, `nodes` or `listeners` makes
//! it grow: then it must fail. The brokers' tests carry their planted bug with them.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::programs;
use crate::repo::Repo;
use crate::setup::{self, Need};

/// How often each broker is restarted, and its link cut.
const MANY: [(&str, &str); 2] = [("MTOM_BROKERS_RESTARTS", "100"), ("MTOM_BROKERS_CUTS", "200")];

pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    match args.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        Some(("page", rest)) => page(repo, rest),
        Some(("brokers", [])) => brokers(repo),
        _ => bail!("soak takes `page` or `brokers`; `cargo xtask help` tells more"),
    }
}

/// The test of `cargo xtask test`, with so many more faults that it takes an hour.
fn brokers(repo: &Repo) -> Result<ExitCode> {
    let needs = [Need::Mosquitto, Need::Brokers];
    if let Some((_, lack)) = setup::provide(repo, &needs).into_iter().next() {
        bail!("every broker is restarted: {lack}");
    }
    let mut test = repo.cargo();
    test.args([
        "test",
        "--package=mtom",
        "--test=brokers",
        "--",
        "--nocapture",
        "--test-threads=1",
    ]);
    test.arg("faults::").envs(MANY);
    programs::run(&mut test)?;
    Ok(ExitCode::SUCCESS)
}

/// Sets up, builds in release, becomes the program that keeps the page open.
fn page(repo: &Repo, rest: &[String]) -> Result<ExitCode> {
    if let Some((_, lack)) = setup::provide(repo, &[Need::Page, Need::Chromium]).into_iter().next()
    {
        bail!("the page is kept open in Chromium: {lack}");
    }
    programs::run(repo.cargo().args(["build", "--release", "--package=mtom"]))?;
    let mut node = repo.program("node")?;
    node.current_dir(repo.web()).arg("test/load/soak.js").args(rest);
    node.env("MTOM_BIN", repo.binary("release", "mtom"));
    if let Some(chromium) = setup::chromium(repo) {
        node.env("CHROMIUM", chromium);
    }
    programs::become_program(&mut node)
}
