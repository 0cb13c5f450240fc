//! Planted: a README that hides the commands, paths of one machine, a heavy file.

use super::{check_machine_paths, check_readmes, check_sizes};
use crate::tidy::tree::Tree;

#[test]
fn the_first_screen_shows_how_to_start_and_test() {
    let good = "# mtom\n\ncargo xtask up\ncargo xtask test\n";
    let late = format!("cargo xtask up\n{}cargo xtask test\n", "\n".repeat(39));
    let found = check_readmes(&Tree::of(&[("README.md", good), ("README.zh.md", &late)]));
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["README.zh.md: does not show `cargo xtask test` in its first 40 lines"]);
    let found = check_readmes(&Tree::of(&[("README.md", good)]));
    assert_eq!(found[0].to_string(), "README.zh.md: is missing");
}

#[track_caller]
fn finds_path(line: &str, expected: usize) {
    assert_eq!(check_machine_paths(&Tree::of(&[("a.md", line)])).len(), expected, "{line}");
}

#[test]
fn paths_of_one_machine_are_found() {
    finds_path(concat!("see /", "work/main"), 1);
    finds_path(concat!("\"/", "root/.cargo\""), 1);
    finds_path(concat!("cd /", "tmp/h3"), 1);
    finds_path(concat!("/", "tmp/hello"), 0);
    finds_path(concat!("home/", "work/it"), 0);
    finds_path(concat!("https://example.org/", "work/"), 0);
}

#[test]
fn heavy_files_are_found() {
    let heavy = "x".repeat((1 << 20) + 1);
    let found = check_sizes(&Tree::of(&[("a.png", &heavy), ("b.png", &heavy[1..])]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "a.png: has 1048577 bytes, over 1 MiB");
}
