//! What the user wrote, before anybody asks what it means: the file and the `--set` options as one
//! tree that knows where each value stands.
//!
//! Every value is taken once; what is left at the end is a key that nobody knows.

use mtom_rules::Position;
use std::fmt;
use toml_edit::{Document, Item, TableLike, Value};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A line of the file, from 1.
    Line(usize),
    /// On the command line.
    Set,
    /// Nowhere: it is the default.
    Default,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) node: Node,
    pub(crate) place: Place,
}

/// A value of the configuration file.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Entry>),
    Table(Vec<(String, Entry)>),
    /// Dates and times, which no key takes.
    Date,
}

/// One thing that is wrong, with the key it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) key: String,
    pub(crate) place: Place,
    /// What of the key's line is meant.
    pub(crate) spot: Spot,
    pub(crate) text: String,
}

/// What is wrong about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Its value, or that it has none.
    Value,
    /// Its name.
    Key,
    /// This place of the expression that is its value.
    At(Position),
    /// This word of its value.
    Word(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Line(line) => write!(f, "line {line}: ")?,
            Place::Set => write!(f, "--set: ")?,
            Place::Default => {}
        }
        if self.key.is_empty() {
            write!(f, "{}", self.text)
        } else {
            write!(f, "{}: {}", self.key, self.text)
        }
    }
}

/// The file as a tree.
///
/// # Errors
/// The syntax error with its line.
pub(crate) fn parse(text: &str) -> Result<Entry, Problem> {
    let document = Document::parse(text).map_err(|error| Problem {
        key: String::new(),
        place: error.span().map_or(Place::Default, |span| Place::Line(line(text, span.start))),
        spot: Spot::Value,
        text: error.message().trim_end().replace('\n', ", "),
    })?;
    Ok(Entry { node: table(text, document.as_table()), place: Place::Default })
}

/// Puts `key=value` over the tree. The value is TOML, or plain text where that is no TOML.
///
/// A number names a place in a list: `actuator.0.link`; the first free number makes a new one.
///
/// # Errors
/// When there is no `=`, or the path leads through a value.
pub(crate) fn set(tree: &mut Entry, assignment: &str) -> Result<(), Problem> {
    let Some((path, text)) = assignment.split_once('=') else {
        return Err(problem(
            assignment,
            "expected section.key=value, as in --set live.listen=127.0.0.1:0",
        ));
    };
    let path = path.trim();
    let mut place = tree;
    for part in path.split('.') {
        if part.is_empty() {
            return Err(problem(path, "expected section.key=value"));
        }
        place = child(place, part).ok_or_else(|| {
            problem(path, &format!("there is nothing under {part}: expected a section or a list"))
        })?;
    }
    let node = format!("v = {text}").parse::<Document<String>>().ok().and_then(|document| {
        let value = document.get("v")?.as_value()?;
        Some(node(text, value))
    });
    // `127.0.0.1:0` and `serial:/dev/ttyUSB0` need no quotes.
    place.node = node.map_or_else(|| Node::Text(text.to_owned()), as_set);
    place.place = Place::Set;
    Ok(())
}

fn problem(key: &str, text: &str) -> Problem {
    Problem { key: key.into(), place: Place::Set, spot: Spot::Value, text: text.into() }
}

/// The entry named `part`, made when it is not there.
fn child<'a>(entry: &'a mut Entry, part: &str) -> Option<&'a mut Entry> {
    let empty = || Entry { node: Node::Table(Vec::new()), place: Place::Set };
    if let (Node::Table(fields), Ok(_)) = (&entry.node, part.parse::<usize>())
        && fields.is_empty()
    {
        entry.node = Node::List(Vec::new());
    }
    match &mut entry.node {
        Node::Table(fields) => {
            let at = fields.iter().position(|(name, _)| name == part).unwrap_or_else(|| {
                fields.push((part.into(), empty()));
                fields.len() - 1
            });
            fields.get_mut(at).map(|(_, entry)| entry)
        }
        Node::List(items) => {
            let at: usize = part.parse().ok()?;
            if at == items.len() {
                items.push(empty());
            }
            items.get_mut(at)
        }
        Node::Text(_) | Node::Integer(_) | Node::Float(_) | Node::Bool(_) | Node::Date => None,
    }
}

/// Values that came from the command line have no line.
fn as_set(node: Node) -> Node {
    let entry = |entry: Entry| Entry { node: as_set(entry.node), place: Place::Set };
    match node {
        Node::List(items) => Node::List(items.into_iter().map(entry).collect()),
        Node::Table(fields) => {
            Node::Table(fields.into_iter().map(|(name, field)| (name, entry(field))).collect())
        }
        leaf => leaf,
    }
}

fn table(text: &str, table: &dyn TableLike) -> Node {
    Node::Table(
        table
            .iter()
            .map(|(name, item)| {
                let at = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
                let place = at.map_or(Place::Default, |span| Place::Line(line(text, span.start)));
                (name.to_owned(), Entry { node: item_node(text, item), place })
            })
            .collect(),
    )
}

fn item_node(text: &str, item: &Item) -> Node {
    match item {
        Item::None => Node::Table(Vec::new()),
        Item::Value(value) => node(text, value),
        Item::Table(inner) => table(text, inner),
        Item::ArrayOfTables(tables) => Node::List(
            tables
                .iter()
                .map(|inner| Entry { node: table(text, inner), place: at(text, inner.span()) })
                .collect(),
        ),
    }
}

fn node(text: &str, value: &Value) -> Node {
    match value {
        Value::String(inner) => Node::Text(inner.value().clone()),
        Value::Integer(inner) => Node::Integer(*inner.value()),
        Value::Float(inner) => Node::Float(*inner.value()),
        Value::Boolean(inner) => Node::Bool(*inner.value()),
        Value::Datetime(_) => Node::Date,
        Value::Array(items) => Node::List(
            items
                .iter()
                .map(|item| Entry { node: node(text, item), place: at(text, item.span()) })
                .collect(),
        ),
        Value::InlineTable(inner) => table(text, inner),
    }
}

fn at(text: &str, span: Option<std::ops::Range<usize>>) -> Place {
    span.map_or(Place::Default, |span| Place::Line(line(text, span.start)))
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
