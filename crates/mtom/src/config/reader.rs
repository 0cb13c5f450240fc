//! Takes values out of the tree by key, with their type, and collects everything that is wrong.

use super::tree::{Entry, Node, Place, Problem, Spot};
use mtom_protocol::time::parse_span;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The problems found so far; all of them are shown at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one about a value.
    pub(crate) fn add(&mut self, key: &str, place: Place, text: impl Into<String>) {
        self.add_at(key, place, Spot::Value, text);
    }

    /// Adds one.
    pub(crate) fn add_at(&mut self, key: &str, place: Place, spot: Spot, text: impl Into<String>) {
        self.0.push(Problem { key: key.into(), place, spot, text: text.into() });
    }

    /// The value, or the problem noted under its key.
    pub(crate) fn check<T>(
        &mut self,
        key: &str,
        place: &Place,
        outcome: Result<T, String>,
    ) -> Option<T> {
        outcome.map_err(|text| self.add(key, place.clone(), text)).ok()
    }

    /// Everything found, in the order of the file.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| match problem.place {
            Place::Line(line) => line,
            Place::Set | Place::Default => usize::MAX,
        });
        self.0
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// One table whose keys are taken one by one.
pub(crate) struct Section {
    /// What stands before its keys: `broker.` or `rule.0.`
    prefix: String,
    fields: Vec<(String, Entry)>,
    known: Vec<&'static str>,
}

impl Section {
    /// The table as a section; anything else is a problem and reads as empty.
    pub(crate) fn new(key: &str, entry: Entry, problems: &mut Problems) -> Self {
        let prefix = if key.is_empty() { String::new() } else { format!("{key}.") };
        let fields = match entry.node {
            Node::Table(fields) => fields,
            other => {
                problems.add(key, entry.place, expected("a section of keys", &other));
                Vec::new()
            }
        };
        Self { prefix, fields, known: Vec::new() }
    }

    /// The full name of `key`.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The name of the table itself.
    pub(crate) fn prefix(&self) -> &str {
        self.prefix.trim_end_matches('.')
    }

    /// Where each key that is not taken yet stands.
    pub(crate) fn places(&self) -> Vec<(String, Place)> {
        self.fields.iter().map(|(name, entry)| (name.clone(), entry.place.clone())).collect()
    }

    /// Takes the value of `key` as it is.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        let at = self.fields.iter().position(|(name, _)| name == key)?;
        Some(self.fields.remove(at).1)
    }

    /// Takes the value of `key` through `read`; `None` when it is absent or wrong.
    pub(crate) fn get<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(Node) -> Result<T, String>,
    ) -> Option<T> {
        let entry = self.take(key)?;
        problems.check(&self.name(key), &entry.place, read(entry.node))
    }

    /// As [`Section::get`], but an absent key is a problem.
    pub(crate) fn require<T>(
        &mut self,
        key: &'static str,
        place: &Place,
        problems: &mut Problems,
        read: impl FnOnce(Node) -> Result<T, String>,
    ) -> Option<T> {
        if !self.fields.iter().any(|(name, _)| name == key) {
            self.known.push(key);
            problems.add(&self.name(key), place.clone(), "missing");
            return None;
        }
        self.get(key, problems, read)
    }

    /// Whatever was not taken is a key that does not exist.
    pub(crate) fn finish(self, problems: &mut Problems) {
        for (name, entry) in &self.fields {
            let near = self
                .known
                .iter()
                .map(|known| (strsim::levenshtein(known, name), *known))
                .filter(|(distance, _)| *distance <= 3)
                .min();
            let hint = match near {
                Some((_, known)) => format!("did you mean {}{known}?", self.prefix),
                None => format!("expected one of {}", self.known.join(", ")),
            };
            let key = format!("{}{name}", self.prefix);
            let text = format!("unknown key: {hint}");
            problems.add_at(&key, entry.place.clone(), Spot::Key, text);
        }
    }
}

/// A text.
pub(crate) fn text(node: Node) -> Result<String, String> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(expected("a text in quotes", &other)),
    }
}

/// `true` or `false`.
pub(crate) fn boolean(node: Node) -> Result<bool, String> {
    match node {
        Node::Bool(value) => Ok(value),
        other => Err(expected("true or false", &other)),
    }
}

/// A whole number from 0 to `max`.
pub(crate) fn count(max: u32) -> impl FnOnce(Node) -> Result<u32, String> {
    move |node| match node {
        Node::Integer(value) => u32::try_from(value)
            .ok()
            .filter(|value| *value <= max)
            .ok_or_else(|| format!("expected a whole number from 0 to {max}, found {value}")),
        other => Err(expected(&format!("a whole number from 0 to {max}"), &other)),
    }
}

/// A list, each item through `read`.
pub(crate) fn list<T>(
    read: impl Fn(Node) -> Result<T, String>,
) -> impl FnOnce(Node) -> Result<Vec<T>, String> {
    move |node| match node {
        Node::List(items) => items.into_iter().map(|item| read(item.node)).collect(),
        other => Err(expected("a list in brackets", &other)),
    }
}

/// An address to listen on.
pub(crate) fn address(node: Node) -> Result<SocketAddr, String> {
    let text = text(node)?;
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| {
        format!("expected an address and a port, as in 127.0.0.1:8765, found {text:?}")
    })
}

/// A span of time: `250ms`, `10s`, `5m`, `24h`.
pub(crate) fn duration(node: Node) -> Result<Duration, String> {
    const EXPECTED: &str = "a time span in quotes, as in \"250ms\", \"10s\", \"5m\" or \"24h\"";
    let text = match node {
        Node::Text(text) => text,
        other => return Err(expected(EXPECTED, &other)),
    };
    // A year is more than any key means, and no timer overflows below it.
    let year = Duration::from_hours(366 * 24);
    parse_span(&text)
        .filter(|span| *span <= year)
        .ok_or_else(|| format!("expected {EXPECTED}, found {text:?}"))
}

fn expected(what: &str, found: &Node) -> String {
    format!("expected {what}, found {}", shown(found))
}

/// A value as a message shows it.
pub(crate) fn shown(node: &Node) -> String {
    match node {
        Node::Text(text) => format!("{text:?}"),
        Node::Integer(value) => value.to_string(),
        Node::Float(value) => value.to_string(),
        Node::Bool(value) => value.to_string(),
        Node::List(_) => "a list".into(),
        Node::Table(_) => "a section".into(),
        Node::Date => "a date".into(),
    }
}
