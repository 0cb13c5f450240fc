//! What the authors of the parts ask for: their licences, beside the program that contains their work.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::platform::Platform;
use crate::programs;
use crate::repo::Repo;

/// Names under which a package keeps what is asked for.
const FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// Every package of others in the binary, its licence, and each text once with the packages that bring it.
pub(super) fn of_what_is_inside(repo: &Repo, platform: Platform) -> Result<String> {
    let mut tree = repo.cargo();
    tree.args(["tree", "--locked", "--package=mtom", "--edges=normal", "--prefix=none"]);
    tree.args(["--format={p}", "--target", platform.triple()]);
    let tree = String::from_utf8(programs::stdout_of(&mut tree)?)?;
    let inside: BTreeSet<(&str, &str)> = tree.lines().filter_map(package).collect();
    let mut metadata = repo.cargo();
    metadata.args(["metadata", "--format-version=1", "--locked"]);
    metadata.args(["--filter-platform", platform.triple()]);
    let metadata: Value = serde_json::from_slice(&programs::stdout_of(&mut metadata)?)?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let mut list = String::from("mtom contains the work of others, under these licences:\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let field = |name: &str| package[name].as_str().unwrap_or_default();
        let (name, version) = (field("name"), field("version"));
        if !inside.contains(&(name, version)) {
            continue;
        }
        writeln!(list, "{name} {version}: {}", field("license"))?;
        let folder =
            Path::new(field("manifest_path")).parent().context("a package lies nowhere")?;
        for text in texts_in(folder)? {
            texts.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    for (name, text) in in_the_page(&repo.web().join("vendor"))? {
        writeln!(list, "{name}, in the page")?;
        texts.entry(text).or_default().push(name);
    }
    for (text, names) in texts {
        write!(list, "\n{}\n{}:\n\n{text}\n", "─".repeat(80), names.join(", "))?;
    }
    Ok(list)
}

/// `tokio v1.54.0`, or with `(proc-macro)`, `(*)` behind it; one of ours has a path.
fn package(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    Some((words.next()?, words.next()?.strip_prefix('v')?))
}

/// What the page brings, by name, each with its licence beside it: `uplot.LICENSE`.
fn in_the_page(folder: &Path) -> Result<BTreeMap<String, String>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut texts = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".LICENSE") {
            texts.insert(name.to_owned(), fs::read_to_string(&path)?.trim().to_owned());
        }
    }
    Ok(texts)
}

fn texts_in(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && FILES.iter().any(|file| name.starts_with(file)) {
            let text =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            texts.insert(String::from_utf8_lossy(&text).replace('\r', "").trim().to_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::{package, texts_in};

    #[test]
    fn a_line_of_cargo_tree_names_a_package() {
        for (line, expected) in [
            ("tokio v1.54.0", Some(("tokio", "1.54.0"))),
            ("serde_derive v1.0.2 (proc-macro)", Some(("serde_derive", "1.0.2"))),
            ("bytes v1.0.0 (*)", Some(("bytes", "1.0.0"))),
            ("", None),
        ] {
            assert_eq!(package(line), expected, "{line}");
        }
    }

    #[test]
    fn the_texts_of_a_package_are_found_whatever_they_are_called() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("LICENSE-MIT", "one\r\n"),
            ("license.txt", "two"),
            ("NOTICE", "three"),
            ("copy", "one"),
            ("lib.rs", "code"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::create_dir(folder.path().join("LICENSES")).unwrap();
        let texts: Vec<_> = texts_in(folder.path()).unwrap().into_iter().collect();
        assert_eq!(texts, ["one", "three", "two"]);
    }
}
