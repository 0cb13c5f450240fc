//! Which rules a topic concerns, without asking each of them.
//!
//! Filters without wildcards are found by hash, the others by walking a tree of levels
//! [MQTT 3.1.1 §4.7]. Every reading asks, so the hash is a fast one; that nobody can foresee it is not
//! needed, since only filters are kept, which whoever writes the rules chooses.

use foldhash::fast::FixedState;
use std::collections::HashMap;

type ByName<T> = HashMap<Box<str>, T, FixedState>;

#[derive(Debug, Default)]
pub(crate) struct Topics {
    exact: ByName<Vec<usize>>,
    wild: Level,
    has_wild: bool,
}

#[derive(Debug, Default)]
struct Level {
    /// Rules whose filter ends here.
    here: Vec<usize>,
    /// Rules whose filter ends with `#` here.
    rest: Vec<usize>,
    named: ByName<Level>,
    any: Option<Box<Level>>,
}

impl Topics {
    pub(crate) fn add(&mut self, filter: &str, rule: usize) {
        if !filter.contains(['+', '#']) {
            self.exact.entry(filter.into()).or_default().push(rule);
            return;
        }
        self.has_wild = true;
        let mut level = &mut self.wild;
        for name in filter.split('/') {
            match name {
                "#" => {
                    level.rest.push(rule);
                    return;
                }
                "+" => level = level.any.get_or_insert_default(),
                name => level = level.named.entry(name.into()).or_default(),
            }
        }
        level.here.push(rule);
    }

    /// Gives each rule that `topic` concerns, always in the same order.
    pub(crate) fn visit(&self, topic: &str, mut visit: impl FnMut(usize)) {
        if let Some(rules) = self.exact.get(topic) {
            rules.iter().for_each(|rule| visit(*rule));
        }
        if self.has_wild {
            // A filter that begins with a wildcard does not match `$SYS` and its like [MQTT-4.7.2-1].
            self.wild.visit(Some(topic), !topic.starts_with('$'), &mut visit);
        }
    }
}

impl Level {
    /// `left` is what the levels above have not matched; `None`: nothing.
    fn visit(&self, left: Option<&str>, may_be_any: bool, visit: &mut dyn FnMut(usize)) {
        if may_be_any {
            self.rest.iter().for_each(|rule| visit(*rule));
        }
        let Some(left) = left else {
            self.here.iter().for_each(|rule| visit(*rule));
            return;
        };
        let (name, left) = first_level(left);
        if let Some(level) = self.named.get(name) {
            level.visit(left, true, visit);
        }
        if let Some(level) = self.any.as_ref().filter(|_| may_be_any) {
            level.visit(left, true, visit);
        }
    }
}

/// The first level of a topic, and what stands behind it. Levels are short: a plain loop is faster than the
/// library's search, which is made for long texts.
fn first_level(topic: &str) -> (&str, Option<&str>) {
    match topic.bytes().position(|byte| byte == b'/').and_then(|at| topic.split_at_checked(at)) {
        Some((name, left)) => (name, left.get(1..)),
        None => (topic, None),
    }
}

#[cfg(test)]
mod tests;
