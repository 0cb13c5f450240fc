//! `cargo xtask dist`: what somebody unpacks who has no Rust: one archive for each kind of computer.
//!
//! `target/dist` gets `mtom-VERSION-TARGET.tar.gz`, for Windows `.zip`, and `SHA256SUMS`. The same commit gives the same
//! bytes: names are sorted, times are the commit's, and no path of this computer is in the binary. Each archive is
//! unpacked again, and its binary started, under an emulator where it has to be, before it is called done.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::firmware;
use crate::platform::Platform;
use crate::programs;
use crate::repo::Repo;
use crate::setup::{self, Need};
use crate::wine::Wine;
use archive::{Entry, Moment};

mod archive;
mod licences;

/// Written into the archive beside the binary.
const UNIT: &str = include_str!("dist/mtom.service");
/// What stands in the repository and goes along; a folder with all that is in it.
const TEXTS: [&str; 7] = [
    "README.md",
    "README.zh.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "docs",
];
const SUMS: &str = "SHA256SUMS";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    platforms: Vec<Platform>,
    /// Builds each a second time, elsewhere, and compares.
    twice: bool,
}

impl Choice {
    /// `[--twice] [NAME…]`; without a name all.
    fn parse(args: &[String]) -> Result<Self> {
        let (flags, names): (Vec<_>, Vec<_>) =
            args.iter().cloned().partition(|arg| arg.starts_with('-'));
        if let Some(unknown) = flags.iter().find(|flag| *flag != "--twice") {
            bail!("dist does not know `{unknown}`; `cargo xtask help` tells more");
        }
        let mut platforms = crate::cross::chosen(&names)?;
        if platforms.is_empty() {
            platforms.extend(Platform::ALL);
        }
        Ok(Self { platforms, twice: !flags.is_empty() })
    }
}

/// Makes the archives.
pub(crate) fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    let choice = Choice::parse(args)?;
    let mut needs = vec![Need::Page, Need::Firmware];
    needs.extend(choice.platforms.iter().flat_map(|platform| platform.needs()));
    if let Some((_, lack)) = setup::provide(repo, &needs).into_iter().next() {
        bail!("{lack}");
    }
    let dir = repo.target().join("dist");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    firmware::build_all(repo)?;
    let begun = Instant::now();
    let count = choice.platforms.len();
    for (index, platform) in choice.platforms.iter().enumerate() {
        println!("── {} of {count}: {}", index + 1, platform.triple());
        let archive = make(repo, *platform, "dist-build")?;
        if choice.twice {
            let again = make(repo, *platform, "dist-again")?;
            ensure!(archive == again, "a second build of {} gave other bytes", platform.triple());
            println!("built twice in two folders: the same bytes");
        }
        let path = dir.join(archive.name());
        // Whoever looks meanwhile sees the old one or the new one.
        let fresh = path.with_extension("new");
        fs::write(&fresh, &archive.bytes).and_then(|()| fs::rename(&fresh, &path))?;
        let try_out = repo.target().join("dist-try");
        started(repo, *platform, &path, &try_out).with_context(|| {
            let _ = fs::remove_file(&path);
            format!("{} does not work and was deleted", path.display())
        })?;
        fs::remove_dir_all(try_out)?;
        println!(
            "{}, {} KB, {:.0} s",
            path.display(),
            archive.bytes.len() / 1_000,
            begun.elapsed().as_secs_f64()
        );
    }
    if choice.platforms.contains(&Platform::Windows) {
        Wine::provide(repo)?.end()?;
    }
    let sums = sums(&dir)?;
    fs::write(dir.join(SUMS), &sums)?;
    print!("{sums}");
    Ok(ExitCode::SUCCESS)
}

/// An archive that is not written yet.
#[derive(PartialEq, Eq)]
struct Archive {
    folder: String,
    platform: Platform,
    bytes: Vec<u8>,
}

impl Archive {
    fn name(&self) -> String {
        let kind = if self.platform == Platform::Windows { "zip" } else { "tar.gz" };
        format!("{}.{kind}", self.folder)
    }
}

fn make(repo: &Repo, platform: Platform, build_dir: &str) -> Result<Archive> {
    let binary = build(repo, platform, &repo.target().join(build_dir))?;
    let mut files = BTreeMap::new();
    files.insert(platform.program("mtom"), Entry::program(read(&binary)?));
    for text in TEXTS {
        collect(repo.root(), Path::new(text), &mut files)?;
    }
    let example = read(&repo.root().join("crates/mtom/src/config/default.toml"))?;
    files.insert("mtom.example.toml".into(), Entry::text(example));
    let licences = licences::of_what_is_inside(repo, platform)?;
    files.insert("LICENSES-OF-PARTS.txt".into(), Entry::text(licences.into_bytes()));
    if platform != Platform::Windows {
        files.insert("mtom.service".into(), Entry::text(UNIT.into()));
    }
    for (board, bin, path) in firmware::images(repo) {
        files.insert(format!("firmware/{board}/{bin}"), Entry::text(read(&path)?));
    }
    let folder = format!("mtom-{}-{}", env!("CARGO_PKG_VERSION"), platform.triple());
    let moment = Moment::of_commit(repo);
    let bytes = if platform == Platform::Windows {
        archive::zip(&folder, &files, moment)?
    } else {
        archive::tar_gz(&folder, &files, moment)?
    };
    Ok(Archive { folder, platform, bytes })
}

/// Builds the binary as a whole, without symbols and without paths of this computer.
fn build(repo: &Repo, platform: Platform, target: &Path) -> Result<PathBuf> {
    let mut cargo = platform.cargo(repo, "build");
    cargo.args(["--profile=shipped", "--locked", "--package=mtom", "--bin=mtom"]);
    cargo.args(["--config=profile.shipped.strip=\"symbols\"", "--target-dir"]).arg(target);
    let home = cargo_home(repo);
    // Of several that fit the last counts: the folder of the build lies in that of the sources.
    let places = [(repo.root(), "/mtom"), (&home, "/cargo"), (target, "/target")];
    let map = |flag: &str, separator: &str| {
        let flags = places.map(|(from, to)| format!("{flag}{}={to}", from.display()));
        flags.join(separator)
    };
    // Separated so that a folder may have a space in its name.
    let mut flags = map("--remap-path-prefix=", "\u{1f}");
    if platform == Platform::Windows {
        // Else the linker writes the time of day into the program.
        flags += "\u{1f}-Clink-arg=-Wl,--no-insert-timestamp";
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags);
    let triple = platform.triple().replace('-', "_");
    cargo.env(format!("CFLAGS_{triple}"), map("-ffile-prefix-map=", " "));
    programs::run(&mut cargo)?;
    Ok(target.join(platform.triple()).join("shipped").join(platform.program("mtom")))
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home(repo: &Repo) -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let beside = || std::env::home_dir().map(|home| home.join(".cargo"));
    home.or_else(beside).unwrap_or_else(|| repo.root().to_path_buf())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The file, or all in the folder, at `path` below `root`.
fn collect(root: &Path, path: &Path, files: &mut BTreeMap<String, Entry>) -> Result<()> {
    let place = root.join(path);
    if place.is_dir() {
        for entry in fs::read_dir(&place)? {
            collect(root, &path.join(entry?.file_name()), files)?;
        }
        return Ok(());
    }
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    files.insert(parts.join("/"), Entry::text(read(&place)?));
    Ok(())
}

/// Unpacks the archive as a person would and starts what is in it.
fn started(repo: &Repo, platform: Platform, archive: &Path, dir: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(dir);
    archive::unpack(archive, dir)?;
    let folder = fs::read_dir(dir)?.next().context("the archive is empty")??.path();
    let binary = folder.join(platform.program("mtom"));
    let asks = |args: &[&str]| -> Result<String> {
        let mut mtom: Command = platform.command(repo, &binary)?;
        let said = programs::stdout_of(mtom.args(args).current_dir(&folder))?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    };
    let expected = format!("mtom {}", env!("CARGO_PKG_VERSION"));
    let version = asks(&["--version"])?;
    ensure!(version == expected, "--version says {version:?}, not {expected:?}");
    asks(&["config", "check", "--config", "mtom.example.toml"])?;
    let library = oldest_glibc(&read(&binary)?);
    let library = library.map(|(major, minor)| format!("; needs glibc {major}.{minor} or later"));
    println!("unpacked and started: {version}{}", library.unwrap_or_default());
    Ok(())
}

/// The oldest C library that a program starts with: the newest version that one of its symbols asks for, which stands
/// in it as `GLIBC_2.34`.
fn oldest_glibc(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let version = |text: &[u8]| {
        let len = text.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let (major, minor) = std::str::from_utf8(text.get(..len)?).ok()?.split_once('.')?;
        // Of 2.2.5 the second number counts.
        let minor = minor.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let marks = program.windows(MARK.len()).enumerate().filter(|(_, text)| *text == MARK);
    marks.filter_map(|(at, _)| version(program.get(at + MARK.len()..)?)).max()
}

/// The sums of all archives that lie there, as `sha256sum` writes them.
fn sums(dir: &Path) -> Result<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".tar.gz") || name.ends_with(".zip") {
            let sum = Sha256::digest(read(&path)?);
            let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            lines.push((name, sum));
        }
    }
    lines.sort();
    Ok(lines.into_iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect())
}

#[cfg(test)]
mod tests;
