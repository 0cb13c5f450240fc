//! Reads a template, with the precedence that Jinja has: filters before `*`, that before `+`, and what begins further
//! left first. A text whose meaning is not sure is none.

use super::number::Operator;
use super::{Expression, Filter, Method, Step};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Rounds to so many places at most.
const PLACES_MAX: f64 = 15.0;
/// Parentheses and signs in each other.
const DEPTH_MAX: usize = 16;
/// What an object has besides its keys, and a dot finds first.
const METHODS: [&str; 11] = [
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

/// The whole of it.
pub(super) fn all(text: &str) -> Option<Expression> {
    let mut rest = Rest { text, depth: 0 };
    let found = rest.sum()?;
    // What is always the same is not measured.
    (rest.text.trim().is_empty() && found.is_said()).then_some(found)
}

/// What of a template is not read yet. Blanks between words mean nothing.
struct Rest<'a> {
    text: &'a str,
    depth: usize,
}

/// What a filter is told.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    /// One without a point.
    Whole(f64),
    Number(f64),
    Text(String),
    /// `none`, `true`, `false`.
    Word,
}

/// The arguments of a filter.
struct Arguments<'a>(Vec<(Option<&'a str>, Literal)>);

impl<'a> Rest<'a> {
    fn eats(&mut self, token: &str) -> bool {
        match self.text.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    fn needs(&mut self, token: &str) -> Option<()> {
        self.eats(token).then_some(())
    }

    fn begins(&self, token: &str) -> bool {
        self.text.trim_start().starts_with(token)
    }

    fn sum(&mut self) -> Option<Expression> {
        let mut left = self.product()?;
        loop {
            let operator = if self.eats("+") {
                Operator::Add
            } else if self.eats("-") {
                Operator::Subtract
            } else {
                return Some(left);
            };
            left = both(operator, left, self.product()?);
        }
    }

    fn product(&mut self) -> Option<Expression> {
        let mut left = self.filtered()?;
        loop {
            // A power; nobody needs it, and it comes before these.
            if self.begins("**") {
                return None;
            }
            let operator = if self.eats("*") {
                Operator::Multiply
            } else if self.eats("//") {
                Operator::Floor
            } else if self.eats("/") {
                Operator::Divide
            } else if self.eats("%") {
                Operator::Rest
            } else {
                return Some(left);
            };
            left = both(operator, left, self.filtered()?);
        }
    }

    /// With its sign, and with its filters, which take the sign too.
    fn filtered(&mut self) -> Option<Expression> {
        let mut found = self.signed()?;
        while self.eats("|") {
            found = self.filter(found)?;
        }
        Some(found)
    }

    fn signed(&mut self) -> Option<Expression> {
        self.deeper(|rest| {
            if rest.eats("-") {
                return Some(Expression::Negative(Box::new(rest.signed()?)));
            }
            if rest.eats("(") {
                let inner = rest.sum()?;
                rest.needs(")")?;
                // Its parts are nobody's business here.
                let is_end = !rest.begins(".") && !rest.begins("[") && !rest.begins("(");
                return is_end.then_some(inner);
            }
            let is_number =
                rest.text.trim_start().starts_with(|first: char| first.is_ascii_digit());
            if is_number { rest.number().map(Expression::Number) } else { rest.source() }
        })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let found = if self.depth > DEPTH_MAX { None } else { read(self) };
        self.depth -= 1;
        found
    }

    fn source(&mut self) -> Option<Expression> {
        match self.word()? {
            "value" if self.eats(".") => {
                (self.word()? == "split").then_some(())?;
                self.needs("(")?;
                let by = self.quoted()?;
                self.needs(")")?;
                self.needs("[")?;
                let at = self.index()?;
                self.needs("]")?;
                let is_end = !self.begins(".") && !self.begins("[");
                (is_end && !by.is_empty()).then_some(Expression::Split { by, at })
            }
            "value" if !self.begins("[") && !self.begins("(") => Some(Expression::Value),
            "value_json" if !self.begins("(") => self.steps().map(Expression::Json),
            _ => None,
        }
    }

    fn steps(&mut self) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.eats(".") {
                let word = self.word()?;
                // A call, or what would be one.
                if self.begins("(") || METHODS.contains(&word) {
                    return None;
                }
                steps.push(Step::Key(word.to_owned()));
            } else if self.eats("[") {
                steps.push(if self.begins("'") || self.begins("\"") {
                    Step::Key(self.quoted()?)
                } else {
                    Step::At(self.index()?)
                });
                self.needs("]")?;
            } else {
                return Some(steps);
            }
        }
    }

    /// A name as Python has them.
    fn word(&mut self) -> Option<&'a str> {
        let text = self.text.trim_start();
        let is = |c: char| c.is_alphanumeric() || c == '_';
        let end = text.find(|c| !is(c)).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        self.text = rest;
        let begins_well = word.starts_with(|c: char| !c.is_ascii_digit());
        (begins_well && !word.is_empty()).then_some(word)
    }

    fn digits(&mut self) -> Option<&'a str> {
        let text = self.text.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at_checked(end)?;
        self.text = rest;
        (!digits.is_empty()).then_some(digits)
    }

    fn index(&mut self) -> Option<usize> {
        self.digits()?.parse().ok()
    }

    /// `12` or `1.8`.
    fn number(&mut self) -> Option<f64> {
        let text = self.text.trim_start();
        self.digits()?;
        if self.text.starts_with('.') {
            self.text = self.text.strip_prefix('.')?;
            // Not over a blank.
            self.text.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
            self.digits()?;
        }
        // Other forms, as 1e3, 1_000 and 0x1f.
        let is_end = !self.text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let len = text.len().checked_sub(self.text.len())?;
        if is_end { text.get(..len)?.parse().ok() } else { None }
    }

    /// A text in quotes; one with a backslash is not understood.
    fn quoted(&mut self) -> Option<String> {
        let text = self.text.trim_start();
        let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (inner, rest) = text.strip_prefix(quote)?.split_once(quote)?;
        self.text = rest;
        (!inner.contains('\\')).then(|| inner.to_owned())
    }

    fn arguments(&mut self) -> Option<Arguments<'a>> {
        let mut all = Vec::new();
        if !self.eats("(") || self.eats(")") {
            return Some(Arguments(all));
        }
        loop {
            let name = self.name();
            all.push((name, self.literal()?));
            if self.eats(")") {
                return Some(Arguments(all));
            }
            self.needs(",")?;
        }
    }

    /// The name of an argument, where it has one.
    fn name(&mut self) -> Option<&'a str> {
        let before = self.text;
        if let Some(word) = self.word()
            && self.eats("=")
        {
            return Some(word);
        }
        self.text = before;
        None
    }

    fn literal(&mut self) -> Option<Literal> {
        if self.begins("'") || self.begins("\"") {
            return self.quoted().map(Literal::Text);
        }
        let sign = if self.eats("-") { -1.0 } else { 1.0 };
        let before = self.text;
        if sign < 0.0 || before.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            let number = sign * self.number()?;
            let said = before.get(..before.len().checked_sub(self.text.len())?)?;
            let is_whole = !said.contains('.');
            return Some(if is_whole { Literal::Whole(number) } else { Literal::Number(number) });
        }
        let words = ["none", "None", "true", "True", "false", "False"];
        words.contains(&self.word()?).then_some(Literal::Word)
    }

    /// What a filter makes of it.
    fn filter(&mut self, of: Expression) -> Option<Expression> {
        let name = self.word()?;
        let told = self.arguments()?;
        let filter = match name {
            "float" => told.named(&["default"]).map(|_| Filter::Float)?,
            // Its second one is the base.
            "int" => told.named(&["default"]).map(|_| Filter::Int)?,
            "round" => told.round()?,
            "abs" => told.named(&[]).map(|_| Filter::Abs)?,
            "multiply" => Filter::Multiply(told.amount()?),
            "add" => Filter::Add(told.amount()?),
            // What it takes where there is nothing was not measured. Its second one takes that for zero, too.
            "default" | "d" => return told.named(&["default_value"]).map(|_| of),
            "is_defined" => return told.named(&[]).map(|_| of),
            _ => return None,
        };
        Some(Expression::Filtered(Box::new(of), filter))
    }
}

impl Arguments<'_> {
    /// Each under its name, in that order; `None`: there is another, or one is there twice.
    fn named<const N: usize>(self, names: &[&str; N]) -> Option<[Option<Literal>; N]> {
        let mut all = [const { None }; N];
        for (position, (name, literal)) in self.0.into_iter().enumerate() {
            let at = match name {
                Some(name) => names.iter().position(|known| *known == name)?,
                None => position,
            };
            let place: &mut Option<Literal> = all.get_mut(at)?;
            if place.replace(literal).is_some() {
                return None;
            }
        }
        Some(all)
    }

    fn amount(self) -> Option<f64> {
        match self.named(&["amount", "default"])? {
            [Some(Literal::Whole(amount) | Literal::Number(amount)), _] => Some(amount),
            _ => None,
        }
    }

    fn round(self) -> Option<Filter> {
        let [places, method, _] = self.named(&["precision", "method", "default"])?;
        let places = match places {
            None => 0.0,
            Some(Literal::Whole(places)) => places,
            Some(_) => return None,
        };
        let method = match method {
            None => Method::Common,
            Some(Literal::Text(text)) => match text.as_str() {
                "common" => Method::Common,
                "floor" => Method::Floor,
                "ceil" => Method::Ceil,
                "half" => Method::Half,
                _ => return None,
            },
            Some(_) => return None,
        };
        let is_so = places.abs() <= PLACES_MAX && (places >= 0.0 || method == Method::Common);
        #[allow(clippy::cast_possible_truncation, reason = "whole and at most 15")]
        is_so.then_some(Filter::Round(places as i32, method))
    }
}

impl Expression {
    /// Whether the message has a word in it.
    fn is_said(&self) -> bool {
        match self {
            Self::Value | Self::Split { .. } | Self::Json(_) => true,
            Self::Number(_) => false,
            Self::Filtered(inner, _) | Self::Negative(inner) => inner.is_said(),
            Self::Both(_, both) => both.iter().any(Self::is_said),
        }
    }
}

fn both(operator: Operator, left: Expression, right: Expression) -> Expression {
    Expression::Both(operator, Box::new([left, right]))
}
