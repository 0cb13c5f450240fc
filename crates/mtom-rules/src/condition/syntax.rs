//! The parser's complaints in plain words.
//!
//! Only the first one is told: those behind it are mostly its consequences.

use super::{ConditionError, NESTING_MAX};
use crate::spec::Position;
use cel::ParseErrors;

pub(super) fn explain(source: &str, errors: &ParseErrors) -> ConditionError {
    let Some(first) = errors.errors.first() else {
        return ConditionError { position: None, problem: "not an expression".into() };
    };
    let position = match (usize::try_from(first.pos.0), usize::try_from(first.pos.1)) {
        (Ok(line @ 1..), Ok(column @ 1..)) => Some(Position { line, column }),
        _ => None,
    };
    let problem = plain(&first.msg, word_before(source, position));
    ConditionError { position, problem }
}

fn plain(message: &str, word_before: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    if message.contains("Recursion limit") {
        return format!("nested too deep: expected at most {NESTING_MAX} levels");
    }
    if let Some(token) = between(message, "token recognition error at: '", "'") {
        return unreadable(token.trim());
    }
    let found = between(message, "mismatched input '", "' expecting")
        .or_else(|| between(message, "extraneous input '", "' expecting"))
        .or_else(|| between(message, "no viable alternative at input '", "'"));
    match found {
        Some("<EOF>") => "ends too early".into(),
        Some("and") => "unexpected `and`: write &&".into(),
        Some("or") => "unexpected `or`: write ||".into(),
        Some(",") => "unexpected `,`: numbers have a decimal point, as in 25.0".into(),
        Some(_) if word_before == "not" => "unexpected `not`: write !".into(),
        Some(token) => format!("unexpected `{token}`"),
        None => match message.strip_prefix("missing ") {
            Some(rest) => {
                let token = rest.split(" at ").next().unwrap_or(rest);
                format!("missing {}", token.replace('\'', "`"))
            }
            None => message.to_owned(),
        },
    }
}

/// A token that CEL does not have, mostly one of another language.
fn unreadable(token: &str) -> String {
    let instead = match token {
        "=" => "write == to compare",
        "=>" | "≥" => "write >=",
        "=<" | "≤" => "write <=",
        "<>" | "≠" => "write !=",
        "&" => "write &&",
        "|" => "write ||",
        _ if token.starts_with(['\'', '"']) => return "a text without its closing quote".into(),
        _ => return format!("`{token}` means nothing here"),
    };
    format!("`{token}` means nothing here: {instead}")
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(before)?;
    rest.rfind(after).map(|end| rest.split_at(end).0)
}

/// The word that ends right before `position`, on the same line.
fn word_before(source: &str, position: Option<Position>) -> &str {
    let Some(Position { line, column }) = position else { return "" };
    let Some(line) = source.lines().nth(line - 1) else { return "" };
    let end = line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at);
    line.split_at(end).0.split_whitespace().next_back().unwrap_or("")
}
