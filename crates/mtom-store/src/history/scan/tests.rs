use super::*;
use crate::history::{IdQuery, PAGE_LEN_MAX};
use crate::journal::Journal;
use crate::record::ImportRow;
use crate::testing::{Folder, NOW, SECOND, after, celsius, store, taken};
use proptest::prelude::*;

fn all(history: &History, from: UnixMicros, until: UnixMicros, ways: u8) -> Vec<Arrival> {
    let mut ways = history.arrivals(from, until, ways).unwrap();
    let (mut found, mut count, mut turn) = (Vec::new(), 0, 0);
    while !ways.is_empty() {
        let len = ways.len();
        let Some(mut chunk) = ways[turn % len].next(&mut |_, _, _| Ok(true)).unwrap() else {
            break;
        };
        let (done, of) = chunk.progress;
        assert!(done <= of, "{done} of {of}");
        count += chunk.count;
        found.append(&mut chunk.arrivals);
        turn += 1;
    }
    assert_eq!(found.len() as u64, count);
    found
}

fn note_import(journal: &mut Journal) {
    let mut batch = journal.begin().unwrap();
    let ended_at = Some(NOW);
    let row = ImportRow {
        source: "a".into(),
        position: 1,
        stored: 1,
        duplicate: 0,
        bad: 0,
        began_at: NOW,
        ended_at,
    };
    batch.import_progress(&row).unwrap();
    batch.commit().unwrap();
}

#[test]
fn an_empty_journal_has_no_arrivals() {
    let folder = Folder::new();
    let journal = folder.open();
    assert_eq!(all(&journal.history(), UnixMicros(0), UnixMicros(i64::MAX), 2), []);
}

#[test]
fn arrivals_have_the_times_values_and_names_of_the_readings() {
    let folder = Folder::new();
    let mut journal = folder.open();
    store(
        &mut journal,
        &[(celsius("a", 20.5), NOW), (taken(celsius("b", 1.0), after(-SECOND)), NOW)],
    );
    let history = journal.history();
    let names = history.names().unwrap();
    let rows = history.page_by_id(IdQuery { limit: PAGE_LEN_MAX, ..IdQuery::default() }).unwrap();
    let found = all(&history, NOW, after(1), 1);
    assert_eq!(found.len(), 2);
    for (arrival, row) in found.iter().zip(&rows) {
        let series = &names.series[&arrival.series];
        assert_eq!((arrival.id, arrival.at, arrival.arrived_at), (row.id, row.at, row.arrived_at));
        assert_eq!(
            (&series.device, &series.quantity),
            (&row.reading.device, &row.reading.quantity)
        );
        assert_eq!((series.unit, arrival.value), (row.reading.unit, row.reading.value));
        assert_eq!(names.topics[&arrival.topic], row.reading.topic);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(32)))]
    #[test]
    fn both_ways_give_what_arrived_within_in_its_order(
        // Milliseconds between arrivals, and how late each reading is (negative: its clock is ahead).
        steps in prop::collection::vec((0..90_000_i64, -200_000..900_000_i64), 1..300),
        (from, len) in (0..8_000_000_i64, 0..8_000_000_i64),
        ways in 1..4_u8,
    ) {
        let folder = Folder::new();
        let mut journal = folder.open();
        let mut at = NOW;
        let rows: Vec<_> = steps.iter().zip(0_i32..).map(|((step, late), index)| {
            at = UnixMicros(at.0 + step * 1_000);
            let reading = celsius(if index % 3 == 0 { "a" } else { "b" }, f64::from(index));
            (taken(reading, UnixMicros(at.0 - late * 1_000)), at)
        }).collect();
        store(&mut journal, &rows);
        let history = journal.history();
        let (from, until) = (after(from * 1_000), after((from + len) * 1_000));
        let expected: Vec<u64> = rows.iter().zip(1_u64..)
            .filter(|((_, at), _)| (from..until).contains(at)).map(|(_, id)| id).collect();
        let ids = |found: Vec<Arrival>| found.iter().map(|arrival| arrival.id).collect::<Vec<_>>();
        prop_assert_eq!(ids(all(&history, from, until, ways)), expected.clone());
        note_import(&mut journal);
        // What counts for a time before the stretch is left out.
        let is_within = |id: &u64| {
            let (reading, _) = &rows[usize::try_from(id - 1).unwrap()];
            reading.taken_at.unwrap().0 / SLOT >= from.0 / SLOT
        };
        let expected: Vec<u64> = expected.into_iter().filter(is_within).collect();
        prop_assert_eq!(ids(all(&history, from, until, ways)), expected);
    }
}
