//! ARCHITECTURE.md stays short and every crate and path that it names exists: a map that drifted
//! misleads more than none.
//!
//! It looks at words in backticks: names of our crates, paths below a folder of ours, Rust files.
//! Other words (types, topics, commands) it cannot judge. Blocks between fences are pictures.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

const MAP: &str = "ARCHITECTURE.md";
/// Under this many.
const LINES_MAX: usize = 300;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(MAP) else {
        return vec![Finding::new(MAP, "is missing")];
    };
    let mut findings = Vec::new();
    let count = text.lines().count();
    if count >= LINES_MAX {
        findings.push(Finding::new(MAP, format!("has {count} lines, expected under {LINES_MAX}")));
    }
    let known = Known::of(tree);
    let mut is_picture = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_picture = !is_picture;
        }
        if is_picture {
            continue;
        }
        // Every second piece between backticks is inside them.
        for word in line.split('`').skip(1).step_by(2) {
            if known.lacks(word) {
                findings.push(Finding::at(MAP, number, format!("`{word}` does not exist")));
            }
        }
    }
    findings
}

/// What may be named.
struct Known<'a> {
    paths: Vec<&'a str>,
    crates: Vec<&'a str>,
    /// What git ignores exists on a machine that has built.
    ignored: Vec<&'a str>,
}

impl<'a> Known<'a> {
    fn of(tree: &'a Tree) -> Self {
        let manifests = tree.texts("Cargo.toml");
        let crates = manifests
            .filter_map(|(_, text)| {
                text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
            })
            .collect();
        let ignored = tree.text(".gitignore").unwrap_or_default().lines();
        let ignored = ignored.filter_map(|line| line.strip_prefix('/')).collect();
        Self { paths: tree.paths().collect(), crates, ignored }
    }

    /// Whether `word` is the name of a crate or a path of ours that is not there.
    fn lacks(&self, word: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
        if word.starts_with('/') || !word.chars().all(is_plain) {
            return false;
        }
        let path = word.trim_end_matches('/');
        let first = path.split('/').next().unwrap_or_default();
        let is_crate_like = first.starts_with("mtom-") && !first.contains('.');
        if is_crate_like && !self.crates.contains(&first) && !self.ignored.contains(&first) {
            return true;
        }
        let is_ours = is_crate_like
            || ["src", "tests", "crates"].contains(&first)
            || self.paths.iter().any(|known| known.starts_with(&format!("{first}/")));
        let is_path = path.ends_with(".rs") || (word.contains('/') && is_ours);
        is_path && !self.has_path(path)
    }

    /// Whether `path` is a file or folder, seen from the root or from any folder.
    fn has_path(&self, path: &str) -> bool {
        let inside = format!("/{path}/");
        let is_known = |known: &&str| format!("/{known}/").contains(&inside);
        self.paths.iter().any(is_known)
            || self
                .ignored
                .iter()
                .any(|ignored| format!("{path}/").starts_with(&format!("{ignored}/")))
    }
}

#[cfg(test)]
mod tests;
