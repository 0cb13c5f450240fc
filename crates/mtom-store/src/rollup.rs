//! Sums over spans of time, gathered in memory and written once per batch, in its transaction.
//!
//! Per series: count, min, max, sum and last of each minute, hour and day; see [`open`] for where those
//! of the present ones stand. Over all temperatures: how many lie in each day, hour and slot. Spans are
//! counted since 1970, UTC; a time is never before that.

use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, params};
use std::collections::HashMap;

mod open;

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
    opens: open::Opens,
    /// They could not be written last time, and that was said.
    pub(crate) are_late: bool,
}

/// A series, and the number of a span.
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
            .entry((series, at.0 / MINUTE))
            .and_modify(|sum| sum.merge(&one))
            .or_insert(one);
        if is_temperature {
            *self.temperatures.entry(at.0 / SLOT).or_default() += 1;
        }
    }

    /// Nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    /// Adds the readings behind number `summed` that are in the file.
    pub(crate) fn catch_up(
        &mut self,
        connection: &Connection,
        summed: u64,
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "SELECT reading.series, reading.at_micros, reading.value, series.is_temperature
             FROM reading JOIN series ON series.id = reading.series
             WHERE reading.id > ?1 ORDER BY reading.id",
        )?;
        let mut readings = statement.query([summed.cast_signed()])?;
        while let Some(row) = readings.next()? {
            self.add(row.get(0)?, UnixMicros(row.get(1)?), row.get(2)?, row.get(3)?);
        }
        Ok(())
    }

    /// The batch is committed: what it added is in the file.
    pub(crate) fn keep(&mut self) {
        self.minutes.clear();
        self.temperatures.clear();
    }

    /// The batch is undone: what was read or written in it may not be in the file.
    pub(crate) fn roll_back(&mut self) {
        self.keep();
        self.opens.roll_back();
    }

    /// Adds everything to what the file holds.
    pub(crate) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        // Series by series, each in the order of time.
        let mut minutes: Vec<_> = self.minutes.iter().map(|(span, sum)| (*span, *sum)).collect();
        minutes.sort_unstable_by_key(|(span, _)| *span);
        for of_series in minutes.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
            let Some(((series, _), _)) = of_series.first() else { continue };
            self.opens.add(connection, *series, of_series.iter().map(|(_, sum)| *sum))?;
        }
        for (level, width) in (0_i64..).zip(COUNTED) {
            write_counts(connection, level, width / SLOT, &self.temperatures)?;
        }
        Ok(())
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

/// A table of sums over spans of one width.
struct Level {
    width: i64,
    /// A span that is new; nothing when it is there.
    insert: &'static str,
    /// A span that is over.
    update: &'static str,
    /// Readings that come late. They do not become the last; one at the same time has the higher
    /// number and does.
    upsert: &'static str,
    select: &'static str,
}

macro_rules! level {
    ($width:ident, $span:literal) => {
        Level {
            width: $width,
            insert: concat!(
                "INSERT INTO rollup_",
                $span,
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING"
            ),
            update: concat!(
                "UPDATE rollup_",
                $span,
                " SET count = ?3, min = ?4, max = ?5, sum = ?6, last = ?7, last_after_micros = ?8
                 WHERE ",
                $span,
                " = ?1 AND series = ?2"
            ),
            upsert: concat!(
                "INSERT INTO rollup_",
                $span,
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET
                     count = count + excluded.count,
                     min = min(min, excluded.min),
                     max = max(max, excluded.max),
                     sum = sum + excluded.sum,
                     last = iif(excluded.last_after_micros >= last_after_micros, excluded.last, last),
                     last_after_micros = max(last_after_micros, excluded.last_after_micros)"
            ),
            select: concat!(
                "SELECT count, min, max, sum, last, last_after_micros FROM rollup_",
                $span,
                " WHERE ",
                $span,
                " = ?1 AND series = ?2"
            ),
        }
    };
}

/// Narrow first.
const LEVELS: [Level; 3] = [level!(MINUTE, "minute"), level!(HOUR, "hour"), level!(DAY, "day")];

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
