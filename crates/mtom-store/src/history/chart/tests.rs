use super::{Chart, ChartQuery, Level};
use crate::journal::Journal;
use crate::testing::{Folder, NOW, SECOND, after, celsius, reading, store, taken};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;

const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

fn chart(journal: &Journal, from: i64, until: i64, points: usize) -> Chart {
    let query = ChartQuery {
        device: "a".into(),
        quantity: "Temperature".into(),
        from: after(from),
        until: after(until),
        points,
    };
    journal.history().chart(&query).unwrap()
}

/// Every minute for 20 days up to `NOW`, but for two days; value = the minute's number modulo 1000.
fn twenty_days(folder: &Folder) -> (Journal, Vec<(UnixMicros, f64)>) {
    let mut journal = folder.open();
    let all: Vec<(UnixMicros, f64)> = (0..20 * 1_440_i32)
        .rev()
        .filter(|minute| !(8 * 1_440..10 * 1_440).contains(minute))
        .map(|minute| (after(-i64::from(minute) * 60 * SECOND), f64::from(minute % 1_000)))
        .collect();
    for part in all.chunks(1_000) {
        let batch: Vec<_> =
            part.iter().map(|(at, value)| (taken(celsius("a", *value), *at), NOW)).collect();
        store(&mut journal, &batch);
    }
    (journal, all)
}

/// Counts, extremes and sums of all points are those of the readings between.
#[track_caller]
fn check(chart: &Chart, all: &[(UnixMicros, f64)], level: Level, points_max: usize) {
    assert_eq!(chart.level, level);
    assert!(chart.points.len() <= points_max, "{}", chart.points.len());
    let Some(first) = chart.points.first() else { panic!("no points") };
    let last = chart.points.last().unwrap().at.0 + chart.width_micros;
    let between: Vec<f64> = all
        .iter()
        .filter(|(at, _)| *at >= first.at && at.0 <= last.max(first.at.0))
        .map(|(_, value)| *value)
        .collect();
    let count: u64 = chart.points.iter().map(|point| point.count).sum();
    assert_eq!(count, u64::try_from(between.len()).unwrap());
    let min = chart.points.iter().map(|point| point.min).fold(f64::INFINITY, f64::min);
    let max = chart.points.iter().map(|point| point.max).fold(f64::NEG_INFINITY, f64::max);
    assert!(between.contains(&min) && between.contains(&max));
    assert!(between.iter().all(|value| (min..=max).contains(value)));
    let sum: f64 = chart
        .points
        .iter()
        .map(|point| point.mean * f64::from(u32::try_from(point.count).unwrap()))
        .sum();
    assert!((sum - between.iter().sum::<f64>()).abs() < 1e-3, "{sum}");
    for point in &chart.points {
        assert!(point.min <= point.mean && point.mean <= point.max, "{point:?}");
        assert!(point.min <= point.last && point.last <= point.max, "{point:?}");
    }
}

#[test]
fn each_stretch_is_answered_from_its_level() {
    let folder = Folder::new();
    let (journal, all) = twenty_days(&folder);
    check(&chart(&journal, -2 * HOUR, 1, 500), &all, Level::Raw, 500);
    check(&chart(&journal, -2 * HOUR, 1, 50), &all, Level::Minute, 51);
    check(&chart(&journal, -3 * DAY, 1, 2_000), &all, Level::Minute, 2_000);
    check(&chart(&journal, -20 * DAY, 1, 500), &all, Level::Hour, 500);
    check(&chart(&journal, -20 * DAY, 1, 50), &all, Level::Day, 51);
    // Far more than there is.
    let query = ChartQuery {
        device: "a".into(),
        quantity: "Temperature".into(),
        from: UnixMicros(i64::MIN),
        until: UnixMicros(i64::MAX),
        points: usize::MAX,
    };
    check(&journal.history().chart(&query).unwrap(), &all, Level::Day, 2_000);
}

#[test]
fn missing_days_are_gaps_at_every_level() {
    let folder = Folder::new();
    let (mut journal, _) = twenty_days(&folder);
    for (points, level) in [(2_000, Level::Minute), (400, Level::Hour), (40, Level::Day)] {
        let found = chart(&journal, -12 * DAY, -6 * DAY, points);
        let [(from, until)] = found.gaps[..] else { panic!("{level:?}: {:?}", found.gaps) };
        assert!(from.0 >= after(-10 * DAY - DAY).0 && until.0 <= after(-8 * DAY + DAY).0);
        assert!(until.0 - from.0 >= DAY, "{level:?}");
    }
    // A late reading fills its point.
    store(&mut journal, &[(taken(celsius("a", 5_000.0), after(-9 * DAY)), NOW)]);
    let found = chart(&journal, -12 * DAY, -6 * DAY, 400);
    assert_eq!(found.gaps.len(), 2);
    assert!(found.points.iter().any(|point| (point.max - 5_000.0).abs() < 1e-9));
    // Raw: five minutes are missing among readings of one a minute.
    let folder = Folder::new();
    let mut journal = folder.open();
    let minutes = (0..30).filter(|minute| !(10..15).contains(minute));
    let batch: Vec<_> =
        minutes.map(|minute| (celsius("a", 1.0), after(minute * 60 * SECOND))).collect();
    store(&mut journal, &batch);
    let found = chart(&journal, 0, HOUR, 500);
    assert_eq!(found.level, Level::Raw);
    assert_eq!(found.gaps, [(after(9 * 60 * SECOND), after(15 * 60 * SECOND))]);
}

#[test]
fn nothing_is_an_empty_chart_and_the_newest_unit_is_drawn() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let found = chart(&journal, -DAY, 1, 100);
    assert_eq!((found.points.len(), found.unit.as_str()), (0, ""));
    store(&mut journal, &[(celsius("a", 20.0), after(-2 * HOUR))]);
    store(&mut journal, &[(reading("a", "Temperature", 70.0, Unit::Fahrenheit), NOW)]);
    let found = chart(&journal, -DAY, 1, 100);
    assert_eq!(found.unit, "°F");
    assert_eq!(found.points.len(), 1);
    assert_eq!(chart(&journal, HOUR, -HOUR, 100).points, []);
}

#[test]
fn a_stretch_that_retention_has_cut_is_drawn_from_its_sums() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let batch: Vec<_> =
        (0..120).map(|minute| (celsius("a", 20.0), after(minute * 60 * SECOND))).collect();
    store(&mut journal, &batch);
    assert_eq!(chart(&journal, 0, 2 * HOUR, 500).level, Level::Raw);
    let keep = crate::retention::Keep {
        raw: Some(std::time::Duration::from_hours(1)),
        ..Default::default()
    };
    assert!(journal.forget(&keep, after(2 * HOUR), None).unwrap().deleted > 0);
    let found = chart(&journal, 0, 2 * HOUR, 500);
    let count: u64 = found.points.iter().map(|point| point.count).sum();
    assert_eq!((found.level, count), (Level::Minute, 120));
}
