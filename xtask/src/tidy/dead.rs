//! Rust files that no build reaches: left over, and read by people who believe them.
//!
//! It reads `mod` lines as rustfmt leaves them. What a macro declares it cannot see.

use std::collections::BTreeSet;

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    let mut to_read: Vec<(String, bool)> =
        roots(tree).into_iter().map(|root| (root, true)).collect();
    while let Some((path, is_root)) = to_read.pop() {
        let Some(text) = tree.text(&path) else { continue };
        if reached.insert(path.clone()) {
            let declared = declared(&path, is_root, text);
            to_read.extend(declared.into_iter().map(|path| (path, false)));
        }
    }
    tree.texts(".rs")
        .filter(|(path, _)| !reached.contains(*path))
        .map(|(path, _)| Finding::new(path, "is dead: no `mod` leads to it"))
        .collect()
}

/// Where cargo starts to read: the usual places of each package, and the paths in its Cargo.toml.
fn roots(tree: &Tree) -> Vec<String> {
    let mut roots = Vec::new();
    for package in tree.packages() {
        let join = |path: &str| join(package, path);
        roots.extend(["build.rs", "src/lib.rs", "src/main.rs"].map(join));
        for folder in ["src/bin", "tests", "benches", "examples"].map(join) {
            roots.extend(tree.paths().filter(|path| is_target(path, &folder)).map(str::to_string));
        }
        let manifest = tree.text(&join("Cargo.toml")).unwrap_or_default();
        let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \""));
        roots.extend(paths.filter_map(|path| path.strip_suffix('"')).map(join));
    }
    roots
}

/// `folder/a.rs` or `folder/a/main.rs`.
fn is_target(path: &str, folder: &str) -> bool {
    let Some(rest) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    match rest.split_once('/') {
        None => rest.ends_with(".rs"),
        Some((_, file)) => file == "main.rs",
    }
}

/// The files that `text` at `path` declares or includes; some of them may not exist.
fn declared(path: &str, is_root: bool, text: &str) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    // A crate's root and a mod.rs own their folder; any other file owns the folder of its name.
    let own = if is_root || stem == "mod" { folder.to_string() } else { join(folder, stem) };
    let mut files = Vec::new();
    let mut inline: Vec<(usize, &str)> = Vec::new();
    let mut named_path = None;
    for line in text.lines() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(quoted) = between(code, "#[path = \"", "\"]") {
            named_path = Some(join(folder, quoted));
        }
        if let Some(quoted) = between(code, "include!(\"", "\")") {
            files.push(join(folder, quoted));
        }
        if code == "}" && inline.last().is_some_and(|(opened, _)| *opened == indent) {
            inline.pop();
        }
        let Some(declaration) = module_declaration(code) else { continue };
        if let Some(name) = declaration.strip_suffix(';') {
            let parents = inline.iter().fold(own.clone(), |folder, (_, name)| join(&folder, name));
            files.extend(named_path.take());
            files.push(join(&parents, &format!("{name}.rs")));
            files.push(join(&parents, &format!("{name}/mod.rs")));
        } else if let Some(name) = declaration.strip_suffix(" {") {
            inline.push((indent, name));
        }
    }
    files
}

/// What follows `mod` in a line of code: `name;` or `name {`.
fn module_declaration(code: &str) -> Option<&str> {
    let mut code = code;
    while code.starts_with("#[") {
        code = code.split_once(']')?.1.trim_start();
    }
    if let Some(rest) = code.strip_prefix("pub") {
        code = match rest.strip_prefix('(') {
            Some(scope) => scope.split_once(')')?.1.trim_start(),
            None => rest.trim_start(),
        };
    }
    code.strip_prefix("mod ").map(str::trim_end)
}

fn between<'a>(code: &'a str, before: &str, after: &str) -> Option<&'a str> {
    code.split_once(before)?.1.split_once(after).map(|(inside, _)| inside)
}

/// Joins as a file system does, `..` included.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
