//! Conditions: CEL expressions over one reading, parsed and checked once, evaluated per reading.
//!
//! What is accepted always ends quickly: at most [`EXPRESSION_LEN_MAX`] bytes, no loops, no
//! functions but those listed in [`check`], literal lists only. Types are checked in every branch
//! before the first reading comes.
//!
//! Surprises, all of CEL: an integer compares with a double (`celsius >= 25`) and does not
//! calculate with one (`celsius * 2` is refused, `celsius * 2.0` is meant).

use crate::spec::Position;
use cel::common::types::{CelDouble, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Env, IdedExpr, Value};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::{Unit, fahrenheit};
use std::sync::Arc;

mod check;
mod syntax;

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
pub(crate) struct Condition {
    expression: IdedExpr,
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

    /// Reads an expression.
    ///
    /// # Errors
    /// The first mistake of grammar, or else every mistake of names and types.
    pub(crate) fn compile(&self, source: &str) -> Result<Condition, Vec<ConditionError>> {
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
        Ok(Condition { expression })
    }

    /// Evaluates `condition`. Never fails: what has no result is [`Truth::Unknown`].
    pub(crate) fn evaluate(&self, condition: &Condition, about: &Subject<'_>) -> Truth {
        let mut context = Context::with_env(self.0.clone());
        context.set_variable_resolver(about);
        match Value::resolve(&condition.expression, &context) {
            Ok(Value::Bool(true)) => Truth::True,
            Ok(Value::Bool(false)) => Truth::False,
            _ => Truth::Unknown,
        }
    }
}

/// The reading that an expression is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) stored: &'a StoredReading,
    pub(crate) now: UnixMicros,
}

impl VariableResolver for Subject<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let reading = &self.stored.reading;
        let number = |number: f64| Some(CowVal::owned(CelDouble::from(number)));
        let text = |text: &'b str| Some(CowVal::owned(CelString::from(text)));
        match variable {
            "celsius" => number(reading.celsius()?),
            // Not by way of °C where it came as °F: 77 °F stays 77 exactly.
            "fahrenheit" if reading.unit == Unit::Fahrenheit => number(reading.value),
            "fahrenheit" => number(fahrenheit(reading.celsius()?)),
            "value" => number(reading.value),
            "unit" => text(reading.unit.symbol()),
            "device" => text(&reading.device),
            "quantity" => text(&reading.quantity),
            "topic" => text(&reading.topic),
            "age" => number(self.now.since(self.stored.at).as_secs_f64()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
