//! Debian's packages for the guest: which ones, and their files in the cache, each under its name and
//! version. Nothing is installed; apt-get only brings the files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::programs;
use crate::repo::Repo;
use crate::setup::may_install;

/// Names the kernel's package of today.
const KERNEL: &str = "linux-image-amd64";
/// What the guest is made of, beside the libraries that they need.
const ROOTS: [&str; 8] = [
    "bluez",
    "bluez-test-tools",
    "busybox-static",
    "dbus-daemon",
    "dbus-system-bus-common",
    // The two that Rust's programs need.
    "libgcc-s1",
    "libudev1",
    // The one library whose package has another name.
    "zlib1g",
];

/// What it takes to bring and open a package.
const TOOLS: [&str; 3] = ["apt-get", "apt-cache", "dpkg-deb"];

/// The packages of one guest.
pub(crate) struct Packages {
    /// `linux-image-6.1.0-57-amd64_6.1.174-1_amd64.deb`.
    pub(crate) kernel: PathBuf,
    pub(crate) others: Vec<PathBuf>,
}

impl Packages {
    /// Finds out which there are today and brings those that `cache` lacks.
    pub(crate) fn fetch(repo: &Repo, cache: &Path) -> Result<Self> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            bail!("the guest is Debian on x86-64, and runs what is built for it here");
        }
        if let Some(tool) = TOOLS.iter().find(|tool| repo.find(tool).is_none()) {
            bail!("{tool} is missing: the guest is made of Debian's packages");
        }
        match Self::try_fetch(repo, cache) {
            // A list that is old names files that are gone.
            Err(_) if may_install(repo) => {
                println!("asking for today's list of packages with apt-get update");
                programs::stdout_of(repo.program("apt-get")?.args(["-q", "update"]))?;
                Self::try_fetch(repo, cache)
            }
            result => result,
        }
    }

    fn try_fetch(repo: &Repo, cache: &Path) -> Result<Self> {
        let said = said_by(repo, "apt-cache", &["depends", "--important", KERNEL])?;
        let kernel = depends(&said)
            .into_iter()
            .find(|name| name.starts_with("linux-image-"))
            .with_context(|| format!("{KERNEL} names no kernel"))?;
        let names = with_libraries(repo)?;
        let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        wanted.push(&kernel);
        let mut ask = vec!["download", "--print-uris"];
        ask.extend(&wanted);
        let files = file_names(&said_by(repo, "apt-get", &ask)?);
        if files.len() != wanted.len() {
            bail!("apt-get has {} of {} packages", files.len(), wanted.len());
        }
        bring(repo, cache, &files)?;
        let is_kernel = |file: &&String| package_of(file) == kernel;
        let kernel = files.iter().find(is_kernel).context("the kernel has no file")?;
        let others = files.iter().filter(|file| !is_kernel(file));
        Ok(Self { kernel: cache.join(kernel), others: others.map(|f| cache.join(f)).collect() })
    }

    /// What tells this set from another: the names of all files, one a line.
    pub(crate) fn list(&self) -> String {
        let all = self.others.iter().chain([&self.kernel]);
        let mut names: Vec<_> =
            all.filter_map(|path| path.file_name()?.to_str()).map(str::to_owned).collect();
        names.sort();
        names.join("\n")
    }

    /// Name and version of the one package that begins so.
    pub(crate) fn version_of(&self, name: &str) -> String {
        let list = self.list();
        let file = list.lines().find(|file| package_of(file) == name).unwrap_or_default();
        file.split('_').nth(1).unwrap_or_default().replace("%3a", ":")
    }
}

/// The roots and all libraries below them. What else they depend on is for an installed system.
fn with_libraries(repo: &Repo) -> Result<BTreeSet<String>> {
    let mut names: BTreeSet<String> = ROOTS.iter().map(ToString::to_string).collect();
    let mut new = names.clone();
    while !new.is_empty() {
        let mut ask = vec!["depends", "--important"];
        ask.extend(new.iter().map(String::as_str));
        let said = said_by(repo, "apt-cache", &ask)?;
        let libraries = depends(&said).into_iter().filter(|name| name.starts_with("lib"));
        new = libraries.filter(|name| !names.contains(name)).collect();
        names.extend(new.iter().cloned());
    }
    Ok(names)
}

/// The packages that `apt-cache depends` lists as dependencies; of alternatives each.
fn depends(said: &str) -> Vec<String> {
    let names = said.lines().filter_map(|line| {
        let (kind, name) = line.trim_start_matches([' ', '|']).split_once("Depends: ")?;
        // A name in angle brackets is virtual: what provides it stands below.
        let is_real = matches!(kind, "" | "Pre") && !name.starts_with('<');
        is_real.then(|| name.split(':').next().unwrap_or(name).to_owned())
    });
    names.collect()
}

/// The file names that `apt-get download --print-uris` tells of.
fn file_names(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| line.starts_with('\''));
    lines.filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect()
}

/// The package whose file this is.
fn package_of(file: &str) -> &str {
    file.split('_').next().unwrap_or(file)
}

/// Brings those that are not there. A file has its name only when it is whole.
fn bring(repo: &Repo, cache: &Path, files: &[String]) -> Result<()> {
    let missing: Vec<&str> =
        files.iter().filter(|file| !cache.join(file).exists()).map(|f| package_of(f)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("downloading {} of {} Debian packages for the guest", missing.len(), files.len());
    let arriving = cache.join(format!("arriving-{}", std::process::id()));
    fs::create_dir_all(&arriving)?;
    let mut apt = repo.program("apt-get")?;
    apt.current_dir(&arriving).args(["-q", "download"]).args(&missing);
    let brought = programs::stdout_of(&mut apt);
    for file in files {
        let from = arriving.join(file);
        if brought.is_ok() && from.exists() {
            fs::rename(&from, cache.join(file))?;
        }
    }
    fs::remove_dir_all(&arriving)?;
    brought.map(drop)
}

fn said_by(repo: &Repo, program: &str, args: &[&str]) -> Result<String> {
    let mut command = repo.program(program)?;
    let said = programs::stdout_of(command.env("LC_ALL", "C").args(args))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests;
