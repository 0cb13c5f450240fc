//! Cargo.toml and the lock files: each dependency with one version, one reason and no host names.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

/// What cargo itself writes for a crate of crates.io.
const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Each workspace dependency has `# owner: reason` above it; our own crates speak for themselves.
pub(crate) fn check_reasons(tree: &Tree) -> Vec<Finding> {
    let path = "Cargo.toml";
    let text = tree.text(path).unwrap_or_default();
    let mut findings = Vec::new();
    let mut above = "";
    for (number, section, line) in lines_with_sections(text) {
        let is_table = line.starts_with("[workspace.dependencies.");
        let is_entry = section == "workspace.dependencies" && is_entry(line) && !is_own(line);
        if is_table || is_entry {
            let reason = above.strip_prefix('#').and_then(|comment| comment.split_once(':'));
            if reason.is_none_or(|(_, reason)| reason.trim().is_empty()) {
                let name = line.split([' ', '=']).next().unwrap_or_default();
                let what = format!("{name} has no `# owner: reason` on the line above it");
                findings.push(Finding::at(path, number, what));
            }
        }
        above = line;
    }
    findings
}

/// A member takes outside crates from the workspace, where version and reason stand once.
pub(crate) fn check_members(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A folder with a workspace of its own (the firmware) keeps its own list.
    let own_workspaces: Vec<&str> = tree
        .texts("/Cargo.toml")
        .filter(|(_, text)| text.contains("[workspace"))
        .filter_map(|(path, _)| path.strip_suffix("Cargo.toml"))
        .collect();
    for (path, text) in tree.texts("/Cargo.toml") {
        if own_workspaces.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        for (number, section, line) in lines_with_sections(text) {
            let is_dependency = section.ends_with("dependencies") && is_entry(line);
            if is_dependency && !line.contains("workspace = true") && !is_own(line) {
                let what = "take it from [workspace.dependencies], where its reason stands";
                findings.push(Finding::at(path, number, what));
            }
        }
    }
    findings
}

/// Locks and package settings name no registry but crates.io as cargo spells it: each machine has its own.
pub(crate) fn check_locks(tree: &Tree) -> Vec<Finding> {
    let cargo = tree.texts("Cargo.lock").flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        lines.filter(|(_, line)| line.starts_with("source = ") && *line != CRATES_IO).map(
            move |(number, line)| Finding::at(path, number, format!("not from crates.io: {line}")),
        )
    });
    let npm = tree.texts("package-lock.json").flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        let named = lines.filter(|(_, line)| line.contains("\"resolved\"") && line.contains("://"));
        named.map(move |(number, _)| {
            let what = "names a registry; write the lock with `omit-lockfile-registry-resolved=true` \
                        in .npmrc";
            Finding::at(path, number, what)
        })
    });
    let settings = ["/.npmrc", ".cargo/config.toml"].into_iter().flat_map(|ending| {
        tree.texts(ending).flat_map(|(path, text)| {
            let lines = text.lines().enumerate();
            lines.filter(|(_, line)| line.contains("://")).map(move |(number, _)| {
                Finding::at(
                    path,
                    number,
                    "names a host; which registry to ask is the machine's to say",
                )
            })
        })
    });
    cargo.chain(npm).chain(settings).collect()
}

/// Each line, trimmed, with its number from 0 and the section it stands in.
fn lines_with_sections(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let mut section = "";
    text.lines().map(str::trim).enumerate().map(move |(number, line)| {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        }
        (number, section, line)
    })
}

/// `name = …` or `name.workspace = true`.
fn is_entry(line: &str) -> bool {
    let name = line.split([' ', '=', '.']).next().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    line.contains('=') && !name.is_empty() && name.chars().all(is_name)
}

fn is_own(line: &str) -> bool {
    line.contains("path = ")
}

#[cfg(test)]
mod tests;
