use super::{Counts, found, report, total};
use serde_json::{Value, json};

fn outcome(file: &str, name: &str, summary: &str) -> Value {
    let mutant = json!({ "file": format!("crates/mtom-rules/src/{file}"), "name": name });
    json!({ "scenario": { "Mutant": mutant }, "summary": summary })
}

#[test]
fn what_survived_is_counted_and_named() {
    let outcomes = json!({ "outcomes": [
        { "scenario": "Baseline", "summary": "Success" },
        outcome("lamp.rs", "lamp.rs:1: replace a", "CaughtMutant"),
        outcome("lamp.rs", "lamp.rs:2: replace b", "Timeout"),
        outcome("lamp.rs", "lamp.rs:3: replace c", "MissedMutant"),
        outcome("engine/cycles.rs", "cycles.rs:1: replace d", "Unviable"),
    ] });
    let found = found(&outcomes).unwrap();
    assert_eq!(total(&found), Counts { caught: 1, timeout: 1, missed: 1, unviable: 1 });
    assert_eq!(
        report(&found),
        "
file                      caught  timeout  missed  unviable   killed
engine/cycles.rs               0        0       0         1    100 %
lamp.rs                        1        1       1         0     66 %
all                            1        1       1         1     66 %
survived: lamp.rs:3: replace c
"
    );
}

#[test]
fn an_outcome_that_is_not_known_is_an_error() {
    let outcomes = json!({ "outcomes": [outcome("lamp.rs", "lamp.rs:1: replace a", "Failure")] });
    assert_eq!(
        found(&outcomes).unwrap_err().to_string(),
        "cargo mutants says Some(\"Failure\") of lamp.rs:1: replace a"
    );
    assert!(found(&json!({})).is_err());
}
