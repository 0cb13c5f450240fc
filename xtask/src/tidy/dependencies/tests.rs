//! Planted: a sibling, a crate nobody listed, an xtask that knows a crate.

use super::check;

#[track_caller]
fn finds(package: &str, kind: Option<&str>, dependency: &str, expected: &[&str]) {
    let metadata = serde_json::json!({"packages": [{
        "name": package,
        "dependencies": [
            {"name": "tokio"},
            {"name": dependency, "kind": kind, "path": "somewhere"},
        ],
    }]});
    let found: Vec<String> = check(&metadata).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_table_is_the_law() {
    finds("mtom-gateway", None, "mtom-store", &[]);
    finds("mtom-bench", None, "mtom-store", &[]);
    let store = ["mtom-store: may not depend on mtom-forward: siblings never meet"];
    finds("mtom-store", None, "mtom-forward", &store);
    finds("mtom-store", Some("dev"), "mtom-forward", &store);
    finds("mtom", None, "mtom-store", &[]);
    let mtom = ["mtom: may not depend on mtom-time: siblings never meet"];
    finds("mtom", None, "mtom-time", &mtom);
    finds("mtom", Some("dev"), "mtom-actuator", &[]);
    let xtask = ["xtask: may not depend on mtom: siblings never meet"];
    finds("xtask", None, "mtom", &xtask);
    let utils = ["mtom-utils: is not in the table of who may know whom"];
    finds("mtom-utils", None, "mtom-protocol", &utils);
}
