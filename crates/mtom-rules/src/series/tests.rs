use super::*;
use crate::window::tests::at;

fn one(device: &str, micros: i64) -> StoredReading {
    let mut one = at(micros, 0.0);
    one.reading.device = device.into();
    one
}

fn newest(map: &SeriesMap<u32>, device: &str) -> Option<i64> {
    map.iter().find(|series| &*series.device == device).map(|series| series.newest.0)
}

#[test]
fn what_is_remembered_stays_with_its_series() {
    let mut map = SeriesMap::default();
    *map.note(&one("a", 1), || 10).unwrap() += 1;
    *map.note(&one("b", 1), || 20).unwrap() += 1;
    *map.note(&one("a", 1), || 30).unwrap() += 1;
    let found = |device| map.get(&one(device, 0).reading).copied();
    assert_eq!((found("a"), found("b"), found("c")), (Some(12), Some(21), None));
}

#[test]
fn a_late_reading_changes_nothing() {
    let mut map = SeriesMap::default();
    map.note(&one("a", 5), || 1);
    assert_eq!(map.note(&one("a", 4), || 2), None);
    assert_eq!(newest(&map, "a"), Some(5));
    assert_eq!(map.note(&one("a", 6), || 2), Some(&mut 1));
    assert_eq!(newest(&map, "a"), Some(6));
}

#[test]
fn devices_and_quantities_do_not_run_together() {
    let mut map = SeriesMap::default();
    for (device, quantity, what) in [("a", "bc", 1), ("ab", "c", 2), ("", "abc", 3)] {
        let mut one = one(device, 0);
        one.reading.quantity = quantity.into();
        assert_eq!(map.note(&one, || what), Some(&mut { what }));
    }
}

#[test]
fn a_full_map_forgets_the_oldest() {
    let mut map = SeriesMap::default();
    for index in 0..SERIES_LEN_MAX {
        map.note(&one(&format!("d{index}"), 1_000 - index as i64), || 0);
    }
    map.note(&one("new", 0), || 0);
    assert_eq!(map.iter().count(), SERIES_LEN_MAX);
    assert_eq!(newest(&map, "new"), Some(0), "it came last, although it is older than the others");
    let oldest = format!("d{}", SERIES_LEN_MAX - 1);
    assert_eq!(newest(&map, &oldest), None);
}

#[test]
fn series_are_found_however_many_came_and_went() {
    let mut map = SeriesMap::default();
    for index in 0..2_000_i64 {
        let one = one(&format!("d{}", index * 7_919 % 1_009), index);
        map.note(&one, || 0);
        assert!(map.get(&one.reading).is_some(), "{index}");
        assert!(map.iter().is_sorted_by_key(Series::key), "{index}");
        assert!(map.iter().count() <= SERIES_LEN_MAX);
    }
}

#[test]
fn the_first_of_two_with_one_name_is_restored_and_no_more_than_there_may_be() {
    let series =
        |device: &str, at, what| Series::new(device.into(), "q".into(), UnixMicros(at), what);
    let map: SeriesMap<u32> =
        [series("z", 1, 1), series("a", 2, 2), series("z", 3, 3)].into_iter().collect();
    let mut found: Vec<_> = map.iter().map(|series| (&*series.device, series.what)).collect();
    found.sort_unstable();
    assert_eq!(found, [("a", 2), ("z", 1)]);
    let many = (0..=SERIES_LEN_MAX).map(|index| series(&format!("d{index}"), 0, 0));
    assert_eq!(many.collect::<SeriesMap<u32>>().iter().count(), SERIES_LEN_MAX);
}
