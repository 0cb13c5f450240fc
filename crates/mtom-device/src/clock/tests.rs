use super::{EARLIEST, Implausible, LATEST, WallClock};
use crate::record::{DeciCelsius, Record, Taken};
use embassy_time::Instant;
use mtom_protocol::time::UnixMicros;
use proptest::prelude::{prop_assert_eq, proptest};

/// 2026-11-24T00:00:00Z.
const NOON: UnixMicros = UnixMicros(1_795_478_400_000_000);

fn second(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

fn plus(at: UnixMicros, seconds: i64) -> UnixMicros {
    UnixMicros(at.0 + seconds * 1_000_000)
}

#[test]
fn a_clock_that_is_not_set_knows_only_how_long_it_runs() {
    let clock = WallClock::new();
    assert!(!clock.is_set());
    assert_eq!(clock.at(second(9)), None);
    assert_eq!(clock.taken(second(9)), Taken::Uptime(9_000_000));
}

#[test]
fn a_clock_goes_on_from_the_time_it_was_set_to() {
    let clock = WallClock::new();
    assert_eq!(clock.set(NOON, second(10)), Ok(0));
    assert!(clock.is_set());
    assert_eq!(clock.at(second(15)), Some(plus(NOON, 5)));
    assert_eq!(clock.taken(second(15)), Taken::At(plus(NOON, 5)));
}

#[test]
fn a_jump_is_measured_against_what_the_clock_showed() {
    let clock = WallClock::new();
    clock.set(NOON, second(10)).unwrap();
    assert_eq!(clock.set(plus(NOON, 3_600 + 20), second(30)), Ok(3_600_000_000));
    assert_eq!(clock.set(plus(NOON, 20), second(30)), Ok(-3_600_000_000));
    assert_eq!(clock.set(plus(NOON, 30), second(40)), Ok(0));
}

#[test]
fn a_time_outside_2024_to_2100_leaves_the_clock_as_it_was() {
    let clock = WallClock::new();
    let outside = [
        UnixMicros(i64::MIN),
        UnixMicros(0),
        plus(EARLIEST, -1),
        plus(LATEST, 1),
        UnixMicros(i64::MAX),
    ];
    for at in outside {
        assert_eq!(clock.set(at, second(1)), Err(Implausible));
        assert!(!clock.is_set());
    }
    clock.set(NOON, second(0)).unwrap();
    for at in outside {
        assert_eq!(clock.set(at, second(1)), Err(Implausible));
        assert_eq!(clock.at(second(1)), Some(plus(NOON, 1)));
    }
    for at in [EARLIEST, LATEST] {
        assert!(clock.set(at, second(1)).is_ok());
    }
}

#[test]
fn a_reading_from_before_the_clock_was_set_has_its_time_in_the_same_run_only() {
    let clock = WallClock::new();
    let reading = |taken| Record { boot: 7, seq: 0, celsius: DeciCelsius(234), taken };
    let (early, late) = (reading(clock.taken(second(5))), reading(Taken::At(plus(NOON, -99))));
    assert_eq!(clock.time_of(&early, 7), None);
    assert_eq!(clock.time_of(&late, 8), Some(plus(NOON, -99)));
    clock.set(NOON, second(10)).unwrap();
    assert_eq!(clock.time_of(&early, 7), Some(plus(NOON, -5)));
    assert_eq!(clock.time_of(&early, 8), None);
    assert_eq!(clock.time_of(&late, 8), Some(plus(NOON, -99)));
}

proptest! {
    #[test]
    fn an_uptime_and_the_time_it_stands_for_are_as_far_apart_as_the_clock_says(
        at in EARLIEST.0..LATEST.0,
        now in 0..=u64::from(u32::MAX),
        taken in 0..=u64::from(u32::MAX),
    ) {
        let clock = WallClock::new();
        clock.set(UnixMicros(at), Instant::from_micros(now)).unwrap();
        let record = Record { boot: 1, seq: 1, celsius: DeciCelsius(0), taken: Taken::Uptime(taken) };
        let apart = i64::try_from(taken).unwrap() - i64::try_from(now).unwrap();
        prop_assert_eq!(clock.time_of(&record, 1), Some(UnixMicros(at + apart)));
    }
}
