//! What stands over a restart, over other rules, and over a clock that is set back.

use super::*;

#[test]
fn a_restart_inside_for_keeps_the_time() {
    check(
        "for 10s",
        "2s 26.0 | 6s restart | 60s quiet",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    check(
        "for 10s",
        "2s 26.0 | 6s stop | 9s start | 60s quiet",
        expect!["12s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    // It ran out meanwhile: done once, at the start.
    check(
        "for 10s",
        "2s 26.0 | 6s stop | 40s start | 60s restart | 70s quiet",
        expect!["40s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 38 s)"],
    );
}

#[test]
fn a_restart_inside_dwell_keeps_the_time() {
    check(
        "dwell 10s",
        "0s 26.0 | 2s 20.0 | 4s restart | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 8 s)"#]],
    );
    check(
        "dwell 10s",
        "0s 26.0 | 2s 20.0 | 4s stop | 40s start | 41s restart | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        40s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 38 s)"#]],
    );
    check(
        "dwell 10s",
        "0s 26.0 | 2s stop | 4s start | 5s 20.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 5 s)"#]],
    );
}

#[test]
fn a_silence_that_began_while_switched_off_is_told_at_the_start() {
    check(
        "max_age 10s",
        "0s 26.0 | 4s stop | 40s start | 60s restart",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        40s TEMP_LED off (no reading for 10 s)"#]],
    );
    // The wish ran out as well, and is not done on input that old.
    check(
        "for 5s; max_age 10s",
        "0s 26.0 | 4s stop | 40s start | 60s quiet",
        expect!["40s TEMP_LED off (no reading for 10 s)"],
    );
}

#[test]
fn a_restart_forgets_neither_order_nor_numbers() {
    check(
        "",
        "10s 20.0 | 12s restart | 14s 30.0@9s | 16s 30.0#1 | 18s 20.0 | 20s 30.0",
        expect![[r#"
        10s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        20s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
}

#[test]
fn a_changed_rule_starts_afresh() {
    check("for 10s", "2s 26.0 | 6s stop | 40s start on celsius >= 24.0 | 60s quiet", expect![""]);
    check(
        "",
        "0s 26.0 | 6s stop | 8s start dwell 1s | 10s 26.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        10s TEMP_LED on (reading 2: Environ/Temperature 26 °C)"#]],
    );
}

#[test]
fn what_stands_is_told_again_after_a_restart() {
    let spec = RuleSpec { then: drive(&["a", "b"]), ..plain() };
    let mut bench = Bench::new(std::slice::from_ref(&spec));
    assert_eq!(bench.engine.standing(&bench.state), []);
    let reading = bench.read("26.0");
    bench.step(Event::Reading(&reading));
    bench.restart(&[spec]);
    let standing = bench.engine.standing(&bench.state);
    let standing: Vec<_> = standing.into_iter().map(|decision| (START, decision)).collect();
    expect![[r#"
        0s a on (decided before the start, at 2027-01-15T08:00:00.000000Z)
        0s b on (decided before the start, at 2027-01-15T08:00:00.000000Z)"#]]
    .assert_eq(&shown(&standing));
    assert_eq!(standing.first().unwrap().1.cause.reading_id(), None);
    assert_eq!(bench.decided.first().unwrap().1.cause.reading_id(), Some(1));
}

#[test]
fn a_clock_set_back_starts_every_span_again() {
    // Without it the reading at -99s would be late and the silence 100 s too long.
    check(
        "max_age 10s",
        "0s 26.0 | 1s clock -100s | -100s tick | -99s 26.0 | 0s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        -89s TEMP_LED off (no reading for 10 s)"#]],
    );
    check(
        "for 10s",
        "0s 26.0 | 1s clock -100s | -100s tick | 0s quiet",
        expect!["-90s TEMP_LED on (reading 1: Environ/Temperature 26 °C, held for 10 s)"],
    );
    check(
        "dwell 10s",
        "0s 26.0 | 1s 20.0 | 1s clock -100s | -100s restart | 0s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        -90s TEMP_LED off (reading 2: Environ/Temperature 20 °C, held for 10 s)"#]],
    );
}

#[test]
fn a_clock_set_back_forgets_what_windows_held() {
    // By the new clock all of them are of the future.
    check(
        "on count(\"10s\") > 1",
        "0s 26.0 | 1s clock -100s | -100s tick | -99s 20.0 | -98s 20.0",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 26 °C)
        -98s TEMP_LED on (reading 3: Environ/Temperature 20 °C)"#]],
    );
}

#[test]
fn a_clock_set_back_may_lead_out_of_a_schedule() {
    // From 08:00:10 to 07:58:20.
    check(
        "schedule 08:00-08:01",
        "0s 26.0 | 10s clock -100s | -100s tick | -99s 20.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        -100s TEMP_LED off (schedule ended at 2027-01-15T07:58:20.000000Z)"#]],
    );
    check(
        "schedule 07:00-08:01",
        "0s 26.0 | 10s clock -100s | -100s tick | -99s 20.0",
        expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        -99s TEMP_LED off (reading 2: Environ/Temperature 20 °C)"#]],
    );
}

#[test]
fn what_a_rule_said_that_is_gone_stands_no_longer() {
    let mut bench = Bench::new(&[plain()]);
    let stored = bench.read("26.0");
    bench.step(Event::Reading(&stored));
    assert_eq!(bench.engine.standing(&bench.state).len(), 1);
    // It says the same, but as another rule.
    bench.restart(&[RuleSpec { name: "renamed".into(), ..plain() }]);
    assert_eq!(bench.engine.standing(&bench.state), []);
}

#[test]
fn two_callers_a_moment_apart_are_no_clock_set_back() {
    let mut bench = Bench::new(&[amend(plain(), "for 10s")]);
    bench.now = moment("2s");
    let first = bench.read("26.0");
    bench.step(Event::Reading(&first));
    bench.now = moment("1.5s");
    bench.step(Event::Time);
    assert_eq!(bench.engine.next_deadline(&bench.state), Some(moment("12s")));
    // A second is the most, and from there on the clock was set back.
    bench.now = moment("1s");
    bench.step(Event::Time);
    assert_eq!(bench.engine.next_deadline(&bench.state), Some(moment("12s")));
    bench.now = UnixMicros(moment("1s").0 - 1);
    bench.step(Event::Time);
    assert_eq!(bench.engine.next_deadline(&bench.state), Some(UnixMicros(moment("11s").0 - 1)));
}

#[test]
fn parts_are_found_by_the_names_of_rules_and_actuators() {
    let engine = compile(&[RuleSpec { then: drive(&["a", "b"]), ..plain() }]);
    let keys: Vec<String> = engine.part_keys().collect();
    assert_eq!(keys, ["rule/original", "actuator/a", "actuator/b"]);
    let written: Vec<String> = engine.initial(START).parts().map(|part| part.key).collect();
    assert_eq!(keys, written);
}

/// Windows end at their newest reading, so a late one makes them reach back further.
#[test]
fn windows_are_filled_from_as_far_back_as_they_reach() {
    let reach = |rule: &str| compile(&[amend(plain(), rule)]).window_max();
    let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
    assert_eq!(reach("on celsius > 3.0"), None);
    // A part of 10 s is 4.882 ms.
    assert_eq!(reach("on avg(\"10s\") > 3.0; max_age 5s"), seconds(15.004_882));
    assert_eq!(reach("on avg(\"10s\") > 3.0"), seconds(3_610.004_882));
    assert_eq!(reach("on avg(\"10s\") > max(\"1s\"); max_age 5s"), seconds(15.004_882));
    assert_eq!(reach("on other(\"a/b\") > 3.0; max_age 5s"), seconds(5.0));
    assert_eq!(reach("on other(\"a/b\") > 3.0"), seconds(86_400.0));
    assert_eq!(reach("on other(\"a/b\") > avg(\"10s\"); max_age 5s"), seconds(15.004_882));
}

#[test]
fn a_new_state_has_nothing_new_to_keep_whatever_the_time() {
    for now in [-10_000_000, 0, START.0] {
        let engine = compile(&[plain()]);
        let state = engine.initial(UnixMicros(now));
        assert_eq!((state.revision(), state.clock()), (0, UnixMicros(now)));
        assert!(!state.changed_since(0));
    }
}
