//! Planted: a file that is too long, a file without a contract, a stub.

use super::check;
use crate::tidy::tree::Tree;

#[track_caller]
fn finds(path: &str, text: &str, expected: &[&str]) {
    let found = check(&Tree::of(&[(path, text)]));
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn long_files_are_found_and_long_tests_are_not() {
    let lines = |count: usize| format!("//! Contract.\n{}", "\n".repeat(count - 1));
    finds("src/a.rs", &lines(500), &[]);
    finds("src/a.rs", &lines(501), &["src/a.rs: has 501 lines, 500 are enough"]);
    finds("src/a/tests.rs", &lines(501), &[]);
    finds("tests/it/a.rs", &lines(501), &[]);
}

#[test]
fn a_file_opens_with_its_contract() {
    finds("src/a.rs", "#![no_std]\n\n//! Contract.\n", &[]);
    for bare in ["", "fn a() {}\n", "/// Of an item.\nfn a() {}\n"] {
        finds("src/a.rs", bare, &["src/a.rs: does not open with `//!`: what is its contract?"]);
    }
    finds("src/a/tests.rs", "use super::a;\n", &[]);
    finds("src/a.rs", "//! stub\n", &["src/a.rs: is a stub"]);
}
