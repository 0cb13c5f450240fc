//! `cargo xtask soak page`: the page stays open for half an hour, and must not grow.
//!
//! A thousand devices send a thousand readings/s meanwhile. `--plant heap`, `nodes` or `listeners` makes the
//! page grow: then it must fail.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::programs;
use crate::repo::Repo;
use crate::setup::{self, Need};

const PAGE: &str = "page";

/// Sets up, builds in release, becomes the program that keeps the page open.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    let Some((PAGE, rest)) = args.split_first().map(|(name, rest)| (name.as_str(), rest)) else {
        bail!("soak takes `page`; `cargo xtask help` tells more");
    };
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
