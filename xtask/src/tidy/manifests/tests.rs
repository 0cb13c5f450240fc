//! Planted: dependencies without a reason, versions outside of the workspace, locks with hosts.

use super::{check_locks, check_members, check_reasons};
use crate::tidy::Finding;
use crate::tidy::tree::Tree;

#[track_caller]
fn finds(check: fn(&Tree) -> Vec<Finding>, path: &str, text: &str, expected: &[&str]) {
    let found = check(&Tree::of(&[(path, text)]));
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn every_workspace_dependency_has_a_reason() {
    let text = "\
[workspace.dependencies]
# ours
mtom-store = { path = \"crates/mtom-store\" }
# mtom: the async runtime
tokio = \"1\"
bytes = \"1\"
# just a word
serde = \"1\"
# mtom:
clap = \"4\"

[workspace.lints.rust]
unsafe_code = \"forbid\"
";
    finds(
        check_reasons,
        "Cargo.toml",
        text,
        &[
            "Cargo.toml:6: bytes has no `# owner: reason` on the line above it",
            "Cargo.toml:8: serde has no `# owner: reason` on the line above it",
            "Cargo.toml:10: clap has no `# owner: reason` on the line above it",
        ],
    );
    let table = "# mtom: sockets\n[workspace.dependencies.tokio]\nversion = \"1\"\n";
    finds(check_reasons, "Cargo.toml", table, &[]);
    assert_eq!(check_reasons(&Tree::of(&[("Cargo.toml", &table[16..])])).len(), 1);
}

#[test]
fn a_member_names_no_version() {
    let text = "\
[package]
version = \"1\"
[dependencies]
tokio.workspace = true
mtom-rules = { workspace = true, features = [\"alloc\"] }
mtom-protocol = { path = \"../mtom-protocol\", default-features = false }
[dev-dependencies]
tempfile = \"3\"
[features]
default = [\"alloc\"]
";
    let what = "take it from [workspace.dependencies], where its reason stands";
    finds(check_members, "crates/a/Cargo.toml", text, &[&format!("crates/a/Cargo.toml:8: {what}")]);
    let firmware = Tree::of(&[
        ("firmware/Cargo.toml", "[workspace]\n[workspace.dependencies]\nesp-hal = \"1\"\n"),
        ("firmware/board/Cargo.toml", "[dependencies]\nesp-hal = \"1\"\n"),
    ]);
    assert_eq!(check_members(&firmware), []);
}

#[test]
fn locks_name_no_registry() {
    let crates_io = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    finds(check_locks, "Cargo.lock", crates_io, &[]);
    let git = "source = \"git+https://example.org/a\"";
    finds(check_locks, "Cargo.lock", git, &[&format!("Cargo.lock:1: not from crates.io: {git}")]);

    finds(check_locks, "web/package-lock.json", "\"url\": \"https://example.org/sponsor\"", &[]);
    let resolved = check_locks(&Tree::of(&[(
        "web/package-lock.json",
        "{\n  \"resolved\": \"https://registry.example.org/a.tgz\"\n}",
    )]));
    assert!(resolved[0].to_string().starts_with("web/package-lock.json:2: names a registry"));

    finds(check_locks, "web/.npmrc", "omit-lockfile-registry-resolved=true\n", &[]);
    assert_eq!(check_locks(&Tree::of(&[("web/.npmrc", "registry=https://example.org")])).len(), 1);
}
