use super::{History, IdQuery, PAGE_LEN_MAX, Page, PageQuery};
use crate::record::{Cursor, ORIGINAL_PAGE_LEN, Order};
use crate::testing::{Folder, NOW, SECOND, after, celsius, reading, store, store_new, taken};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

const HOUR: i64 = 3_600 * SECOND;

/// Compares `database:N` with the plain query at every N and beyond.
fn check_original_pages(folder: &Folder, history: &History) -> Result<(), String> {
    let expected: Vec<u64> = folder
        .plain()
        .prepare(
            "SELECT reading.id FROM reading JOIN series ON series.id = reading.series
             WHERE unit IN ('°C', '°F', 'K') ORDER BY at_micros, reading.id",
        )
        .unwrap()
        .query_map([], |row| row.get(0).map(i64::cast_unsigned))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for offset in 0..expected.len() + 3 {
        let end = (offset + ORIGINAL_PAGE_LEN).min(expected.len());
        let expected = expected.get(offset..end).unwrap_or_default();
        let page = history.original_page(u64::try_from(offset).unwrap()).unwrap();
        let page: Vec<u64> = page.iter().map(|row| row.id).collect();
        if page != expected {
            return Err(format!("at {offset}: {page:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

#[test]
fn original_pages_of_days_with_gaps_and_late_readings() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let history = journal.history();
    assert_eq!(history.original_page(0).unwrap(), []);
    for round in 0..4_i64 {
        // Later rounds fill in between earlier ones, in falling order of time.
        for hour in (0..30).rev() {
            let at = |index: i64| after(-(hour * HOUR) - 7 * index * (round + 1) * SECOND);
            let batch: Vec<(Reading, UnixMicros)> = (0..6)
                .flat_map(|index| {
                    let unit = Unit::ALL[usize::try_from((index + round) % 4).unwrap()];
                    let other = reading("b", "value", 40.0, unit);
                    [(taken(celsius("a", 20.0), at(index)), NOW), (taken(other, at(index)), NOW)]
                })
                .collect();
            store(&mut journal, &batch);
        }
    }
    check_original_pages(&folder, &history).unwrap();
    for offset in [i64::MAX.cast_unsigned(), u64::MAX] {
        assert_eq!(history.original_page(offset).unwrap(), []);
    }
}

#[test]
fn the_check_of_original_pages_finds_a_wrong_count() {
    let folder = Folder::new();
    let mut journal = folder.open();
    for index in 0..50 {
        store_new(&mut journal, celsius("a", 20.0), after(index * 400 * SECOND));
    }
    check_original_pages(&folder, &journal.history()).unwrap();
    let planted = "UPDATE temperature_count SET count = count + 1
                   WHERE level = 1 AND span = (SELECT min(span) FROM temperature_count WHERE level = 1)";
    folder.plain().execute_batch(planted).unwrap();
    check_original_pages(&folder, &journal.history()).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(24)))]

    #[test]
    fn original_pages_of_anything(
        batches in prop::collection::vec(
            prop::collection::vec((0_i64..40, 0_i64..3, 0_usize..4, any::<bool>()), 0..30),
            1..8,
        )
    ) {
        let folder = Folder::new();
        let mut journal = folder.open();
        for batch in batches {
            let batch: Vec<_> = batch
                .into_iter()
                .map(|(place, ticks, unit, far)| {
                    // Spans of seconds and of hours, with many equal times.
                    let span = if far { HOUR / 3 } else { SECOND / 2 };
                    let one = reading("a", "value", 30.0, Unit::ALL[unit]);
                    (taken(one, after(-place * span + ticks)), NOW)
                })
                .collect();
            store(&mut journal, &batch);
        }
        prop_assert_eq!(check_original_pages(&folder, &journal.history()), Ok(()));
    }
}

/// Three devices, two quantities, times in which up to eight readings are equal.
fn mixed(folder: &Folder) -> (crate::journal::Journal, Vec<StoredReading>) {
    let mut journal = folder.open();
    let mut rows = Vec::new();
    for index in 0..120_i64 {
        let device = ["a", "b", "c"][usize::try_from(index % 3).unwrap()];
        let one = match index % 5 {
            0 => reading(device, "Humidity", 50.0, Unit::Percent),
            _ => celsius(device, 20.0),
        };
        let at = after(-((index * 37) % 15) * SECOND);
        rows.push(store_new(&mut journal, taken(one, at), NOW));
    }
    rows.sort_by_key(|row| (row.at, row.id));
    (journal, rows)
}

#[test]
fn pages_follow_each_other_both_ways() {
    let folder = Folder::new();
    let (journal, all) = mixed(&folder);
    let history = journal.history();
    for device in [None, Some("a"), Some("b"), Some("nobody")] {
        for quantity in [None, Some("Temperature"), Some("Humidity"), Some("nothing")] {
            let matches = |row: &&StoredReading| {
                device.is_none_or(|name| *row.reading.device == *name)
                    && quantity.is_none_or(|name| *row.reading.quantity == *name)
            };
            let mut expected: Vec<_> = all.iter().filter(matches).cloned().collect();
            for order in [Order::Ascending, Order::Descending] {
                for limit in [1, 2, 7, 40, 120, PAGE_LEN_MAX + 1] {
                    let query = PageQuery {
                        device: device.map(Into::into),
                        quantity: quantity.map(Into::into),
                        order,
                        limit,
                        ..PageQuery::default()
                    };
                    assert_eq!(read_all(&history, query.clone()), expected, "{query:?}");
                }
                expected.reverse();
            }
        }
    }
}

#[test]
fn filters_give_what_a_plain_filter_gives() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let mut all = Vec::new();
    for index in 0..400_i64 {
        let device = ["a", "b", "rare"][usize::from(index % 3 == 1) + usize::from(index % 50 == 7)];
        let unit = [Unit::Celsius, Unit::Fahrenheit][usize::from(index % 7 == 0)];
        let one = reading(device, "t", f64::from(i32::try_from(index % 40).unwrap()), unit);
        // Over two days, in both directions.
        let at = after(-((index * 1_237) % 2_880) * 60 * SECOND + index % 3);
        all.push(store_new(&mut journal, taken(one, at), NOW));
    }
    all.sort_by_key(|row| (row.at, row.id));
    let history = journal.history();
    let times = [None, Some(after(-40 * HOUR)), Some(after(-20 * HOUR)), Some(after(-1))];
    let values = [(None, None), (Some(35.0), None), (None, Some(0.0)), (Some(10.0), Some(12.5))];
    for device in [None, Some("b"), Some("rare")] {
        for unit in [None, Some(Unit::Fahrenheit)] {
            for (from, until) in times.iter().flat_map(|from| times.map(|until| (*from, until))) {
                for (value_min, value_max) in values {
                    let mut expected = all.clone();
                    expected.retain(|row| {
                        device.is_none_or(|name| *row.reading.device == *name)
                            && unit.is_none_or(|unit| row.reading.unit == unit)
                            && from.is_none_or(|from| row.at >= from)
                            && until.is_none_or(|until| row.at < until)
                            && value_min.is_none_or(|min| row.reading.value >= min)
                            && value_max.is_none_or(|max| row.reading.value <= max)
                    });
                    for order in [Order::Ascending, Order::Descending] {
                        let query = PageQuery {
                            device: device.map(Into::into),
                            quantity: None,
                            unit,
                            from,
                            until,
                            value_min,
                            value_max,
                            order,
                            after: None,
                            limit: 33,
                        };
                        assert_eq!(read_all(&history, query.clone()), expected, "{query:?}");
                        expected.reverse();
                    }
                }
            }
        }
    }
}

#[test]
fn pages_by_number_are_in_the_order_of_storage() {
    let folder = Folder::new();
    let (journal, mut all) = mixed(&folder);
    all.sort_by_key(|row| row.id);
    let history = journal.history();
    for order in [Order::Ascending, Order::Descending] {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = history.page_by_id(IdQuery { order, after, limit: 7 }).unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            rows.extend(page);
        }
        assert_eq!(rows, all);
        all.reverse();
    }
    for after in [i64::MAX.cast_unsigned(), u64::MAX] {
        let query = IdQuery { after: Some(after), limit: 7, ..IdQuery::default() };
        assert_eq!(history.page_by_id(query).unwrap(), []);
    }
}

/// All pages one after the other, each asked for with the text of the last one's cursor.
fn read_all(history: &History, mut query: PageQuery) -> Vec<StoredReading> {
    let mut rows = Vec::new();
    loop {
        let page = history.page(&query).unwrap();
        assert!(page.rows.len() <= query.limit.min(PAGE_LEN_MAX));
        rows.extend(page.rows);
        match page.next {
            Some(next) => query.after = Some(next.to_string().parse().unwrap()),
            None => return rows,
        }
        assert!(rows.len() <= 1_000, "the pages do not end");
    }
}

#[test]
fn the_last_full_page_knows_that_it_is_the_last() {
    let folder = Folder::new();
    let mut journal = folder.open();
    for index in 0..4 {
        store_new(&mut journal, celsius("a", 20.0), after(index));
    }
    let history = journal.history();
    let page = |limit| history.page(&PageQuery { limit, ..PageQuery::default() }).unwrap();
    assert_eq!(page(0), Page::default());
    assert!(page(3).next.is_some());
    assert_eq!(page(4).next, None);
    assert_eq!(page(5).rows.len(), 4);
}

#[test]
fn cursors_from_anywhere_do_no_harm() {
    let folder = Folder::new();
    let (journal, all) = mixed(&folder);
    for order in [Order::Ascending, Order::Descending] {
        for device in [None, Some("a".to_owned())] {
            for (at, id) in [(i64::MIN, 0), (i64::MAX, u64::MAX), (0, u64::MAX), (i64::MAX, 0)] {
                let after = Some(Cursor { at: UnixMicros(at), id });
                let query = PageQuery {
                    device: device.clone(),
                    order,
                    after,
                    limit: 500,
                    ..PageQuery::default()
                };
                assert!(journal.history().page(&query).unwrap().rows.len() <= all.len());
            }
        }
    }
}

#[test]
fn readings_that_come_between_two_pages_repeat_nothing() {
    let folder = Folder::new();
    let (mut journal, all) = mixed(&folder);
    let history = journal.history();
    let mut query = PageQuery { limit: 50, ..PageQuery::default() };
    let first = history.page(&query).unwrap();
    // One before the cursor, one behind it.
    store_new(&mut journal, celsius("late", 1.0), after(-14 * SECOND - 1));
    let behind = store_new(&mut journal, celsius("new", 2.0), after(1));
    query.after = first.next;
    let rest = read_all(&history, query);
    let seen: Vec<_> = first.rows.into_iter().chain(rest).collect();
    let expected: Vec<_> = all.into_iter().chain([behind]).collect();
    assert_eq!(seen, expected);
}

#[test]
fn the_newest_of_everything() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let history = journal.history();
    assert_eq!(history.latest().unwrap(), []);
    assert_eq!(history.latest_temperature().unwrap(), None);

    let humidity = store_new(&mut journal, reading("a", "Humidity", 40.0, Unit::Percent), after(9));
    assert_eq!(history.latest_temperature().unwrap(), None);
    store_new(&mut journal, celsius("a", 20.0), after(1));
    // Of two at the same time the later one, also when it has another unit.
    let fahrenheit =
        store_new(&mut journal, reading("a", "Temperature", 77.0, Unit::Fahrenheit), after(1));
    store_new(&mut journal, celsius("b", 21.0), after(3));
    let newest = store_new(&mut journal, celsius("b", 22.0), after(3));
    store_new(&mut journal, taken(celsius("b", 23.0), after(-SECOND)), after(4));

    assert_eq!(history.latest().unwrap(), [humidity, fahrenheit, newest.clone()]);
    assert_eq!(history.latest_temperature().unwrap(), Some(newest));
}

#[test]
fn the_view_of_the_original() {
    let folder = Folder::new();
    let mut journal = folder.open();
    for (unit, value, at) in [
        (Unit::Celsius, 23.4, 3),
        (Unit::Fahrenheit, 77.0, 2),
        (Unit::Kelvin, 273.15, 1),
        (Unit::Percent, 50.0, 0),
    ] {
        store_new(&mut journal, reading("a", "value", value, unit), after(at * HOUR));
    }
    for index in 0..20 {
        store_new(&mut journal, celsius("b", 20.0), after(4 * HOUR + index));
    }
    // While the journal is open, and after it is closed.
    check_view(&folder);
    drop(journal);
    check_view(&folder);
}

#[track_caller]
fn check_view(folder: &Folder) {
    let plain = folder.plain();
    let mut statement = plain.prepare("SELECT * FROM temp ORDER BY time ASC LIMIT 0, 20").unwrap();
    assert!(statement.column_names().eq(["time", "temp"]));
    let rows: Vec<(String, f64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 20);
    for ((time, temp), (hour, celsius)) in rows.iter().zip([(1, 0.0), (2, 25.0), (3, 23.4)]) {
        assert!((temp - celsius).abs() < 1e-9, "{temp}");
        let shape: String =
            time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00 00:00:00");
        // `utc` reads a local time, so this goes back the way that the view came.
        let back = "SELECT CAST(strftime('%s', ?1, 'utc') AS INTEGER)";
        let back: i64 = plain.query_row(back, [time], |row| row.get(0)).unwrap();
        assert_eq!(back, after(hour * HOUR).0 / SECOND);
    }
}

#[test]
fn many_readers_see_whole_batches_while_one_writes() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let history = journal.history();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let history = history.clone();
            scope.spawn(|| {
                let history = history;
                let mut seen = 0;
                while !done.load(Ordering::Acquire) {
                    let stored = history.counts().unwrap().stored;
                    assert!(stored.is_multiple_of(10) && stored >= seen, "{seen}, {stored}");
                    seen = stored;
                    // The counts and the rows that one page is made of belong together.
                    let rows = history.original_page(seen.saturating_sub(10)).unwrap().len();
                    assert!(rows >= seen.min(10).try_into().unwrap(), "{rows}");
                }
            });
        }
        for batch in 0..100 {
            let readings: Vec<_> =
                (0..10).map(|index| (celsius("a", 20.0), after(batch * 10 + index))).collect();
            store(&mut journal, &readings);
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(history.counts().unwrap().stored, 1_000);
}

#[test]
fn a_reader_of_a_file_that_is_gone_says_so_and_goes_on() {
    let folder = Folder::new();
    let journal = folder.open();
    let history = journal.history();
    drop(journal);
    let away = folder.path().with_file_name("away");
    std::fs::rename(folder.path(), &away).unwrap();
    // More often than there are connections: a failed one is given back.
    for _ in 0..10 {
        assert!(history.counts().is_err());
    }
    std::fs::rename(&away, folder.path()).unwrap();
    assert!(history.counts().is_ok());
}
