//! Where in a text of rules something is: the word that is meant, with its line and column.
//!
//! Pure. What cannot be found is in the nearest thing around it that can. Lines and columns count from 1,
//! columns and lengths count characters.

use crate::config::{Problem, Spot};
use mtom_gateway::control::{Mistake, Place};
use mtom_rules::Position;
use std::ops::Range;
use toml_edit::{Document, Item, TableLike};

/// Problems of a text with the place of each.
pub(crate) fn mistakes(text: &str, problems: &[Problem]) -> Vec<Mistake> {
    let document = Document::parse(text);
    let mistake = |problem: &Problem| {
        let span = match &document {
            Ok(document) => span_of_problem(text, document.as_table(), problem),
            Err(error) => error.span().map(|span| word(text, span.start)),
        };
        let what = match problem.key.as_str() {
            "" => problem.text.clone(),
            key => format!("{key}: {}", problem.text),
        };
        Mistake { place: span.map(|span| place(text, span)), text: what }
    };
    problems.iter().map(mistake).collect()
}

/// The place of a part of a text. What goes on in further lines ends with its first.
pub(crate) fn place(text: &str, span: Range<usize>) -> Place {
    let (line, column) = line_and_column(text, span.start);
    let shown = text.get(span).unwrap_or_default().lines().next().unwrap_or_default();
    Place { line, column, length: shown.trim_end().chars().count() }
}

/// Where a key like `rule.0.on` is written: its value, or the nearest thing around it.
pub(crate) fn span_of(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    find(table, key).span
}

/// The item at a path; numbers are places in lists.
pub(crate) fn walk<'d>(from: &'d Item, path: &[&str]) -> Option<&'d Item> {
    let mut here = from;
    for part in path {
        here = match part.parse::<usize>() {
            Ok(index) => here.get(index)?,
            Err(_) => here.get(part)?,
        };
    }
    Some(here)
}

/// Where the character of a text value is whose place among its characters is `position`; `None` where the
/// value goes over several lines and is written with escapes.
pub(crate) fn inside(text: &str, item: &Item, position: usize) -> Option<usize> {
    let (span, value) = (item.span()?, item.as_str()?);
    let raw = text.get(span.clone())?;
    let offset = match raw.find(value) {
        Some(begin) => {
            let inside = value.char_indices().nth(position);
            begin + inside.map_or(value.len(), |(at, _)| at)
        }
        None if raw.starts_with("\"\"\"") => return None,
        None => escaped(raw, position)?,
    };
    Some(span.start + offset)
}

/// The same in a value in quotes on one line: what is escaped is one character.
fn escaped(raw: &str, position: usize) -> Option<usize> {
    let mut offset = 1;
    for _ in 0..position {
        let rest = raw.get(offset..)?;
        offset += match rest.strip_prefix('\\').map(|rest| rest.chars().next()) {
            Some(Some('x')) => 4,
            Some(Some('u')) => 6,
            Some(Some('U')) => 10,
            Some(_) => 2,
            None => rest.chars().next()?.len_utf8(),
        };
    }
    Some(offset)
}

/// Both from 1; columns count characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before.get(start..).map_or(0, |line| line.chars().count()) + 1)
}

/// What is written under a key.
#[derive(Default)]
struct Found<'d> {
    /// Of the value, or of the nearest thing around it.
    span: Option<Range<usize>>,
    /// The value itself; `None`: there is only something around it.
    item: Option<&'d Item>,
    /// Of the name of its last part.
    name: Option<Range<usize>>,
}

fn find<'d>(table: &'d dyn TableLike, key: &str) -> Found<'d> {
    let mut found = Found::default();
    let mut here: Option<&Item> = None;
    for part in key.split('.') {
        let keys = here.map_or(Some(table), Item::as_table_like);
        found.name = keys.and_then(|keys| keys.key(part)).and_then(toml_edit::Key::span);
        let next = match here {
            None => table.get(part),
            Some(item) => walk(item, &[part]),
        };
        let Some(next) = next else {
            found.item = None;
            return found;
        };
        found.span = next.span().or(found.span);
        found.item = Some(next);
        here = found.item;
    }
    found
}

fn span_of_problem(text: &str, table: &dyn TableLike, problem: &Problem) -> Option<Range<usize>> {
    let Found { span, item, name } = find(table, &problem.key);
    let exact = match (&problem.spot, item) {
        (Spot::Value, _) | (_, None) => None,
        (Spot::Key, Some(_)) => name,
        (Spot::At(position), Some(item)) => {
            let value = item.as_str().unwrap_or_default();
            inside(text, item, character(value, *position)).map(|at| word(text, at))
        }
        (Spot::Word(word), Some(item)) => item.span().and_then(|span| {
            let raw = text.get(span.clone())?;
            let quoted = |quote| raw.find(&format!("{quote}{word}{quote}"));
            let start = span.start + quoted('"').or_else(|| quoted('\''))?;
            Some(start..start + word.len() + 2)
        }),
    };
    exact.or(span)
}

/// Which character of an expression is at a line and column of it.
fn character(expression: &str, Position { line, column }: Position) -> usize {
    let before = expression.split_inclusive('\n').take(line.saturating_sub(1));
    before.map(|line| line.chars().count()).sum::<usize>() + column.saturating_sub(1)
}

/// The name, number or sign that begins at `start`; a text in quotes to its end. Empty at the end of a line.
fn word(text: &str, start: usize) -> Range<usize> {
    let rest = text.get(start..).unwrap_or_default();
    let is_word = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == '.';
    if let Some(inner) = rest.strip_prefix("\\\"") {
        let length = inner.find("\\\"").map_or(2, |end| end + 4);
        return start..start + length;
    }
    let length = match rest.chars().next() {
        None | Some('\n' | '\r') => 0,
        Some(quote @ ('"' | '\'')) => {
            let line = rest.lines().next().unwrap_or_default();
            line.get(1..).and_then(|inner| inner.find(quote)).map_or(1, |end| end + 2)
        }
        Some(first) if is_word(first) => rest.find(|sign| !is_word(sign)).unwrap_or(rest.len()),
        Some(first) => first.len_utf8(),
    };
    start..start + length
}

#[cfg(test)]
mod tests;
