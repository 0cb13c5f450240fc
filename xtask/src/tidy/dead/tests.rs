//! Planted: files that no `mod` leads to, beside files that every kind of declaration leads to.

use super::check;
use crate::tidy::tree::Tree;

const MANIFEST: &str = "[package]\nname = \"a\"\n\n[[test]]\npath = \"odd/place.rs\"\n";

#[track_caller]
fn finds(files: &[(&str, &str)], expected: &[&str]) {
    let mut all = vec![("crates/a/Cargo.toml", MANIFEST)];
    all.extend(files);
    let found: Vec<String> = check(&Tree::of(&all)).iter().map(ToString::to_string).collect();
    let expected: Vec<String> =
        expected.iter().map(|path| format!("{path}: is dead: no `mod` leads to it")).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_nobody_declares_is_dead() {
    let lib = "mod used;\n// mod dead;\n";
    finds(
        &[
            ("crates/a/src/lib.rs", lib),
            ("crates/a/src/used.rs", "pub(crate) mod inner;\n"),
            ("crates/a/src/used/inner.rs", ""),
            ("crates/a/src/dead.rs", "mod below;\n"),
            ("crates/a/src/dead/below.rs", ""),
            ("crates/a/src/inner.rs", ""),
            ("loose.rs", ""),
        ],
        &[
            "crates/a/src/dead.rs",
            "crates/a/src/dead/below.rs",
            "crates/a/src/inner.rs",
            "loose.rs",
        ],
    );
}

#[test]
fn every_way_to_declare_a_module_counts() {
    let lib = "\
#[cfg(test)] mod tests;
pub mod folder;
#[path = \"../odd/named.rs\"]
mod named;
mod outer {
    pub(in crate::outer) mod inner;
}
mod after;
include!(\"included.rs\");
";
    finds(
        &[
            ("crates/a/src/lib.rs", lib),
            ("crates/a/src/tests.rs", ""),
            ("crates/a/src/folder/mod.rs", "mod deep;"),
            ("crates/a/src/folder/deep.rs", ""),
            ("crates/a/odd/named.rs", ""),
            ("crates/a/src/outer/inner.rs", ""),
            ("crates/a/src/after.rs", ""),
            ("crates/a/src/included.rs", ""),
        ],
        &[],
    );
}

#[test]
fn targets_are_found_where_cargo_finds_them() {
    finds(
        &[
            ("crates/a/build.rs", ""),
            ("crates/a/src/bin/tool.rs", ""),
            ("crates/a/src/bin/big/main.rs", "mod part;"),
            ("crates/a/src/bin/big/part.rs", ""),
            ("crates/a/src/bin/big/dead.rs", ""),
            ("crates/a/tests/it/main.rs", "mod case;"),
            ("crates/a/tests/it/case.rs", ""),
            ("crates/a/tests/alone.rs", "mod common;"),
            ("crates/a/tests/common/mod.rs", ""),
            ("crates/a/odd/place.rs", ""),
        ],
        &["crates/a/src/bin/big/dead.rs"],
    );
}
