//! What each rule and each actuator waits for, as whoever watches is told.

use super::*;
use crate::outlook::{Effect, Timer, TimerKind, Totals};

/// Runs `schedule` as [`check`] does and compares how everything is then.
fn check_outlook(rule: &str, schedule: &str, expected: Expect) {
    let mut spec = amend(plain(), rule);
    let mut bench = Bench::new(std::slice::from_ref(&spec));
    for part in schedule.split('|').map(str::trim) {
        let (at, what) = part.split_once(' ').unwrap();
        bench.pass(moment(at));
        bench.happen(what, &mut spec);
        bench.due();
    }
    expected.assert_eq(&told(&bench));
    check_sums(&bench);
}

/// What is told of all rules together is what is told of each.
fn check_sums(bench: &Bench) {
    let rules = bench.engine.outlook(&bench.state, 0..10);
    let count = |led| rules.iter().filter(|rule| rule.led == led).count();
    let Totals { on, off, unknown } = bench.engine.totals(&bench.state);
    let expected = [Some(Led::On), Some(Led::Off), None].map(count);
    assert_eq!([on, off, unknown], expected);
    let mut blind: Vec<_> = rules
        .iter()
        .filter(|rule| rule.is_active)
        .filter_map(|rule| Some((rule.name.clone(), rule.blind_since?)))
        .collect();
    blind.sort_by_key(|(_, since)| *since);
    assert_eq!(bench.engine.blind(&bench.state), blind);
}

fn told(bench: &Bench) -> String {
    let rules = bench.engine.outlook(&bench.state, 0..10).into_iter().map(|rule| {
        let mut line = match (rule.led, rule.since) {
            (Some(led), Some(since)) => format!("{} since {}", word(led), seconds(since)),
            _ => "unknown".into(),
        };
        if let Some(reading) = rule.reading {
            line += &format!(" by reading {reading}, {}", rule.condition);
        }
        for (is_so, what) in [(rule.is_silent, "silent"), (!rule.is_active, "out of schedule")] {
            if is_so {
                line += &format!(", {what}");
            }
        }
        if let Some(since) = rule.blind_since {
            line += &format!(", blind since {}", seconds(since));
        }
        line + &rule.timers.iter().map(timer).collect::<String>()
    });
    let actuators = bench.engine.actuators_outlook(&bench.state).into_iter().map(|one| {
        let manual = one.manual.map_or("by the rules", word);
        format!("{} {manual}{}", one.name, one.timer.iter().map(timer).collect::<String>())
    });
    rules.chain(actuators).collect::<Vec<_>>().join("\n")
}

fn timer(Timer { kind, effect, at }: &Timer) -> String {
    let kind = match kind {
        TimerKind::For => "for",
        TimerKind::Dwell => "dwell",
        TimerKind::MaxAge => "max_age",
        TimerKind::Schedule => "schedule",
        TimerKind::Override => "override",
    };
    let effect = match effect {
        Effect::Led(led) => word(*led),
        Effect::Hold => "hold",
        Effect::Begin => "begin",
    };
    format!("\n  {kind}: {effect} at {}", seconds(*at))
}

fn word(led: Led) -> &'static str {
    if led == Led::On { "on" } else { "off" }
}

fn seconds(at: UnixMicros) -> String {
    format!("{}s", (at.0 - START.0) as f64 / 1e6)
}

#[test]
fn a_condition_that_must_hold_is_a_timer_until_it_has() {
    let rule = "for 3600s; max_age 4000s";
    check_outlook(
        rule,
        "2s 20.0",
        expect![[r#"
        unknown
          for: off at 3602s
          max_age: off at 4002s"#]],
    );
    check_outlook(
        rule,
        "2s 30.0 | 60s 30.0",
        expect![[r#"
        unknown
          for: on at 3602s
          max_age: off at 4060s"#]],
    );
    // Once it has held nothing of it is left.
    check_outlook(
        "for 5s",
        "2s 30.0 | 8s quiet",
        expect![[r#"
        on since 7s by reading 1, celsius >= 25.0, where celsius is 30"#]],
    );
}

#[test]
fn what_waits_for_its_dwell_and_what_silence_will_do_are_told() {
    check_outlook(
        "dwell 10s; max_age 60s; silent on",
        "1s 30.0 | 3s 20.0",
        expect![[r#"
        on since 1s by reading 1, celsius >= 25.0, where celsius is 30
          dwell: off at 11s
          max_age: on at 63s"#]],
    );
    check_outlook(
        "max_age 60s; silent hold",
        "1s 30.0",
        expect![[r#"
        on since 1s by reading 1, celsius >= 25.0, where celsius is 30
          max_age: hold at 61s"#]],
    );
    check_outlook("max_age 10s", "1s 30.0 | 30s quiet", expect!["off since 11s, silent"]);
}

#[test]
fn a_schedule_says_when_it_begins_and_ends_unless_it_never_does() {
    // START is 2027-01-15T08:00 UTC, a Friday.
    check_outlook(
        "schedule 08:00-08:01",
        "1s 30.0",
        expect![[r#"
        on since 1s by reading 1, celsius >= 25.0, where celsius is 30
          schedule: off at 60s"#]],
    );
    check_outlook(
        "schedule 08:01-08:02",
        "1s 30.0",
        expect![[r#"
        unknown, out of schedule
          schedule: begin at 60s"#]],
    );
    check_outlook(
        "schedule 00:00-12:00 & 12:00-00:00",
        "1s 30.0",
        expect![[r#"
        on since 1s by reading 1, celsius >= 25.0, where celsius is 30"#]],
    );
}

#[test]
fn a_persons_word_is_told_with_what_comes_after_it() {
    check_outlook(
        "silent off",
        "1s 30.0 | 2s manual off 600s",
        expect![[r#"
        on since 1s by reading 1, celsius >= 25.0, where celsius is 30
        TEMP_LED off
          override: on at 600s"#]],
    );
    check_outlook(
        "silent on",
        "2s manual off 600s",
        expect![[r#"
        unknown
        TEMP_LED off
          override: on at 600s"#]],
    );
    check_outlook(
        "silent on",
        "2s manual off",
        expect![[r#"
        unknown
        TEMP_LED off"#]],
    );
}

#[test]
fn a_rule_that_understands_nothing_says_since_when() {
    let rule = "on celsius >= 25.0; when +/Temperature";
    check_outlook(rule, "1s 40% | 5s 41%", expect!["unknown, blind since 1s"]);
    check_outlook(
        rule,
        "1s 40% | 5s 26.0",
        expect![[r#"
        on since 5s by reading 2, celsius >= 25.0, where celsius is 26"#]],
    );
    check_outlook(rule, "1s 40% | 5s clock -60s | -60s tick", expect!["unknown"]);
}

/// What each timer says is what the engine then does, whatever happened before.
#[test]
fn a_timer_comes_true() {
    let rules = ["for 3s; dwell 7s; max_age 20s", "dwell 5s; silent on; max_age 9s", "for 4s"];
    for rule in rules {
        let mut spec = amend(plain(), rule);
        let mut bench = Bench::new(std::slice::from_ref(&spec));
        for part in ["1s 30.0", "2s 20.0", "9s 30.0", "14s 20.0"] {
            let (at, what) = part.split_once(' ').unwrap();
            bench.pass(moment(at));
            bench.happen(what, &mut spec);
            bench.due();
            let first = bench.engine.outlook(&bench.state, 0..1)[0].timers.first().cloned();
            let due = bench.engine.next_deadline(&bench.state);
            assert_eq!(first.as_ref().map(|timer| timer.at), due, "{rule} at {at}");
        }
    }
}

#[test]
fn places_and_totals_are_those_of_all_rules() {
    let named = |name: &str, when: &str| RuleSpec {
        name: name.into(),
        when: when.into(),
        ..RuleSpec::original(name)
    };
    let specs: Vec<_> = (0..1_000).map(|index| named(&format!("r{index}"), "a/#")).collect();
    let mut bench = Bench::new(&[&specs[..], &[named("other", "b/#")]].concat());
    bench.pass(moment("1s"));
    let stored = bench.read("a 30.0");
    bench.step(Event::Reading(&stored));
    let totals = bench.engine.totals(&bench.state);
    assert_eq!((totals.on, totals.off, totals.unknown), (1_000, 0, 1));
    let page = bench.engine.outlook(&bench.state, 999..1_001);
    assert_eq!(page.iter().map(|rule| &*rule.name).collect::<Vec<_>>(), ["r999", "other"]);
    assert!(bench.engine.outlook(&bench.state, 2_000..2_010).is_empty());
}
