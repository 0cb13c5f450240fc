//! Several rules of one actuator, schedules, and persons.

use super::*;

/// Rules `a`, `b`, … of TEMP_LED, each looking at the device of its own name.
fn rules(texts: &[&str]) -> Vec<RuleSpec> {
    let rule = |(index, text): (usize, &&str)| {
        let name = ["a", "b", "c"][index];
        amend(RuleSpec { name: name.into(), when: format!("{name}/Temperature"), ..plain() }, text)
    };
    texts.iter().enumerate().map(rule).collect()
}

fn check_rules(texts: &[&str], schedule: &str, expected: Expect) {
    let specs = rules(texts);
    let mut bench = Bench::new(&specs);
    for part in schedule.split('|').map(str::trim) {
        let (at, what) = part.split_once(' ').unwrap();
        bench.pass(moment(at));
        match what {
            "restart" => bench.restart(&specs),
            "stop" => bench.asleep = true,
            "start" => {
                bench.asleep = false;
                bench.restart(&specs);
                bench.step(Event::Time);
            }
            what => bench.happen(what, &mut specs[0].clone()),
        }
        bench.due();
    }
    let line = |(at, decision): &(UnixMicros, Decision)| {
        let one = shown(&[(*at, decision.clone())]);
        format!("{one} {}", decision.rule)
    };
    expected.assert_eq(&bench.decided.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_higher_priority_decides_and_the_lower_one_comes_up_when_it_leaves() {
    // START is 2027-01-15T08:00 UTC, a Friday.
    check_rules(
        &["priority 0", "priority 1; schedule 08:00-08:01"],
        "0s a 30.0 | 10s b 20.0 | 20s a 20.0 | 30s a 30.0 | 40s b 30.0 | 50s b 20.0 | 120s quiet",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            10s TEMP_LED off (reading 2: b/Temperature 20 °C) b
            40s TEMP_LED on (reading 5: b/Temperature 30 °C) b
            50s TEMP_LED off (reading 6: b/Temperature 20 °C) b
            60s TEMP_LED on (b has no say any more, decided at 2027-01-15T08:00:30.000000Z, reading 4: a/Temperature 30 °C) a"#]],
    );
    // Where both say the same nothing is told.
    check_rules(
        &["priority 0", "priority 1; schedule 08:00-08:01"],
        "0s a 30.0 | 10s b 30.0 | 120s quiet | 130s a 20.0",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            130s TEMP_LED off (reading 3: a/Temperature 20 °C) a"#]],
    );
}

#[test]
fn a_lower_priority_says_nothing_while_the_higher_one_has_a_claim() {
    check_rules(
        &["priority 5", "priority -3"],
        "0s b 30.0 | 2s a 20.0 | 4s b 20.0 | 6s b 30.0 | 8s a 30.0",
        expect![[r#"
            0s TEMP_LED on (reading 1: b/Temperature 30 °C) b
            2s TEMP_LED off (reading 2: a/Temperature 20 °C) a
            8s TEMP_LED on (reading 5: a/Temperature 30 °C) a"#]],
    );
}

#[test]
fn of_one_reading_only_the_owner_speaks() {
    check_rules(
        &["when x/Temperature; priority 0", "when x/Temperature; priority 1; on celsius < 20.0"],
        "0s x 30.0 | 10s x 10.0 | 20s x 30.0",
        expect![[r#"
            0s TEMP_LED off (reading 1: x/Temperature 30 °C) b
            10s TEMP_LED on (reading 2: x/Temperature 10 °C) b
            20s TEMP_LED off (reading 3: x/Temperature 30 °C) b"#]],
    );
}

#[test]
fn a_change_of_the_owner_waits_for_its_dwell() {
    check_rules(
        &["priority 0; dwell 5s", "priority 1; dwell 5s"],
        "0s a 30.0 | 2s b 20.0 | 3s restart | 20s quiet",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            5s TEMP_LED off (reading 2: b/Temperature 20 °C, held for 3 s) b"#]],
    );
    // Silence waits for nothing.
    check_rules(
        &["priority 0; dwell 5s", "priority 1; dwell 5s; max_age 3s"],
        "0s a 30.0 | 1s a 30.0 | 20s quiet",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            3s TEMP_LED off (no reading for 3 s) b"#]],
    );
}

#[test]
fn a_schedule_begins_without_a_claim_and_ends_in_the_silent_state() {
    check_rules(
        &["schedule 08:01-08:02"],
        "0s a 30.0 | 61s a 30.0 | 130s a 30.0 | 200s quiet",
        expect![[r#"
            61s TEMP_LED on (reading 2: a/Temperature 30 °C) a
            120s TEMP_LED off (schedule ended at 2027-01-15T08:02:00.000000Z) a"#]],
    );
    check_rules(
        &["schedule 08:00-08:02; silent hold"],
        "0s a 30.0 | 121s a 20.0 | 200s quiet",
        expect!["0s TEMP_LED on (reading 1: a/Temperature 30 °C) a"],
    );
    check_rules(
        &["schedule 08:00-08:02; silent on"],
        "0s a 20.0 | 121s a 20.0 | 200s quiet",
        expect![[r#"
            0s TEMP_LED off (reading 1: a/Temperature 20 °C) a
            120s TEMP_LED on (schedule ended at 2027-01-15T08:02:00.000000Z) a"#]],
    );
    // A wish that is still forming goes with it; what is due at that moment too.
    check_rules(
        &["schedule 08:00-08:02; for 20s"],
        "0s a 30.0 | 100s a 20.0 | 200s quiet",
        expect![[r#"
            20s TEMP_LED on (reading 1: a/Temperature 30 °C, held for 20 s) a
            120s TEMP_LED off (schedule ended at 2027-01-15T08:02:00.000000Z) a"#]],
    );
}

#[test]
fn silence_counts_within_the_schedule_only() {
    check_rules(
        &["schedule 08:01-08:02; max_age 10s; silent on"],
        "300s quiet",
        expect!["70s TEMP_LED on (no reading for 10 s) a"],
    );
}

#[test]
fn a_schedule_that_ended_while_switched_off_is_told_at_the_start() {
    check_rules(
        &["schedule 08:00-08:02"],
        "0s a 30.0 | 10s stop | 300s start | 310s restart | 320s quiet",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            300s TEMP_LED off (schedule ended at 2027-01-15T08:02:00.000000Z) a"#]],
    );
    // It ended and began again meanwhile: as it was when it began.
    check_rules(
        &["schedule 08:00-08:02 & 08:04-08:10"],
        "0s a 30.0 | 10s stop | 300s start | 310s a 30.0",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            300s TEMP_LED off (schedule ended at 2027-01-15T08:02:00.000000Z) a
            310s TEMP_LED on (reading 2: a/Temperature 30 °C) a"#]],
    );
}

/// Turns are looked at some days ahead; a month is longer.
#[test]
fn a_schedule_that_was_never_left_while_switched_off_goes_on() {
    check_rules(
        &["schedule Mon-Sun"],
        "0s a 30.0 | 10s stop | 2592000s start | 2592010s a 20.0",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            2592010s TEMP_LED off (reading 2: a/Temperature 20 °C) a"#]],
    );
    // In winter these two touch, and in summer an hour is between them: from January to July it was left.
    check_rules(
        &["schedule 00:00-12:00 UTC & 13:00-01:00 Europe/Berlin"],
        "0s a 30.0 | 10s stop | 15552000s start",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            15552000s TEMP_LED off (schedule ended at 2027-03-28T23:00:00.000000Z) a"#]],
    );
    // Just then.
    check_rules(
        &["schedule 00:00-12:00 UTC & 13:00-01:00 Europe/Berlin"],
        "0s a 30.0 | 10s stop | 6274800s start",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            6274800s TEMP_LED off (schedule ended at 2027-03-28T23:00:00.000000Z) a"#]],
    );
}

#[test]
fn who_says_the_same_later_is_the_one_who_says_it() {
    let specs = rules(&["priority 0", "priority 1; schedule 08:00-08:01"]);
    let mut bench = Bench::new(&specs);
    let owner = |bench: &Bench| bench.engine.standing(&bench.state)[0].rule.to_string();
    for (at, what, expected) in
        [("0s", "a 30.0", "a"), ("10s", "b 30.0", "b"), ("70s", "a 30.0", "a")]
    {
        bench.pass(moment(at));
        let stored = bench.read(what);
        bench.step(Event::Reading(&stored));
        assert_eq!(owner(&bench), expected, "{at}");
    }
    assert_eq!(bench.decided.len(), 1);
}

#[test]
fn a_late_reading_of_another_series_is_no_news_of_it() {
    check_rules(
        &["on other(\"b/Temperature\") > 20.0"],
        "0s b 25.0 | 1s b 10.0@-5s | 2s a 1.0 | 3s b 10.0 | 4s a 1.0 | 5s b 25.0@3s | 6s a 1.0",
        expect![[r#"
            2s TEMP_LED on (reading 3: a/Temperature 1 °C) a
            4s TEMP_LED off (reading 5: a/Temperature 1 °C) a
            6s TEMP_LED on (reading 7: a/Temperature 1 °C) a"#]],
    );
}

#[test]
fn a_person_has_the_last_word_until_it_ends() {
    check_rules(
        &["dwell 5s"],
        "0s a 30.0 | 10s manual off 30s | 12s a 20.0 | 14s a 30.0 | 60s quiet",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            10s TEMP_LED off (by hand, until 2027-01-15T08:00:30.000000Z) manual
            30s TEMP_LED on (no longer by hand, decided at 2027-01-15T08:00:17.000000Z, reading 3: a/Temperature 30 °C) a"#]],
    );
    check_rules(
        &[""],
        "0s a 30.0 | 10s manual off | 20s a 20.0 | 30s a 30.0 | 40s restart | 50s manual end | 60s manual end",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            10s TEMP_LED off (by hand) manual
            50s TEMP_LED on (no longer by hand, decided at 2027-01-15T08:00:30.000000Z, reading 3: a/Temperature 30 °C) a"#]],
    );
    // One after the other; the newest counts.
    check_rules(
        &[""],
        "0s a 20.0 | 10s manual on 30s | 20s manual on 40s | 60s quiet",
        expect![[r#"
            0s TEMP_LED off (reading 1: a/Temperature 20 °C) a
            10s TEMP_LED on (by hand, until 2027-01-15T08:00:30.000000Z) manual
            20s TEMP_LED on (by hand, until 2027-01-15T08:00:40.000000Z) manual
            40s TEMP_LED off (no longer by hand, decided at 2027-01-15T08:00:00.000000Z, reading 1: a/Temperature 20 °C) a"#]],
    );
    // It ran out while switched off.
    check_rules(
        &[""],
        "0s a 30.0 | 10s manual off 30s | 12s stop | 90s start | 100s quiet",
        expect![[r#"
            0s TEMP_LED on (reading 1: a/Temperature 30 °C) a
            10s TEMP_LED off (by hand, until 2027-01-15T08:00:30.000000Z) manual
            90s TEMP_LED on (no longer by hand, decided at 2027-01-15T08:00:00.000000Z, reading 1: a/Temperature 30 °C) a"#]],
    );
    // Over before it began.
    check_rules(
        &[""],
        "0s a 20.0 | 10s manual on 5s | 20s quiet",
        expect!["0s TEMP_LED off (reading 1: a/Temperature 20 °C) a"],
    );
    check_rules(
        &[""],
        "0s a 20.0 | 10s manual on 10s | 20s quiet",
        expect!["0s TEMP_LED off (reading 1: a/Temperature 20 °C) a"],
    );
}

#[test]
fn when_a_persons_word_ends_and_no_rule_has_a_say_it_is_silent() {
    check_rules(
        &[""],
        "0s manual on 10s | 60s quiet",
        expect![[r#"
        0s TEMP_LED on (by hand, until 2027-01-15T08:00:10.000000Z) manual
        10s TEMP_LED off (no longer by hand) a"#]],
    );
    check_rules(
        &["silent on"],
        "0s manual off 10s | 60s quiet",
        expect![[r#"
        0s TEMP_LED off (by hand, until 2027-01-15T08:00:10.000000Z) manual
        10s TEMP_LED on (no longer by hand) a"#]],
    );
    check_rules(
        &["silent hold"],
        "0s manual on 10s | 60s a 20.0",
        expect![[r#"
        0s TEMP_LED on (by hand, until 2027-01-15T08:00:10.000000Z) manual
        60s TEMP_LED off (reading 1: a/Temperature 20 °C) a"#]],
    );
    // Of an actuator that no rule drives.
    let spec = RuleSpec { then: drive(&["FAN"]), ..plain() };
    let mut bench = Bench::new(std::slice::from_ref(&spec));
    bench.manual(Some(Led::On), Some(moment("10s")));
    bench.restart(std::slice::from_ref(&spec));
    assert_eq!(bench.engine.standing(&bench.state).len(), 1);
    bench.pass(moment("60s"));
    expect![[r#"
        0s TEMP_LED on (by hand, until 2027-01-15T08:00:10.000000Z)
        10s TEMP_LED off (no longer by hand)"#]]
    .assert_eq(&shown(&bench.decided));
    assert_eq!(bench.engine.standing(&bench.state), []);
}

#[test]
fn what_a_person_said_stands_over_a_restart_and_over_new_rules() {
    let mut bench = Bench::new(&[plain()]);
    bench.manual(Some(Led::On), None);
    bench.restart(&[amend(plain(), "on celsius > 3.0")]);
    let standing = bench.engine.standing(&bench.state);
    assert_eq!((standing[0].led, &*standing[0].rule), (Led::On, crate::MANUAL));
    assert_eq!(standing[0].cause, Cause::Override { until: None });
}

#[test]
fn persons_cannot_fill_the_memory() {
    let mut bench = Bench::new(&[plain()]);
    for index in 0..1_000 {
        let name = format!("lamp {index}");
        let (led, until) = (Some(Led::On), None);
        let event = Event::Override { actuator: &name, led, until };
        bench.engine.step(&mut bench.state, event, START, &mut Outputs::default());
    }
    assert_eq!(bench.state.lamps.len(), 1 + 256);
    assert_eq!(bench.engine.standing(&bench.state).len(), 256);
    // The place of one whose word is over is for the next.
    let say = |bench: &mut Bench, actuator: &str, led| {
        let event = Event::Override { actuator, led, until: None };
        let mut out = Outputs::default();
        bench.engine.step(&mut bench.state, event, START, &mut out);
        out.decisions.len()
    };
    assert_eq!(say(&mut bench, "one more", Some(Led::On)), 0);
    assert_eq!(say(&mut bench, "lamp 7", None), 1);
    assert_eq!(say(&mut bench, "one more", Some(Led::On)), 1);
    assert_eq!(bench.state.lamps.len(), 1 + 256);
    assert_eq!(&*bench.state.lamps[1 + 7].lamp.name, "one more");
}

#[test]
fn rules_of_one_priority_and_rules_without_sense_are_refused() {
    let with = |name: &str, text: &str| amend(RuleSpec { name: name.into(), ..plain() }, text);
    check_errors(
        &[
            with("heat", "priority 7"),
            with("cold", "priority 7"),
            with("frost", "priority 8"),
            with("odd", "priority 1001; schedule Mon-Fry 07:00-08:00 Europe/Berlin"),
        ],
        expect![[r#"
            rule "cold", then: rules "heat" and "cold" both drive TEMP_LED with priority 7: give one of them another, as in priority = 8
            rule "odd", priority: expected -1000 to 1000, found 1001
            rule "odd", schedule: there is no day `Fry`: did you mean `Fri`?"#]],
    );
}

/// The same from windows and other series, also after they were filled from the journal.
#[test]
fn windows_and_other_series_decide() {
    let on = "on avg(\"10s\") >= 25.0 && count(\"10s\") >= 2 && other(\"b/Temperature\") > 20.0";
    let specs = rules(&[&format!("{on}; off max(\"10s\") < 25.0")]);
    let events = [
        ("0s", "a 26.0"),
        ("2s", "b 77°F"),
        ("4s", "a 28.0"),
        ("6s", "a 24.0"),
        ("16s", "a 24.5"),
        ("18s", "a 27.0"),
    ];
    let run = |restart_before: usize| {
        let mut bench = Bench::new(&specs);
        let mut journal: Vec<StoredReading> = Vec::new();
        for (index, (at, what)) in events.iter().enumerate() {
            bench.pass(moment(at));
            if index == restart_before {
                bench.restart(&specs);
                for stored in &journal {
                    let Reading { device, quantity, topic, .. } = &stored.reading;
                    assert!(bench.engine.warms(device, quantity, topic), "{topic}");
                    bench.engine.warm(&mut bench.state, stored);
                }
                assert_eq!(bench.state.revision(), 0);
            }
            let stored = bench.read(what);
            bench.step(Event::Reading(&stored));
            journal.push(stored);
        }
        assert!(bench.engine.window_max() > Some(Duration::from_secs(10)));
        let conditions: Vec<_> = bench
            .decided
            .iter()
            .filter_map(|(_, decision)| Some(decision.cause.witness()?.condition.to_string()))
            .collect();
        format!("{}\n{}", shown(&bench.decided), conditions.join("\n"))
    };
    let straight = run(usize::MAX);
    expect![[r#"
        4s TEMP_LED on (reading 3: a/Temperature 28 °C)
        16s TEMP_LED off (reading 5: a/Temperature 24.5 °C)
        18s TEMP_LED on (reading 6: a/Temperature 27 °C)
        avg("10s") >= 25.0 && count("10s") >= 2 && other("b/Temperature") > 20.0, where avg("10s") is 27, count("10s") is 2 and other("b/Temperature") is 25
        max("10s") < 25.0, where max("10s") is 24.5
        avg("10s") >= 25.0 && count("10s") >= 2 && other("b/Temperature") > 20.0, where avg("10s") is 25.75, count("10s") is 2 and other("b/Temperature") is 25"#]].assert_eq(&straight);
    for restart_before in 0..events.len() {
        assert_eq!(run(restart_before), straight, "{restart_before}");
    }
}

#[test]
fn only_windows_and_named_series_are_filled_from_the_history() {
    let with = |name: &str, text: &str| amend(RuleSpec { name: name.into(), ..plain() }, text);
    let engine = Engine::compile(&[
        with("heat", "when a/#; on avg(\"10s\") >= 25.0; off value < 24.0; priority 1"),
        with("cold", "when b/+; on value < 5.0; off value > 6.0; priority 2"),
        with(
            "damp",
            "when c; on other(\"d/Humidity\") > 80.0 && value > 1.0; off value < 0.0; priority 3",
        ),
    ])
    .unwrap();
    for (device, quantity, topic, is_filled) in [
        ("a", "Temperature", "a/Temperature", true),
        ("x", "Temperature", "a/b/c", true),
        ("b", "Temperature", "b/Temperature", false),
        ("c", "Temperature", "c", false),
        // A named series comes on whatever topic it likes.
        ("d", "Humidity", "nowhere", true),
        ("d", "Temperature", "d/Temperature", false),
        ("e", "Humidity", "e/Humidity", false),
    ] {
        assert_eq!(engine.warms(device, quantity, topic), is_filled, "{device}/{quantity} {topic}");
    }
}
