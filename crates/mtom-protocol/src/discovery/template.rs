//! The simple forms of a value template, which are nearly all that devices use.
//!
//! `{{ value }}`, `{{ value_json.a.b }}` (or `value_json['a'][0]`) and `{{ value.split(' ')[0] }}`, numbers, `+`, `-`,
//! `*`, `/`, `//` and `%`, and the filters `float`, `int`, `round`, `abs`, `multiply`, `add`, `default` and
//! `is_defined`, which mean what they mean in Home Assistant. Whatever else Jinja can do is not understood, rather than
//! guessed. Where there is no value, there is none behind a filter either, whatever it would take in its place: that was
//! not measured.

use crate::payload::NotAReading;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use number::Operator;
use serde_json::{Map, Value};

mod number;
mod parse;

/// What Home Assistant and its devices say where there is no value.
pub(super) const NOTHING: [&str; 5] = ["", "None", "null", "unavailable", "unknown"];

/// A template that is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Expression);

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Value,
    Split { by: String, at: usize },
    Json(Vec<Step>),
    Number(f64),
    Filtered(Box<Self>, Filter),
    Negative(Box<Self>),
    Both(Operator, Box<[Self; 2]>),
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
    /// To so many places; to tens and hundreds below zero.
    Round(i32, Method),
    Abs,
    Multiply(f64),
    Add(f64),
}

/// How it is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Common,
    Floor,
    Ceil,
    /// To halves, whatever the places.
    Half,
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
    /// True or false.
    Truth(bool),
    /// A list or an object.
    Other,
}

impl<'a> Payload<'a> {
    /// A message's text.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text, json: OnceCell::new() }
    }

    /// The object that it is.
    #[must_use]
    pub fn object(&self) -> Option<&Map<String, Value>> {
        let is_meant = self.text.trim_start().starts_with('{');
        if is_meant { self.json()?.as_object() } else { None }
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
        parse::all(inner.strip_suffix('-').unwrap_or(inner)).map(Self)
    }

    /// What it finds; `Ok(None)`: nothing is there.
    ///
    /// # Errors
    /// When the message is no JSON and should be, or there is no number where one is needed.
    pub fn find<'a>(&self, payload: &'a Payload<'_>) -> Result<Option<Found<'a>>, NotAReading> {
        self.0.find(payload)
    }

    /// The keys that it goes down in JSON, `a.b`, empty for the text itself; `None` where that does not say it all.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let steps = match &self.0 {
            Expression::Value => return Some(String::new()),
            Expression::Json(steps) if !steps.is_empty() => steps,
            _ => return None,
        };
        let keys = steps.iter().map(|step| match step {
            Step::Key(key) if !key.contains('.') => Some(key.as_str()),
            Step::Key(_) | Step::At(_) => None,
        });
        keys.collect::<Option<Vec<_>>>().map(|keys| keys.join("."))
    }
}

impl Expression {
    fn find<'a>(&self, payload: &'a Payload<'_>) -> Result<Option<Found<'a>>, NotAReading> {
        Ok(match self {
            Self::Value => Some(Found::Text(payload.text)),
            Self::Split { by, at } => payload.text.split(by.as_str()).nth(*at).map(Found::Text),
            Self::Json(steps) => {
                let json = payload.json().ok_or(NotAReading::NotJson)?;
                match steps.iter().try_fold(json, |value, step| step.take(value)) {
                    None | Some(Value::Null) => None,
                    Some(Value::String(text)) => Some(Found::Text(text)),
                    Some(Value::Number(number)) => number.as_f64().map(Found::Number),
                    Some(Value::Bool(truth)) => Some(Found::Truth(*truth)),
                    Some(Value::Array(_) | Value::Object(_)) => Some(Found::Other),
                }
            }
            Self::Number(number) => Some(Found::Number(*number)),
            Self::Filtered(inner, filter) => match inner.find(payload)? {
                Some(found) => filter.apply(&found)?.map(Found::Number),
                None => None,
            },
            Self::Negative(inner) => inner.number(payload)?.map(|number| Found::Number(-number)),
            Self::Both(operator, both) => {
                let [left, right] = both.as_ref();
                let (left, right) = (left.number(payload)?, right.number(payload)?);
                match left.zip(right) {
                    Some((left, right)) => Some(Found::Number(operator.apply(left, right)?)),
                    None => None,
                }
            }
        })
    }

    /// A number to count with. What is a text is none: `+` would put two of them one behind the other.
    fn number(&self, payload: &Payload<'_>) -> Result<Option<f64>, NotAReading> {
        match self.find(payload)? {
            Some(found) => plain(&found),
            None => Ok(None),
        }
    }
}

impl Step {
    fn take<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Key(key) => value.get(key),
            Self::At(at) => value.get(at),
        }
    }
}

impl Filter {
    fn apply(self, found: &Found<'_>) -> Result<Option<f64>, NotAReading> {
        if self == Self::Abs {
            return Ok(plain(found)?.map(f64::abs));
        }
        let Some(number) = number_of(found)? else { return Ok(None) };
        Ok(Some(match self {
            Self::Float | Self::Abs => number,
            Self::Int => number::whole(number),
            Self::Round(places, method) => number::round(number, places, method),
            Self::Multiply(by) => number * by,
            Self::Add(what) => number + what,
        }))
    }
}

/// What Python's `float` makes of it; `None`: it is a word for nothing.
fn number_of(found: &Found<'_>) -> Result<Option<f64>, NotAReading> {
    match found {
        Found::Number(number) => Ok(Some(*number)),
        Found::Truth(truth) => Ok(Some(f64::from(u8::from(*truth)))),
        Found::Text(text) if NOTHING.contains(&text.trim()) => Ok(None),
        Found::Text(text) => text.trim().parse().map(Some).map_err(|_| NotAReading::NotANumber),
        Found::Other => Err(NotAReading::NotANumber),
    }
}

/// A number as it is; `None`: it is a word for nothing.
fn plain(found: &Found<'_>) -> Result<Option<f64>, NotAReading> {
    match found {
        Found::Number(number) => Ok(Some(*number)),
        Found::Text(text) if NOTHING.contains(&text.trim()) => Ok(None),
        Found::Text(_) | Found::Truth(_) | Found::Other => Err(NotAReading::NotANumber),
    }
}

#[cfg(test)]
mod tests;
