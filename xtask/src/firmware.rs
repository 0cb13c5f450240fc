//! `cargo xtask firmware`: the images of the boards, and whether they stay small enough.
//!
//! Each bin is built by itself, because each needs another radio, and cargo would build both for the
//! features of either. What `mtom flash` takes lies in `target/firmware/<board>/<bin>`: an ELF file
//! without debugging information. Its symbols stay, for the chip's name stands among them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::programs;
use crate::repo::Repo;
use crate::report::Trouble;
use crate::setup::{self, Need};

mod size;

/// Beside ours, so that neither build throws away what the other has made.
const BUILD_DIR: &str = "firmware-build";
const OUTPUT_DIR: &str = "firmware";

/// A chip and the boards that carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Board {
    Esp32c3,
    Esp32c6,
}

impl Board {
    const ALL: [Self; 2] = [Self::Esp32c3, Self::Esp32c6];

    fn name(self) -> &'static str {
        match self {
            Self::Esp32c3 => "esp32c3",
            Self::Esp32c6 => "esp32c6",
        }
    }

    /// The C3 has no atomic instructions.
    fn target(self) -> &'static str {
        match self {
            Self::Esp32c3 => setup::BARE_METAL,
            Self::Esp32c6 => setup::BARE_METAL_ATOMICS,
        }
    }
}

/// A program for a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bin {
    Sensor,
    Actuator,
}

impl Bin {
    const ALL: [Self; 2] = [Self::Sensor, Self::Actuator];

    fn name(self) -> &'static str {
        match self {
            Self::Sensor => "sensor",
            Self::Actuator => "actuator",
        }
    }
}

/// What to build.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    boards: Vec<Board>,
    bins: Vec<Bin>,
}

impl Choice {
    fn all() -> Self {
        Self { boards: Board::ALL.to_vec(), bins: Bin::ALL.to_vec() }
    }

    /// `--board esp32c3`, `--bin sensor`; what is left out is all of them.
    fn parse(args: &[String]) -> Result<Self> {
        let mut choice = Self::all();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (key, value) = match arg.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (arg.as_str(), args.next().map(String::as_str)),
            };
            match (key, value) {
                ("--board", Some(name)) => choice.boards = vec![board(name)?],
                ("--bin", Some(name)) => choice.bins = vec![bin(name)?],
                ("--board" | "--bin", None) => bail!("{key} needs a name"),
                _ => bail!("firmware does not know `{arg}`; `cargo xtask help` tells more"),
            }
        }
        Ok(choice)
    }

    fn images(&self) -> impl Iterator<Item = (Board, Bin)> {
        self.boards.iter().flat_map(|&board| self.bins.iter().map(move |&bin| (board, bin)))
    }
}

fn board(name: &str) -> Result<Board> {
    let found = Board::ALL.into_iter().find(|board| board.name() == name);
    found.with_context(|| {
        format!("no board `{name}`; there are {}", Board::ALL.map(Board::name).join(", "))
    })
}

fn bin(name: &str) -> Result<Bin> {
    let found = Bin::ALL.into_iter().find(|bin| bin.name() == name);
    found.with_context(|| {
        format!("no bin `{name}`; there are {}", Bin::ALL.map(Bin::name).join(", "))
    })
}

/// `build` or `size`, with what to build behind it.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = args.split_first() else {
        bail!("firmware build or firmware size? `cargo xtask help` tells more");
    };
    let is_size = match command.as_str() {
        "build" => false,
        "size" => true,
        other => bail!("firmware knows build and size, not `{other}`"),
    };
    let choice = Choice::parse(rest)?;
    if let Some((_, lack)) = setup::provide(repo, &[Need::Firmware]).into_iter().next() {
        bail!("{lack}");
    }
    build(repo, &choice)?;
    if is_size && !shown_within_budget(repo, &choice)? {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The step of `cargo xtask test`: format, lints, all images, their sizes.
pub(crate) fn step(repo: &Repo) -> Result<(), Trouble> {
    programs::run(cargo(repo).args(["fmt", "--check"]))?;
    // Both bins at once: nothing is linked. In release, whose build scripts the images need anyway.
    let mut clippy = cargo(repo);
    clippy.args(["clippy", "--release", "--features=sensor,actuator", "--target"]);
    clippy.arg(Board::Esp32c3.target()).arg("--target-dir").arg(repo.target().join(BUILD_DIR));
    programs::run(clippy.args(["--", "-Dwarnings"]))?;
    let choice = Choice::all();
    build(repo, &choice)?;
    if shown_within_budget(repo, &choice)? {
        Ok(())
    } else {
        Err(anyhow::anyhow!("an image is over its budget").into())
    }
}

/// Builds all images.
pub(crate) fn build_all(repo: &Repo) -> Result<()> {
    build(repo, &Choice::all())
}

/// All images, each with the names of its board and of what it is.
pub(crate) fn images(repo: &Repo) -> Vec<(&'static str, &'static str, PathBuf)> {
    let all = Choice::all();
    all.images().map(|(board, bin)| (board.name(), bin.name(), image(repo, board, bin))).collect()
}

fn build(repo: &Repo, choice: &Choice) -> Result<()> {
    for (board, bin) in choice.images() {
        println!("firmware {} for the {}", bin.name(), board.name());
        programs::run(&mut build_command(repo, board, bin))?;
        let built = repo.target().join(BUILD_DIR).join(board.target()).join("release");
        put(&built.join(bin.name()), &image(repo, board, bin))?;
    }
    Ok(())
}

fn build_command(repo: &Repo, board: Board, bin: Bin) -> Command {
    let mut cargo = cargo(repo);
    cargo.args(["build", "--release", "--locked", "--no-default-features", "--bin", bin.name()]);
    cargo.arg(format!("--features={},{}", board.name(), bin.name()));
    cargo.args(["--target", board.target(), "--target-dir"]).arg(repo.target().join(BUILD_DIR));
    cargo
}

fn cargo(repo: &Repo) -> Command {
    programs::cargo(&repo.root().join("firmware"))
}

/// Where `mtom flash` looks for an image.
fn image(repo: &Repo, board: Board, bin: Bin) -> PathBuf {
    repo.target().join(OUTPUT_DIR).join(board.name()).join(bin.name())
}

/// Whoever looks at `to` meanwhile sees the old one or the new one.
fn put(from: &Path, to: &Path) -> Result<()> {
    let put = || {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        let beside = to.with_extension("new");
        fs::copy(from, &beside)?;
        fs::rename(beside, to)
    };
    put().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Prints the sizes of what was built, and what is over its budget.
fn shown_within_budget(repo: &Repo, choice: &Choice) -> Result<bool> {
    let mut lines = Vec::new();
    for (board, bin) in choice.images() {
        let path = image(repo, board, bin);
        let elf = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let size = size::Size::of(&elf).with_context(|| format!("{}", path.display()))?;
        let budget = size::budget(board, bin);
        lines.push(size::Line { board: board.name(), bin: bin.name(), size, budget });
    }
    print!("{}", size::table(&lines));
    Ok(lines.iter().all(size::Line::is_within_budget))
}

#[cfg(test)]
mod tests;
