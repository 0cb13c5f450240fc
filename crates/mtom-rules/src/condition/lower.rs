//! From a checked expression to the tree that is evaluated.
//!
//! The checker has refused everything that has no tree, so `None` here is a mistake of ours; it is told
//! as a mistake of the expression and never evaluated.

use super::inputs::{Needs, Stat, series, span};
use super::tree::{Arithmetic, Bool, Comparison, Double, Int, Name, Search, Text, Tree, Variable};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

pub(super) fn lower(expression: &IdedExpr, needs: &mut Needs) -> Option<Tree> {
    match &expression.expr {
        Expr::Literal(literal) => Some(match literal {
            LiteralValue::Boolean(value) => Tree::Bool(Bool::Is(*value.inner())),
            LiteralValue::Int(value) => Tree::Int(Int::Is(*value.inner())),
            LiteralValue::Double(value) => Tree::Double(Double::Is(*value.inner())),
            LiteralValue::String(value) => Tree::Text(Text::Is(value.inner().into())),
            LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => return None,
        }),
        Expr::Ident(name) => {
            needs.name(name, || variable(name));
            variable(name)
        }
        Expr::Call(call) => match &call.target {
            Some(target) => method(call, target, needs),
            None => function(call, needs),
        },
        _ => None,
    }
}

fn variable(name: &str) -> Option<Tree> {
    let number = |variable| Some(Tree::Double(Double::Variable(variable)));
    let text = |name| Some(Tree::Text(Text::Variable(name)));
    match name {
        "celsius" => number(Variable::Celsius),
        "fahrenheit" => number(Variable::Fahrenheit),
        "value" => number(Variable::Value),
        "age" => number(Variable::Age),
        "unit" => text(Name::Unit),
        "device" => text(Name::Device),
        "quantity" => text(Name::Quantity),
        "topic" => text(Name::Topic),
        _ => None,
    }
}

fn method(call: &CallExpr, target: &IdedExpr, needs: &mut Needs) -> Option<Tree> {
    let search = match call.func_name.as_str() {
        "contains" => Search::Contains,
        "startsWith" => Search::StartsWith,
        "endsWith" => Search::EndsWith,
        _ => return None,
    };
    let [wanted] = call.args.as_slice() else { return None };
    let (text, wanted) = (text(target, needs)?, text(wanted, needs)?);
    Some(Tree::Bool(Bool::Search(text, search, wanted)))
}

fn text(expression: &IdedExpr, needs: &mut Needs) -> Option<Box<Text>> {
    match lower(expression, needs)? {
        Tree::Text(text) => Some(Box::new(text)),
        Tree::Bool(_) | Tree::Int(_) | Tree::Double(_) => None,
    }
}

fn boolean(expression: &IdedExpr, needs: &mut Needs) -> Option<Box<Bool>> {
    match lower(expression, needs)? {
        Tree::Bool(value) => Some(Box::new(value)),
        Tree::Int(_) | Tree::Double(_) | Tree::Text(_) => None,
    }
}

fn function(call: &CallExpr, needs: &mut Needs) -> Option<Tree> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::CONDITIONAL, [condition, yes, no]) => {
            let condition = boolean(condition, needs)?;
            Some(match (lower(yes, needs)?, lower(no, needs)?) {
                (Tree::Bool(yes), Tree::Bool(no)) => {
                    Tree::Bool(Bool::If(condition, yes.into(), no.into()))
                }
                (Tree::Int(yes), Tree::Int(no)) => {
                    Tree::Int(Int::If(condition, yes.into(), no.into()))
                }
                (Tree::Double(yes), Tree::Double(no)) => {
                    Tree::Double(Double::If(condition, yes.into(), no.into()))
                }
                (Tree::Text(yes), Tree::Text(no)) => {
                    Tree::Text(Text::If(condition, yes.into(), no.into()))
                }
                _ => return None,
            })
        }
        (operators::LOGICAL_AND, [left, right]) => {
            Some(Tree::Bool(Bool::And(boolean(left, needs)?, boolean(right, needs)?)))
        }
        (operators::LOGICAL_OR, [left, right]) => {
            Some(Tree::Bool(Bool::Or(boolean(left, needs)?, boolean(right, needs)?)))
        }
        (operators::LOGICAL_NOT, [of]) => Some(Tree::Bool(Bool::Not(boolean(of, needs)?))),
        (operators::NEGATE, [of]) => match lower(of, needs)? {
            Tree::Int(of) => Some(Tree::Int(Int::Negative(of.into()))),
            Tree::Double(Double::Is(of)) => Some(Tree::Double(Double::Is(-of))),
            Tree::Double(of) => Some(Tree::Double(Double::Negative(of.into()))),
            Tree::Bool(_) | Tree::Text(_) => None,
        },
        (operators::IN, [one, list]) => among(one, list, needs),
        (name, [left, right]) => {
            let (left, right) = (lower(left, needs)?, lower(right, needs)?);
            match comparison(name) {
                Some(comparison) => compare(left, comparison, right).map(Tree::Bool),
                None => calculate(left, arithmetic(name)?, right),
            }
        }
        ("other", [of]) => {
            let series_name = literal(of)?;
            let (device, quantity) = series(series_name).ok()?;
            let place = needs.other(device, quantity);
            let tree = move || Some(Tree::Double(Double::Other(place)));
            needs.name(&format!("other({series_name:?})"), tree);
            tree()
        }
        ("count", [of]) => {
            let place = needs.window(span(literal(of)?).ok()?);
            let tree = move || Some(Tree::Int(Int::Count(place)));
            needs.name(&format!("count({:?})", literal(of)?), tree);
            tree()
        }
        (name, [of]) => match Stat::parse(name) {
            Some(stat) => {
                let place = needs.window(span(literal(of)?).ok()?);
                let tree = move || Some(Tree::Double(Double::Window(stat, place)));
                needs.name(&format!("{name}({:?})", literal(of)?), tree);
                tree()
            }
            None => convert(name, lower(of, needs)?),
        },
        _ => None,
    }
}

/// The text itself, where it stands there in quotes.
pub(super) fn literal(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn convert(name: &str, of: Tree) -> Option<Tree> {
    Some(match (name, of) {
        ("double", Tree::Int(of)) => Tree::Double(Double::OfInt(of.into())),
        ("double", Tree::Double(of)) => Tree::Double(of),
        ("double", Tree::Text(of)) => Tree::Double(Double::OfText(of.into())),
        ("int", Tree::Int(of)) => Tree::Int(of),
        ("int", Tree::Double(of)) => Tree::Int(Int::OfDouble(of.into())),
        ("int", Tree::Text(of)) => Tree::Int(Int::OfText(of.into())),
        ("size", Tree::Text(of)) => Tree::Int(Int::Size(of.into())),
        _ => return None,
    })
}

fn compare(left: Tree, comparison: Comparison, right: Tree) -> Option<Bool> {
    use Comparison::{Equal, NotEqual};
    Some(match (left, right) {
        (Tree::Double(Double::Variable(variable)), Tree::Double(Double::Is(right))) => {
            Bool::Against(variable, comparison, right)
        }
        (Tree::Double(Double::Variable(variable)), Tree::Int(Int::Is(right))) => {
            Bool::Against(variable, comparison, right as f64)
        }
        (Tree::Int(left), Tree::Int(right)) => Bool::Ints(left.into(), comparison, right.into()),
        (Tree::Double(left), Tree::Double(right)) => {
            Bool::Doubles(left.into(), comparison, right.into())
        }
        (Tree::Int(left), Tree::Double(right)) => {
            Bool::Doubles(Double::OfInt(left.into()).into(), comparison, right.into())
        }
        (Tree::Double(left), Tree::Int(right)) => {
            Bool::Doubles(left.into(), comparison, Double::OfInt(right.into()).into())
        }
        (Tree::Text(left), Tree::Text(right)) => Bool::Texts(left.into(), comparison, right.into()),
        (Tree::Bool(left), Tree::Bool(right)) if matches!(comparison, Equal | NotEqual) => {
            Bool::Same(left.into(), right.into(), comparison == Equal)
        }
        _ => return None,
    })
}

fn calculate(left: Tree, arithmetic: Arithmetic, right: Tree) -> Option<Tree> {
    Some(match (left, right) {
        (Tree::Int(left), Tree::Int(right)) => {
            Tree::Int(Int::Two(left.into(), arithmetic, right.into()))
        }
        (Tree::Double(left), Tree::Double(right)) => {
            Tree::Double(Double::Two(left.into(), arithmetic, right.into()))
        }
        (Tree::Text(left), Tree::Text(right)) => Tree::Text(Text::Both(left.into(), right.into())),
        _ => return None,
    })
}

fn among(one: &IdedExpr, list: &IdedExpr, needs: &mut Needs) -> Option<Tree> {
    let Expr::List(list) = &list.expr else { return None };
    let one = lower(one, needs)?;
    let mut items = Vec::new();
    for item in &list.elements {
        items.push(lower(item, needs)?);
    }
    macro_rules! all {
        ($kind:ident) => {
            items
                .into_iter()
                .map(|item| match item {
                    Tree::$kind(item) => Some(item),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?
        };
    }
    Some(Tree::Bool(match one {
        Tree::Bool(one) => Bool::AmongBools(one.into(), all!(Bool)),
        Tree::Int(one) => Bool::AmongInts(one.into(), all!(Int)),
        Tree::Double(one) => Bool::AmongDoubles(one.into(), all!(Double)),
        Tree::Text(one) => Bool::AmongTexts(one.into(), all!(Text)),
    }))
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn arithmetic(name: &str) -> Option<Arithmetic> {
    Some(match name {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}
