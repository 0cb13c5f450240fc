//! A window says what going through all its readings says.

use super::*;
use crate::SERIES_LEN_MAX;
use mtom_protocol::reading::Reading;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use std::collections::HashMap;

pub(crate) fn at(micros: i64, value: f64) -> StoredReading {
    let reading = Reading {
        topic: "a/T".into(),
        device: "a".into(),
        quantity: "T".into(),
        value,
        unit: Unit::None,
        taken_at: None,
        key: None,
    };
    let at = UnixMicros(micros);
    StoredReading { id: 1, at, arrived_at: at, suspect: false, reading }
}

/// What `window` must say: the readings, newest last, that are in it by the words of the module.
fn naive(span: Duration, all: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let Some((newest, _)) = all.last() else { return Vec::new() };
    let (part, since) = (part(span), newest - micros(span));
    let newest_of_part: HashMap<i64, i64> =
        all.iter().map(|(at, _)| (at.div_euclid(part), *at)).collect();
    all.iter().copied().filter(|(at, _)| newest_of_part[&at.div_euclid(part)] > since).collect()
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
}

fn compare(span: Duration, window: &Window, all: &[(i64, f64)]) {
    let held = naive(span, all);
    let values = || held.iter().map(|(_, value)| *value);
    assert_eq!(window.count(), Some(held.len() as i64));
    let average = values().sum::<f64>() / held.len() as f64;
    assert!(close(window.stat(Stat::Average).unwrap(), average));
    assert_eq!(window.stat(Stat::Minimum), values().reduce(f64::min));
    assert_eq!(window.stat(Stat::Maximum), values().reduce(f64::max));
    let ((first_at, first), (last_at, last)) = (held[0], held[held.len() - 1]);
    let hours = (last_at - first_at) as f64 / HOUR_MICROS;
    let rate = (last_at > first_at).then(|| (last - first) / hours);
    match (window.stat(Stat::Rate), rate) {
        (Some(ours), Some(rate)) => assert!(close(ours, rate), "{ours} {rate}"),
        (ours, rate) => assert_eq!(ours, rate),
    }
    assert!(window.closed.len() as i64 <= PARTS + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(60)))]

    #[test]
    fn a_window_is_all_its_readings(
        span in prop::sample::select(vec![1, 30, 300, 3_600]),
        gaps in prop::collection::vec(
            prop_oneof![0..3_000i64, 0..3_000_000i64, 0..100_000_000i64], 1..400),
        values in prop::collection::vec(-50.0..50.0f64, 400),
        restart_at in 0..400usize,
    ) {
        let span = Duration::from_secs(span);
        let (mut now, mut all) = (1_800_000_000_000_000, Vec::new());
        let mut windows = Windows::default();
        for (index, (gap, value)) in gaps.iter().zip(&values).enumerate() {
            now += gap;
            if index == restart_at {
                // From the journal: what the window reaches back to, and no more.
                windows = Windows::default();
                let since = now - micros(reach(span));
                for (moment, value) in all.iter().filter(|(moment, _)| *moment > since) {
                    windows.take(&[span], &at(*moment, *value));
                }
            }
            all.push((now, *value));
            windows.take(&[span], &at(now, *value));
            let [window] = windows.of(&at(now, 0.0)) else { panic!("one window") };
            compare(span, window, &all);
        }
    }
}

#[test]
fn far_apart_readings_leave_one_by_one() {
    let span = Duration::from_secs(300);
    let mut windows = Windows::default();
    for minute in 0..60 {
        windows.take(&[span], &at(minute * 60_000_000, minute as f64));
        let [window] = windows.of(&at(0, 0.0)) else { panic!("one window") };
        // The reading of exactly five minutes ago is out.
        assert_eq!(window.count(), Some((minute + 1).min(5)));
        assert_eq!(window.stat(Stat::Maximum), Some(minute as f64));
    }
    let [window] = windows.of(&at(0, 0.0)) else { panic!("one window") };
    assert_eq!(window.stat(Stat::Average), Some(57.0));
    assert_eq!(window.stat(Stat::Rate), Some(60.0));
}

#[test]
fn nothing_and_one_reading_are_unknown_where_they_must_be() {
    let mut window = Window::new(Duration::from_secs(60));
    assert_eq!((window.count(), window.stat(Stat::Average)), (None, None));
    window.take(Known { at: UnixMicros(5), value: 7.0 });
    assert_eq!((window.count(), window.stat(Stat::Average)), (Some(1), Some(7.0)));
    assert_eq!(window.stat(Stat::Rate), None);
    window.take(Known { at: UnixMicros(5), value: 8.0 });
    assert_eq!((window.count(), window.stat(Stat::Rate)), (Some(2), None));
}

#[test]
fn late_readings_and_other_series_are_left_out() {
    let span = [Duration::from_secs(60)];
    let mut windows = Windows::default();
    windows.take(&span, &at(1_000_000, 1.0));
    windows.take(&span, &at(999_999, 5.0));
    let mut other = at(2_000_000, 9.0);
    other.reading.quantity = "U".into();
    windows.take(&span, &other);
    let [window] = windows.of(&at(0, 0.0)) else { panic!("one window") };
    assert_eq!((window.count(), window.stat(Stat::Maximum)), (Some(1), Some(1.0)));
    assert_eq!(windows.of(&other).len(), 1);
    for index in 0..=SERIES_LEN_MAX {
        let mut many = at(3_000_000 + index as i64, 0.0);
        many.reading.device = format!("d{index}").into();
        windows.take(&span, &many);
        assert_eq!(windows.of(&many).len(), 1);
    }
    assert_eq!(windows.series.iter().count(), SERIES_LEN_MAX);
    assert!(windows.of(&at(0, 0.0)).is_empty(), "the oldest was forgotten");
}

/// A hundred thousand large numbers came and went: nothing of them is left.
#[test]
fn sums_do_not_drift() {
    let mut window = Window::new(Duration::from_secs(1));
    for index in 0..100_000i64 {
        window.take(Known { at: UnixMicros(index * 1_000), value: 1e6 });
    }
    for index in 100_000..102_000i64 {
        window.take(Known { at: UnixMicros(index * 1_000), value: 0.1 });
    }
    assert!(close(window.stat(Stat::Average).unwrap(), 0.1));
}
