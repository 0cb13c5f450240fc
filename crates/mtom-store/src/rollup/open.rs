//! The minute, hour and day in which a series is at present, and what they sum up to so far.
//!
//! Their rows are in the tables from their first reading on, so that readings are found through them;
//! what those rows say is brought up to date when the span is over. Until then it stands in
//! `rollup_open`, one row per series: a reading costs one update instead of three.
//!
//! The open spans are those of the newest reading by time. What comes late for a span that is over
//! goes into that span's own row at once.

use super::{LEVELS, MINUTE, Rollup};
use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;

/// How many series' open spans are remembered. Full: all are forgotten and read again.
const REMEMBERED_LEN_MAX: usize = 65_536;

/// The open spans of the series that were heard last.
#[derive(Debug, Default)]
pub(super) struct Opens(HashMap<i64, Open>);

/// The open spans of one series.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// The time of the newest reading: which spans are open.
    last_at: UnixMicros,
    last: f64,
    /// In the order of [`LEVELS`].
    parts: [Part; LEVELS.len()],
    is_in_file: bool,
}

/// What the readings of an open span sum up to.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// 0: none is open.
    count: i64,
    min: f64,
    max: f64,
    sum: f64,
    /// The span's own row says the same.
    is_written: bool,
}

impl Opens {
    /// Adds the readings of some minutes of one series, in the order of time.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        series: i64,
        minutes: impl Iterator<Item = Rollup>,
    ) -> rusqlite::Result<()> {
        if self.0.len() >= REMEMBERED_LEN_MAX && !self.0.contains_key(&series) {
            self.0.clear();
        }
        let open = match self.0.entry(series) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(read(connection, series)?.unwrap_or(Open::NOTHING))
            }
        };
        for minute in minutes {
            open.add(connection, series, &minute)?;
        }
        open.write(connection, series)
    }

    /// What was read or written may not be in the file.
    pub(super) fn roll_back(&mut self) {
        self.0.clear();
    }
}

impl Part {
    const NOTHING: Self =
        Self { count: 0, min: f64::MAX, max: f64::MIN, sum: 0.0, is_written: false };

    fn add(&mut self, sum: &Rollup) {
        self.count += sum.count;
        self.min = self.min.min(sum.min);
        self.max = self.max.max(sum.max);
        self.sum += sum.sum;
        self.is_written = false;
    }
}

impl Open {
    const NOTHING: Self = Self {
        last_at: UnixMicros(0),
        last: 0.0,
        parts: [Part::NOTHING; LEVELS.len()],
        is_in_file: false,
    };

    /// Adds readings of one minute.
    fn add(
        &mut self,
        connection: &Connection,
        series: i64,
        minute: &Rollup,
    ) -> rusqlite::Result<()> {
        let Self { last_at, last, .. } = *self;
        let mut newest = (last_at, last);
        for (part, level) in self.parts.iter_mut().zip(&LEVELS) {
            let (span, open) = (minute.last_at.0 / level.width, last_at.0 / level.width);
            if part.count > 0 && span == open {
                part.add(minute);
                continue;
            }
            let row = params![
                span,
                series,
                minute.count,
                minute.min,
                minute.max,
                minute.sum,
                minute.last,
                minute.last_at.0 - span * level.width
            ];
            if part.count > 0 && span < open {
                connection.prepare_cached(level.upsert)?.execute(row)?;
                continue;
            }
            if part.count > 0 && !part.is_written {
                let after = last_at.0 - open * level.width;
                connection.prepare_cached(level.update)?.execute(params![
                    open, series, part.count, part.min, part.max, part.sum, last, after
                ])?;
            }
            *part = Part::NOTHING;
            if connection.prepare_cached(level.insert)?.execute(row)? == 0 {
                let there;
                (*part, there) = read_span(connection, level.select, span, series)?;
                newest = later(newest, (UnixMicros(span * level.width + there.0), there.1));
            }
            let is_all = part.count == 0;
            part.add(minute);
            part.is_written = is_all;
        }
        (self.last_at, self.last) = later(newest, (minute.last_at, minute.last));
        Ok(())
    }

    fn write(&mut self, connection: &Connection, series: i64) -> rusqlite::Result<()> {
        let [minute, hour, day] = &self.parts;
        let sql = if self.is_in_file { UPDATE_OPEN } else { INSERT_OPEN };
        connection.prepare_cached(sql)?.execute(params![
            series,
            self.last_at.0,
            self.last,
            minute.count,
            minute.min,
            minute.max,
            minute.sum,
            hour.count,
            hour.min,
            hour.max,
            hour.sum,
            day.count,
            day.min,
            day.max,
            day.sum
        ])?;
        self.is_in_file = true;
        Ok(())
    }
}

const INSERT_OPEN: &str = "INSERT INTO rollup_open
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

const UPDATE_OPEN: &str = "UPDATE rollup_open SET last_at_micros = ?2, last = ?3,
    minute_count = ?4, minute_min = ?5, minute_max = ?6, minute_sum = ?7,
    hour_count = ?8, hour_min = ?9, hour_max = ?10, hour_sum = ?11,
    day_count = ?12, day_min = ?13, day_max = ?14, day_sum = ?15 WHERE series = ?1";

/// Of two readings the later; at the same time the second.
fn later(first: (UnixMicros, f64), second: (UnixMicros, f64)) -> (UnixMicros, f64) {
    if second.0 >= first.0 { second } else { first }
}

fn read(connection: &Connection, series: i64) -> rusqlite::Result<Option<Open>> {
    connection
        .prepare_cached("SELECT * FROM rollup_open WHERE series = ?1")?
        .query_row([series], |row| {
            Ok(Open {
                last_at: UnixMicros(row.get(1)?),
                last: row.get(2)?,
                parts: [part(row, 3)?, part(row, 7)?, part(row, 11)?],
                is_in_file: true,
            })
        })
        .optional()
}

fn part(row: &Row<'_>, first: usize) -> rusqlite::Result<Part> {
    Ok(Part {
        count: row.get(first)?,
        min: row.get(first + 1)?,
        max: row.get(first + 2)?,
        sum: row.get(first + 3)?,
        is_written: false,
    })
}

/// A span's own row, and the last of its readings: how long after it began, and its value.
fn read_span(
    connection: &Connection,
    select: &str,
    span: i64,
    series: i64,
) -> rusqlite::Result<(Part, (i64, f64))> {
    connection
        .prepare_cached(select)?
        .query_row(params![span, series], |row| Ok((part(row, 0)?, (row.get(5)?, row.get(4)?))))
}

const _: () = assert!(LEVELS[0].width == MINUTE, "what is added is sums of minutes");
