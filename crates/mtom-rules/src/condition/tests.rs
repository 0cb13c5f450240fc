//! Each case is an expression and what it says about a reading, or what is wrong with it.

use super::*;
use crate::window::Windows;
use expect_test::{Expect, expect};
use mtom_protocol::reading::Reading;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;

fn reading(topic: &str, value: f64, unit: Unit) -> StoredReading {
    let (device, quantity) = topic.rsplit_once('/').unwrap();
    StoredReading {
        id: 1,
        at: UnixMicros(1_000_000),
        arrived_at: UnixMicros(2_500_000),
        suspect: false,
        reading: Reading {
            topic: topic.into(),
            device: device.into(),
            quantity: quantity.into(),
            value,
            unit,
            taken_at: None,
            key: None,
        },
    }
}

fn truth(source: &str, stored: &StoredReading) -> Truth {
    let language = Language::new();
    let compiled = language.compile(source, &mut Needs::default());
    let condition = compiled.unwrap_or_else(|errors| panic!("{errors:?}"));
    condition.evaluate(&alone(stored))
}

/// Nothing is known but the reading.
fn alone(stored: &StoredReading) -> Subject<'_> {
    let now = UnixMicros(2_500_000);
    Subject { stored, now, windows: &[], others: &[], other_places: &[], max_age: None }
}

fn compile(source: &str) -> Result<Condition, Vec<ConditionError>> {
    Language::new().compile(source, &mut Needs::default())
}

/// About 25 °C in `Environ/Temperature`, measured 1.5 s ago.
fn check(source: &str, expected: Truth) {
    assert_eq!(truth(source, &reading("Environ/Temperature", 25.0, Unit::Celsius)), expected);
    let length = format!("{source}{}", " ".repeat(EXPRESSION_LEN_MAX - source.len()));
    assert!(compile(&length).is_ok());
}

fn check_error(source: &str, expected: Expect) {
    let Err(errors) = compile(source) else { panic!("{source} was accepted") };
    let lines: Vec<String> = errors
        .iter()
        .map(|ConditionError { position, problem }| match position {
            Some(position) => format!("{position}: {problem}"),
            None => problem.clone(),
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn numbers_compare_whether_written_whole_or_not() {
    check("celsius >= 25.0", Truth::True);
    check("celsius >= 25", Truth::True);
    check("25 <= celsius", Truth::True);
    check("celsius == 25", Truth::True);
    check("celsius != 25", Truth::False);
    check("celsius > 25", Truth::False);
    check("celsius > -3", Truth::True);
    check("fahrenheit >= 77", Truth::True);
    check("fahrenheit < 77.0", Truth::False);
    check("value == 25.0 && age == 1.5", Truth::True);
    check("celsius * 9.0 / 5.0 + 32.0 == 77.0", Truth::True);
    check("int(celsius) % 2 == 1", Truth::True);
}

#[test]
fn texts_compare() {
    check("unit == '°C'", Truth::True);
    check("device == \"Environ\" && quantity == 'Temperature'", Truth::True);
    check("topic == 'Environ/Temperature'", Truth::True);
    check("device in ['a', 'Environ']", Truth::True);
    check("!(device in ['a', 'b'])", Truth::True);
    check(
        "device.startsWith('Env') && device.endsWith('on') && device.contains('vir')",
        Truth::True,
    );
    check("size(device) == 7", Truth::True);
    check("device == 'a' ? celsius > 30.0 : celsius > 20.0", Truth::True);
}

#[test]
fn what_a_reading_does_not_have_is_unknown_until_it_does_not_matter() {
    let humidity = reading("Environ/Humidity", 50.0, Unit::Percent);
    assert_eq!(truth("celsius >= 25.0", &humidity), Truth::Unknown);
    assert_eq!(truth("!(celsius >= 25.0)", &humidity), Truth::Unknown);
    assert_eq!(truth("celsius >= 25.0 || value > 40.0", &humidity), Truth::True);
    assert_eq!(truth("value > 40.0 || celsius >= 25.0", &humidity), Truth::True);
    assert_eq!(truth("celsius >= 25.0 && value > 60.0", &humidity), Truth::False);
    assert_eq!(truth("value > 60.0 && celsius >= 25.0", &humidity), Truth::False);
    assert_eq!(truth("celsius >= 25.0 && value > 40.0", &humidity), Truth::Unknown);
}

#[test]
fn arithmetic_without_a_result_is_unknown() {
    check("1 / int(celsius - 25.0) > 0", Truth::Unknown);
    check("1 % int(celsius - 25.0) > 0", Truth::Unknown);
    check("9223372036854775807 + 1 > 0", Truth::Unknown);
    check("int('x') > 0", Truth::Unknown);
    check("int(celsius * 1.0e300) > 0", Truth::Unknown);
    check("int(9223372036854775808.0) > 0", Truth::Unknown);
    check("int(-9223372036854775808.0) < 0", Truth::Unknown);
    check("-celsius < -24.0 && -celsius > -26.0", Truth::True);
    check("0.0 / (celsius - 25.0) > 0.0", Truth::Unknown);
}

#[test]
fn a_text_that_becomes_too_long_is_unknown() {
    let long = reading(&format!("{}/T", "d".repeat(254)), 25.0, Unit::Celsius);
    let sixteen = ["topic"; 16].join(" + ");
    assert_eq!(truth(&format!("size({sixteen}) == 4096"), &long), Truth::True);
    assert_eq!(truth(&format!("size({sixteen} + 'a') > 0"), &long), Truth::Unknown);
}

#[test]
fn fahrenheit_stays_exact() {
    let warm = reading("Environ/Temperature", 77.0, Unit::Fahrenheit);
    assert_eq!(truth("fahrenheit == 77 && celsius == 25 && value == 77.0", &warm), Truth::True);
    let same = compile("fahrenheit == value").unwrap();
    for tenths in -400..1_200 {
        let warm = reading("Environ/Temperature", f64::from(tenths) / 10.0, Unit::Fahrenheit);
        assert_eq!(same.evaluate(&alone(&warm)), Truth::True, "{tenths}");
    }
}

#[test]
fn unknown_names_come_with_the_known_ones() {
    check_error(
        "celcius >= 25.0 && temp > 3.0",
        expect![[r#"
        column 1: unknown variable `celcius`: did you mean `celsius`? Known are celsius, fahrenheit, value, unit, device, quantity, topic, age
        column 20: unknown variable `temp`: expected one of celsius, fahrenheit, value, unit, device, quantity, topic, age"#]],
    );
    check_error(
        "Celsius > 25.0",
        expect![
            "column 1: unknown variable `Celsius`: did you mean `celsius`? Known are celsius, fahrenheit, value, unit, device, quantity, topic, age"
        ],
    );
    check_error(
        "fahr > 25.0",
        expect![
            "column 1: unknown variable `fahr`: did you mean `fahrenheit`? Known are celsius, fahrenheit, value, unit, device, quantity, topic, age"
        ],
    );
    check_error(
        "unit == '°C' && celsious > 25.0",
        expect![
            "column 17: unknown variable `celsious`: did you mean `celsius`? Known are celsius, fahrenheit, value, unit, device, quantity, topic, age"
        ],
    );
    check_error(
        "unit == '°C' &&\n  age <\n  bad",
        expect![
            "line 3, column 3: unknown variable `bad`: expected one of celsius, fahrenheit, value, unit, device, quantity, topic, age"
        ],
    );
    check_error(
        "sum('5m') > 3.0",
        expect![
            "column 4: unknown function `sum`: expected one of avg, count, double, int, max, min, other, rate, size"
        ],
    );
    check_error(
        ".celsius > 3.0",
        expect![
            "column 2: unknown variable `.celsius`: did you mean `celsius`? Known are celsius, fahrenheit, value, unit, device, quantity, topic, age"
        ],
    );
}

#[test]
fn the_type_is_boolean_in_every_branch() {
    check_error("celsius", expect!["is a double: expected a boolean, as in celsius >= 25.0"]);
    check_error("'on'", expect!["is a string: expected a boolean, as in celsius >= 25.0"]);
    check_error(
        "celsius > 3.0 ? true : 1",
        expect!["column 15: `? :` does not take a boolean and an integer"],
    );
    check_error("celsius && true", expect!["column 1: a double beside `&&`: expected a boolean"]);
    check_error("!celsius", expect!["column 2: a double behind `!`: expected a boolean"]);
    check_error(
        "celsius >= '25'",
        expect![
            "column 9: `>=` does not take a double and a string: a text stands in quotes, a number does not"
        ],
    );
    check_error(
        "device == 3",
        expect![
            "column 8: `==` does not take a string and an integer: a text stands in quotes, a number does not"
        ],
    );
    check_error(
        "celsius * 2 > 50.0",
        expect![
            "column 9: `*` does not take a double and an integer: write whole numbers with a point, as in 9.0"
        ],
    );
    check_error(
        "20.0 <= celsius <= 30.0",
        expect!["column 17: `<=` does not take a boolean and a double"],
    );
    check_error(
        "celsius % 2.0 > 1.0",
        expect!["column 9: `%` does not take a double and a double"],
    );
    check_error("-device == 'a'", expect!["column 1: `-` before a string: expected a number"]);
    check_error(
        "device in ['a', 3]",
        expect![
            "column 17: `in` does not take a string and an integer: a text stands in quotes, a number does not"
        ],
    );
    check_error(
        "device in []",
        expect![[r#"column 8: an empty list holds nothing: expected one like ["a", "b"]"#]],
    );
    check_error(
        "device in topic",
        expect![[r#"column 11: expected a list behind `in`, as in device in ["a", "b"]"#]],
    );
    check_error("size(celsius) > 3", expect!["column 5: `size` does not take a double"]);
    check_error(
        "device.startsWith(3)",
        expect!["column 19: an integer in `startsWith`: expected a string"],
    );
    check_error(
        "startsWith(device, 'a')",
        expect![[r#"column 11: `startsWith` stands behind a text: device.startsWith("Env")"#]],
    );
    check_error("device.size() > 3", expect!["column 12: `size` stands before its value: size(…)"]);
}

#[test]
fn nothing_loops_and_nothing_has_fields() {
    check_error(
        "[1, 2].all(x, x > 1)",
        expect!["column 11: `all` is a loop, and there are none: expected a comparison"],
    );
    check_error(
        "[celsius].map(x, x)[0] > 1.0",
        expect!["column 20: expected a comparison, as in celsius >= 25.0"],
    );
    check_error(
        "device.matches('a+')",
        expect![
            "column 15: there are no regular expressions: expected contains, startsWith or endsWith"
        ],
    );
    check_error(
        "has(device.name)",
        expect![
            "column 4: unknown function `has`: expected one of avg, count, double, int, max, min, other, rate, size"
        ],
    );
    check_error("device.name == 'a'", expect!["column 7: `.name`: variables have no fields"]);
    check_error(
        "[1, 2]",
        expect![[r#"column 1: a list stands only behind `in`, as in device in ["a"]"#]],
    );
    check_error("{'a': 1}", expect!["column 1: expected a comparison, as in celsius >= 25.0"]);
    check_error("Foo{a: 1}", expect!["column 4: expected a comparison, as in celsius >= 25.0"]);
    check_error("null", expect!["column 1: no value is ever null"]);
    check_error("celsius > 25u", expect!["column 11: write the number without u, as in 25"]);
    check_error(
        "device == b'a'",
        expect![[r#"column 11: write the text without b, as in "Environ""#]],
    );
}

#[test]
fn grammar_is_explained_where_it_breaks() {
    check_error("", expect!["empty: expected an expression, as in celsius >= 25.0"]);
    check_error(" \n", expect!["empty: expected an expression, as in celsius >= 25.0"]);
    check_error("celsius >=", expect!["column 11: ends too early"]);
    check_error("(celsius > 3", expect!["column 13: missing `)`"]);
    check_error("celsius > 3)", expect!["column 12: unexpected `)`"]);
    check_error("celsius = 25", expect!["column 9: `=` means nothing here: write == to compare"]);
    check_error("celsius => 25", expect!["column 9: `=>` means nothing here: write >="]);
    check_error("celsius ≥ 25", expect!["column 9: `≥` means nothing here: write >="]);
    check_error("celsius >= 25 °C", expect!["column 15: `°` means nothing here"]);
    check_error(
        "celsius >= 25,5",
        expect!["column 14: unexpected `,`: numbers have a decimal point, as in 25.0"],
    );
    check_error("celsius > 3 and age < 4.0", expect!["column 13: unexpected `and`: write &&"]);
    check_error("not celsius > 3", expect!["column 5: unexpected `not`: write !"]);
    check_error("celsius > 3 & true", expect!["column 13: `&` means nothing here: write &&"]);
    check_error("unit == '°C' & true", expect!["column 14: `&` means nothing here: write &&"]);
    check_error("device == 'a", expect!["column 11: a text without its closing quote"]);
    check_error("cel sius > 3", expect!["column 5: unexpected `sius`"]);
    check_error("a.?b", expect!["column 2: unsupported syntax '.?'"]);
    check_error("if", expect!["column 1: reserved identifier: if"]);
    check_error("99999999999999999999 > 1", expect!["column 1: invalid int literal"]);
    check_error("1e999 > 1.0", expect!["column 1: invalid double literal"]);
    check_error("\n\ncelsius >\n 3 3", expect!["line 4, column 4: unexpected `3`"]);
}

#[test]
fn size_and_depth_are_bounded() {
    check_error(
        &"a".repeat(EXPRESSION_LEN_MAX + 1),
        expect!["1025 bytes long: expected at most 1024"],
    );
    check_error(
        &format!("{}true{}", "(".repeat(30), ")".repeat(30)),
        expect!["column 14: nested too deep: expected at most 12 levels"],
    );
    check_error(
        &format!("{}1 > 0", "1+".repeat(100)),
        expect!["column 74: too long a chain: expected at most 64 terms"],
    );
    check_error(
        &format!("{}1 > 0", "1+".repeat(128)),
        expect!["too many operators: expected at most 128"],
    );
    check_error(
        &format!("{}a", "a in ".repeat(129)),
        expect!["too many operators: expected at most 128"],
    );
    // 128 signs, of which each `>` and each `&&` is some.
    let most = format!("true{}", " && 1 > 0".repeat(42));
    check(&format!("{most} && !false").replace("!false", "true"), Truth::True);
    check_error(
        &format!("{most} && true && true"),
        expect!["too many operators: expected at most 128"],
    );
    check_error("celsius in in in in", expect!["column 12: unexpected `in`"]);
    let deep = format!("{}true{}", "(".repeat(11), ")".repeat(11));
    check(&deep, Truth::True);
    check(&format!("{}celsius > 0.0", "1.0 + ".repeat(60)), Truth::True);
    check(&format!("{}celsius > 0", "celsius < 0 || ".repeat(30)), Truth::True);
}

/// Each would be deep or slow in a careless parser; some are all within the limits.
#[test]
fn hostile_texts_are_answered_on_a_small_stack() {
    let hostile = [
        "(",
        "!",
        "-",
        "1+",
        "a.",
        "[",
        "a?",
        "f(",
        "1?1:",
        "a||",
        "a&&",
        "'",
        "😀",
        "{1:",
        "a[0]",
        "1<",
        "a.f(",
        "\"\"\"",
        "a in ",
        "!-",
        "{",
        "[[],",
        "\\",
        "\0",
        "r'",
        "((1+1)*(1+1))+",
        "x{",
        "`",
        "true||",
        "1.0+",
        "(1)+",
        "!true||",
        "size(",
        "device in ['a'] && ",
    ];
    let attempt = move || {
        let language = Language::new();
        let stored = reading("Environ/Temperature", 25.0, Unit::Celsius);
        for part in hostile {
            for len in [16, 32, 64, OPERATORS_LEN_MAX, EXPRESSION_LEN_MAX] {
                for tail in ["", "1", "true", "1.0 > 0.0"] {
                    let text = format!("{}{tail}", part.repeat(len / part.len()));
                    match language.compile(&text, &mut Needs::default()) {
                        Ok(condition) => {
                            condition.evaluate(&alone(&stored));
                            condition.told(true, &alone(&stored));
                        }
                        Err(errors) => assert!(!errors.is_empty(), "{text}"),
                    }
                }
            }
        }
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(attempt).unwrap().join().unwrap();
}

mod bounds;
mod differential;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(1_000)))]

    #[test]
    fn any_text_is_answered(source in "\\PC{0,60}|[-+*/%<>=!&|?:().,\\[\\]{} a-e0-9'\"\n]{0,80}") {
        if let Err(errors) = compile(&source) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(!error.problem.is_empty());
            }
        }
    }
}
