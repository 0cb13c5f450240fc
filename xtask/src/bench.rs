//! `cargo xtask bench`: mtom beside what it is measured against, in one run.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::bluetooth;
use crate::programs;
use crate::repo::Repo;
use crate::setup::{self, Need};

/// What measures the store or the rules alone needs neither mosquitto nor the binary.
const PARTS_ALONE: [&str; 5] = ["store", "history", "drain", "rules", "replay"];

/// What measures the page needs a browser.
const PAGE: &str = "page";

/// Sets up mosquitto, builds as for the archives, becomes the benchmark program with `args`.
///
/// The benchmark finds the binary under test in `MTOM_BIN`.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    if args == [bluetooth::BENCH] {
        return bluetooth::bench(repo);
    }
    let mut names = args.iter().filter(|arg| arg.starts_with(|c: char| c.is_ascii_lowercase()));
    let is_part_alone =
        names.clone().next().is_some() && names.all(|name| PARTS_ALONE.contains(&name.as_str()));
    let has_page = args.iter().any(|arg| arg == PAGE);
    if !is_part_alone {
        let needs: &[Need] = match has_page {
            true => &[Need::Page, Need::Chromium, Need::Mosquitto],
            false => &[Need::Mosquitto],
        };
        if let Some((_, lack)) = setup::provide(repo, needs).into_iter().next() {
            bail!("the benchmarks measure against mosquitto, and the page in Chromium: {lack}");
        }
    }
    // Always both and in one go: alone each would have other features, and all would be built again.
    let packages = ["--package=mtom-bench", "--package=mtom"];
    programs::run(repo.cargo().args(["build", "--profile=shipped"]).args(packages))?;
    let mut bench = Command::new(repo.binary("shipped", "mtom-bench"));
    bench.current_dir(repo.root()).args(args).env("MTOM_BIN", repo.binary("shipped", "mtom"));
    if has_page && let Some(chromium) = setup::chromium(repo) {
        bench.env("CHROMIUM", chromium);
    }
    programs::become_program(&mut bench)
}
