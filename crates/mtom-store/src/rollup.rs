//! Sums over spans of time, gathered in memory and written once per batch.
//!
//! Per series: count, min, max, sum and last of each minute and hour. Over all temperatures: how
//! many lie in each day, hour, minute and second.

use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, params};
use std::collections::HashMap;

pub(crate) const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The spans in which temperatures are counted, widest first; each is whole spans of the next.
pub(crate) const WIDTHS: [i64; 4] = [DAY, HOUR, MINUTE, SECOND];

/// What the readings of one batch add to the sums.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    minutes: HashMap<Span, Rollup>,
    temperatures: HashMap<i64, i64>,
}

/// Where a span starts, and of which series.
type Span = (i64, i64);

#[derive(Clone, Copy, Debug)]
struct Rollup {
    count: i64,
    min: f64,
    max: f64,
    sum: f64,
    last: f64,
    last_at: UnixMicros,
}

impl Sums {
    /// Adds one reading. Calls come in the order of journal numbers, so that of two readings at
    /// the same time the later call is the last one.
    pub(crate) fn add(&mut self, series: i64, at: UnixMicros, value: f64, is_temperature: bool) {
        let one = Rollup { count: 1, min: value, max: value, sum: value, last: value, last_at: at };
        self.minutes
            .entry((start(at.0, MINUTE), series))
            .and_modify(|sum| sum.merge(&one))
            .or_insert(one);
        if is_temperature {
            *self.temperatures.entry(start(at.0, SECOND)).or_default() += 1;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.minutes.clear();
        self.temperatures.clear();
    }

    /// Adds everything to what the file holds.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        write_rollups(connection, UPSERT_MINUTE, &self.minutes)?;
        write_rollups(connection, UPSERT_HOUR, &self.hours())?;
        for width in WIDTHS {
            write_counts(connection, width, &self.temperatures)?;
        }
        Ok(())
    }

    fn hours(&self) -> HashMap<Span, Rollup> {
        let mut hours: HashMap<Span, Rollup> = HashMap::with_capacity(self.minutes.len());
        for (&(at, series), minute) in &self.minutes {
            hours
                .entry((start(at, HOUR), series))
                .and_modify(|hour| hour.merge(minute))
                .or_insert(*minute);
        }
        hours
    }
}

impl Rollup {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        if other.last_at >= self.last_at {
            (self.last, self.last_at) = (other.last, other.last_at);
        }
    }
}

/// Where the span of this width that holds `at` starts.
const fn start(at: i64, width: i64) -> i64 {
    at.saturating_sub(at.rem_euclid(width))
}

/// A reading that comes late does not become the last; one at the same time has the higher number
/// and does.
macro_rules! upsert {
    ($table:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (start_micros, series, count, min, max, sum, last, last_at_micros)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET
                 count = count + excluded.count,
                 min = min(min, excluded.min),
                 max = max(max, excluded.max),
                 sum = sum + excluded.sum,
                 last = iif(excluded.last_at_micros >= last_at_micros, excluded.last, last),
                 last_at_micros = max(last_at_micros, excluded.last_at_micros)"
        )
    };
}

const UPSERT_MINUTE: &str = upsert!("rollup_minute");
const UPSERT_HOUR: &str = upsert!("rollup_hour");

/// In order of the key: neighbours share a page.
fn write_rollups(
    connection: &Connection,
    upsert: &str,
    rollups: &HashMap<Span, Rollup>,
) -> rusqlite::Result<()> {
    let mut spans: Vec<_> = rollups.iter().collect();
    spans.sort_unstable_by_key(|(span, _)| **span);
    let mut statement = connection.prepare_cached(upsert)?;
    for ((start, series), sum) in spans {
        statement.execute(params![
            start,
            series,
            sum.count,
            sum.min,
            sum.max,
            sum.sum,
            sum.last,
            sum.last_at.0
        ])?;
    }
    Ok(())
}

fn write_counts(
    connection: &Connection,
    width: i64,
    seconds: &HashMap<i64, i64>,
) -> rusqlite::Result<()> {
    let mut counts: HashMap<i64, i64> = HashMap::with_capacity(seconds.len());
    for (&second, &count) in seconds {
        *counts.entry(start(second, width)).or_default() += count;
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO temperature_count (width_micros, start_micros, count) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for (start, count) in counts {
        statement.execute(params![width, start, count])?;
    }
    Ok(())
}
