//! Who may know whom: siblings never meet.
//!
//! Every kind of dependency counts, also those of tests: a test that needs a sibling belongs above both,
//! in the end in the binary, whose tests see the whole path and may look at every part of it.

use serde_json::Value;

use crate::tidy::Finding;

/// Crate, and which of ours it may depend on. A crate that is not listed may not exist.
const TABLE: [(&str, &[&str]); 15] = [
    ("mtom-protocol", &[]),
    ("mtom-device", &["mtom-protocol", "mtom-time"]),
    ("mtom-time", &[]),
    ("mtom-flash", &["mtom-protocol", "mtom-device"]),
    ("mtom-rules", &["mtom-protocol"]),
    ("mtom-store", &["mtom-protocol"]),
    ("mtom-exchange", &["mtom-protocol"]),
    ("mtom-mqtt", &[]),
    ("mtom-broker", &["mtom-mqtt"]),
    ("mtom-forward", &["mtom-protocol"]),
    ("mtom-actuator", &["mtom-protocol", "mtom-mqtt"]),
    (
        "mtom-gateway",
        &[
            "mtom-protocol",
            "mtom-rules",
            "mtom-store",
            "mtom-mqtt",
            "mtom-broker",
            "mtom-forward",
            "mtom-actuator",
        ],
    ),
    ("mtom-dashboard", &["mtom-protocol", "mtom-gateway", "mtom-store", "mtom-forward"]),
    ("mtom-sim", &["mtom-protocol", "mtom-device", "mtom-time", "mtom-broker"]),
    (
        "mtom",
        &[
            "mtom-protocol",
            "mtom-device",
            "mtom-rules",
            "mtom-actuator",
            "mtom-gateway",
            "mtom-dashboard",
            "mtom-sim",
            "mtom-flash",
            "mtom-store",
            "mtom-mqtt",
            "mtom-broker",
            "mtom-forward",
            "mtom-exchange",
        ],
    ),
];

/// Drives what the others build; depends on none of them.
const OUTSIDE: &str = "xtask";
/// Holds the tests of the whole path.
const TESTS_ALL: &str = "mtom";
/// Measures any part by itself.
const MAY_KNOW_ALL: &str = "mtom-bench";

/// Compares `cargo metadata` with the table.
pub(crate) fn check(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in list(&metadata["packages"]) {
        let name = package["name"].as_str().unwrap_or_default();
        let ours = list(&package["dependencies"])
            .iter()
            .filter(|dependency| dependency["path"].is_string())
            .filter(|dependency| name != TESTS_ALL || dependency["kind"] != "dev")
            .filter_map(|dependency| dependency["name"].as_str());
        let may_know = match name {
            MAY_KNOW_ALL => continue,
            OUTSIDE => &[],
            name => match TABLE.iter().find(|(listed, _)| *listed == name) {
                Some((_, may_know)) => *may_know,
                None => {
                    findings.push(Finding::new(name, "is not in the table of who may know whom"));
                    continue;
                }
            },
        };
        findings.extend(ours.filter(|dependency| !may_know.contains(dependency)).map(
            |dependency| {
                Finding::new(name, format!("may not depend on {dependency}: siblings never meet"))
            },
        ));
    }
    findings
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
