//! What can be said of a condition before any reading comes: by intervals, over comparisons with numbers
//! that are joined by `&&`, `||` and `!`.
//!
//! Whatever else stands in a condition is taken as able to be true and able to be false, so nothing that
//! is said here is wrong; a condition that is too large is not reasoned about at all. `fahrenheit` is
//! counted as `celsius`, each window and each other series is a quantity of its own.

use crate::condition::Language;
use crate::condition::inputs::Needs;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::{Env, IdedExpr};
use mtom_protocol::unit::Unit;
use std::collections::BTreeMap;

/// More alternatives are not looked at.
const ALTERNATIVES_MAX: usize = 1_024;

/// A condition, as far as it can be reasoned about.
#[derive(Clone, Debug, PartialEq)]
pub struct Logic {
    node: Node,
    names: Vec<String>,
}

/// A comparison of one quantity with a number, as it stands in the condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// `celsius`, `fahrenheit`, `value`, `age`, `avg("5m")`, …
    pub name: String,
    /// What it is compared with.
    pub number: f64,
}

/// Which numbers, both ends with whether they belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    low: (f64, bool),
    high: (f64, bool),
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Constant(bool),
    Compare(Threshold, Relation),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    /// Anything.
    Opaque,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// One way in which a condition can be true.
#[derive(Clone, Debug, Default, PartialEq)]
struct Way {
    intervals: BTreeMap<String, Interval>,
    /// Something must be so that is not reasoned about.
    is_opaque: bool,
}

impl Logic {
    /// Reads a condition; `None` when it is none.
    #[must_use]
    pub fn of(condition: &str) -> Option<Self> {
        // The limits of the language come first: the parser below has none of its own.
        Language::new().compile(condition, &mut Needs::default()).ok()?;
        let env = Env::default().with_optional_support(false).with_stdlib();
        let expression = env.parser().parse(condition).ok()?;
        let mut names = Vec::new();
        note_names(&expression, &mut names);
        Some(Self { node: node(&expression), names })
    }

    /// The variables that it uses anywhere.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The comparisons with numbers, in their order.
    #[must_use]
    pub fn thresholds(&self) -> Vec<&Threshold> {
        let mut found = Vec::new();
        self.node.thresholds(&mut found);
        found
    }

    /// Whether no reading whatever makes it true.
    #[must_use]
    pub fn never_holds(&self) -> bool {
        self.node.ways(true).is_some_and(|ways| ways.is_empty())
    }

    /// Whether no reading whatever makes it false.
    #[must_use]
    pub fn always_holds(&self) -> bool {
        self.node.ways(false).is_some_and(|ways| ways.is_empty())
    }

    /// Values for which both are true, as in `celsius = 24.7`; `None` when there are none, or when that
    /// depends on something that is not reasoned about.
    #[must_use]
    pub fn both_hold(&self, other: &Self) -> Option<String> {
        let both = Node::And(self.node.clone().into(), other.node.clone().into());
        let ways = both.ways(true)?;
        let way = ways.into_iter().find(|way| !way.is_opaque)?;
        let one =
            |(name, interval): (&String, &Interval)| format!("{name} = {}", interval.example());
        let values: Vec<_> = way.intervals.iter().map(one).collect();
        Some(values.join(" and "))
    }
}

impl Node {
    fn thresholds<'n>(&'n self, found: &mut Vec<&'n Threshold>) {
        match self {
            Self::Compare(threshold, _) => found.push(threshold),
            Self::Not(of) => of.thresholds(found),
            Self::And(left, right) | Self::Or(left, right) => {
                left.thresholds(found);
                right.thresholds(found);
            }
            Self::Constant(_) | Self::Opaque => {}
        }
    }

    /// The ways in which it can be true, or false; `None` when there are too many.
    fn ways(&self, wanted: bool) -> Option<Vec<Way>> {
        match self {
            Self::Constant(is) if *is == wanted => Some(vec![Way::default()]),
            Self::Constant(_) => Some(Vec::new()),
            Self::Opaque => Some(vec![Way { is_opaque: true, ..Way::default() }]),
            Self::Not(of) => of.ways(!wanted),
            Self::Compare(threshold, relation) => {
                let relation = if wanted { *relation } else { relation.contrary() };
                Some(threshold.ways(relation))
            }
            Self::And(left, right) if wanted => join(&left.ways(true)?, &right.ways(true)?),
            Self::Or(left, right) if !wanted => join(&left.ways(false)?, &right.ways(false)?),
            Self::And(left, right) | Self::Or(left, right) => {
                let mut ways = left.ways(wanted)?;
                ways.extend(right.ways(wanted)?);
                (ways.len() <= ALTERNATIVES_MAX).then_some(ways)
            }
        }
    }
}

/// Each of the one with each of the other, as far as both can be.
fn join(left: &[Way], right: &[Way]) -> Option<Vec<Way>> {
    if left.len().saturating_mul(right.len()) > ALTERNATIVES_MAX {
        return None;
    }
    Some(left.iter().flat_map(|one| right.iter().filter_map(|other| one.and(other))).collect())
}

impl Way {
    fn and(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        both.is_opaque |= other.is_opaque;
        for (name, interval) in &other.intervals {
            let joint = match both.intervals.get(name) {
                Some(mine) => mine.and(interval)?,
                None => *interval,
            };
            both.intervals.insert(name.clone(), joint);
        }
        Some(both)
    }
}

impl Threshold {
    fn ways(&self, relation: Relation) -> Vec<Way> {
        let (name, number) = match self.name.as_str() {
            // 77 °F is 25 °C exactly.
            "fahrenheit" => ("celsius", (self.number - 32.0) * 5.0 / 9.0),
            name => (name, self.number),
        };
        let whole = domain(name);
        let below = |is_in| Interval { low: (f64::NEG_INFINITY, true), high: (number, is_in) };
        let above = |is_in| Interval { low: (number, is_in), high: (f64::INFINITY, true) };
        let intervals = match relation {
            Relation::Less => vec![below(false)],
            Relation::LessOrEqual => vec![below(true)],
            Relation::Greater => vec![above(false)],
            Relation::GreaterOrEqual => vec![above(true)],
            Relation::Equal => below(true).and(&above(true)).into_iter().collect(),
            Relation::NotEqual => vec![below(false), above(false)],
        };
        let way = |interval| Way {
            intervals: BTreeMap::from([(name.to_owned(), interval)]),
            is_opaque: false,
        };
        intervals.into_iter().filter_map(|interval| interval.and(&whole)).map(way).collect()
    }
}

/// The values that there can be at all.
fn domain(name: &str) -> Interval {
    let (low, high) = match name {
        "celsius" => Unit::Celsius.range(),
        _ if name == "age" || name.starts_with("count(") => (0.0, f64::INFINITY),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    };
    Interval { low: (low, true), high: (high, true) }
}

impl Interval {
    /// What is in both; `None`: nothing.
    fn and(&self, other: &Self) -> Option<Self> {
        let low = match self.low.0.total_cmp(&other.low.0) {
            std::cmp::Ordering::Less => other.low,
            std::cmp::Ordering::Greater => self.low,
            std::cmp::Ordering::Equal => (self.low.0, self.low.1 && other.low.1),
        };
        let high = match self.high.0.total_cmp(&other.high.0) {
            std::cmp::Ordering::Less => self.high,
            std::cmp::Ordering::Greater => other.high,
            std::cmp::Ordering::Equal => (self.high.0, self.high.1 && other.high.1),
        };
        let is_some = low.0 < high.0 || (low.0 == high.0 && low.1 && high.1);
        is_some.then_some(Self { low, high })
    }

    /// A number in it that people like.
    fn example(&self) -> f64 {
        let (low, high) = (self.low.0, self.high.0);
        let rounded = |number: f64| (number * 10.0).round() / 10.0;
        match (low.is_finite(), high.is_finite()) {
            (true, true) => {
                let middle = low + (high - low) / 2.0;
                let is_in = rounded(middle) > low && rounded(middle) < high;
                if is_in { rounded(middle) } else { middle }
            }
            (true, false) => low + 1.0,
            (false, true) => high - 1.0,
            (false, false) => 0.0,
        }
    }
}

impl Relation {
    fn parse(operator: &str) -> Option<Self> {
        Some(match operator {
            operators::LESS => Self::Less,
            operators::LESS_EQUALS => Self::LessOrEqual,
            operators::GREATER => Self::Greater,
            operators::GREATER_EQUALS => Self::GreaterOrEqual,
            operators::EQUALS => Self::Equal,
            operators::NOT_EQUALS => Self::NotEqual,
            _ => return None,
        })
    }

    const fn contrary(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
        }
    }

    /// With both sides exchanged.
    const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

fn node(expression: &IdedExpr) -> Node {
    match &expression.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Node::Constant(*value.inner()),
        // Those that stand behind a text have one value, and no name of an operator.
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [of]) => Node::Not(node(of).into()),
            (operators::LOGICAL_AND, [left, right]) => {
                Node::And(node(left).into(), node(right).into())
            }
            (operators::LOGICAL_OR, [left, right]) => {
                Node::Or(node(left).into(), node(right).into())
            }
            (name, [left, right]) => compare(name, left, right).unwrap_or(Node::Opaque),
            _ => Node::Opaque,
        },
        _ => Node::Opaque,
    }
}

fn compare(operator: &str, left: &IdedExpr, right: &IdedExpr) -> Option<Node> {
    let relation = Relation::parse(operator)?;
    if let (Some(name), Some(number)) = (quantity(left), number(right)) {
        return Some(Node::Compare(Threshold { name, number }, relation));
    }
    let (number, name) = (number(left)?, quantity(right)?);
    Some(Node::Compare(Threshold { name, number }, relation.turned()))
}

/// A variable, or a call that stands for a number of its own, as in `avg("5m")`.
fn quantity(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Call(CallExpr { func_name, target: None, args }) => match args.as_slice() {
            [one] => match &one.expr {
                Expr::Literal(LiteralValue::String(text)) => {
                    Some(format!("{func_name}({:?})", text.inner()))
                }
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn number(expression: &IdedExpr) -> Option<f64> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Double(value)) => Some(*value.inner()),
        #[expect(clippy::cast_precision_loss, reason = "a threshold that people write")]
        Expr::Literal(LiteralValue::Int(value)) => Some(*value.inner() as f64),
        Expr::Call(call) if call.func_name == operators::NEGATE => match call.args.as_slice() {
            [of] => number(of).map(|number| -number),
            _ => None,
        },
        _ => None,
    }
}

fn note_names(expression: &IdedExpr, names: &mut Vec<String>) {
    match &expression.expr {
        Expr::Ident(name) if !names.contains(name) => names.push(name.clone()),
        Expr::Call(call) => {
            for part in call.args.iter().chain(call.target.as_deref()) {
                note_names(part, names);
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|part| note_names(part, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
