//! Planted: crates and paths that are gone, a map that is too long, no map.

use super::check;
use crate::tidy::tree::Tree;

fn found(map: &str) -> Vec<String> {
    let tree = Tree::of(&[
        ("ARCHITECTURE.md", map),
        (".gitignore", "/web/vendor\n/mtom-data\n"),
        ("crates/mtom-rules/Cargo.toml", "[package]\nname = \"mtom-rules\"\n"),
        ("crates/mtom-rules/src/lib.rs", ""),
        ("web/app.js", ""),
    ]);
    check(&tree).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn exists(name: &str) {
    assert_eq!(found(&format!("see `{name}` there")), [] as [&str; 0]);
}

#[track_caller]
fn is_gone(name: &str) {
    let expected = format!("ARCHITECTURE.md:2: `{name}` does not exist");
    assert_eq!(found(&format!("# Map\nsee `{name}` there")), [expected]);
}

#[test]
fn crates_and_paths_exist() {
    for name in ["mtom-rules", "mtom-rules/src/lib.rs", "src/lib.rs", "lib.rs", "crates/", "web/"] {
        exists(name);
    }
    for name in ["web/vendor/", "web/vendor/plot.js", "mtom-data"] {
        exists(name);
    }
    for name in ["mtom-flycheck", "mtom-rules/src/gone.rs", "crates/gone", "gone.rs", "web/gone.js"]
    {
        is_gone(name);
    }
}

#[test]
fn other_words_are_not_judged() {
    let words = ["Reading", "temp/celsius", "/dev/rfcomm0", "mtom.toml", "cargo xtask up", "a::b"];
    for word in words {
        exists(word);
    }
    assert_eq!(found("```\n`gone.rs`\n```"), [] as [&str; 0]);
}

#[test]
fn the_map_is_short_and_there() {
    assert_eq!(found(&"\n".repeat(299)), [] as [&str; 0]);
    assert_eq!(found(&"\n".repeat(300)), ["ARCHITECTURE.md: has 300 lines, expected under 300"]);
    assert_eq!(check(&Tree::of(&[]))[0].to_string(), "ARCHITECTURE.md: is missing");
}
