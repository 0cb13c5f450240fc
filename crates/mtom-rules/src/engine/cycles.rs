//! Rules that would start each other for ever: a message that one publishes is a reading of the next.

use crate::spec::{Consequence, RuleError, RuleSpec};
use mtom_protocol::topic;

/// One mistake for each circle, at the rule of it that stands first.
pub(super) fn find(specs: &[RuleSpec]) -> Vec<RuleError> {
    let mut errors = Vec::new();
    let mut done = vec![false; specs.len()];
    for start in 0..specs.len() {
        let mut path = vec![(start, "")];
        if walk(specs, start, start, &mut path, &mut vec![false; specs.len()], &done) {
            errors.push(explain(specs, start, &path));
        }
        if let Some(done) = done.get_mut(start) {
            *done = true;
        }
    }
    errors
}

/// Looks for a way from `at` back to `start` past rules that are not `done`; leaves it in `path`.
fn walk<'s>(
    specs: &'s [RuleSpec],
    start: usize,
    at: usize,
    path: &mut Vec<(usize, &'s str)>,
    seen: &mut [bool],
    done: &[bool],
) -> bool {
    let Some(spec) = specs.get(at) else { return false };
    for topic in topics(spec) {
        for (next, other) in specs.iter().enumerate() {
            if done.get(next) == Some(&true) || !topic::matches(&other.when, topic) {
                continue;
            }
            path.push((next, topic));
            if next == start {
                return true;
            }
            if seen.get(next) == Some(&false) {
                if let Some(seen) = seen.get_mut(next) {
                    *seen = true;
                }
                if walk(specs, start, next, path, seen, done) {
                    return true;
                }
            }
            path.pop();
        }
    }
    false
}

fn topics(spec: &RuleSpec) -> impl Iterator<Item = &str> {
    spec.then.iter().filter_map(|consequence| match consequence {
        Consequence::Publish { topic, .. } => Some(topic.as_str()),
        Consequence::Actuator(_) | Consequence::Webhook { .. } => None,
    })
}

fn explain(specs: &[RuleSpec], start: usize, path: &[(usize, &str)]) -> RuleError {
    let name = |index: usize| specs.get(index).map_or("", |spec| spec.name.as_str());
    let way: Vec<String> = path
        .iter()
        .skip(1)
        .map(|(next, topic)| format!("{topic} starts {:?}", name(*next)))
        .collect();
    RuleError {
        rule: name(start).to_owned(),
        index: start,
        key: "then",
        position: None,
        problem: format!(
            "goes round in a circle: {:?} publishes, {}: expected a topic that no rule of it looks at",
            name(start),
            way.join(", "),
        ),
    }
}
