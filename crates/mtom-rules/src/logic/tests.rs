use super::*;

fn logic(condition: &str) -> Logic {
    Logic::of(condition).unwrap()
}

#[test]
fn what_no_number_satisfies_never_holds() {
    for condition in [
        "celsius > 30.0 && celsius < 20.0",
        "celsius >= 25.0 && celsius < 25.0",
        "celsius > 25.0 && fahrenheit <= 77.0",
        "celsius < -300.0",
        "age < 0.0",
        "count(\"5m\") < 0",
        "!(celsius >= 20.0 || celsius < 20.0)",
        "celsius == 3.0 && celsius != 3.0",
        "30.0 < celsius && 20.0 > celsius",
        "(celsius > 30.0 || value > 3.0) && celsius < 20.0 && value < 1.0",
        "device == \"a\" && celsius > 30.0 && celsius < 20.0",
        "avg(\"5m\") > 3.0 && avg(\"5m\") < 2.0",
        "celsius >= 25.0 && celsius > 25.0 && celsius <= 25.0",
        "celsius <= 25.0 && celsius < 25.0 && celsius >= 25.0",
        "false",
    ] {
        assert!(logic(condition).never_holds(), "{condition}");
    }
    for condition in [
        "celsius >= 25.0",
        "celsius >= 25.0 && celsius <= 25.0",
        "celsius >= 25.0 && fahrenheit <= 77.0",
        "celsius > 30.0 || celsius < 20.0",
        "avg(\"5m\") > 3.0 && avg(\"10m\") < 2.0",
        "celsius > value && celsius < value",
        "device == \"a\"",
        "value < -300.0",
    ] {
        assert!(!logic(condition).never_holds(), "{condition}");
    }
}

#[test]
fn what_every_number_satisfies_always_holds() {
    for condition in [
        "celsius < 30.0 || celsius > 20.0",
        "celsius > -500.0",
        "age >= 0.0",
        "!(celsius > 30.0 && celsius < 20.0)",
        "device == \"a\" || celsius < 30.0 || celsius >= 30.0",
        "true",
    ] {
        assert!(logic(condition).always_holds(), "{condition}");
    }
    for condition in ["celsius < 30.0 || celsius > 30.0", "celsius >= 25.0", "device == \"a\""] {
        assert!(!logic(condition).always_holds(), "{condition}");
    }
}

#[test]
fn what_makes_both_true_is_shown_by_an_example() {
    let both = |on: &str, off: &str| logic(on).both_hold(&logic(off));
    assert_eq!(both("celsius >= 25.0", "celsius < 24.5"), None);
    assert_eq!(both("celsius >= 24.0", "celsius < 25.0").as_deref(), Some("celsius = 24.5"));
    assert_eq!(both("fahrenheit >= 77.0", "celsius <= 25.0").as_deref(), Some("celsius = 25"));
    assert_eq!(
        both("celsius > 20.0", "value < 5.0").as_deref(),
        Some("celsius = 1510 and value = 4")
    );
    assert_eq!(both("celsius > 20.0 && device == \"a\"", "celsius < 25.0"), None, "it depends");
    assert_eq!(both("value > 5.0", "value > 4.0").as_deref(), Some("value = 6"));
    // Tenths where there are some, and else whatever lies between.
    assert_eq!(both("celsius > 24.0", "celsius < 24.62").as_deref(), Some("celsius = 24.3"));
    assert_eq!(both("celsius > 25.0", "celsius < 25.0625").as_deref(), Some("celsius = 25.03125"));
    assert_eq!(both("celsius > 24.9375", "celsius < 25.0").as_deref(), Some("celsius = 24.96875"));
}

#[test]
fn names_and_thresholds_are_those_that_stand_there() {
    let logic = logic("value >= 25 && -3.5 < celsius || device in [\"a\"] && size(topic) > 2");
    assert_eq!(logic.names().collect::<Vec<_>>(), ["value", "celsius", "device", "topic"]);
    let shown: Vec<_> = logic.thresholds().iter().map(|it| (&*it.name, it.number)).collect();
    assert_eq!(shown, [("value", 25.0), ("celsius", -3.5)]);
    let logic = Logic::of("value > -(2.0) && value < double(3) && device in [topic]").unwrap();
    assert_eq!(logic.names().collect::<Vec<_>>(), ["value", "device", "topic"]);
    let shown: Vec<_> = logic.thresholds().iter().map(|it| (&*it.name, it.number)).collect();
    assert_eq!(shown, [("value", -2.0)]);
}

#[test]
fn what_is_too_large_or_no_condition_is_not_reasoned_about() {
    assert_eq!(Logic::of("celsius >"), None);
    // Each can be true in two ways.
    let wide = |count: usize| {
        let terms = (1..=count).map(|seconds| format!("avg(\"{seconds}s\") != 1"));
        terms.collect::<Vec<_>>().join(" && ")
    };
    let never =
        |text: &str| logic(&format!("({text}) && celsius > 5 && celsius < 4")).never_holds();
    assert!(never(&wide(10)), "1,024 ways");
    assert!(!never(&wide(11)), "2,048 ways");
    assert!(never(&format!("{} || {}", wide(9), wide(9))), "1,024 ways");
    assert!(!never(&format!("{} || {}", wide(10), wide(9))), "1,536 ways");
}
