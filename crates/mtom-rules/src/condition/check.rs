//! Names and types of an expression, checked in every branch before anything is evaluated.
//!
//! What may stand in an expression is listed here; whatever is not is refused. So there is nothing
//! that loops (`map`, `all`, …) and nothing whose cost is not bounded by the expression's length.

use super::inputs::{series, span};
use super::lower::literal;
use super::{ConditionError, VARIABLES};
use crate::spec::Position;
use crate::words::nearest;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, ListExpr, LiteralValue, SourceInfo, operators};

/// How deep the tree may be: `1 + 1 + …` is as deep as it has terms, and evaluation is recursive.
const DEPTH_MAX: usize = 64;

/// Global functions.
const FUNCTIONS: [&str; 3] = ["double", "int", "size"];
/// Functions of a window of the reading's series: `avg("5m")`.
const WINDOWS: [&str; 5] = ["avg", "count", "max", "min", "rate"];
/// The newest value of another series: `other("Environ/Humidity")`.
const OTHER: &str = "other";
/// What stands before its values, for those who have mistaken a name.
const CALLS: [&str; 9] = ["avg", "count", "double", "int", "max", "min", OTHER, "rate", "size"];
/// Functions of a text: `device.startsWith("Environ")`.
const METHODS: [&str; 3] = ["contains", "endsWith", "startsWith"];

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Int,
    Double,
    Text,
}

pub(super) fn check(expression: &IdedExpr, source: &SourceInfo) -> Result<(), Vec<ConditionError>> {
    let mut checker = Checker { source, problems: Vec::new(), depth: 0, too_deep: false };
    let found = checker.type_of(expression);
    if let Some(found) = found.filter(|found| *found != Type::Bool) {
        let problem =
            format!("is {}: expected a boolean, as in celsius >= 25.0", found.with_article());
        // The whole expression is wrong, so no place in it is named.
        checker.problems.push(ConditionError { position: None, problem });
    }
    if checker.problems.is_empty() { Ok(()) } else { Err(checker.problems) }
}

impl Type {
    const fn with_article(self) -> &'static str {
        match self {
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Double => "a double",
            Self::Text => "a string",
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }
}

struct Checker<'a> {
    source: &'a SourceInfo,
    problems: Vec<ConditionError>,
    depth: usize,
    /// Told once; what is deeper still is not looked at.
    too_deep: bool,
}

impl Checker<'_> {
    /// `None` when something below is wrong: it has been told, and what follows from it is not.
    fn type_of(&mut self, expression: &IdedExpr) -> Option<Type> {
        if self.too_deep {
            return None;
        }
        if self.depth == DEPTH_MAX {
            self.too_deep = true;
            let problem = format!("too long a chain: expected at most {DEPTH_MAX} terms");
            return self.wrong(expression, problem);
        }
        self.depth += 1;
        let found = match &expression.expr {
            Expr::Literal(literal) => self.literal(expression, literal),
            Expr::Ident(name) => self.variable(expression, name),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(_) => {
                self.wrong(expression, "a list stands only behind `in`, as in device in [\"a\"]")
            }
            Expr::Select(select) => {
                let field = &select.field;
                self.wrong(expression, format!("`.{field}`: variables have no fields"))
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Comprehension(_) | Expr::Unspecified => {
                self.wrong(expression, "expected a comparison, as in celsius >= 25.0")
            }
        };
        self.depth -= 1;
        found
    }

    fn literal(&mut self, at: &IdedExpr, literal: &LiteralValue) -> Option<Type> {
        match literal {
            LiteralValue::Boolean(_) => Some(Type::Bool),
            LiteralValue::Int(_) => Some(Type::Int),
            LiteralValue::Double(_) => Some(Type::Double),
            LiteralValue::String(_) => Some(Type::Text),
            LiteralValue::UInt(_) => self.wrong(at, "write the number without u, as in 25"),
            LiteralValue::Bytes(_) => self.wrong(at, "write the text without b, as in \"Environ\""),
            LiteralValue::Null => self.wrong(at, "no value is ever null"),
        }
    }

    fn variable(&mut self, at: &IdedExpr, name: &str) -> Option<Type> {
        match name {
            "celsius" | "fahrenheit" | "value" | "age" => Some(Type::Double),
            "unit" | "device" | "quantity" | "topic" => Some(Type::Text),
            _ => self.wrong(at, unknown("variable", name, &VARIABLES)),
        }
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Option<Type> {
        if let Some(target) = &call.target {
            return self.method(at, call, target);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let condition = self.expect(condition, Type::Bool, "in front of `?`");
                let (yes, no) = (self.type_of(yes), self.type_of(no));
                condition?;
                self.same(at, "? :", yes?, no?)
            }
            (operators::LOGICAL_AND, [left, right]) => self.logic(left, right, "beside `&&`"),
            (operators::LOGICAL_OR, [left, right]) => self.logic(left, right, "beside `||`"),
            (operators::LOGICAL_NOT, [operand]) => self.expect(operand, Type::Bool, "behind `!`"),
            (operators::NEGATE, [operand]) => match self.type_of(operand)? {
                number @ (Type::Int | Type::Double) => Some(number),
                other @ (Type::Bool | Type::Text) => {
                    let found = other.with_article();
                    self.wrong(at, format!("`-` before {found}: expected a number"))
                }
            },
            (operators::IN, [needle, list]) => self.membership(at, needle, list),
            (name, [left, right]) if operator(name).is_some() => {
                let (left, right) = (self.type_of(left), self.type_of(right));
                self.binary(at, name, left?, right?)
            }
            (name, arguments) => self.function(at, name, arguments),
        }
    }

    fn logic(&mut self, left: &IdedExpr, right: &IdedExpr, place: &str) -> Option<Type> {
        let (left, right) =
            (self.expect(left, Type::Bool, place), self.expect(right, Type::Bool, place));
        left.and(right)
    }

    fn expect(&mut self, expression: &IdedExpr, wanted: Type, place: &str) -> Option<Type> {
        let found = self.type_of(expression)?;
        if found == wanted {
            return Some(found);
        }
        let (wanted, found) = (wanted.with_article(), found.with_article());
        self.wrong(expression, format!("{found} {place}: expected {wanted}"))
    }

    fn same(&mut self, at: &IdedExpr, name: &str, left: Type, right: Type) -> Option<Type> {
        if left == right {
            return Some(left);
        }
        self.wrong(at, mixed(name, left, right))
    }

    fn binary(&mut self, at: &IdedExpr, name: &str, left: Type, right: Type) -> Option<Type> {
        let shown = operator(name)?;
        let both = |wanted: Type| left == wanted && right == wanted;
        let found = match name {
            // CEL compares an integer with a double by value.
            operators::EQUALS | operators::NOT_EQUALS => {
                (left == right || (left.is_number() && right.is_number())).then_some(Type::Bool)
            }
            operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS => {
                ((left.is_number() && right.is_number()) || both(Type::Text)).then_some(Type::Bool)
            }
            operators::MODULO => both(Type::Int).then_some(Type::Int),
            operators::ADD if both(Type::Text) => Some(Type::Text),
            _ => (left == right && left.is_number()).then_some(left),
        };
        match found {
            Some(found) => Some(found),
            None => self.wrong(at, mixed(shown, left, right)),
        }
    }

    fn membership(&mut self, at: &IdedExpr, needle: &IdedExpr, list: &IdedExpr) -> Option<Type> {
        let wanted = self.type_of(needle);
        let Expr::List(ListExpr { elements, .. }) = &list.expr else {
            return self.wrong(list, "expected a list behind `in`, as in device in [\"a\", \"b\"]");
        };
        for element in elements {
            let found = self.type_of(element);
            if let (Some(wanted), Some(found)) = (wanted, found)
                && wanted != found
            {
                self.wrong(element, mixed("in", wanted, found));
            }
        }
        if elements.is_empty() {
            return self.wrong(at, "an empty list holds nothing: expected one like [\"a\", \"b\"]");
        }
        wanted.map(|_| Type::Bool)
    }

    fn method(&mut self, at: &IdedExpr, call: &CallExpr, target: &IdedExpr) -> Option<Type> {
        let name = call.func_name.as_str();
        if CALLS.contains(&name) {
            return self.wrong(at, format!("`{name}` stands before its value: {name}(…)"));
        }
        if !METHODS.contains(&name) {
            return self.wrong(at, unknown_function(name, &METHODS));
        }
        let [argument] = call.args.as_slice() else {
            return self.wrong(at, format!("`{name}` takes one string, as in {name}(\"Env\")"));
        };
        let place = format!("in `{name}`");
        let target = self.expect(target, Type::Text, &place);
        let argument = self.expect(argument, Type::Text, &place);
        target.and(argument).map(|_| Type::Bool)
    }

    fn function(&mut self, at: &IdedExpr, name: &str, arguments: &[IdedExpr]) -> Option<Type> {
        if operators_only(name) {
            return self.wrong(at, "expected a comparison, as in celsius >= 25.0");
        }
        if METHODS.contains(&name) {
            return self
                .wrong(at, format!("`{name}` stands behind a text: device.{name}(\"Env\")"));
        }
        if WINDOWS.contains(&name) {
            return self.window(at, name, arguments);
        }
        if name == OTHER {
            return self.other(at, arguments);
        }
        if !FUNCTIONS.contains(&name) {
            return self.wrong(at, unknown_function(name, &CALLS));
        }
        let [argument] = arguments else {
            return self.wrong(at, format!("`{name}` takes one value"));
        };
        let found = self.type_of(argument)?;
        match (name, found) {
            ("double", Type::Int | Type::Double | Type::Text) => Some(Type::Double),
            ("int", Type::Int | Type::Double | Type::Text) | ("size", Type::Text) => {
                Some(Type::Int)
            }
            _ => self.wrong(at, format!("`{name}` does not take {}", found.with_article())),
        }
    }

    fn window(&mut self, at: &IdedExpr, name: &str, arguments: &[IdedExpr]) -> Option<Type> {
        let [argument] = arguments else {
            return self.wrong(at, format!("`{name}` takes one time span, as in {name}(\"5m\")"));
        };
        let Some(text) = literal(argument) else {
            let problem = format!("`{name}` takes a time span in quotes, as in {name}(\"5m\")");
            return self.wrong(argument, problem);
        };
        match span(text) {
            Ok(_) if name == "count" => Some(Type::Int),
            Ok(_) => Some(Type::Double),
            Err(problem) => self.wrong(argument, format!("`{name}`: {problem}")),
        }
    }

    fn other(&mut self, at: &IdedExpr, arguments: &[IdedExpr]) -> Option<Type> {
        const EXPECTED: &str =
            "`other` takes one series in quotes, as in other(\"Environ/Humidity\")";
        let [argument] = arguments else { return self.wrong(at, EXPECTED) };
        let Some(text) = literal(argument) else { return self.wrong(argument, EXPECTED) };
        match series(text) {
            Ok(_) => Some(Type::Double),
            Err(problem) => self.wrong(argument, format!("`other`: {problem}")),
        }
    }

    fn wrong(&mut self, at: &IdedExpr, problem: impl Into<String>) -> Option<Type> {
        let position = self
            .source
            .offset_for(at.id)
            .and_then(|(start, _)| place(&self.source.source, usize::try_from(start).ok()?));
        self.problems.push(ConditionError { position, problem: problem.into() });
        None
    }
}

/// The operator as it is written, of those with a value on either side.
fn operator(name: &str) -> Option<&'static str> {
    Some(match name {
        operators::ADD => "+",
        operators::SUBSTRACT => "-",
        operators::MULTIPLY => "*",
        operators::DIVIDE => "/",
        operators::MODULO => "%",
        operators::EQUALS => "==",
        operators::NOT_EQUALS => "!=",
        operators::LESS => "<",
        operators::LESS_EQUALS => "<=",
        operators::GREATER => ">",
        operators::GREATER_EQUALS => ">=",
        _ => return None,
    })
}

/// CEL's own names of operators (`_[_]`) are no words that a person wrote.
fn operators_only(name: &str) -> bool {
    name.starts_with(['_', '@', '!', '-'])
}

fn mixed(operator: &str, left: Type, right: Type) -> String {
    let hint = match (left, right) {
        (Type::Int, Type::Double) | (Type::Double, Type::Int) => {
            ": write whole numbers with a point, as in 9.0"
        }
        (Type::Text, other) | (other, Type::Text) if other != Type::Text => {
            ": a text stands in quotes, a number does not"
        }
        _ => "",
    };
    let (left, right) = (left.with_article(), right.with_article());
    format!("`{operator}` does not take {left} and {right}{hint}")
}

fn unknown_function(name: &str, known: &[&str]) -> String {
    match name {
        "all" | "exists" | "exists_one" | "filter" | "map" => {
            format!("`{name}` is a loop, and there are none: expected a comparison")
        }
        "matches" => {
            "there are no regular expressions: expected contains, startsWith or endsWith".into()
        }
        _ => unknown("function", name, known),
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let list = known.join(", ");
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{name}`: did you mean `{near}`? Known are {list}"),
        None => format!("unknown {what} `{name}`: expected one of {list}"),
    }
}

/// Line and column of the character at this byte.
fn place(source: &str, offset: usize) -> Option<Position> {
    let before = source.get(..offset)?;
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Some(Position { line, column })
}
