//! The devices on bare metal under QEMU: builds the images of `firmware/qemu`, says what they take,
//! and runs the tests that start them against the real binary.

use std::path::Path;

use anyhow::{Context, Result};

use crate::programs;
use crate::repo::Repo;
use crate::setup::BARE_METAL;

const IMAGES: [&str; 2] = ["actuator", "sensor"];

/// Builds, checks and runs.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let images = repo.target().join("qemu").join(BARE_METAL).join("release");
    let cargo = || programs::cargo(&repo.root().join("firmware/qemu"));
    let on_target = |command: &str| {
        let mut cargo = cargo();
        cargo.args([command, "--release", "--locked", "--target", BARE_METAL, "--target-dir"]);
        cargo.arg(repo.target().join("qemu"));
        cargo
    };
    programs::run(cargo().args(["fmt", "--check"]))?;
    programs::run(on_target("clippy").args(["--", "-Dwarnings"]))?;
    programs::run(&mut on_target("build"))?;
    for name in IMAGES {
        println!("{name}: {} bytes of flash", flash_len_of(&images.join(name))?);
    }
    let mut test = repo.cargo();
    // The tests say how much memory each image has used when its work was done.
    test.env("MTOM_EMULATION", images);
    // The same packages as the step `test`, so that nothing is built a second time.
    test.args(["test", "--workspace", "--test", "it", "emulation::"]);
    programs::run(test.args(["--", "--ignored", "--nocapture"]))
}

fn flash_len_of(image: &Path) -> Result<u32> {
    let elf = std::fs::read(image).with_context(|| format!("no image {}", image.display()))?;
    flash_len(&elf).with_context(|| format!("{} is no 32-bit ELF file", image.display()))
}

/// How many bytes of flash an image takes: all that is in its segments that are loaded (System V ABI,
/// "Program Header").
fn flash_len(elf: &[u8]) -> Option<u32> {
    const LOADED: u32 = 1;
    if !elf.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let (first, step) = (usize::try_from(word(elf, 28)?).ok()?, half(elf, 42)?);
    let mut len: u32 = 0;
    for index in 0..half(elf, 44)? {
        let header = elf.get(first + index * step..)?;
        if word(header, 0)? == LOADED {
            len = len.checked_add(word(header, 16)?)?;
        }
    }
    Some(len)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk().map(|bytes| usize::from(u16::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests;
