//! Which readings count: late ones, those that come twice, and those of several series.

use super::*;

#[test]
fn a_late_reading_never_fires() {
    check(
        "",
        "0s 20.0 | 10s 20.0 | 12s 30.0@9s | 14s 30.0@10s",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        14s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
    check(
        "max_age 10s; silent hold",
        "0s 20.0 | 30s 30.0@19s | 32s 30.0@22s | 34s 30.0@24.1s",
        expect![[r#"
        0s TEMP_LED off (reading 1: Environ/Temperature 20 °C)
        34s TEMP_LED on (reading 4: Environ/Temperature 30 °C)"#]],
    );
}

#[test]
fn a_reading_counts_once() {
    check(
        "",
        "0s 20.0#5 | 2s 30.0#5 | 4s 30.0#4 | 6s 30.0#6",
        expect![[r#"
        0s TEMP_LED off (reading 5: Environ/Temperature 20 °C)
        6s TEMP_LED on (reading 6: Environ/Temperature 30 °C)"#]],
    );
}

#[test]
fn a_reading_that_could_not_be_stored_counts_too() {
    check(
        "",
        "0s 20.0#5 | 2s 30.0#0 | 4s 20.0#0 | 6s 30.0#5",
        expect![[r#"
        0s TEMP_LED off (reading 5: Environ/Temperature 20 °C)
        2s TEMP_LED on (reading 0: Environ/Temperature 30 °C)
        4s TEMP_LED off (reading 0: Environ/Temperature 20 °C)"#]],
    );
    check(
        "",
        "0s 20.0#0 | 0s 20.0#0",
        expect!["0s TEMP_LED off (reading 0: Environ/Temperature 20 °C)"],
    );
}

#[test]
fn of_several_series_the_newest_reading_decides() {
    let rule = "when +/Temperature; max_age 10s";
    check(
        rule,
        "0s a 30.0 | 2s b 20.0 | 4s a 30.0 | 12s b 20.0 | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (reading 1: a/Temperature 30 °C)
        2s TEMP_LED off (reading 2: b/Temperature 20 °C)
        4s TEMP_LED on (reading 3: a/Temperature 30 °C)
        12s TEMP_LED off (reading 4: b/Temperature 20 °C)"#]],
    );
    // One device's clock is ahead: the other's readings are not late for that.
    check(
        "when +/Temperature",
        "0s a 30.0@60s | 2s b 20.0 | 4s b 30.0@1s",
        expect![[r#"
        0s TEMP_LED on (reading 1: a/Temperature 30 °C)
        2s TEMP_LED off (reading 2: b/Temperature 20 °C)"#]],
    );
    check(
        "when Environ/#",
        "0s Environ 30.0 | 2s kitchen 20.0",
        expect!["0s TEMP_LED on (reading 1: Environ/Temperature 30 °C)"],
    );
}

#[test]
fn a_device_that_lags_behind_changes_nothing_for_the_others() {
    let rule = "when +/Temperature; max_age 10s";
    // Too old, although another series is not.
    check(
        rule,
        "0s a 20.0 | 9s a 20.0 | 18s a 20.0 | 19s b 30.0@5s",
        expect!["0s TEMP_LED off (reading 1: a/Temperature 20 °C)"],
    );
    // Not too old, and silence still counts from the newest of all.
    check(
        rule,
        "9s a 30.0 | 10s b 30.0@2s | 60s quiet",
        expect![[r#"
        9s TEMP_LED on (reading 1: a/Temperature 30 °C)
        19s TEMP_LED off (no reading for 10 s)"#]],
    );
}

#[test]
fn of_too_many_series_the_oldest_is_forgotten() {
    let mut bench = Bench::new(&[amend(plain(), "when +/Temperature")]);
    for index in 0..=crate::SERIES_LEN_MAX {
        bench.now = UnixMicros(bench.now.0 + 1_000);
        let reading = bench.read(&format!("device{index} 20.0"));
        bench.step(Event::Reading(&reading));
    }
    let fired = |bench: &mut Bench, what: &str| {
        let reading = bench.read(what);
        let before = bench.decided.len();
        bench.step(Event::Reading(&reading));
        bench.decided.len() > before
    };
    assert!(!fired(&mut bench, "device1 30.0@-1s"), "its order is known");
    assert!(fired(&mut bench, "device0 30.0@-1s"), "forgotten, so this counts as its first");
}

#[test]
fn rules_know_nothing_of_each_other() {
    let warm = RuleSpec { name: "warm".into(), ..plain() };
    let kitchen = RuleSpec {
        name: "kitchen".into(),
        when: "kitchen/#".into(),
        then: drive(&["FAN"]),
        ..amend(plain(), "for 10s")
    };
    let mut bench = Bench::new(&[warm, kitchen]);
    for (at, what) in [("0s", "26.0"), ("2s", "kitchen 26.0"), ("4s", "20.0"), ("60s", "20.0")] {
        bench.pass(moment(at));
        let reading = bench.read(what);
        bench.step(Event::Reading(&reading));
    }
    expect![[r#"
        0s TEMP_LED on (reading 1: Environ/Temperature 26 °C)
        4s TEMP_LED off (reading 3: Environ/Temperature 20 °C)
        12s FAN on (reading 2: kitchen/Temperature 26 °C, held for 10 s)"#]]
    .assert_eq(&shown(&bench.decided));
    assert_eq!(bench.decided.last().unwrap().1.rule.as_ref(), "kitchen");
    // The earlier of the two times.
    let specs = ["20s", "10s", "30s"].map(|hold| RuleSpec {
        name: hold.into(),
        then: drive(&[hold]),
        ..amend(plain(), &format!("for {hold}"))
    });
    let mut bench = Bench::new(&specs);
    let reading = bench.read("26.0");
    bench.step(Event::Reading(&reading));
    assert_eq!(bench.engine.next_deadline(&bench.state), Some(moment("10s")));
}

#[test]
fn no_rules_are_no_work() {
    let mut bench = Bench::new(&[]);
    let reading = bench.read("30.0");
    bench.step(Event::Reading(&reading));
    assert_eq!(bench.engine.next_deadline(&bench.state), None);
    assert_eq!(bench.decided.len(), 0);
}
