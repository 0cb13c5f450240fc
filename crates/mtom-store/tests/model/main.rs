//! Schedules of whatever can happen to a journal, beside a model of a few lines.
//!
//! `MTOM_MODEL_SCHEDULES` says how many; without it a hundred. Each planted bug is caught by the
//! same comparison.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::history::chart::ChartQuery;
use mtom_store::history::{History, IdQuery, PageQuery};
use mtom_store::journal::Journal;
use mtom_store::record::{Counts, Order, Reject, Stored};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::HashSet;
use std::path::Path;
use tempfile::TempDir;

mod readers;

/// 2026-11-24T08:00:00Z.
pub(crate) const NOW: i64 = 1_795_507_200_000_000;
const SECOND: i64 = 1_000_000;

/// What comes next.
#[derive(Clone, Debug)]
enum Step {
    /// A reading of a device, its number (or none), how long ago in seconds (or no time), its value.
    Reading {
        device: u8,
        key: Option<(u8, u64)>,
        ago: Option<i64>,
        value: i32,
    },
    Reject,
    /// Ends the batch: durable, or not at all.
    Commit,
    Drop,
    /// The files as a killed process leaves them.
    Crash,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    // Numbers and times come again, so that there are duplicates, gaps that close and equal times.
    let key = prop::option::weighted(0.7, (0_u8..2, 0_u64..12));
    let ago = prop::option::weighted(
        0.8,
        prop_oneof![0_i64..8, 0_i64..100_000, 2_500_000_i64..2_700_000],
    );
    let reading = (0_u8..3, key, ago, -50_i32..50)
        .prop_map(|(device, key, ago, value)| Step::Reading { device, key, ago, value });
    prop_oneof![
        16 => reading,
        1 => Just(Step::Reject),
        3 => Just(Step::Commit),
        1 => Just(Step::Drop),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
    ]
}

/// What a journal is to be: 50 lines that anybody can check.
#[derive(Clone, Default)]
struct Model {
    rows: Vec<StoredReading>,
    keys: HashSet<(u8, u8, u64)>,
    counts: Counts,
}

impl Model {
    fn reading(&mut self, step: &Step, arrived_at: UnixMicros) {
        let Step::Reading { device, key, .. } = step else { return };
        if let Some((boot, seq)) = key
            && !self.keys.insert((*device, *boot, *seq))
        {
            self.counts.duplicate += 1;
            return;
        }
        let reading = reading(step).unwrap();
        let is_late = |at: &UnixMicros| arrived_at.0 - at.0 <= 30 * 86_400 * SECOND;
        let at = reading.taken_at.filter(is_late);
        self.counts.stored += 1;
        self.rows.push(StoredReading {
            id: self.counts.stored,
            at: at.unwrap_or(arrived_at),
            arrived_at,
            suspect: reading.taken_at.is_some() && at.is_none(),
            reading,
        });
    }
}

fn reading(step: &Step) -> Option<Reading> {
    let Step::Reading { device, key, ago, value } = step else { return None };
    Some(Reading {
        topic: format!("{device}/t").into(),
        device: device.to_string().into(),
        quantity: "t".into(),
        value: f64::from(*value) / 2.0,
        unit: if *device == 2 { Unit::Percent } else { Unit::Celsius },
        taken_at: ago.map(|ago| UnixMicros(NOW - ago * SECOND)),
        key: key.map(|(boot, seq)| ReadingKey { boot: boot.to_string().into(), seq }),
    })
}

pub(crate) fn folder() -> TempDir {
    // Memory where there is some: these tests ask what is kept, not whether a disk keeps it.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

/// Runs a schedule; `tamper` is the planted bug, done to the file before the comparison.
fn check(steps: &[Step], tamper: Option<&str>) -> Result<(), String> {
    let mut home = folder();
    let path = |home: &TempDir| home.path().join("mtom.db");
    let mut journal = Journal::open(&path(&home), UnixMicros(NOW)).unwrap();
    let (mut model, mut clock) = (Model::default(), NOW);
    let mut waiting: Vec<&Step> = Vec::new();
    for step in steps.iter().chain([&Step::Commit, &Step::Restart]) {
        clock += SECOND;
        match step {
            Step::Reading { .. } | Step::Reject => waiting.push(step),
            Step::Commit | Step::Drop => {
                let is_kept = matches!(step, Step::Commit);
                let after = write(&mut journal, &model, &waiting, UnixMicros(clock), is_kept)?;
                waiting.clear();
                if is_kept {
                    model = after;
                }
            }
            Step::Crash => {
                let copy = folder();
                for name in ["mtom.db", "mtom.db-wal"] {
                    std::fs::copy(home.path().join(name), copy.path().join(name)).unwrap();
                }
                journal = Journal::open(&path(&copy), UnixMicros(clock)).unwrap();
                home = copy;
                waiting.clear();
                compare(&journal.history(), &model)?;
            }
            Step::Restart => {
                drop(journal);
                if let Some(sql) = tamper {
                    rusqlite::Connection::open(path(&home)).unwrap().execute_batch(sql).unwrap();
                }
                journal = Journal::open(&path(&home), UnixMicros(clock)).unwrap();
                waiting.clear();
                compare(&journal.history(), &model)?;
            }
        }
    }
    Ok(())
}

fn write(
    journal: &mut Journal,
    model: &Model,
    steps: &[&Step],
    at: UnixMicros,
    is_kept: bool,
) -> Result<Model, String> {
    let mut after = model.clone();
    let mut batch = journal.begin().unwrap();
    for step in steps {
        if let Some(reading) = reading(step) {
            let before = after.counts.stored;
            after.reading(step, at);
            let is_new = matches!(batch.reading(&reading, at).unwrap(), Stored::New(_));
            if is_new != (after.counts.stored > before) {
                return Err(format!("{step:?}: new {is_new}"));
            }
        } else {
            after.counts.rejected += 1;
            let reject =
                Reject { topic: "t", payload: b"?", code: "c", reason: "r", arrived_at: at };
            batch.reject(&reject).unwrap();
        }
    }
    if is_kept {
        batch.commit().unwrap();
    }
    Ok(after)
}

/// Everything that a reader can see is what the model says.
fn compare(history: &History, model: &Model) -> Result<(), String> {
    let same = |what: &str, is_same: bool| {
        if is_same { Ok(()) } else { Err(format!("{what} is not what the model says")) }
    };
    same("the account", history.counts().unwrap() == model.counts)?;
    same("the audit", history.audit().unwrap().findings().is_empty())?;
    let by_id = IdQuery { limit: 1_000, ..IdQuery::default() };
    same("the order of storage", history.page_by_id(by_id).unwrap() == model.rows)?;
    let mut rows = model.rows.clone();
    rows.sort_by_key(|row| (row.at, row.id));
    let query = PageQuery { limit: 1_000, ..PageQuery::default() };
    same("the order of time", history.page(&query).unwrap().rows == rows)?;
    for device in ["0", "2"] {
        let query = PageQuery {
            device: Some(device.into()),
            order: Order::Descending,
            limit: 1_000,
            ..PageQuery::default()
        };
        let expected: Vec<_> =
            rows.iter().filter(|row| &*row.reading.device == device).rev().cloned().collect();
        same("a device", history.page(&query).unwrap().rows == expected)?;
        let chart = |points| {
            let (from, until) = (UnixMicros(0), UnixMicros(i64::MAX));
            let (device, quantity) = (device.into(), "t".into());
            history.chart(&ChartQuery { device, quantity, from, until, points }).unwrap()
        };
        let chart = chart(500);
        let count: u64 = chart.points.iter().map(|point| point.count).sum();
        same("the chart's count", count == expected.len() as u64)?;
        let values = || expected.iter().map(|row| row.reading.value);
        let low = chart.points.iter().map(|point| point.min).fold(f64::INFINITY, f64::min);
        same("the lowest", values().fold(f64::INFINITY, f64::min).to_bits() == low.to_bits())?;
        let sum: f64 =
            chart.points.iter().map(|p| p.mean * f64::from(u32::try_from(p.count).unwrap())).sum();
        same("the sum", (values().sum::<f64>() - sum).abs() < 1e-6)?;
    }
    let temperatures: Vec<_> =
        rows.iter().filter(|row| row.reading.unit == Unit::Celsius).map(|row| row.id).collect();
    for offset in (0..temperatures.len() + 2).step_by(3) {
        let page = history.original_page(offset as u64).unwrap();
        let expected = temperatures.iter().skip(offset).take(20);
        same("database:N", page.iter().map(|row| &row.id).eq(expected))?;
    }
    Ok(())
}

#[test]
fn every_schedule_ends_as_the_model_says() {
    let count = std::env::var("MTOM_MODEL_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let config =
        Config { cases: count.unwrap_or(100), failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 0..60), |steps| {
            check(&steps, None).map_err(TestCaseError::fail)
        })
        .unwrap();
}

#[test]
fn planted_bugs_are_caught() {
    let keyed =
        |seq, ago, value| Step::Reading { device: 0, key: Some((0, seq)), ago: Some(ago), value };
    let steps = [keyed(1, 100, 5), keyed(2, 50, 8), Step::Commit, keyed(1, 100, 5), Step::Commit];
    check(&steps, None).unwrap();
    for (bug, sql) in [
        // Known again as if it had never come.
        ("a redelivery that is stored twice", "INSERT INTO reading (id, series, at_micros, value, topic,
             arrived_after_micros, is_device_time, boot, seq)
             SELECT 3, series, at_micros, value, topic, arrived_after_micros, is_device_time, boot, seq
             FROM reading WHERE id = 1;"),
        ("a lost row", "DELETE FROM reading WHERE id = 2"),
        ("a sum that a late reading did not correct", "UPDATE rollup_open SET day_min = 4.0"),
        ("a duplicate that was not counted", "UPDATE total SET duplicate = 0"),
        ("numbers that are forgotten", "DELETE FROM seq_run"),
    ] {
        // What is forgotten shows when it comes again.
        let mut steps = steps.to_vec();
        if bug.starts_with("numbers") {
            steps.extend([Step::Restart, keyed(2, 50, 8), Step::Commit]);
        }
        check(&steps, Some(sql)).expect_err(bug);
    }
}
