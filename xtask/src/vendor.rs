//! Brings the page's third-party files into `web/vendor`, with their licences.
//!
//! `web/vendor.json` lists them: `[{"from": "node_modules/…", "to": "vendor/…"}]`, relative to `web/`. With
//! `"export": "name"` a script that defines that name becomes a module whose default it is: some packages
//! are small as a script only.
//! `package-lock.json` pins each package by hash; no package's own script runs. A package without a
//! licence file is refused.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::programs;
use crate::repo::Repo;

/// Says which lists the present files were made from. It lies outside of `web/vendor`, whose every
/// file the page serves.
const STAMP: &str = "node_modules/.mtom-vendor";

/// Fetches and copies, whatever is there.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let web = repo.web();
    let lists = read_lists(&web)?;
    let copies = parse_copies(&lists.vendor)?;
    println!("fetching the page's packages with npm ci");
    let mut npm = programs::npm(&web);
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    let needs = "Node.js with npm is needed: apt-get install nodejs npm | dnf install nodejs | brew install node";
    programs::run(&mut npm).context(needs)?;
    let count = copy_all(&web, &copies)?;
    fs::write(web.join(STAMP), lists.stamp())?;
    println!("vendored {count} files into web/vendor");
    Ok(())
}

/// Fetches and copies when the lists have changed since, or a listed file is missing.
pub(crate) fn run_if_stale(repo: &Repo) -> Result<()> {
    if is_fresh(&repo.web())? { Ok(()) } else { run(repo) }
}

struct Lists {
    vendor: String,
    lock: String,
}

impl Lists {
    fn stamp(&self) -> String {
        format!("{}\n{}", self.vendor, self.lock)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Copy {
    from: PathBuf,
    to: PathBuf,
    /// What the script defines and the module exports.
    export: Option<String>,
}

fn read_lists(web: &Path) -> Result<Lists> {
    let read = |name: &str| {
        fs::read_to_string(web.join(name)).with_context(|| format!("cannot read web/{name}"))
    };
    Ok(Lists { vendor: read("vendor.json")?, lock: read("package-lock.json")? })
}

fn is_fresh(web: &Path) -> Result<bool> {
    let lists = read_lists(web)?;
    let stamp = fs::read_to_string(web.join(STAMP)).unwrap_or_default();
    let copies = parse_copies(&lists.vendor)?;
    Ok(stamp == lists.stamp() && copies.iter().all(|copy| web.join(&copy.to).is_file()))
}

fn parse_copies(json: &str) -> Result<Vec<Copy>> {
    let list: Value = serde_json::from_str(json).context("web/vendor.json is no JSON")?;
    let list = list.as_array().context("web/vendor.json is no list")?;
    list.iter()
        .map(|entry| {
            let path = |key: &str, below: &str| -> Result<PathBuf> {
                let text = entry[key].as_str();
                let text =
                    text.with_context(|| format!("web/vendor.json: no \"{key}\" in {entry}"))?;
                let path = PathBuf::from(text);
                let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
                if !stays || !path.starts_with(below) || path == Path::new(below) {
                    bail!("web/vendor.json: \"{key}\" is {text:?}, expected a path below {below}/");
                }
                Ok(path)
            };
            let export = entry.get("export").map(name).transpose()?;
            Ok(Copy { from: path("from", "node_modules")?, to: path("to", "vendor")?, export })
        })
        .collect()
}

/// A name of the script's.
fn name(value: &Value) -> Result<String> {
    let is_name = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    let text = value.as_str().filter(is_name);
    let text =
        text.with_context(|| format!("web/vendor.json: \"export\" is {value}, expected a name"))?;
    Ok(text.to_owned())
}

/// Replaces `web/vendor`; returns how many files it holds then.
fn copy_all(web: &Path, copies: &[Copy]) -> Result<usize> {
    let vendor = web.join("vendor");
    if vendor.exists() {
        fs::remove_dir_all(&vendor).context("cannot clear web/vendor")?;
    }
    fs::create_dir_all(&vendor)?;
    let mut count = 0;
    for Copy { from, to, export } in copies {
        copy(&web.join(from), &web.join(to))?;
        if let Some(name) = export {
            let mut file = OpenOptions::new().append(true).open(web.join(to))?;
            writeln!(file, "\nexport default {name};")?;
        }
        count += 1;
        let package = package_of(from);
        let licence = licence_of(&web.join(&package))?;
        let licence_to = vendor.join(format!("{}.LICENSE", file_name_of(&package)));
        if !licence_to.exists() {
            copy(&licence, &licence_to)?;
            count += 1;
        }
    }
    Ok(count)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The folder of the package that `from` belongs to: `node_modules/a` or `node_modules/@scope/a`.
fn package_of(from: &Path) -> PathBuf {
    let parts: Vec<_> = from.components().collect();
    let is_scoped =
        parts.get(1).is_some_and(|name| name.as_os_str().to_string_lossy().starts_with('@'));
    parts.iter().take(if is_scoped { 3 } else { 2 }).collect()
}

fn file_name_of(package: &Path) -> String {
    let parts = package.components().skip(1).map(|part| part.as_os_str().to_string_lossy());
    parts.map(|part| part.trim_start_matches('@').to_string()).collect::<Vec<_>>().join("-")
}

fn licence_of(package: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(package)
        .with_context(|| format!("cannot read the package {}", package.display()))?;
    let mut licences: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            name.starts_with("license") || name.starts_with("licence") || name == "copying"
        })
        .collect();
    licences.sort();
    let first = licences.into_iter().next();
    first.with_context(|| format!("{} has no licence file", package.display()))
}

#[cfg(test)]
mod tests;
