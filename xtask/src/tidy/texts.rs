//! Files that people open: the READMEs' first screen, no paths of one machine, nothing heavy.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

const README_COMMANDS: [&str; 2] = ["cargo xtask up", "cargo xtask test"];
const README_LINES: usize = 40;
const BYTES_MAX: usize = 1 << 20;

/// Written in two pieces, so that this file does not find itself.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "tmp/h")];

/// Both READMEs show, on their first screen, how to start and how to test.
pub(crate) fn check_readmes(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in ["README.md", "README.zh.md"] {
        let Some(text) = tree.text(path) else {
            findings.push(Finding::new(path, "is missing"));
            continue;
        };
        for command in README_COMMANDS {
            if !text.lines().take(README_LINES).any(|line| line.contains(command)) {
                let what = format!("does not show `{command}` in its first {README_LINES} lines");
                findings.push(Finding::new(path, what));
            }
        }
    }
    findings
}

/// No file mentions a folder that only one machine has.
pub(crate) fn check_machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts("") {
        for (number, line) in text.lines().enumerate() {
            for machine_path in MACHINE_PATHS {
                if starts_a_path(line, machine_path) {
                    let what = format!("{machine_path}… is a path of one machine");
                    findings.push(Finding::at(path, number, what));
                }
            }
        }
    }
    findings
}

/// Nothing over 1 MiB: it stays in every clone for ever.
pub(crate) fn check_sizes(tree: &Tree) -> Vec<Finding> {
    let heavy = tree.sizes().filter(|(_, bytes)| *bytes > BYTES_MAX);
    heavy
        .map(|(path, bytes)| Finding::new(path, format!("has {bytes} bytes, over 1 MiB")))
        .collect()
}

/// Whether `path` stands in `line` as the beginning of a path, not as a part of `a/longer/one`.
fn starts_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let is_inside = before.is_some_and(|c| c.is_alphanumeric() || "._-~*}/".contains(c));
        // The last of them goes on with a number.
        !is_inside && (path.ends_with('/') || after.is_some_and(|c| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests;
