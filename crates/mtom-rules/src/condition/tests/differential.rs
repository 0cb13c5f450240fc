//! What a tree says is what cel's own interpreter says of the same text.

use super::*;
use cel::common::types::{CelDouble, CelInt, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Value};
use mtom_protocol::unit::fahrenheit;
use std::time::Duration;

/// Ours, and the name of the variable that stands for it in cel's text.
const CALLS: [(&str, &str); 4] = [
    ("avg(\"5m\")", "w_avg"),
    ("max(\"5m\")", "w_max"),
    ("count(\"1h\")", "w_count"),
    ("other(\"Environ/Humidity\")", "w_other"),
];

/// Each is of its type whatever stands in it, so that nearly everything is accepted.
#[derive(Clone, Debug)]
struct Expressions {
    bools: BoxedStrategy<String>,
    ints: BoxedStrategy<String>,
    doubles: BoxedStrategy<String>,
    texts: BoxedStrategy<String>,
}

fn of(list: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(list).prop_map(String::from).boxed()
}

fn leaves() -> Expressions {
    Expressions {
        bools: of(&["true", "false"]),
        ints: of(&[
            "0",
            "1",
            "-1",
            "7",
            "9223372036854775807",
            "-9223372036854775808",
            "count(\"1h\")",
        ]),
        doubles: of(&[
            "celsius",
            "fahrenheit",
            "value",
            "age",
            "0.0",
            "-0.0",
            "25.0",
            "1e308",
            "-2.5",
            "avg(\"5m\")",
            "max(\"5m\")",
            "other(\"Environ/Humidity\")",
        ]),
        texts: of(&[
            "unit", "device", "quantity", "topic", "'a'", "''", "\"°C\"", "'12'", "'1.5'", "'nan'",
        ]),
    }
}

fn deeper(of: &Expressions) -> Expressions {
    let pick = |words: &'static [&'static str]| prop::sample::select(words);
    let two =
        |a: &BoxedStrategy<String>, words: &'static [&'static str], b: &BoxedStrategy<String>| {
            (a.clone(), pick(words), b.clone())
                .prop_map(|(a, word, b)| format!("({a} {word} {b})"))
                .boxed()
        };
    let choice = |a: &BoxedStrategy<String>| {
        (of.bools.clone(), a.clone(), a.clone())
            .prop_map(|(condition, a, b)| format!("({condition} ? {a} : {b})"))
            .boxed()
    };
    let call = |words: &'static [&'static str], a: &BoxedStrategy<String>| {
        (pick(words), a.clone()).prop_map(|(word, a)| format!("{word}({a})")).boxed()
    };
    let among = |a: &BoxedStrategy<String>| {
        (a.clone(), a.clone(), a.clone())
            .prop_map(|(a, b, c)| format!("({a} in [{b}, {c}])"))
            .boxed()
    };
    let compare: &[&str] = &["<", "<=", ">", ">=", "==", "!="];
    let Expressions { bools, ints, doubles, texts } = of;
    let search = (texts.clone(), pick(&["contains", "startsWith", "endsWith"]), texts.clone())
        .prop_map(|(a, word, b)| format!("{a}.{word}({b})"));
    Expressions {
        bools: prop_oneof![
            2 => two(doubles, compare, doubles),
            1 => two(ints, compare, ints),
            1 => two(ints, compare, doubles),
            1 => two(doubles, compare, ints),
            1 => two(texts, compare, texts),
            2 => two(bools, &["&&", "||"], bools),
            1 => two(bools, &["==", "!="], bools),
            1 => call(&["!"], bools),
            1 => choice(bools),
            1 => search,
            1 => prop_oneof![among(bools), among(ints), among(doubles), among(texts)],
        ]
        .boxed(),
        ints: prop_oneof![
            2 => ints.clone(),
            2 => two(ints, &["+", "-", "*", "/", "%"], ints),
            1 => call(&["-", "int"], ints),
            1 => call(&["int"], doubles),
            1 => call(&["int", "size"], texts),
            1 => choice(ints),
        ]
        .boxed(),
        doubles: prop_oneof![
            2 => doubles.clone(),
            2 => two(doubles, &["+", "-", "*", "/"], doubles),
            1 => call(&["-", "double"], doubles),
            1 => call(&["double"], ints),
            1 => call(&["double"], texts),
            1 => choice(doubles),
        ]
        .boxed(),
        texts: prop_oneof![3 => texts.clone(), 1 => two(texts, &["+"], texts), 1 => choice(texts)]
            .boxed(),
    }
}

fn expression() -> BoxedStrategy<String> {
    let one = deeper(&leaves());
    let two = deeper(&one);
    let three = deeper(&two);
    prop_oneof![one.bools, two.bools, three.bools].boxed()
}

/// The same values for cel.
struct Values<'a> {
    about: &'a Subject<'a>,
}

impl VariableResolver for Values<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let about = self.about;
        let reading = &about.stored.reading;
        let number = |number: f64| Some(CowVal::owned(CelDouble::from(number)));
        let text = |text: &'b str| Some(CowVal::owned(CelString::from(text)));
        match variable {
            "celsius" => number(reading.celsius()?),
            "fahrenheit" if reading.unit == Unit::Fahrenheit => number(reading.value),
            "fahrenheit" => number(fahrenheit(reading.celsius()?)),
            "value" => number(reading.value),
            "unit" => text(reading.unit.symbol()),
            "device" => text(&reading.device),
            "quantity" => text(&reading.quantity),
            "topic" => text(&reading.topic),
            "age" => number(about.now.since(about.stored.at).as_secs_f64()),
            "w_avg" => number(about.windows.first()?.stat(inputs::Stat::Average)?),
            "w_max" => number(about.windows.first()?.stat(inputs::Stat::Maximum)?),
            "w_count" => Some(CowVal::owned(CelInt::from(about.windows.get(1)?.count()?))),
            "w_other" => number(about.others.first()?.as_ref()?.value),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(3_000)))]

    #[test]
    fn a_tree_says_what_cel_says(
        source in expression(),
        value in prop_oneof![-1e3..1e3f64, Just(0.0), Just(25.0), Just(1e308)],
        unit in prop::sample::select(vec![Unit::Celsius, Unit::Fahrenheit, Unit::Percent]),
        is_warm in any::<bool>(),
    ) {
        let language = Language::new();
        let spans = [Duration::from_secs(300), Duration::from_secs(3_600)];
        // Every expression finds the same windows in the same places.
        let mut needs = Needs { windows: spans.to_vec(), ..Needs::default() };
        let Ok(condition) = language.compile(&source, &mut needs) else { return Ok(()) };
        prop_assert_eq!(needs.windows.len(), 2);
        let stored = reading("Environ/Temperature", value, unit);
        let mut windows = Windows::default();
        if is_warm {
            windows.take(&spans, &stored);
            windows.take(&spans, &StoredReading { id: 2, ..stored.clone() });
        }
        let others = [is_warm.then_some(Known { at: UnixMicros(0), value: 60.0 })];
        let about = Subject {
            windows: windows.of(&stored), others: &others, other_places: &[0], ..alone(&stored)
        };
        let mut text = source.clone();
        for (call, name) in CALLS {
            text = text.replace(call, name);
        }
        let parsed = language.0.parser().parse(&text);
        let Ok(expression) = parsed else { panic!("{text}") };
        let values = Values { about: &about };
        let mut context = Context::with_env(language.0.clone());
        context.set_variable_resolver(&values);
        let expected = match Value::resolve(&expression, &context) {
            Ok(Value::Bool(true)) => Truth::True,
            Ok(Value::Bool(false)) => Truth::False,
            Ok(other) => panic!("{source}: {other:?}"),
            Err(error) => {
                let text = error.to_string();
                // A type error that slipped through would show as one of these; NaN does too.
                let is_nan = text.contains("double");
                prop_assert!(is_nan || !text.contains("overload"), "{source}: {text}");
                prop_assert!(!text.contains("Unsupported"), "{source}: {text}");
                Truth::Unknown
            }
        };
        prop_assert_eq!(condition.evaluate(&about), expected, "{}", source);
    }
}
