//! A file with rules: what it says, or everything that is wrong with it, each with its line and column.

use super::cases::Case;
use super::place::{inside, line_and_column, mistakes, place, span_of, walk};
use super::run::alerts;
use super::script::{self, Mistake};
use crate::config::{self, Process};
use mtom_gateway::control::{self, Place};
use mtom_rules::{Engine, RuleError, RuleSpec};
use std::path::Path;
use std::sync::Arc;
use toml_edit::{Document, Item, TableLike};

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) specs: Vec<RuleSpec>,
    pub(crate) engine: Engine,
    pub(crate) text: String,
}

/// What is wrong with a file, for people: a line for each mistake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongFile(pub(crate) Vec<String>);

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong, as `name:line:column: what`.
    pub(crate) fn open(path: &Path) -> Result<Self, WrongFile> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::read(&name, text),
            Err(cause) => Err(WrongFile(vec![format!("cannot read {name}: {cause}")])),
        }
    }

    /// Whether it holds more than rules; then its actuators were looked at when it was read.
    pub(crate) fn is_configuration(&self) -> bool {
        let document = Document::parse(self.text.as_str()).ok();
        document.is_some_and(|document| document.iter().any(|(key, _)| key != "rule"))
    }

    /// `line:column:` of a key of a rule, as in `on`; of the rule where the key is not written.
    pub(crate) fn place(&self, rule: usize, key: &str) -> String {
        let document = Document::parse(self.text.as_str()).ok();
        let key = format!("rule.{rule}.{key}");
        let span = document.as_ref().and_then(|document| span_of(document.as_table(), &key));
        span.map_or_else(String::new, |span| {
            let (line, column) = line_and_column(&self.text, span.start);
            format!("{line}:{column}:")
        })
    }

    fn read(name: &str, text: String) -> Result<Self, WrongFile> {
        let specs = config::read_rules(&text, None, &Process)
            .map_err(|problems| WrongFile(explain(name, &text, &problems)))?
            .unwrap_or_default();
        if specs.is_empty() {
            return Err(WrongFile(vec![format!(
                "{name}: no rule: expected [[rule]] with when, on and then"
            )]));
        }
        // What was read has been compiled before, so this is for the type alone.
        let engine = Engine::compile(&specs)
            .map_err(|errors| WrongFile(errors.iter().map(RuleError::to_string).collect()))?;
        Ok(Self { specs, engine, text })
    }

    /// The cases beside the rules.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn cases(&self, name: &str) -> Result<Vec<Case>, WrongFile> {
        cases(&self.specs, &self.text).map_err(|mistakes| WrongFile(lines(name, mistakes)))
    }
}

/// The cases beside rules that were read from `text`.
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn cases(specs: &[RuleSpec], text: &str) -> Result<Vec<Case>, Vec<control::Mistake>> {
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    let Ok(document) = Document::parse(text) else { return Ok(cases) };
    let actuators = specs.iter().flat_map(RuleSpec::actuators).map(str::to_owned);
    let all: Vec<_> = actuators.chain(specs.iter().flat_map(alerts)).collect();
    for (index, spec) in specs.iter().enumerate() {
        let tests = walk(document.as_item(), &["rule", &index.to_string(), "test"]);
        for (at, test) in tests.into_iter().flat_map(tables).enumerate() {
            match (CaseReader { text, spec, all: &all }).read(test, at) {
                Ok(case) => cases.push(case),
                Err(found) => mistakes.extend(found),
            }
        }
    }
    if mistakes.is_empty() { Ok(cases) } else { Err(mistakes) }
}

/// What a case needs to be read.
struct CaseReader<'a> {
    text: &'a str,
    spec: &'a RuleSpec,
    /// The actuators and alerts of all rules of the file.
    all: &'a [String],
}

impl CaseReader<'_> {
    fn read(&self, test: &dyn TableLike, at: usize) -> Result<Case, Vec<control::Mistake>> {
        let text = |key: &str| test.get(key).and_then(Item::as_str).unwrap_or_default();
        let name = match text("name") {
            "" => format!("case {}", at + 1),
            name => name.to_owned(),
        };
        let wrong = |key: &str, mistake: Mistake| {
            let (rule, problem) = (&self.spec.name, mistake.problem);
            let text = format!("rule {rule:?}, case {name:?}, {key}: {problem}");
            control::Mistake { place: Some(self.place(test.get(key), mistake.position)), text }
        };
        let mut mistakes = Vec::new();
        let given = script::given(text("given"), &self.spec.when)
            .map_err(|mistake| mistakes.push(wrong("given", mistake)))
            .unwrap_or_default();
        let expect = script::expect(text("expect"))
            .map_err(|mistake| mistakes.push(wrong("expect", mistake)))
            .unwrap_or_default();
        let mut actuators: Vec<Arc<str>> = self.spec.actuators().map(Arc::from).collect();
        for expected in &expect {
            if !self.all.contains(&expected.actuator) {
                let problem = format!(
                    "no rule of this file has {:?}: expected one of {}",
                    expected.actuator,
                    self.all.join(", ")
                );
                mistakes.push(wrong("expect", Mistake { position: expected.position, problem }));
            } else if !actuators.iter().any(|name| **name == *expected.actuator) {
                actuators.push(expected.actuator.as_str().into());
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let begin = test.get("given").and_then(Item::span);
        let line = begin.map_or(1, |span| line_and_column(self.text, span.start).0);
        Ok(Case { rule: self.spec.name.clone(), name, line, given, expect, actuators })
    }

    /// Where a character of a text value is; the value where it is written with escapes.
    fn place(&self, item: Option<&Item>, position: usize) -> Place {
        let Some(span) = item.and_then(Item::span) else {
            return Place { line: 1, column: 1, length: 0 };
        };
        match item.and_then(|item| inside(self.text, item, position)) {
            Some(exact) => place(self.text, exact..span.end),
            None => place(self.text, span),
        }
    }
}

/// Problems of a file, a line for each.
fn explain(name: &str, text: &str, problems: &[config::Problem]) -> Vec<String> {
    lines(name, mistakes(text, problems))
}

fn lines(name: &str, mistakes: Vec<control::Mistake>) -> Vec<String> {
    let line = |mistake: control::Mistake| match mistake.place {
        Some(place) => format!("{name}:{}:{}: {}", place.line, place.column, mistake.text),
        None => format!("{name}: {}", mistake.text),
    };
    mistakes.into_iter().map(line).collect()
}

/// The tables of `[[rule.test]]`, or of a list of inline tables.
fn tables(item: &Item) -> Vec<&dyn TableLike> {
    match item {
        Item::ArrayOfTables(tables) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Item::Value(value) => value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_inline_table().map(|table| table as &dyn TableLike))
            .collect(),
        Item::Table(_) | Item::None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
