//! Sums over spans of time, gathered in memory and written once per batch.
//!
//! Per series: count, min, max, sum and last of each minute, hour and day. Over all temperatures: how
//! many lie in each day, hour and slot. Spans are counted since 1970, UTC; a time is never before that.

use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, params};
use std::collections::HashMap;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// The span in which readings of a series are neighbours in the index.
pub(crate) const SLOT: i64 = 5 * SECOND;

/// The spans in which temperatures are counted, widest first; each is whole spans of the next. The
/// place in this list is the `level` of the table.
pub(crate) const COUNTED: [i64; 3] = [DAY, HOUR, SLOT];

/// What the readings of one batch add to the sums.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    minutes: HashMap<Span, Rollup>,
    temperatures: HashMap<i64, i64>,
}

/// The number of a span, and of which series.
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
            .entry((at.0 / MINUTE, series))
            .and_modify(|sum| sum.merge(&one))
            .or_insert(one);
        if is_temperature {
            *self.temperatures.entry(at.0 / SLOT).or_default() += 1;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.minutes.clear();
        self.temperatures.clear();
    }

    /// Adds everything to what the file holds.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let hours = wider(&self.minutes, HOUR / MINUTE);
        let days = wider(&hours, DAY / HOUR);
        write_rollups(connection, UPSERT_MINUTE, MINUTE, &self.minutes)?;
        write_rollups(connection, UPSERT_HOUR, HOUR, &hours)?;
        write_rollups(connection, UPSERT_DAY, DAY, &days)?;
        for (level, width) in (0_i64..).zip(COUNTED) {
            write_counts(connection, level, width / SLOT, &self.temperatures)?;
        }
        Ok(())
    }
}

/// The same sums over spans that are `ratio` times as wide.
fn wider(narrow: &HashMap<Span, Rollup>, ratio: i64) -> HashMap<Span, Rollup> {
    let mut wide: HashMap<Span, Rollup> = HashMap::with_capacity(narrow.len());
    for (&(span, series), sum) in narrow {
        wide.entry((span / ratio, series)).and_modify(|wide| wide.merge(sum)).or_insert(*sum);
    }
    wide
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

/// A reading that comes late does not become the last; one at the same time has the higher number
/// and does.
macro_rules! upsert {
    ($table:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET
                 count = count + excluded.count,
                 min = min(min, excluded.min),
                 max = max(max, excluded.max),
                 sum = sum + excluded.sum,
                 last = iif(excluded.last_after_micros >= last_after_micros, excluded.last, last),
                 last_after_micros = max(last_after_micros, excluded.last_after_micros)"
        )
    };
}

const UPSERT_MINUTE: &str = upsert!("rollup_minute");
const UPSERT_HOUR: &str = upsert!("rollup_hour");
const UPSERT_DAY: &str = upsert!("rollup_day");

/// In order of the key: neighbours share a page.
fn write_rollups(
    connection: &Connection,
    upsert: &str,
    width: i64,
    rollups: &HashMap<Span, Rollup>,
) -> rusqlite::Result<()> {
    let mut spans: Vec<_> = rollups.iter().collect();
    spans.sort_unstable_by_key(|(span, _)| **span);
    let mut statement = connection.prepare_cached(upsert)?;
    for ((span, series), sum) in spans {
        statement.execute(params![
            span,
            series,
            sum.count,
            sum.min,
            sum.max,
            sum.sum,
            sum.last,
            sum.last_at.0 - span * width
        ])?;
    }
    Ok(())
}

fn write_counts(
    connection: &Connection,
    level: i64,
    ratio: i64,
    slots: &HashMap<i64, i64>,
) -> rusqlite::Result<()> {
    let mut counts: HashMap<i64, i64> = HashMap::with_capacity(slots.len());
    for (&slot, &count) in slots {
        *counts.entry(slot / ratio).or_default() += count;
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO temperature_count (level, span, count) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for (span, count) in counts {
        statement.execute(params![level, span, count])?;
    }
    Ok(())
}
