//! Checked expressions as typed trees: nothing is looked up, converted or allocated per reading.
//!
//! What they say is what cel's own interpreter says, held by a property test. Measured beside it with
//! `cargo xtask bench rules`; see [`super`] for the figures.
//!
//! `None` is unknown everywhere: a value that this reading does not have, or no result.

use super::Subject;
use super::inputs::Stat;
use std::borrow::Cow;
use std::cmp::Ordering;

/// The longest text that is put together, in bytes; a longer one is unknown. Several of them may be at hand
/// at once, and an evaluation is to need no more than 64 KiB.
const TEXT_LEN_MAX: usize = 4_096;

/// An expression of any type.
#[derive(Debug)]
pub(super) enum Tree {
    Bool(Bool),
    Int(Int),
    Double(Double),
    Text(Text),
}

#[derive(Debug)]
pub(super) enum Bool {
    Is(bool),
    Not(Box<Bool>),
    And(Box<Bool>, Box<Bool>),
    Or(Box<Bool>, Box<Bool>),
    If(Box<Bool>, Box<Bool>, Box<Bool>),
    Same(Box<Bool>, Box<Bool>, bool),
    /// The most frequent of all, without a box to follow.
    Against(Variable, Comparison, f64),
    Doubles(Box<Double>, Comparison, Box<Double>),
    Ints(Box<Int>, Comparison, Box<Int>),
    Texts(Box<Text>, Comparison, Box<Text>),
    /// A text: how it is searched, and for what.
    Search(Box<Text>, Search, Box<Text>),
    /// Whether the first is equal to one of the others.
    AmongBools(Box<Bool>, Vec<Bool>),
    AmongInts(Box<Int>, Vec<Int>),
    AmongDoubles(Box<Double>, Vec<Double>),
    AmongTexts(Box<Text>, Vec<Text>),
}

#[derive(Debug)]
pub(super) enum Int {
    Is(i64),
    Negative(Box<Int>),
    Two(Box<Int>, Arithmetic, Box<Int>),
    If(Box<Bool>, Box<Int>, Box<Int>),
    OfDouble(Box<Double>),
    OfText(Box<Text>),
    Size(Box<Text>),
    /// How many readings the window at this place holds.
    Count(usize),
}

#[derive(Debug)]
pub(super) enum Double {
    Is(f64),
    Variable(Variable),
    Negative(Box<Double>),
    Two(Box<Double>, Arithmetic, Box<Double>),
    If(Box<Bool>, Box<Double>, Box<Double>),
    OfInt(Box<Int>),
    OfText(Box<Text>),
    Window(Stat, usize),
    /// The newest value of the series at this place.
    Other(usize),
}

#[derive(Debug)]
pub(super) enum Text {
    Is(Box<str>),
    Variable(Name),
    Both(Box<Text>, Box<Text>),
    If(Box<Bool>, Box<Text>, Box<Text>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Variable {
    Celsius,
    Fahrenheit,
    Value,
    Age,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    Unit,
    Device,
    Quantity,
    Topic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Search {
    Contains,
    StartsWith,
    EndsWith,
}

impl Comparison {
    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// What is no number is equal to nothing, and neither above nor below anything.
    fn doubles(self, left: f64, right: f64) -> Option<bool> {
        match (left.partial_cmp(&right), self) {
            (Some(order), _) => Some(self.holds(order)),
            (None, Self::Equal) => Some(false),
            (None, Self::NotEqual) => Some(true),
            (None, _) => None,
        }
    }
}

impl Bool {
    pub(super) fn value(&self, about: &Subject<'_>) -> Option<bool> {
        match self {
            Self::Is(value) => Some(*value),
            Self::Against(variable, comparison, right) => {
                comparison.doubles(variable.value(about)?, *right)
            }
            Self::Doubles(left, comparison, right) => {
                comparison.doubles(left.value(about)?, right.value(about)?)
            }
            Self::Not(of) => of.value(about).map(|value| !value),
            // False, or true, on one side decides, whatever is unknown on the other.
            Self::And(left, right) => match (left.value(about), right) {
                (Some(false), _) => Some(false),
                (Some(true), right) => right.value(about),
                (None, right) => right.value(about).filter(|value| !value),
            },
            Self::Or(left, right) => match (left.value(about), right) {
                (Some(true), _) => Some(true),
                (Some(false), right) => right.value(about),
                (None, right) => right.value(about).filter(|value| *value),
            },
            Self::If(condition, yes, no) => either(condition, about, yes, no)?.value(about),
            Self::Same(left, right, wanted) => {
                Some((left.value(about)? == right.value(about)?) == *wanted)
            }
            Self::Ints(left, comparison, right) => {
                Some(comparison.holds(left.value(about)?.cmp(&right.value(about)?)))
            }
            Self::Texts(left, comparison, right) => {
                Some(comparison.holds(left.value(about)?.cmp(&right.value(about)?)))
            }
            Self::Search(text, search, wanted) => {
                let (text, wanted) = (text.value(about)?, wanted.value(about)?);
                Some(match search {
                    Search::Contains => text.contains(&*wanted),
                    Search::StartsWith => text.starts_with(&*wanted),
                    Search::EndsWith => text.ends_with(&*wanted),
                })
            }
            Self::AmongBools(one, list) => among(one.value(about)?, list, |item| item.value(about)),
            Self::AmongInts(one, list) => among(one.value(about)?, list, |item| item.value(about)),
            Self::AmongDoubles(one, list) => {
                among(one.value(about)?, list, |item| item.value(about))
            }
            Self::AmongTexts(one, list) => among(one.value(about)?, list, |item| item.value(about)),
        }
    }
}

fn either<'t, T>(condition: &Bool, about: &Subject<'_>, yes: &'t T, no: &'t T) -> Option<&'t T> {
    Some(if condition.value(about)? { yes } else { no })
}

/// A list with something unknown in it is unknown.
fn among<'t, I, T: PartialEq>(
    one: T,
    list: &'t [I],
    value: impl Fn(&'t I) -> Option<T>,
) -> Option<bool> {
    let mut found = false;
    for item in list {
        found |= value(item)? == one;
    }
    Some(found)
}

impl Int {
    pub(super) fn value(&self, about: &Subject<'_>) -> Option<i64> {
        match self {
            Self::Is(value) => Some(*value),
            Self::Negative(of) => of.value(about)?.checked_neg(),
            Self::Two(left, arithmetic, right) => {
                let (left, right) = (left.value(about)?, right.value(about)?);
                match arithmetic {
                    Arithmetic::Add => left.checked_add(right),
                    Arithmetic::Subtract => left.checked_sub(right),
                    Arithmetic::Multiply => left.checked_mul(right),
                    Arithmetic::Divide => left.checked_div(right),
                    Arithmetic::Remainder => left.checked_rem(right),
                }
            }
            Self::If(condition, yes, no) => either(condition, about, yes, no)?.value(about),
            Self::OfDouble(of) => whole(of.value(about)?),
            Self::OfText(of) => of.value(about)?.parse().ok(),
            Self::Size(of) => i64::try_from(of.value(about)?.chars().count()).ok(),
            Self::Count(place) => about.window(*place)?.count(),
        }
    }
}

/// CEL takes the numbers between the ends of `i64`, without both.
#[allow(clippy::cast_possible_truncation, reason = "it is checked that it fits")]
fn whole(value: f64) -> Option<i64> {
    (value > i64::MIN as f64 && value < i64::MAX as f64).then_some(value as i64)
}

impl Double {
    pub(super) fn value(&self, about: &Subject<'_>) -> Option<f64> {
        match self {
            Self::Is(value) => Some(*value),
            Self::Variable(variable) => variable.value(about),
            Self::Negative(of) => of.value(about).map(|value| -value),
            Self::Two(left, arithmetic, right) => {
                let (left, right) = (left.value(about)?, right.value(about)?);
                match arithmetic {
                    Arithmetic::Add => Some(left + right),
                    Arithmetic::Subtract => Some(left - right),
                    Arithmetic::Multiply => Some(left * right),
                    Arithmetic::Divide => Some(left / right),
                    // CEL has none, and the checker lets none through.
                    Arithmetic::Remainder => None,
                }
            }
            Self::If(condition, yes, no) => either(condition, about, yes, no)?.value(about),
            Self::OfInt(of) => of.value(about).map(|value| value as f64),
            Self::OfText(of) => of.value(about)?.parse().ok(),
            Self::Window(stat, place) => about.window(*place)?.stat(*stat),
            Self::Other(place) => about.other(*place),
        }
    }
}

impl Variable {
    pub(super) fn value(self, about: &Subject<'_>) -> Option<f64> {
        let reading = &about.stored.reading;
        match self {
            Self::Celsius => reading.celsius(),
            Self::Fahrenheit => reading.fahrenheit(),
            Self::Value => Some(reading.value),
            Self::Age => Some(about.now.since(about.stored.at).as_secs_f64()),
        }
    }
}

impl Text {
    pub(super) fn value<'a>(&'a self, about: &Subject<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Is(text) => Some(Cow::Borrowed(text)),
            Self::Variable(name) => Some(Cow::Borrowed(name.value(about))),
            Self::Both(left, right) => {
                let (left, right) = (left.value(about)?, right.value(about)?);
                (left.len() + right.len() <= TEXT_LEN_MAX).then(|| left + right)
            }
            Self::If(condition, yes, no) => either(condition, about, yes, no)?.value(about),
        }
    }
}

impl Name {
    pub(super) fn value<'a>(self, about: &Subject<'a>) -> &'a str {
        let reading = &about.stored.reading;
        match self {
            Self::Unit => reading.unit.symbol(),
            Self::Device => &reading.device,
            Self::Quantity => &reading.quantity,
            Self::Topic => &reading.topic,
        }
    }
}
