//! What a reading wishes: thresholds on either side of it, units, and what is unknown.

use super::*;

#[test]
fn the_threshold_is_on_both_ways() {
    check(
        "",
        "0s 24.9 | 2s 25.0 | 4s 24.9 | 6s 25.0 | 8s 25.1 | 10s 24.9",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 24.9 °C)
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        4s TEMP_LED off (reading 3: Environ/Temperature 24.9 °C)
        6s TEMP_LED on (reading 4: Environ/Temperature 25 °C)
        10s TEMP_LED off (reading 6: Environ/Temperature 24.9 °C)"#]],
    );
}

#[test]
fn seventy_seven_fahrenheit_are_twenty_five_celsius() {
    check(
        "",
        "0s 76.9°F | 2s 77°F | 4s 76.999°F | 6s 298.15K",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 76.9 °F)
        2s TEMP_LED on (reading 2: Environ/Temperature 77 °F)
        4s TEMP_LED off (reading 3: Environ/Temperature 76.999 °F)
        6s TEMP_LED on (reading 4: Environ/Temperature 298.15 K)"#]],
    );
    check(
        "on fahrenheit >= 77",
        "0s 24.9 | 2s 25.0 | 4s 77°F | 6s 76.9°F",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 24.9 °C)
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        6s TEMP_LED off (reading 4: Environ/Temperature 76.9 °F)"#]],
    );
}

#[test]
fn the_first_decision_is_always_told_and_equal_ones_never() {
    check(
        "",
        "0s 20.0 | 2s 21.0 | 4s 22.0",
        expect!["0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)"],
    );
    check(
        "",
        "0s 30.0 | 2s 31.0 | 4s 32.0",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)"],
    );
}

#[test]
fn between_on_and_off_nothing_changes() {
    let rule = "on celsius >= 25.0; off celsius < 24.5";
    check(
        rule,
        "0s 24.7 | 2s 25.0 | 4s 24.7 | 6s 24.4 | 8s 24.7 | 10s 25.0",
        expect![[r#"
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        6s TEMP_LED off (reading 4: Environ/Temperature 24.4 °C)
        10s TEMP_LED on (reading 6: Environ/Temperature 25 °C)"#]],
    );
}

#[test]
fn where_on_and_off_overlap_nothing_changes_either() {
    let rule = "on celsius >= 24.5; off celsius < 25.0";
    check(
        rule,
        "0s 24.7 | 2s 25.0 | 4s 24.7 | 6s 24.4 | 8s 24.7",
        expect![[r#"
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        6s TEMP_LED off (reading 4: Environ/Temperature 24.4 °C)"#]],
    );
}

#[test]
fn unknown_says_nothing() {
    check(
        "",
        "0s 50% | 2s 20.0 | 4s 99% | 6s 30.0 | 8s 1%",
        expect![[r#"
        2s TEMP_LED off (reading 2: Environ/Temperature 20 °C)
        6s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
    // It neither cancels a wish nor breaks a silence.
    check(
        "for 10s",
        "0s 30.0 | 4s 50% | 60s quiet",
        expect!["10s TEMP_LED on (reading 1: Environ/Temperature 30 °C, held for 10 s)"],
    );
    check(
        "max_age 10s",
        "0s 30.0 | 6s 50% | 12s 50% | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        10s TEMP_LED off (no reading for 10 s)"#]],
    );
    // `off` knows what `on` does not.
    check(
        "on celsius >= 25.0; off value > 90.0",
        "0s 30.0 | 2s 95%",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        2s TEMP_LED off (reading 2: Environ/Humidity 95 %)"#]],
    );
}

#[test]
fn the_original_rule_is_as_the_original() {
    check_spec(
        RuleSpec::original("TEMP_LED"),
        "0s 24.99 | 2s 25.0 | 2.4s 24.0 | 4s 24.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 24.99 °C)
        2s TEMP_LED on (reading 2: Environ/Temperature 25 °C)
        3s TEMP_LED off (reading 3: Environ/Temperature 24 °C, held for 0.6 s)"#]],
    );
}
