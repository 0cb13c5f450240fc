use super::in_force;
use crate::control::{Mistake, RuleSource};
use crate::view::LogEvent;
use mtom_protocol::time::UnixMicros;
use mtom_rules::RuleSpec;
use mtom_store::journal::Journal;
use std::cell::RefCell;
use std::sync::Arc;

/// A text is the names of its rules.
fn source(text: &str) -> RuleSource {
    RuleSource { specs: read(text).unwrap(), text: text.into(), read: Arc::new(read) }
}

fn read(text: &str) -> Result<Vec<RuleSpec>, Vec<Mistake>> {
    let rule = |name: &str| match name {
        "wrong" => Err(vec![Mistake { place: None, text: "there is no actuator".into() }]),
        name => Ok(RuleSpec { name: name.into(), ..RuleSpec::original(name) }),
    };
    text.split_whitespace().map(rule).collect()
}

#[test]
fn the_newest_of_configured_and_applied_rules_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("mtom.db"), UnixMicros(1)).unwrap();
    let refused = RefCell::new(None);
    let mut start = |configured: &str, applied: &[&str]| -> (String, u64) {
        for text in applied {
            journal.add_rule_set("rules.toml", text, UnixMicros(1)).unwrap();
        }
        let found = in_force(&mut journal, &source(configured), UnixMicros(2)).unwrap();
        *refused.borrow_mut() = found.refused;
        let names: Vec<_> = found.specs.into_iter().map(|spec| spec.name).collect();
        (names.join(" "), journal.history().rule_sets(1).unwrap()[0].version)
    };
    assert_eq!(start("a", &[]), ("a".into(), 1));
    assert_eq!(start("a", &[]), ("a".into(), 1), "the same again is no version");
    assert_eq!(start("a", &["b c"]), ("b c".into(), 2));
    assert_eq!(start("a", &[]), ("b c".into(), 2), "what was applied stays");
    assert_eq!(start("d", &[]), ("d".into(), 3), "until the configuration is edited");
    assert_eq!(start("d", &["e", "wrong"]), ("d".into(), 6), "what cannot be used does not run");
    let reason = "there is no actuator".into();
    assert_eq!(refused.take(), Some(LogEvent::RulesRefused { version: 5, reason }));
    assert_eq!(start("d", &[]), ("d".into(), 6));
}
