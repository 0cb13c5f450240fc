//! The times of a rule: `for`, `dwell`, `max_age`, and what is due when.

use super::*;

#[test]
fn for_waits_until_the_wish_has_held() {
    check(
        "for 10s",
        "0s 24.0 | 2s 26.0 | 4s 26.5 | 60s quiet",
        expect!["12s TEMP_LED on (reading 2: Environ/Temperature 26 °C, held for 10 s)"],
    );
    // Exactly then, with a reading at that very moment.
    check(
        "for 10s",
        "2s 26.0 | 12s 26.5",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    check(
        "for 10s",
        "2s 26.0 | 12s 24.0 | 30s quiet",
        expect!["22s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 10 s)"],
    );
}

#[test]
fn for_is_cancelled_by_a_contrary_reading() {
    check("for 10s", "2s 26.0 | 6s 24.9 | 8s 26.0 | 17.9s quiet", expect![""]);
    check(
        "for 10s",
        "2s 26.0 | 6s 24.9 | 8s 26.0 | 19s quiet",
        expect!["18s TEMP_LED on (reading 3: Environ/Temperature 26 °C, held for 10 s)"],
    );
    // Also by one between the thresholds: `on` did not hold.
    let rule = "on celsius >= 25.0; off celsius < 24.5; for 10s";
    check(rule, "2s 26.0 | 6s 24.7 | 30s quiet", expect![""]);
}

#[test]
fn for_holds_from_either_state() {
    let schedule = "0s 26.0 | 20s 20.0 | 25s 26.0 | 40s 20.0 | 60s quiet";
    check(
        "for 10s",
        schedule,
        expect![[r#"
        10s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)
        50s TEMP_LED off (reading 4: Environ/Temperature 20 °C, held for 10 s)"#]],
    );
}

#[test]
fn dwell_postpones_what_still_holds_when_it_ends() {
    check(
        "dwell 5s",
        "0s 26.0 | 2s 24.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        5s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 3 s)"#]],
    );
    check(
        "dwell 5s",
        "0s 26.0 | 2s 24.0 | 4s 26.0 | 60s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
    check(
        "dwell 5s",
        "0s 26.0 | 5s 24.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        5s TEMP_LED off (reading 2: Environ/Temperature 24 °C)"#]],
    );
    // The first reading that asked is the reason.
    check(
        "dwell 5s",
        "0s 26.0 | 2s 24.0 | 4s 23.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        5s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 3 s)"#]],
    );
    // A reading at the very end still counts.
    check(
        "dwell 5s",
        "0s 26.0 | 2s 24.0 | 5s 26.0 | 60s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
    // Between the thresholds the wish stands, as it would without dwell.
    let rule = "on celsius >= 25.0; off celsius < 24.5; dwell 5s";
    check(
        rule,
        "0s 26.0 | 2s 24.0 | 4s 24.7 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        5s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 3 s)"#]],
    );
}

#[test]
fn for_comes_before_dwell() {
    check(
        "for 2s; dwell 5s",
        "0s 26.0 | 3s 24.0 | 60s quiet",
        expect![[r#"
        2s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 2 s)
        7s TEMP_LED off (reading 2: Environ/Temperature 24 °C, held for 4 s)"#]],
    );
}

#[test]
fn silence_leads_to_the_silent_state_and_back() {
    check(
        "max_age 10s",
        "0s 26.0 | 4s 26.5 | 60s 27.0 | 62s 27.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        14s TEMP_LED off (no reading for 10 s)
        60s TEMP_LED on (reading 3: Environ/Temperature 27 °C)"#]],
    );
    check(
        "max_age 10s; silent on",
        "0s 20.0 | 60s 20.0",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        10s TEMP_LED on (no reading for 10 s)
        60s TEMP_LED off (reading 2: Environ/Temperature 20 °C)"#]],
    );
    check(
        "max_age 10s; silent hold",
        "0s 26.0 | 60s quiet | 62s 20.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        62s TEMP_LED off (reading 2: Environ/Temperature 20 °C)"#]],
    );
    // Already so: nothing to tell.
    check(
        "max_age 10s",
        "0s 20.0 | 60s quiet",
        expect!["0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)"],
    );
}

#[test]
fn a_reading_every_ten_seconds_is_never_silent_for_ten() {
    check(
        "max_age 10s",
        "0s 26.0 | 10s 26.0 | 20s 26.0 | 29s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
}

#[test]
fn silence_ends_for_and_heeds_no_dwell() {
    check(
        "for 20s; max_age 10s",
        "0s 26.0 | 60s quiet",
        expect!["10s TEMP_LED off (no reading for 10 s)"],
    );
    check("for 20s; max_age 10s; silent hold", "0s 26.0 | 60s quiet", expect![""]);
    check(
        "dwell 30s; max_age 10s",
        "0s 26.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (no reading for 10 s)"#]],
    );
    // A wish that waits for dwell is not done on old input.
    check(
        "dwell 30s; max_age 10s; silent hold",
        "0s 26.0 | 2s 20.0 | 60s quiet",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)"],
    );
    // What silence led to has its dwell as well.
    check(
        "dwell 5s; max_age 10s",
        "0s 26.0 | 12s 26.0 | 13s 26.0 | 20s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (no reading for 10 s)
        15s TEMP_LED on (reading 2: Environ/Temperature 26 °C, held for 3 s)"#]],
    );
}

#[test]
fn at_the_start_nothing_is_known_until_max_age() {
    check("max_age 10s", "9.9s quiet", expect![""]);
    check("max_age 10s", "60s quiet", expect!["10s TEMP_LED off (no reading for 10 s)"]);
    check("max_age 10s; silent hold", "60s quiet", expect![""]);
    check("", "60s quiet", expect![""]);
}

#[test]
fn silence_counts_from_when_it_was_measured_and_not_from_the_future() {
    check(
        "max_age 10s",
        "20s 30.0@15s | 60s quiet",
        expect![[r#"
        10s TEMP_LED off (no reading for 10 s)
        20s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        25s TEMP_LED off (no reading for 10 s)"#]],
    );
    check(
        "max_age 10s",
        "2s 30.0@200s | 60s quiet",
        expect![[r#"
        2s TEMP_LED on (reading 1: Environ/Temperature 30 °C)
        12s TEMP_LED off (no reading for 10 s)"#]],
    );
}

#[test]
fn what_was_due_before_a_reading_comes_before_it() {
    // Nobody gave the time between them.
    check(
        "max_age 10s",
        "0s 26.0 | 4s stop | 60s 26.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        60s TEMP_LED off (no reading for 10 s)
        60s TEMP_LED on (reading 2: Environ/Temperature 26 °C)"#]],
    );
    check(
        "for 10s",
        "0s 26.0 | 4s stop | 60s 20.0 | 65s 20.0",
        expect!["60s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 60 s)"],
    );
}

#[test]
fn the_time_may_be_told_at_any_time_and_reports_change_nothing() {
    check(
        "for 10s; dwell 5s",
        "0s tick | 2s 26.0 | 3s tick | 4s report | 9s tick | 12s tick | 13s tick | 60s quiet",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
}

#[test]
fn spans_are_told_as_a_person_would() {
    let told = |millis| {
        let max_age = Duration::from_millis(millis);
        Cause::Silence { max_age, since: START }.to_string()
    };
    let told = [0, 3, 250, 999, 1_000, 1_500, 10_003, 10_199, 600_000].map(told).join("\n");
    expect![[r#"
        no reading for 0 s
        no reading for 0.003 s
        no reading for 0.25 s
        no reading for 0.999 s
        no reading for 1 s
        no reading for 1.5 s
        no reading for 10 s
        no reading for 10.1 s
        no reading for 600 s"#]]
    .assert_eq(&told);
}
