//! Conditions: CEL expressions over one reading, parsed and checked once, evaluated per reading.
//!
//! What is accepted always ends quickly: at most [`EXPRESSION_LEN_MAX`] bytes, no loops, no
//! functions but those listed in [`check`], literal lists only, windows of a bounded size. Types are checked
//! in every branch before the first reading comes. An evaluation takes at most 1 ms and 64 KiB; a text that
//! becomes longer than 4,096 bytes is unknown.
//!
//! Surprises, all of CEL: an integer compares with a double (`celsius >= 25`) and does not
//! calculate with one (`celsius * 2` is refused, `celsius * 2.0` is meant).
//!
//! cel reads, and a tree of ours evaluates ([`tree`]). cel's interpreter takes 0.32 µs for
//! `celsius >= 25.0` alone, with a context for each reading; the whole step of a rule with `on` and `off`
//! takes 0.22 µs with the tree (`cargo xtask bench rules`, medians, on a busy computer). With the
//! interpreter a step would take some 0.85 µs: enough for what comes live, and less than half of what a
//! replay is to do. A property test holds both to the same answers.

use crate::spec::Position;
use crate::window::{Known, Window};
use cel::Env;
use inputs::Needs;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tree::{Bool, Tree};

mod check;
pub(crate) mod inputs;
mod lower;
mod syntax;
mod tree;

/// The longest expression, in bytes.
pub const EXPRESSION_LEN_MAX: usize = 1_024;

/// How deep parentheses and calls may be nested. With [`OPERATORS_LEN_MAX`] it keeps the recursive
/// parser, and evaluation, within 256 KiB of stack.
const NESTING_MAX: u16 = 12;

/// How many signs and words of operators an expression may hold, wherever they stand.
const OPERATORS_LEN_MAX: usize = 128;

/// The variables of an expression. `celsius` and `fahrenheit` exist for temperatures only; `age` is
/// the seconds from the reading's time to now; `unit` is the symbol, as in `°C`.
pub const VARIABLES: [&str; 8] =
    ["celsius", "fahrenheit", "value", "unit", "device", "quantity", "topic", "age"];

/// An expression that yields a boolean.
#[derive(Debug)]
pub(crate) struct Condition {
    tree: Bool,
    source: Box<str>,
    /// Each name in it, to tell its value.
    named: Vec<(Box<str>, Tree)>,
}

/// What a condition says about a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    /// A variable that this reading does not have decides, or the arithmetic has no result.
    Unknown,
}

impl Truth {
    pub(crate) const fn negation(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// One thing that is wrong with an expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConditionError {
    pub(crate) position: Option<Position>,
    pub(crate) problem: String,
}

/// What all conditions of an engine share: the functions of CEL, without its macros.
#[derive(Clone)]
pub(crate) struct Language(Arc<Env>);

impl Language {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Env::default().with_optional_support(false).with_stdlib()))
    }

    /// Reads an expression; what it needs beside the reading is added to `needs`.
    ///
    /// # Errors
    /// The first mistake of grammar, or else every mistake of names and types.
    pub(crate) fn compile(
        &self,
        source: &str,
        needs: &mut Needs,
    ) -> Result<Condition, Vec<ConditionError>> {
        let nowhere = |problem: String| vec![ConditionError { position: None, problem }];
        if source.trim().is_empty() {
            return Err(nowhere("empty: expected an expression, as in celsius >= 25.0".into()));
        }
        if source.len() > EXPRESSION_LEN_MAX {
            let len = source.len();
            let problem = format!("{len} bytes long: expected at most {EXPRESSION_LEN_MAX}");
            return Err(nowhere(problem));
        }
        // Before parsing: the parser itself is what a chain of a thousand terms would overflow.
        // Texts in quotes count too, for telling them apart is what a parser is for.
        let signs = source.chars().filter(|c| "+-*/%<>=!&|?.([{".contains(*c)).count();
        if signs + source.matches("in").count() > OPERATORS_LEN_MAX {
            let problem = format!("too many operators: expected at most {OPERATORS_LEN_MAX}");
            return Err(nowhere(problem));
        }
        let parser = self.0.parser().max_recursion_depth(NESTING_MAX);
        let (expression, info) = parser
            .parse_with_source_info(source)
            .map_err(|errors| vec![syntax::explain(source, &errors)])?;
        check::check(&expression, &info)?;
        needs.named.clear();
        match lower::lower(&expression, needs) {
            Some(Tree::Bool(tree)) => {
                let named = std::mem::take(&mut needs.named);
                Ok(Condition { tree, source: source.trim().into(), named })
            }
            _ => Err(nowhere("cannot be evaluated: expected a simpler one".into())),
        }
    }
}

impl Condition {
    /// Never fails: what has no result is [`Truth::Unknown`].
    pub(crate) fn evaluate(&self, about: &Subject<'_>) -> Truth {
        match self.tree.value(about) {
            Some(true) => Truth::True,
            Some(false) => Truth::False,
            None => Truth::Unknown,
        }
    }

    /// The expression and the values of what it names: `celsius >= 25.0, where celsius is 26.5`.
    pub(crate) fn told(&self, is_negated: bool, about: &Subject<'_>) -> Arc<str> {
        let mut text =
            if is_negated { format!("!({})", self.source) } else { self.source.to_string() };
        for (index, (name, tree)) in self.named.iter().enumerate() {
            let joint = match index {
                0 => ", where",
                _ if index + 1 == self.named.len() => " and",
                _ => ",",
            };
            // Writing into a String cannot fail.
            let _ = write!(text, "{joint} {name} is ");
            let _ = match tree {
                Tree::Bool(tree) => told(&mut text, tree.value(about)),
                Tree::Int(tree) => told(&mut text, tree.value(about)),
                Tree::Double(tree) => told(&mut text, tree.value(about)),
                Tree::Text(tree) => told(&mut text, tree.value(about)),
            };
        }
        text.into()
    }
}

fn told(text: &mut String, value: Option<impl std::fmt::Display>) -> std::fmt::Result {
    match value {
        Some(value) => write!(text, "{value}"),
        None => write!(text, "unknown"),
    }
}

/// What an expression is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) stored: &'a StoredReading,
    pub(crate) now: UnixMicros,
    /// The windows of the reading's series, in the order of [`Needs::windows`].
    pub(crate) windows: &'a [Window],
    /// The newest values of all series that any rule names.
    pub(crate) others: &'a [Option<Known>],
    /// Where among them those of [`Needs::others`] are.
    pub(crate) other_places: &'a [usize],
    /// Older values are unknown.
    pub(crate) max_age: Option<Duration>,
}

impl Subject<'_> {
    fn window(&self, place: usize) -> Option<&Window> {
        self.windows.get(place)
    }

    fn other(&self, place: usize) -> Option<f64> {
        let known = self.others.get(*self.other_places.get(place)?)?.as_ref()?;
        let is_old = self.max_age.is_some_and(|max_age| self.now.since(known.at) >= max_age);
        (!is_old).then_some(known.value)
    }
}

#[cfg(test)]
mod tests;
