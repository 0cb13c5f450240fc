//! What holds whatever happens: decisions alternate, dwell is kept, silence is dealt with, and
//! neither a restart nor being told the time more often makes a difference.

use super::*;

/// One happening, so long after the one before it.
#[derive(Clone, Debug)]
enum Happening {
    Reading { device: u8, value: f64, unit: Unit, behind: Duration, again: bool },
    Time,
    ClockBack(Duration),
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn happening() -> impl Strategy<Value = Happening> {
    let unit = prop_oneof![5 => Just(Unit::Celsius), 1 => Just(Unit::Percent)];
    let behind = prop_oneof![4 => Just(Duration::ZERO), 1 => millis(0..15_000)];
    prop_oneof![
        12 => (0..3u8, 235..265i32, unit, behind, prop::bool::weighted(0.05)).prop_map(
            |(device, tenths, unit, behind, again)| Happening::Reading {
                device,
                value: f64::from(tenths) / 10.0,
                unit,
                behind,
                again,
            }
        ),
        3 => Just(Happening::Time),
    ]
}

fn schedule() -> impl Strategy<Value = Vec<(Duration, Happening)>> {
    // Whole seconds often, so that happenings meet deadlines exactly.
    let gap = prop_oneof![
        2 => (0..4u64).prop_map(Duration::from_secs),
        2 => millis(0..3_000),
        1 => millis(0..30_000),
    ];
    prop::collection::vec((gap, happening()), 0..60)
}

fn spec() -> impl Strategy<Value = RuleSpec> {
    let seconds = || prop::sample::select(vec![0, 1, 2, 5, 12]).prop_map(Duration::from_secs);
    let max_age = prop::sample::select(vec![None, Some(1), Some(5), Some(10)])
        .prop_map(|age| age.map(Duration::from_secs));
    let silent = prop::sample::select(vec![Silent::On, Silent::Off, Silent::Hold]);
    let off = prop::sample::select(vec![None, Some("celsius < 24.5"), Some("celsius < 25.5")]);
    (seconds(), seconds(), max_age, silent, off).prop_map(
        |(hold_for, dwell, max_age, silent, off)| RuleSpec {
            when: "+/Temperature".into(),
            off: off.map(String::from),
            hold_for,
            dwell,
            max_age,
            silent,
            ..RuleSpec::original("TEMP_LED")
        },
    )
}

/// Runs a schedule; before each happening `beside` may do to the bench what must not matter.
fn run(
    spec: &RuleSpec,
    schedule: &[(Duration, Happening)],
    mut beside: impl FnMut(&mut Bench, usize, Duration),
) -> Bench {
    let mut bench = Bench::new(std::slice::from_ref(spec));
    for (index, (gap, happening)) in schedule.iter().enumerate() {
        beside(&mut bench, index, *gap);
        let to = bench.now.saturating_add(*gap);
        bench.pass(to);
        match happening {
            Happening::Reading { device, value, unit, behind, again } => {
                let at = UnixMicros(bench.now.0 - i64::try_from(behind.as_micros()).unwrap());
                bench.id += u64::from(!again);
                let device = format!("device{device}");
                let stored = stored(bench.id, &device, *value, *unit, at, bench.now);
                bench.step(Event::Reading(&stored));
            }
            Happening::Time => bench.step(Event::Time),
            Happening::ClockBack(by) => {
                bench.now = UnixMicros(bench.now.0 - i64::try_from(by.as_micros()).unwrap());
                bench.step(Event::Time);
            }
        }
        bench.due();
    }
    beside(&mut bench, schedule.len(), Duration::from_secs(100));
    let end = bench.now.saturating_add(Duration::from_secs(100));
    bench.pass(end);
    bench
}

/// What is wrong with a sequence of decisions, by the rule alone.
fn broken(spec: &RuleSpec, decided: &[(UnixMicros, Decision)]) -> Option<String> {
    for ((before_at, before), (at, decision)) in decided.iter().zip(decided.iter().skip(1)) {
        if before.led == decision.led {
            return Some(format!("{} twice at {}", decision.led, at.0));
        }
        let silence = matches!(decision.cause, Cause::Silence { .. });
        if !silence && at.since(*before_at) < spec.dwell {
            return Some(format!("dwell broken at {}", at.0));
        }
    }
    let impatient = decided.iter().find(|(_, decision)| match &decision.cause {
        Cause::Reading { held, .. } => *held < spec.hold_for,
        _ => false,
    });
    impatient.map(|(at, _)| format!("for broken at {}", at.0))
}

/// The same decisions, whatever state they came from.
fn same(left: &Bench, right: &Bench) -> Result<(), TestCaseError> {
    prop_assert_eq!(&left.decided, &right.decided);
    prop_assert_eq!(left.state.encode(), right.state.encode());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(500)))]

    #[test]
    fn decisions_alternate_and_keep_the_times_of_the_rule(spec in spec(), schedule in schedule()) {
        let bench = run(&spec, &schedule, |_, _, _| {});
        prop_assert_eq!(broken(&spec, &bench.decided), None);
        // After 100 s without anything every timer has run out.
        prop_assert_eq!(bench.engine.next_deadline(&bench.state), None);
        let last = bench.decided.last().map(|(_, decision)| decision.led);
        match (spec.max_age, spec.silent) {
            (Some(_), Silent::On) => prop_assert_eq!(last, Some(Led::On)),
            (Some(_), Silent::Off) => prop_assert_eq!(last, Some(Led::Off)),
            _ => {}
        }
    }

    #[test]
    fn a_restart_anywhere_makes_no_difference(
        spec in spec(),
        schedule in schedule(),
        restarts in prop::collection::vec(any::<bool>(), 61),
    ) {
        let bench = run(&spec, &schedule, |_, _, _| {});
        let restarted = run(&spec, &schedule, |bench, index, _| {
            if restarts.get(index) == Some(&true) {
                bench.restart(std::slice::from_ref(&spec));
            }
        });
        same(&bench, &restarted)?;
    }

    #[test]
    fn being_told_the_time_more_often_makes_no_difference(
        spec in spec(),
        schedule in schedule(),
        part in 1..4u32,
    ) {
        let bench = run(&spec, &schedule, |_, _, _| {});
        let nagged = run(&spec, &schedule, |bench, _, gap| {
            let early = bench.now.saturating_add(gap / 4 * part);
            let back = bench.now;
            bench.pass(early);
            bench.step(Event::Time);
            // `run` lets the rest of the gap pass from where it began.
            bench.now = back;
        });
        prop_assert_eq!(
            bench.decided.iter().map(|(_, decision)| decision.led).collect::<Vec<_>>(),
            nagged.decided.iter().map(|(_, decision)| decision.led).collect::<Vec<_>>()
        );
    }

    /// A clock that jumps, times at the far ends: nothing panics and decisions still alternate.
    #[test]
    fn no_clock_makes_it_panic(
        spec in spec(),
        mut schedule in schedule(),
        jumps in prop::collection::vec((0..60usize, millis(0..100_000)), 0..4),
        ends in prop::collection::vec(any::<i64>(), 0..6),
    ) {
        for (at, by) in jumps {
            let at = at.min(schedule.len());
            schedule.insert(at, (Duration::ZERO, Happening::ClockBack(by)));
        }
        let mut bench = run(&spec, &schedule, |_, _, _| {});
        for (index, end) in ends.into_iter().enumerate() {
            bench.now = UnixMicros(end);
            bench.id += 1;
            let at = UnixMicros(end.wrapping_mul(index as i64 + 1));
            let stored = stored(bench.id, "device0", 26.0, Unit::Celsius, at, bench.now);
            let mut out = Outputs::default();
            bench.engine.step(&mut bench.state, Event::Reading(&stored), bench.now, &mut out);
            bench.decided.extend(out.decisions.into_iter().map(|decision| (bench.now, decision)));
        }
        for pair in bench.decided.windows(2) {
            prop_assert!(pair.first().map(|(_, one)| one.led) != pair.last().map(|(_, one)| one.led));
        }
    }
}

/// The judge itself: it must see what it is there for.
#[test]
fn broken_decisions_are_seen() {
    let spec = amend(plain(), "dwell 5s; for 2s");
    let decision = |at: &str, led, held: &str| {
        let witness =
            crate::Witness::of(&stored(1, "a", 1.0, Unit::Celsius, START, START), "".into());
        let cause = Cause::Reading { witness, held: span(held) };
        let (actuator, rule) = ("TEMP_LED".into(), "original".into());
        (moment(at), Decision { actuator, led, rule, version: spec.version(), cause })
    };
    let good = [decision("0s", Led::On, "2s"), decision("5s", Led::Off, "2s")];
    assert_eq!(broken(&spec, &good), None);
    let twice = [decision("0s", Led::On, "2s"), decision("9s", Led::On, "2s")];
    assert!(broken(&spec, &twice).is_some_and(|text| text.contains("twice")));
    let hasty = [decision("0s", Led::On, "2s"), decision("4.9s", Led::Off, "2s")];
    assert!(broken(&spec, &hasty).is_some_and(|text| text.contains("dwell")));
    let eager = [decision("0s", Led::On, "1s")];
    assert!(broken(&spec, &eager).is_some_and(|text| text.contains("for")));
}
