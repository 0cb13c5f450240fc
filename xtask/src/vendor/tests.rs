//! What the vendor list may say, and what lies in `web/vendor` afterwards.

use std::fs;
use std::path::Path;

use super::{STAMP, copy_all, is_fresh, parse_copies, read_lists};

const LIST: &str = r#"[
    {"from": "node_modules/plot/dist/plot.js", "to": "vendor/plot.js"},
    {"from": "node_modules/plot/dist/plot.css", "to": "vendor/css/plot.css"},
    {"from": "node_modules/@scope/kit/kit.js", "to": "vendor/kit.js", "export": "kit"}
]"#;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn page() -> tempfile::TempDir {
    let web = tempfile::tempdir().unwrap();
    let modules = web.path().join("node_modules");
    for name in ["plot/dist/plot.js", "plot/dist/plot.css", "plot/LICENSE", "@scope/kit/kit.js"] {
        write(&modules.join(name), name);
    }
    write(&modules.join("@scope/kit/license.md"), "kit's licence");
    write(&web.path().join("vendor.json"), LIST);
    write(&web.path().join("package-lock.json"), "{}");
    web
}

fn refuses(list: &str, expected: &str) {
    let error = parse_copies(list).unwrap_err().to_string();
    assert!(error.contains(expected), "{list}: {error}");
}

#[test]
fn files_come_with_their_licences_and_old_ones_go() {
    let web = page();
    write(&web.path().join("vendor/old.js"), "old");
    let count = copy_all(web.path(), &parse_copies(LIST).unwrap()).unwrap();
    let vendor = web.path().join("vendor");
    assert_eq!(count, 5);
    assert!(!vendor.join("old.js").exists());
    assert_eq!(fs::read_to_string(vendor.join("css/plot.css")).unwrap(), "plot/dist/plot.css");
    let kit = fs::read_to_string(vendor.join("kit.js")).unwrap();
    assert_eq!(kit, "@scope/kit/kit.js\nexport default kit;\n");
    assert_eq!(fs::read_to_string(vendor.join("plot.LICENSE")).unwrap(), "plot/LICENSE");
    assert_eq!(fs::read_to_string(vendor.join("scope-kit.LICENSE")).unwrap(), "kit's licence");
}

#[test]
fn a_package_without_a_licence_is_refused() {
    let web = page();
    fs::remove_file(web.path().join("node_modules/plot/LICENSE")).unwrap();
    let error = copy_all(web.path(), &parse_copies(LIST).unwrap()).unwrap_err();
    assert!(error.to_string().contains("has no licence file"), "{error}");
}

#[test]
fn paths_cannot_leave_their_folders() {
    refuses(r#"[{"from": "node_modules/a.js", "to": "vendor/../app.js"}]"#, "below vendor/");
    refuses(r#"[{"from": "../secret", "to": "vendor/a.js"}]"#, "below node_modules/");
    refuses(r#"[{"from": "node_modules/a.js", "to": "vendor"}]"#, "below vendor/");
    refuses(r#"[{"from": "node_modules/a.js"}]"#, "no \"to\"");
    refuses(
        r#"[{"from": "node_modules/a.js", "to": "vendor/a.js", "export": "a;b"}]"#,
        "expected a name",
    );
    refuses("{}", "is no list");
}

#[test]
fn a_changed_list_or_a_missing_file_is_stale() {
    let web = page();
    assert!(!is_fresh(web.path()).unwrap());
    copy_all(web.path(), &parse_copies(LIST).unwrap()).unwrap();
    write(&web.path().join(STAMP), &read_lists(web.path()).unwrap().stamp());
    assert!(is_fresh(web.path()).unwrap());
    fs::remove_file(web.path().join("vendor/plot.js")).unwrap();
    assert!(!is_fresh(web.path()).unwrap());
    write(&web.path().join("vendor/plot.js"), "back");
    write(&web.path().join("package-lock.json"), "{\"changed\": true}");
    assert!(!is_fresh(web.path()).unwrap());
}
