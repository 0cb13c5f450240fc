use super::BootGaps;
use crate::latency::Hop;
use crate::record::{Counts, ImportRow, Reject, Stored};
use crate::retention::Keep;
use crate::testing::{Folder, NOW, after, celsius, keyed, store, store_new, taken};
use mtom_protocol::time::UnixMicros;
use std::time::Duration;

const SECOND: i64 = 1_000_000;

#[test]
fn everything_that_arrived_has_an_end() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let seqs = [1, 2, 3, 6, 7, 10, 3, 7];
    let batch: Vec<_> = seqs
        .iter()
        .map(|seq| (taken(keyed(celsius("a", 20.0), "boot", *seq), after(-SECOND)), NOW))
        .collect();
    store(&mut journal, &batch);
    store(&mut journal, &[(celsius("b", 20.0), NOW), (keyed(celsius("b", 1.0), "one", 9), NOW)]);
    let mut batch = journal.begin().unwrap();
    for topic in ["x", "x", "y"] {
        let reject = Reject { topic, payload: b"?", code: "empty", reason: "r", arrived_at: NOW };
        batch.reject(&reject).unwrap();
    }
    batch.commit().unwrap();
    journal.took(Hop::ArrivedToStored, NOW, Duration::from_millis(3), 98);
    journal.took(Hop::ArrivedToStored, NOW, Duration::from_secs(3), 2);
    drop(journal);
    let journal = folder.open();
    let audit = journal.history().audit().unwrap();

    assert_eq!(audit.findings(), Vec::<String>::new());
    assert_eq!(audit.totals, Counts { stored: 8, duplicate: 2, rejected: 3 });
    let series: Vec<_> =
        audit.series.iter().map(|row| (row.device.as_str(), row.stored, row.duplicate)).collect();
    assert_eq!(series, [("a", 6, 2), ("b", 2, 0)]);
    let rejected: Vec<_> =
        audit.rejected.iter().map(|row| (row.topic.as_str(), row.count)).collect();
    assert_eq!(rejected, [("x", 2), ("y", 1)]);
    let [gaps] = &audit.gaps[..] else { panic!("{:?}", audit.gaps) };
    assert_eq!((&*gaps.device, gaps.first, gaps.last, gaps.missing), ("a", 1, 10, 4));
    assert_eq!(gaps.gaps, [(4, 5), (8, 9)]);
    let [taken, stored] = &audit.latencies[..] else { panic!("{:?}", audit.latencies) };
    assert_eq!((taken.hop, taken.count), (Hop::TakenToArrived, 6));
    assert!((1_000_000..2_100_000).contains(&taken.p50_micros), "{taken:?}");
    assert_eq!((stored.hop, stored.count), (Hop::ArrivedToStored, 100));
    assert!((3_000..8_000).contains(&stored.p50_micros), "{stored:?}");
    assert!((3_000_000..8_000_000).contains(&stored.p99_micros), "{stored:?}");
}

#[test]
fn rows_that_somebody_took_or_added_are_found() {
    let folder = Folder::new();
    let mut journal = folder.open();
    for index in 0..10 {
        store_new(&mut journal, celsius("a", 20.0), after(index));
    }
    let findings = || journal.history().audit().unwrap().findings();
    assert_eq!(findings(), Vec::<String>::new());
    folder.plain().execute_batch("DELETE FROM reading WHERE id = 4").unwrap();
    assert_eq!(findings(), ["readings in the file and deleted ones: 9 instead of 10"]);
    folder.plain().execute_batch("UPDATE rollup_open SET day_count = 11").unwrap();
    assert_eq!(findings().len(), 2);
}

#[test]
fn retention_keeps_the_account() {
    let folder = Folder::new();
    let mut journal = folder.open();
    for index in 0..10 {
        let one = keyed(celsius("a", 20.0), "boot", index);
        store_new(&mut journal, one, after(index.cast_signed() * 60 * SECOND));
    }
    let keep = Keep { raw: Some(Duration::ZERO), ..Keep::default() };
    let now = after(5 * 60 * SECOND);
    assert!(journal.forget(&keep, now, None).unwrap().deleted > 0);
    let audit = journal.history().audit().unwrap();
    assert_eq!(audit.findings(), Vec::<String>::new());
    assert_eq!((audit.readings, audit.readings_deleted), (5, 5));
}

#[test]
fn an_import_keeps_times_and_goes_on_where_it_was_cut() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let suspect = taken(keyed(celsius("a", 20.0), "boot", 1), UnixMicros(7));
    let mut expected = vec![
        store_new(&mut journal, suspect, NOW),
        store_new(&mut journal, taken(celsius("a", 21.0), after(-SECOND)), NOW),
        store_new(&mut journal, celsius("a", 22.0), after(3)),
    ];
    // As old as the original system, which retention of taken times would call suspect.
    expected[1].at = UnixMicros(1_688_990_402_000_000);
    expected[1].reading.taken_at = Some(expected[1].at);

    let other = Folder::new();
    let mut journal = other.open();
    let mut import = ImportRow {
        source: "csv:1".into(),
        position: 2,
        stored: 3,
        duplicate: 0,
        bad: 1,
        began_at: NOW,
        ended_at: None,
    };
    assert_eq!(journal.history().import("csv:1").unwrap(), None);
    let mut batch = journal.begin().unwrap();
    for (id, reading) in (1..).zip(&mut expected) {
        let Stored::New(stored) = batch.import(reading).unwrap() else { panic!("it is new") };
        reading.id = id;
        assert_eq!(stored, *reading);
    }
    batch.import_progress(&import).unwrap();
    batch.commit().unwrap();
    assert_eq!(journal.history().import("csv:1").unwrap().as_ref(), Some(&import));
    (import.position, import.ended_at) = (9, Some(after(1)));
    let mut batch = journal.begin().unwrap();
    assert_eq!(batch.import(&expected[0]).unwrap(), Stored::Duplicate);
    batch.import_progress(&import).unwrap();
    batch.commit().unwrap();
    drop(journal);

    let history = crate::history::History::open(&other.path()).unwrap();
    assert_eq!(history.import("csv:1").unwrap(), Some(import));
    expected.sort_by_key(|row| (row.at, row.id));
    let query = crate::history::PageQuery { limit: 9, ..Default::default() };
    assert_eq!(history.page(&query).unwrap().rows, expected);
    assert_eq!(history.audit().unwrap().findings(), Vec::<String>::new());
}

#[test]
fn numbers_count_up_to_the_last_of_u64() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let half = 1 << 63;
    for (device, seqs) in [
        ("all", vec![0, u64::MAX]),
        ("end", vec![u64::MAX, u64::MAX - 2]),
        ("far", vec![0, half - 1]),
        ("half", vec![half - 2, half - 1, half, half + 1]),
        ("over", vec![half + 2, half - 2]),
    ] {
        for seq in seqs {
            store_new(&mut journal, keyed(celsius(device, 20.0), "boot", seq), NOW);
        }
    }
    let audit = journal.history().audit().unwrap();
    assert_eq!(audit.findings(), Vec::<String>::new());
    let gap = |device: &str, first, last, missing, gap: (u64, u64)| BootGaps {
        device: device.into(),
        quantity: "Temperature".into(),
        boot: "boot".into(),
        first,
        last,
        missing,
        gaps: vec![gap],
    };
    let expected = [
        gap("all", 0, u64::MAX, u64::MAX - 1, (1, u64::MAX - 1)),
        gap("end", u64::MAX - 2, u64::MAX, 1, (u64::MAX - 1, u64::MAX - 1)),
        gap("far", 0, half - 1, half - 2, (1, half - 2)),
        // Those of `half` are without a gap, though no run goes over 2^63.
        gap("over", half - 2, half + 2, 3, (half - 1, half + 1)),
    ];
    assert_eq!(audit.gaps, expected);
}

#[test]
fn of_many_gaps_the_first_are_listed_and_all_are_counted() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let odd: Vec<_> =
        (0..50).map(|at| (keyed(celsius("a", 20.0), "boot", 2 * at + 1), NOW)).collect();
    store(&mut journal, &odd);
    let audit = journal.history().audit().unwrap();
    assert_eq!((audit.gaps[0].missing, audit.gaps[0].gaps.len()), (49, super::GAPS_LEN_MAX));
    assert_eq!(audit.gaps[0].gaps.last(), Some(&(40, 40)));
}
