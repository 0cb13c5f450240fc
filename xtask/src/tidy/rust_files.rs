//! Each Rust file opens with its contract and stays short enough to read. Function length is clippy's.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

const LINES_MAX: usize = 500;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(".rs") {
        let count = text.lines().count();
        if count > LINES_MAX && !is_test(path) {
            findings.push(Finding::new(path, format!("has {count} lines, {LINES_MAX} are enough")));
        }
        // What `mod tests;` holds has its contract in the file above it.
        if path.ends_with("/tests.rs") {
            continue;
        }
        // Attributes of the whole file may stand above.
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let first = lines.find(|line| !line.starts_with("#![")).unwrap_or_default();
        if !first.starts_with("//!") {
            findings.push(Finding::new(path, "does not open with `//!`: what is its contract?"));
        } else if first.trim() == "//! stub" {
            findings.push(Finding::new(path, "is a stub"));
        }
    }
    findings
}

/// Tests may be as long as there are cases.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

#[cfg(test)]
mod tests;
