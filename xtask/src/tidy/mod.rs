//! The rules of the house that no other tool checks.
//!
//! Each check is a function of the files (and of `cargo metadata`), so its tests plant a violation in
//! files that exist only in memory. Files that git ignores are nobody's business here.

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use crate::repo::Repo;
use crate::tidy::tree::Tree;

mod dead;
mod dependencies;
mod manifests;
mod names;
mod rust_files;
mod texts;
mod tree;

/// One broken rule and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// `path` or `path:line`.
    place: String,
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// `line` counts from 0, as iterators do; people count from 1.
    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{}", line + 1), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// `cargo xtask tidy`.
pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    Ok(if findings(repo)?.is_empty() {
        println!("tidy");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Checks everything, prints what it finds and returns it.
pub(crate) fn findings(repo: &Repo) -> Result<Vec<Finding>> {
    let tree = Tree::of_repo(repo)?;
    let mut findings = dependencies::check(repo.metadata());
    let checks: [fn(&Tree) -> Vec<Finding>; 9] = [
        rust_files::check,
        dead::check,
        manifests::check_reasons,
        manifests::check_members,
        manifests::check_locks,
        names::check,
        texts::check_readmes,
        texts::check_machine_paths,
        texts::check_sizes,
    ];
    findings.extend(checks.iter().flat_map(|check| check(&tree)));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    Ok(findings)
}
