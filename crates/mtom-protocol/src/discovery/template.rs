//! The simple forms of a value template, which are nearly all that devices use.
//!
//! `{{ value }}`, `{{ value_json.a.b }}` (or `value_json['a'][0]`), `{{ value.split(' ')[0] }}`, each with the filters
//! `float`, `int`, `round` and `is_defined` behind it. Whatever else Jinja can do is not understood. What a
//! filter takes where there is no value is not a measurement, so it stays nothing.

use crate::payload::NotAReading;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use serde_json::Value;

/// Rounds to so many places at most.
const PLACES_MAX: usize = 15;

/// A template that is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: Source,
    filters: Vec<Filter>,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    Value,
    Split { by: String, at: usize },
    Json(Vec<Step>),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    At(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Filter {
    Float,
    Int,
    Round(usize),
}

/// A message, whose JSON is read once for all who want it.
pub struct Payload<'a> {
    text: &'a str,
    json: OnceCell<Option<Value>>,
}

/// What a template finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A list, an object, true or false.
    Other,
}

impl<'a> Payload<'a> {
    /// A message's text.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text, json: OnceCell::new() }
    }

    fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_str(self.text).ok()).as_ref()
    }
}

impl Template {
    /// Reads a template; `None`: it is not understood.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        let inner = inner.strip_prefix('-').unwrap_or(inner);
        let mut rest = Rest(inner.strip_suffix('-').unwrap_or(inner));
        let source = match rest.word()? {
            "value" if rest.eats(".") => {
                (rest.word()? == "split").then_some(())?;
                rest.needs("(")?;
                let by = rest.text()?;
                rest.needs(")")?;
                rest.needs("[")?;
                let at = rest.number()?;
                rest.needs("]")?;
                (!by.is_empty()).then_some(Source::Split { by, at })?
            }
            "value" => Source::Value,
            "value_json" => Source::Json(rest.steps()?),
            _ => return None,
        };
        let mut filters = Vec::new();
        while rest.eats("|") {
            filters.extend(rest.filter()?);
        }
        rest.is_empty().then_some(Self { source, filters })
    }

    /// What it finds; `Ok(None)`: nothing is there.
    ///
    /// # Errors
    /// When the message is no JSON and should be, or a filter finds no number.
    pub fn find<'a>(&self, payload: &'a Payload<'_>) -> Result<Option<Found<'a>>, NotAReading> {
        let found = match &self.source {
            Source::Value => Some(Found::Text(payload.text)),
            Source::Split { by, at } => payload.text.split(by.as_str()).nth(*at).map(Found::Text),
            Source::Json(steps) => {
                let json = payload.json().ok_or(NotAReading::NotJson)?;
                match steps.iter().try_fold(json, |value, step| step.take(value)) {
                    None | Some(Value::Null) => None,
                    Some(Value::String(text)) => Some(Found::Text(text)),
                    Some(Value::Number(number)) => number.as_f64().map(Found::Number),
                    Some(_) => Some(Found::Other),
                }
            }
        };
        let Some(found) = found else { return Ok(None) };
        self.filters.iter().try_fold(found, |found, filter| filter.apply(found)).map(Some)
    }

    /// The keys that it goes down in JSON, `a.b`, empty for the text itself; `None` where that does not say it all.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let steps = match &self.source {
            Source::Value => return self.filters.is_empty().then(String::new),
            Source::Json(steps) if !steps.is_empty() && self.filters.is_empty() => steps,
            Source::Json(_) | Source::Split { .. } => return None,
        };
        let keys = steps.iter().map(|step| match step {
            Step::Key(key) if !key.contains('.') => Some(key.as_str()),
            Step::Key(_) | Step::At(_) => None,
        });
        keys.collect::<Option<Vec<_>>>().map(|keys| keys.join("."))
    }
}

impl Step {
    fn take<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Key(key) => value.get(key.as_str()),
            Self::At(at) => value.get(at),
        }
    }
}

impl Filter {
    fn apply(self, found: Found<'_>) -> Result<Found<'_>, NotAReading> {
        let number = match found {
            Found::Number(number) => number,
            Found::Text(text) => match text.trim().parse::<f64>() {
                Ok(number) => number,
                // A word for nothing stays one.
                Err(_) if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                    return Ok(found);
                }
                Err(_) => return Err(NotAReading::NotANumber),
            },
            Found::Other => return Err(NotAReading::NotANumber),
        };
        Ok(Found::Number(match self {
            Self::Float => number,
            Self::Int => number - number % 1.0,
            // As Python rounds: the shortest decimal that is nearest.
            Self::Round(places) => format!("{number:.places$}").parse().unwrap_or(number),
        }))
    }
}

/// What of a template is not read yet. Blanks between words mean nothing.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    fn eats(&mut self, token: &str) -> bool {
        match self.0.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn needs(&mut self, token: &str) -> Option<()> {
        self.eats(token).then_some(())
    }

    /// A name as Python has them.
    fn word(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let is = |c: char| c.is_alphanumeric() || c == '_';
        let end = text.find(|c| !is(c)).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        let begins_well = word.starts_with(|c: char| !c.is_ascii_digit());
        (begins_well && !word.is_empty()).then_some(word)
    }

    /// A whole number.
    fn number(&mut self) -> Option<usize> {
        let text = self.0.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        digits.parse().ok()
    }

    /// A text in quotes; one with a backslash is not understood.
    fn text(&mut self) -> Option<String> {
        let text = self.0.trim_start();
        let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (inner, rest) = text.strip_prefix(quote)?.split_once(quote)?;
        self.0 = rest;
        (!inner.contains('\\')).then(|| inner.to_owned())
    }

    fn steps(&mut self) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.eats(".") {
                steps.push(Step::Key(self.word()?.to_owned()));
                // A call, as of get().
                if self.0.trim_start().starts_with('(') {
                    return None;
                }
            } else if self.eats("[") {
                let is_text = self.0.trim_start().starts_with(['\'', '"']);
                steps.push(if is_text {
                    Step::Key(self.text()?)
                } else {
                    Step::At(self.number()?)
                });
                self.needs("]")?;
            } else {
                return Some(steps);
            }
        }
    }

    /// What stands behind `(`: a number, whose whole ones count, or nothing.
    fn argument(&mut self) -> Option<Option<usize>> {
        if self.eats(")") {
            return Some(None);
        }
        let _ = self.eats("-");
        let whole = self.number()?;
        let is_whole = !self.eats(".");
        if !is_whole {
            self.number()?;
        }
        self.needs(")")?;
        Some(is_whole.then_some(whole))
    }

    /// One filter; `Some(None)`: it changes nothing.
    fn filter(&mut self) -> Option<Option<Filter>> {
        let name = self.word()?;
        let argument = if self.eats("(") { self.argument()? } else { None };
        Some(match name {
            "float" => Some(Filter::Float),
            "int" => Some(Filter::Int),
            "round" => {
                let places = argument.unwrap_or(0);
                (places <= PLACES_MAX).then_some(Some(Filter::Round(places)))?
            }
            "is_defined" => None,
            _ => return None,
        })
    }
}
