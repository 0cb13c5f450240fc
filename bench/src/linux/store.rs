//! The store alone: committed and synced readings/s, and the bytes that each takes.
//!
//! The journal also keeps sums, finds duplicates, and serves `database:N` and pages over all series; the
//! floors only insert. All get the same batches of the same readings, and each time ends when the file is
//! closed. Making the readings is not in it.

use super::folder::Temporary;
use super::plain::Plain;
use super::proc;
use super::run::Plan;
use super::table::{Row, Table, median, thousands};
use anyhow::{Context, Result, ensure};
use mtom_protocol::reading::{Reading, ReadingKey};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::journal::Journal;
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) const BATCH_LEN: usize = 1_000;
const TARGET: f64 = 0.6;
const SECOND: i64 = 1_000_000;
/// 2026-01-01.
pub(super) const BEGINNING: i64 = 1_767_225_600 * SECOND;
/// From the device's clock to ours.
const ARRIVED_AFTER: i64 = 3_210;

/// Who measures how often.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    what: &'static str,
    series: usize,
    /// Between two readings of a series.
    period: i64,
    /// Whether the target is about it.
    is_judged: bool,
}

pub(super) const SHAPES: [Shape; 3] = [
    Shape {
        what: "store, 1,000 series each second",
        series: 1_000,
        period: SECOND,
        is_judged: true,
    },
    Shape { what: "store, 10 series at 100 Hz", series: 10, period: SECOND / 100, is_judged: true },
    // Each reading has a minute of its own: no rhythm makes more of the sums.
    Shape {
        what: "store, 1,000 series each minute",
        series: 1_000,
        period: 60 * SECOND,
        is_judged: false,
    },
];

/// One reading in numbers.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) series: i64,
    pub(crate) at: i64,
    pub(crate) value: f64,
    pub(crate) arrived_at: i64,
    pub(crate) seq: i64,
}

/// Measures the journal and both floors with each shape in each round.
pub(crate) fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    for shape in SHAPES {
        let (mut ours, mut indexed, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let folder = Temporary::new("store")?;
            let path = |name: &str| folder.path().join(name);
            indexed.push(floor(plan, shape, &path("indexed.db"), true)?);
            ours.push(journal(plan, shape, &path("journal.db"))?);
            bare.push(floor(plan, shape, &path("bare.db"), false)?);
        }
        let row = |beside: &[Report], peer, target: Option<f64>| {
            let ratios: Vec<f64> =
                ours.iter().zip(beside).map(|(ours, beside)| ours.rate / beside.rate).collect();
            let rate = |reports: &[Report]| format!("{}/s", thousands(of(reports, |one| one.rate)));
            Row {
                what: shape.what,
                ours: rate(&ours),
                beside: rate(beside),
                peer,
                met: target.map(|target| median(&ratios) >= target),
                ratios,
                target: target.map_or(String::new(), |target| format!("≥ {target}")),
            }
        };
        table.row(row(&indexed, "one index", shape.is_judged.then_some(TARGET)));
        table.row(row(&bare, "no index", None));
        let of_all = |what: fn(&Report) -> f64| {
            let [ours, indexed, bare] = [&ours, &indexed, &bare].map(|reports| of(reports, what));
            format!("mtom {ours:.1}, one index {indexed:.1}, no index {bare:.1}")
        };
        table.note(format!(
            "{}: {} readings in batches of {BATCH_LEN}. Bytes of each: {}. CPU of each in µs: {}.",
            shape.what,
            thousands(plan.stored as f64),
            of_all(|one| one.bytes),
            of_all(|one| one.cpu_micros),
        ));
    }
    Ok(())
}

/// What one database made of a run.
struct Report {
    rate: f64,
    cpu_micros: f64,
    bytes: f64,
}

/// How long the measured parts of a run took.
#[derive(Default)]
struct Watch {
    took: Duration,
    cpu: Duration,
}

impl Watch {
    fn time(&mut self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let (start, cpu) = (Instant::now(), proc::own_thread_cpu()?);
        work()?;
        self.took += start.elapsed();
        self.cpu += proc::own_thread_cpu()? - cpu;
        Ok(())
    }

    fn report(&self, plan: Plan, path: &Path) -> Result<Report> {
        let (len, rows) = (std::fs::metadata(path)?.len(), plan.stored as f64);
        Ok(Report {
            rate: rows / self.took.as_secs_f64(),
            cpu_micros: self.cpu.as_secs_f64() * 1e6 / rows,
            bytes: len as f64 / rows,
        })
    }
}

fn journal(plan: Plan, shape: Shape, path: &Path) -> Result<Report> {
    let mut journal = Journal::open(path, UnixMicros(BEGINNING))?;
    let mut watch = Watch::default();
    let mut batch = Batch::of(shape);
    for first in (0..plan.stored).step_by(BATCH_LEN) {
        batch.fill(first)?;
        watch.time(|| batch.commit(&mut journal))?;
    }
    let stored = journal.counts().stored;
    ensure!(stored == plan.stored as u64, "{stored} of {} are stored", plan.stored);
    watch.time(|| {
        drop(journal);
        Ok(())
    })?;
    watch.report(plan, path)
}

/// One batch of the journal, made before it is measured.
pub(super) struct Batch {
    shape: Shape,
    readings: Vec<Reading>,
    samples: Vec<Sample>,
}

impl Batch {
    pub(super) fn of(shape: Shape) -> Self {
        let one: Vec<Reading> = (0..shape.series).map(reading).collect();
        // A batch may hold several readings of a series.
        let repeats = BATCH_LEN.div_ceil(shape.series);
        let readings = (0..repeats).flat_map(|_| one.clone()).collect();
        Self { shape, readings, samples: Vec::new() }
    }

    /// The readings `first` … of a run.
    pub(super) fn fill(&mut self, first: usize) -> Result<()> {
        fill(self.shape, first, &mut self.samples);
        for (reading, sample) in self.readings.iter_mut().zip(&self.samples) {
            reading.value = sample.value;
            reading.taken_at = Some(UnixMicros(sample.at));
            reading.key.as_mut().context("each has a key")?.seq = sample.seq.cast_unsigned();
        }
        Ok(())
    }

    pub(super) fn commit(&self, journal: &mut Journal) -> Result<()> {
        let mut batch = journal.begin()?;
        for (reading, sample) in self.readings.iter().zip(&self.samples) {
            batch.reading(reading, UnixMicros(sample.arrived_at))?;
        }
        Ok(batch.commit()?)
    }
}

fn floor(plan: Plan, shape: Shape, path: &Path, has_index: bool) -> Result<Report> {
    let mut plain = Plain::create(path, has_index)?;
    let mut watch = Watch::default();
    let mut samples = Vec::new();
    for first in (0..plan.stored).step_by(BATCH_LEN) {
        fill(shape, first, &mut samples);
        watch.time(|| plain.commit(&samples))?;
    }
    watch.time(|| plain.close())?;
    watch.report(plan, path)
}

/// The readings `first` … of a run, as many as a batch has: series by series, each at its own moment.
fn fill(shape: Shape, first: usize, samples: &mut Vec<Sample>) {
    samples.clear();
    samples.extend((first..first + BATCH_LEN).map(|number| {
        let (series, round) = (number % shape.series, number / shape.series);
        let (place, round) = (series as i64, round as i64);
        let at = BEGINNING + round * shape.period + place * shape.period / shape.series as i64;
        let value = 20.0 + ((place * 7 + round) % 100) as f64 / 10.0;
        Sample { series: place, at, value, arrived_at: at + ARRIVED_AFTER, seq: round }
    }));
}

fn reading(series: usize) -> Reading {
    Reading {
        topic: format!("house/sensor-{series}/Temperature").into(),
        device: format!("house/sensor-{series}").into(),
        quantity: "Temperature".into(),
        value: 0.0,
        unit: Unit::Celsius,
        taken_at: None,
        key: Some(ReadingKey { boot: format!("boot-{series:08x}").into(), seq: 0 }),
    }
}

fn of(reports: &[Report], what: impl Fn(&Report) -> f64) -> f64 {
    median(&reports.iter().map(what).collect::<Vec<_>>())
}
