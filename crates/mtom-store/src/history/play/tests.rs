use super::*;
use crate::history::{IdQuery, PAGE_LEN_MAX};
use crate::testing::{Folder, NOW, SECOND, after, celsius, store};

const EVER: Range<UnixMicros> = UnixMicros(0)..UnixMicros(i64::MAX);

fn played(history: &History, wanted: Wanted<'_>) -> (Vec<StoredReading>, u64) {
    let (mut found, mut last) = (Vec::new(), (0, 0));
    let take = |played: Played<'_>| {
        match played {
            Played::Reading(stored) => found.push(stored.clone()),
            Played::Progress(done, of) => last = (done, of),
        }
        Ok::<_, StoreError>(())
    };
    let count = history.play(EVER, wanted, take).unwrap();
    assert_eq!(last.0, last.1);
    (found, count)
}

/// Of two devices in turn, one a second: several chunks of each reader.
fn filled(folder: &Folder) -> History {
    let mut journal = folder.open();
    let row = |index: i32| {
        let device = if index % 2 == 0 { "a" } else { "b" };
        (celsius(device, f64::from(index)), after(i64::from(index) * SECOND))
    };
    let rows: Vec<_> = (0..40_000).map(row).collect();
    store(&mut journal, &rows);
    journal.history()
}

#[test]
fn nothing_is_played_of_an_empty_journal() {
    let folder = Folder::new();
    let history = folder.open().history();
    let count = history.play(EVER, &|_, _| true, |_| Err(StoreError::Broken)).unwrap();
    assert_eq!(count, 0);
}

#[test]
fn what_is_played_is_what_pages_have_in_the_same_order() {
    let folder = Folder::new();
    let history = filled(&folder);
    let (found, count) = played(&history, &|_, _| true);
    assert_eq!((found.len(), count), (40_000, 40_000));
    assert!(found.iter().zip(1..).all(|(stored, id)| stored.id == id));
    let query = IdQuery { limit: PAGE_LEN_MAX, ..IdQuery::default() };
    assert_eq!(found[..PAGE_LEN_MAX], history.page_by_id(query).unwrap());
}

#[test]
fn what_nobody_wants_is_counted_and_not_given() {
    let folder = Folder::new();
    let history = filled(&folder);
    let (by_topic, count) = played(&history, &|_, topic| topic == "a/Temperature");
    assert_eq!((by_topic.len(), count), (20_000, 40_000));
    assert!(by_topic.iter().all(|stored| &*stored.reading.device == "a"));
    let (by_series, _) = played(&history, &|series, _| &*series.device == "a");
    assert_eq!(by_series, by_topic);
    assert_eq!(played(&history, &|_, _| false), (Vec::new(), 40_000));
}

#[test]
fn whoever_fails_to_take_one_is_given_no_more() {
    let folder = Folder::new();
    let history = filled(&folder);
    let mut left = 10_000;
    let take = |played: Played<'_>| {
        left -= u32::from(matches!(played, Played::Reading(_)));
        if left == 0 { Err(StoreError::Broken) } else { Ok(()) }
    };
    let failed = history.play(EVER, &|_, _| true, take).unwrap_err();
    assert!(matches!(failed, StoreError::Broken));
    assert_eq!(left, 0);
}

#[test]
fn whoever_wants_nothing_can_end_it_too() {
    let folder = Folder::new();
    let history = filled(&folder);
    let take = |_: Played<'_>| Err(StoreError::Broken);
    assert!(history.play(EVER, &|_, _| false, take).is_err());
}

#[test]
fn a_series_that_comes_while_it_is_played_has_its_name() {
    let folder = Folder::new();
    let mut journal = folder.open();
    store(&mut journal, &[(celsius("a", 1.0), NOW)]);
    let history = journal.history();
    let old = history.names().unwrap();
    store(&mut journal, &[(celsius("b", 2.0), NOW)]);
    let mut sieve = Sieve { wanted: &|_, _| true, names: old.clone(), known: ByName::default() };
    let mut cast = Cast { history: &history, names: old, known: ByName::default() };
    let mut arrivals = history.arrivals(NOW, after(1), 1).unwrap();
    let chunk = arrivals[0].next(&mut |on, series, topic| sieve.asks(on, series, topic));
    let chunk = chunk.unwrap().unwrap();
    let devices: Vec<_> = chunk
        .arrivals
        .iter()
        .map(|arrival| cast.reading(arrival).unwrap().unwrap().reading.device.clone())
        .collect();
    assert_eq!(devices, ["a".into(), "b".into()]);
}
