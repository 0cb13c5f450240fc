//! What a chart is drawn from: a stretch of one series in at most so many points.
//!
//! Short stretches are the readings themselves. Longer ones are minutes, hours or days, whichever is the
//! finest that does not cost too many rows, put together until they are few enough. A point without
//! a reading is not made up; where readings are missing there is a gap, with its beginning and its end.

use super::row::{readings_of_part, stored_value};
use crate::rollup::{DAY, HOUR, MINUTE, SLOT};
use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The most points of a chart.
pub const POINTS_MAX: usize = 2_000;

/// How many rows may be put together for one point.
const ROWS_PER_POINT: i64 = 8;

/// Spans that are looked into for readings: that many take a millisecond or two.
const MINUTES_RAW_MAX: i64 = 240;

/// A distance is a gap when it is this many times the usual one.
const GAP_RATIO: i64 = 3;
/// Points with as many readings are never empty by chance.
const FULL_COUNT: u64 = 3;

/// Which stretch of which series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartQuery {
    /// The device.
    pub device: String,
    /// The quantity.
    pub quantity: String,
    /// Its beginning, inclusive.
    pub from: UnixMicros,
    /// Its end, exclusive.
    pub until: UnixMicros,
    /// At most so many points, and at most [`POINTS_MAX`].
    pub points: usize,
}

/// What the points of a chart are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Readings.
    Raw,
    /// Sums of minutes.
    Minute,
    /// Sums of hours.
    Hour,
    /// Sums of days.
    Day,
}

/// One point: what the readings of a span have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    /// Where its span begins; for a single reading its time.
    pub at: UnixMicros,
    /// The reading's number where it is a single one.
    pub id: Option<u64>,
    /// How many readings.
    pub count: u64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// The last of them.
    pub last: f64,
}

/// A stretch of one series of one unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The unit's symbol; empty for a plain number, and where there is no such series.
    pub unit: String,
    /// What the points are made of.
    pub level: Level,
    /// How wide the span of a point is, in microseconds; 0 for single readings.
    pub width_micros: i64,
    /// In the order of time.
    pub points: Vec<ChartPoint>,
    /// Where there are no readings though there should be: from the point before to the point behind.
    pub gaps: Vec<(UnixMicros, UnixMicros)>,
}

pub(super) fn chart(connection: &Connection, query: &ChartQuery) -> rusqlite::Result<Chart> {
    let points_max = query.points.clamp(1, POINTS_MAX);
    let points_len = i64::try_from(points_max).expect("a chart is small");
    let from = query.from.0.max(0);
    let until = query.until.0.max(from);
    let span = until.saturating_sub(from);
    let nothing = Chart {
        unit: String::new(),
        level: Level::Raw,
        width_micros: 0,
        points: Vec::new(),
        gaps: Vec::new(),
    };
    let Some((series, unit)) = series(connection, query)? else { return Ok(nothing) };
    if span <= MINUTES_RAW_MAX * MINUTE
        && let Some(points) = raw(connection, series, from, until, points_max)?
    {
        return Ok(Chart { unit, gaps: gaps(&points, 0), points, ..nothing });
    }
    let rows_max = points_len.saturating_mul(ROWS_PER_POINT);
    let (level, narrow) = [(Level::Minute, MINUTE), (Level::Hour, HOUR), (Level::Day, DAY)]
        .into_iter()
        .find(|(level, width)| *level == Level::Day || span / width <= rows_max)
        .expect("days are always found");
    // A point is whole spans of the level, as many as make the points few enough.
    let width = (span / narrow / points_len + 1).saturating_mul(narrow);
    let points = sums(connection, level, series, (from, until), narrow, width)?;
    Ok(Chart { unit, level, width_micros: width, gaps: gaps(&points, width), points })
}

/// The series and its unit. A device that changed its unit has one series per unit: the one with the
/// newest readings is drawn.
fn series(connection: &Connection, query: &ChartQuery) -> rusqlite::Result<Option<(i64, String)>> {
    connection
        .prepare_cached(
            "SELECT id, unit FROM series WHERE device = ?1 AND quantity = ?2
             ORDER BY (SELECT last_at_micros FROM rollup_open WHERE series = series.id) DESC, id DESC
             LIMIT 1",
        )?
        .query_row(params![query.device, query.quantity], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// The readings, unless there are more than `points_max`.
fn raw(
    connection: &Connection,
    series: i64,
    from: i64,
    until: i64,
    points_max: usize,
) -> rusqlite::Result<Option<Vec<ChartPoint>>> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT ifnull(sum(iif(minute = open.last_at_micros / 60000000, minute_count, count)), 0)
             FROM rollup_minute INDEXED BY rollup_minute_by_series
             LEFT JOIN rollup_open AS open ON open.series = rollup_minute.series
             WHERE rollup_minute.series = ?1 AND minute BETWEEN ?2 AND ?3",
        )?
        .query_row(params![series, from / MINUTE, until / MINUTE], |row| row.get(0))?;
    if usize::try_from(count).unwrap_or(usize::MAX) > points_max {
        return Ok(None);
    }
    let mut points: Vec<ChartPoint> = connection
        .prepare_cached(concat!(
            "SELECT reading.at_micros, reading.value, reading.id
             FROM rollup_minute AS part INDEXED BY rollup_minute_by_series",
            readings_of_part!(),
            "WHERE part.series = ?1 AND part.minute BETWEEN ?2 / 60000000 AND ?3 / 60000000
             ORDER BY part.minute, reading.slot, reading.within, reading.id"
        ))?
        .query_map(params![series, from, until], |row| {
            let (at, value) = stored_value(row)?;
            let id = row.get(2).map(i64::cast_unsigned).map(Some)?;
            Ok(ChartPoint { at, id, count: 1, min: value, max: value, mean: value, last: value })
        })?
        .collect::<rusqlite::Result<_>>()?;
    // Retention takes readings before their sums: then the sums are what there is.
    if usize::try_from(count).ok() != Some(points.len()) {
        return Ok(None);
    }
    points.retain(|point| (from..until).contains(&point.at.0));
    Ok(Some(points))
}

macro_rules! open_span {
    ($span:literal) => {
        concat!(
            "SELECT last_at_micros, ",
            $span,
            "_count, ",
            $span,
            "_min, ",
            $span,
            "_max, ",
            $span,
            "_sum, last FROM rollup_open WHERE series = ?1"
        )
    };
}

/// Sums of a level, put together to points of `width`. The spans at both ends count whole.
fn sums(
    connection: &Connection,
    level: Level,
    series: i64,
    (from, until): (i64, i64),
    narrow: i64,
    width: i64,
) -> rusqlite::Result<Vec<ChartPoint>> {
    macro_rules! select {
        ($span:literal) => {
            concat!(
                "SELECT ",
                $span,
                ", count, min, max, sum, last FROM rollup_",
                $span,
                " INDEXED BY rollup_",
                $span,
                "_by_series
                 WHERE series = ?1 AND ",
                $span,
                " BETWEEN ?2 AND ?3 ORDER BY ",
                $span
            )
        };
    }
    let sql = match level {
        Level::Raw | Level::Minute => select!("minute"),
        Level::Hour => select!("hour"),
        Level::Day => select!("day"),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![series, from / narrow, (until - 1) / narrow])?;
    let open = open(connection, level, series)?.map(|(last_at, open)| (last_at / narrow, open));
    let mut points: Vec<ChartPoint> = Vec::new();
    let mut sum = 0.0;
    while let Some(row) = rows.next()? {
        let span: i64 = row.get(0)?;
        let at = UnixMicros(span * narrow / width * width);
        let narrow = match open {
            Some((open_span, open)) if open_span == span => open,
            _ => part(row)?,
        };
        match points.last_mut() {
            Some(point) if point.at == at => {
                point.count += narrow.count;
                point.min = point.min.min(narrow.min);
                point.max = point.max.max(narrow.max);
                point.last = narrow.last;
                sum += narrow.mean;
                point.mean = mean(sum, point.count);
            }
            _ => {
                sum = narrow.mean;
                points.push(ChartPoint { at, mean: mean(sum, narrow.count), ..narrow });
            }
        }
    }
    Ok(points)
}

/// The span of a level that is still open, and the time of its newest reading. Its own row is as old
/// as its first reading; what is true stands in `rollup_open`.
fn open(
    connection: &Connection,
    level: Level,
    series: i64,
) -> rusqlite::Result<Option<(i64, ChartPoint)>> {
    let sql = match level {
        Level::Raw | Level::Minute => open_span!("minute"),
        Level::Hour => open_span!("hour"),
        Level::Day => open_span!("day"),
    };
    connection
        .prepare_cached(sql)?
        .query_row([series], |row| Ok((row.get(0)?, part(row)?)))
        .optional()
}

/// One row of a level. Its `mean` is still the sum.
fn part(row: &Row<'_>) -> rusqlite::Result<ChartPoint> {
    Ok(ChartPoint {
        at: UnixMicros(0),
        id: None,
        count: row.get(1).map(i64::cast_unsigned)?,
        min: row.get(2)?,
        max: row.get(3)?,
        mean: row.get(4)?,
        last: row.get(5)?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a count of readings is far below 2^53")]
fn mean(sum: f64, count: u64) -> f64 {
    sum / count as f64
}

/// Where points are further apart than they usually are. `width` is that of a point's span.
fn gaps(points: &[ChartPoint], width: i64) -> Vec<(UnixMicros, UnixMicros)> {
    let distances = || points.iter().zip(points.iter().skip(1)).map(|(a, b)| b.at.0 - a.at.0);
    let mut sorted: Vec<i64> = distances().collect();
    if sorted.is_empty() {
        return Vec::new();
    }
    let middle = sorted.len() / 2;
    let usual = *sorted.select_nth_unstable(middle).1;
    let mut counts: Vec<u64> = points.iter().map(|point| point.count).collect();
    let usual_count = *counts.select_nth_unstable(points.len() / 2).1;
    let longest = if width > 0 && usual_count >= FULL_COUNT {
        // A span that usually has many readings and now has none.
        usual.max(width)
    } else {
        // Never shorter than a slot: two readings a second apart are no rhythm.
        usual.max(width).max(SLOT / GAP_RATIO).saturating_mul(GAP_RATIO)
    };
    points
        .iter()
        .zip(points.iter().skip(1))
        .filter(|(a, b)| b.at.0 - a.at.0 > longest)
        .map(|(a, b)| (a.at, b.at))
        .collect()
}

#[cfg(test)]
mod tests;
