//! Keyset pages, and the newest readings.
//!
//! Over all series the index by slots is read, slot by slot, each sorted by itself. Of one series the
//! rollups say in which minutes it has readings, and, where a range of values is asked for, in which it
//! can have any of them; only there is the index looked into. Several series are streams that are
//! merged, so that a rare one among many busy ones costs no scan.

use super::row::{columns, names, readings_of_part, stored_reading};
use super::{IdQuery, PAGE_LEN_MAX, Page, PageQuery};
use crate::record::{Cursor, Order};
use crate::rollup::SLOT;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, params};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

/// A part of the history: from a place on, within times and values.
#[derive(Clone, Copy)]
struct Range {
    order: Order,
    after: Cursor,
    /// Inclusive.
    from: i64,
    /// Exclusive.
    until: i64,
    values: Option<(f64, f64)>,
}

pub(super) fn page(connection: &Connection, query: &PageQuery) -> rusqlite::Result<Page> {
    let limit = query.limit.min(PAGE_LEN_MAX);
    if limit == 0 {
        return Ok(Page::default());
    }
    let is_bounded = query.value_min.is_some() || query.value_max.is_some();
    let range = Range {
        order: query.order,
        after: query.after.unwrap_or_else(|| beginning(query.order)),
        from: query.from.map_or(0, |at| at.0.max(0)),
        until: query.until.map_or(i64::MAX, |at| at.0),
        values: is_bounded.then(|| {
            let (min, max) = (query.value_min, query.value_max);
            (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY))
        }),
    };
    // One row more tells whether there is a next page.
    let is_all = query.device.is_none() && query.quantity.is_none() && query.unit.is_none();
    let mut rows = if is_all && range.values.is_none() {
        all_series(connection, range, limit + 1)?
    } else {
        let series = series_of(connection, query)?;
        merge(connection, &series, range, limit + 1)?
    };
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = if has_more { rows.last().map(Cursor::behind) } else { None };
    Ok(Page { rows, next })
}

/// Readings by their journal numbers.
pub(super) fn by_id(
    connection: &Connection,
    query: IdQuery,
) -> rusqlite::Result<Vec<StoredReading>> {
    let (sql, start) = match query.order {
        Order::Ascending => (
            concat!(
                "SELECT ",
                columns!(),
                " FROM reading",
                names!(),
                "WHERE reading.id > ?1 ORDER BY reading.id LIMIT ?2"
            ),
            0,
        ),
        Order::Descending => (
            concat!(
                "SELECT ",
                columns!(),
                " FROM reading",
                names!(),
                "WHERE reading.id < ?1 ORDER BY reading.id DESC LIMIT ?2"
            ),
            i64::MAX,
        ),
    };
    // Journal numbers end at 2^63-1.
    let after = query.after.map_or(start, |id| i64::try_from(id).unwrap_or(i64::MAX));
    connection
        .prepare_cached(sql)?
        .query_map(params![after, sql_len(query.limit.min(PAGE_LEN_MAX))], stored_reading)?
        .collect()
}

pub(super) fn latest(connection: &Connection) -> rusqlite::Result<Vec<StoredReading>> {
    let mut rows = newest_of_each(connection, false)?;
    // A device that changed its unit has one series per unit: the newest of them speaks for it.
    rows.sort_by(|a, b| name(a).cmp(&name(b)).then((b.at, b.id).cmp(&(a.at, a.id))));
    rows.dedup_by(|later, first| name(later) == name(first));
    Ok(rows)
}

pub(super) fn latest_temperature(
    connection: &Connection,
) -> rusqlite::Result<Option<StoredReading>> {
    let rows = newest_of_each(connection, true)?;
    Ok(rows.into_iter().max_by_key(|row| (row.at, row.id)))
}

/// The newest reading of every series that has one. One seek per series, to the time of that reading.
fn newest_of_each(
    connection: &Connection,
    is_temperature: bool,
) -> rusqlite::Result<Vec<StoredReading>> {
    let mut statement = connection.prepare_cached(
        "SELECT series.id, newest.last_at_micros / 5000000, (
             SELECT max(id) FROM reading INDEXED BY reading_by_slot
             WHERE series = newest.series AND slot = newest.last_at_micros / 5000000
                 AND within = newest.last_at_micros % 5000000
         )
         FROM rollup_open AS newest
         JOIN series ON series.id = newest.series
         WHERE series.is_temperature >= ?1",
    )?;
    let mut newest = statement.query([is_temperature])?;
    let (mut ids, mut gone, mut slot_max) = (Vec::new(), HashSet::new(), 0);
    while let Some(row) = newest.next()? {
        match row.get::<_, Option<i64>>(2)? {
            Some(id) => ids.push(id),
            None => {
                gone.insert(row.get(0)?);
                slot_max = slot_max.max(row.get(1)?);
            }
        }
    }
    ids.extend(newest_left(connection, gone, slot_max)?);
    let sql = concat!("SELECT ", columns!(), " FROM reading", names!(), "WHERE reading.id = ?1");
    let mut by_id = connection.prepare_cached(sql)?;
    ids.iter().map(|id| by_id.query_row([id], stored_reading)).collect()
}

/// The newest readings that are left of series whose newest one retention has taken: it keeps older
/// ones that another database still lacks. So far back there are only those, and one walk over them
/// serves all series.
fn newest_left(
    connection: &Connection,
    mut series: HashSet<i64>,
    slot_max: i64,
) -> rusqlite::Result<Vec<i64>> {
    let mut ids = Vec::new();
    if series.is_empty() {
        return Ok(ids);
    }
    let mut statement = connection.prepare_cached(
        "SELECT series, id FROM reading INDEXED BY reading_by_slot WHERE slot <= ?1
         ORDER BY slot DESC, series DESC, within DESC, id DESC",
    )?;
    let mut rows = statement.query([slot_max])?;
    while !series.is_empty()
        && let Some(row) = rows.next()?
    {
        if series.remove(&row.get(0)?) {
            ids.push(row.get(1)?);
        }
    }
    Ok(ids)
}

fn name(row: &StoredReading) -> (&str, &str) {
    (&row.reading.device, &row.reading.quantity)
}

/// Before the first row of either order.
const fn beginning(order: Order) -> Cursor {
    match order {
        Order::Ascending => Cursor { at: UnixMicros(i64::MIN), id: 0 },
        Order::Descending => Cursor { at: UnixMicros(i64::MAX), id: i64::MAX.cast_unsigned() },
    }
}

/// The series that a query names; their numbers.
pub(super) fn series_of(connection: &Connection, query: &PageQuery) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM series
             WHERE (?1 IS NULL OR device = ?1) AND (?2 IS NULL OR quantity = ?2)
                 AND (?3 IS NULL OR unit = ?3)",
        )?
        .query_map(
            params![query.device, query.quantity, query.unit.map(|unit| unit.symbol())],
            |row| row.get(0),
        )?
        .collect()
}

/// The inner query walks over the index alone; only what it yields is looked up.
macro_rules! all_series {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM (
                  SELECT id, slot, within FROM reading INDEXED BY reading_by_slot
                  WHERE slot BETWEEN ?1 AND ?2
                      AND (slot, within, id)",
            $after,
            "(?3, ?4, ?5)
                      AND slot * 5000000 + within BETWEEN ?6 AND ?7
                  ORDER BY slot",
            $order,
            ", within",
            $order,
            ", id",
            $order,
            " LIMIT ?8
              ) AS found
              CROSS JOIN reading ON reading.id = found.id",
            names!(),
            "ORDER BY found.slot",
            $order,
            ", found.within",
            $order,
            ", found.id",
            $order
        )
    };
}

fn all_series(
    connection: &Connection,
    range: Range,
    limit: usize,
) -> rusqlite::Result<Vec<StoredReading>> {
    let sql = match range.order {
        Order::Ascending => all_series!(" > ", ""),
        Order::Descending => all_series!(" < ", " DESC"),
    };
    let Bounds { first, last, after } = range.bounds(SLOT);
    connection
        .prepare_cached(sql)?
        .query_map(
            params![
                first,
                last,
                after.0,
                after.1,
                range.after.id.cast_signed(),
                range.from,
                range.until.saturating_sub(1),
                sql_len(limit)
            ],
            stored_reading,
        )?
        .collect()
}

/// From the hours and minutes in which a series has what is asked for to its slots and readings.
macro_rules! one_series {
    ($after:literal, $order:literal, $values_of_hour:expr, $values_of_minute:expr) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM rollup_hour AS span INDEXED BY rollup_hour_by_series
              CROSS JOIN rollup_minute AS part INDEXED BY rollup_minute_by_series
                  ON part.series = ?1
                  AND part.minute BETWEEN max(span.hour * 60, ?2 / 12)
                      AND min(span.hour * 60 + 59, ?3 / 12)",
            $values_of_minute,
            readings_of_part!(),
            names!(),
            "WHERE span.series = ?1 AND span.hour BETWEEN ?2 / 720 AND ?3 / 720",
            $values_of_hour,
            " AND (reading.slot, reading.within, reading.id)",
            $after,
            "(?4, ?5, ?6) AND reading.at_micros BETWEEN ?7 AND ?8
              ORDER BY span.hour",
            $order,
            ", part.minute",
            $order,
            ", reading.slot",
            $order,
            ", reading.within",
            $order,
            ", reading.id",
            $order,
            " LIMIT ?9"
        )
    };
}

/// Whether a span may have such values. What the row of an open one says is not yet true.
macro_rules! may_hold {
    ($row:literal, $span:literal, $width:literal, $and:literal) => {
        concat!(
            " AND (",
            $row,
            ".max >= ?10 AND ",
            $row,
            ".min <= ?11 OR ",
            $row,
            ".",
            $span,
            " = (SELECT last_at_micros / ",
            $width,
            " FROM rollup_open WHERE series = ?1))",
            $and
        )
    };
}

/// The same with a range of values: ?10 to ?11.
macro_rules! one_series_values {
    ($after:literal, $order:literal) => {
        one_series!(
            $after,
            $order,
            may_hold!("span", "hour", "3600000000", " AND reading.value BETWEEN ?10 AND ?11"),
            may_hold!("part", "minute", "60000000", "")
        )
    };
}

fn one_series(
    connection: &Connection,
    series: i64,
    range: Range,
    limit: usize,
) -> rusqlite::Result<VecDeque<StoredReading>> {
    let Bounds { first, last, after } = range.bounds(SLOT);
    let id = range.after.id.cast_signed();
    let until = range.until.saturating_sub(1);
    let limit = sql_len(limit);
    match range.values {
        None => {
            let sql = match range.order {
                Order::Ascending => one_series!(" > ", "", "", ""),
                Order::Descending => one_series!(" < ", " DESC", "", ""),
            };
            let params =
                params![series, first, last, after.0, after.1, id, range.from, until, limit];
            connection.prepare_cached(sql)?.query_map(params, stored_reading)?.collect()
        }
        Some((min, max)) => {
            let sql = match range.order {
                Order::Ascending => one_series_values!(" > ", ""),
                Order::Descending => one_series_values!(" < ", " DESC"),
            };
            let params = params![
                series, first, last, after.0, after.1, id, range.from, until, limit, min, max
            ];
            connection.prepare_cached(sql)?.query_map(params, stored_reading)?.collect()
        }
    }
}

/// A range in the words of the index.
struct Bounds {
    first: i64,
    last: i64,
    /// Slot and within of the place to go on from.
    after: (i64, i64),
}

impl Range {
    fn bounds(&self, slot: i64) -> Bounds {
        let at = self.after.at.0.max(-1);
        // Before 1970 is before everything.
        let after = if at < 0 { (-1, 0) } else { (at / slot, at % slot) };
        let (mut first, mut last) =
            (self.from / slot, self.until.saturating_sub(1).max(-1).div_euclid(slot));
        match self.order {
            Order::Ascending => first = first.max(after.0),
            Order::Descending => last = last.min(after.0),
        }
        Bounds { first, last, after }
    }
}

/// The first `limit` rows of several series. Each is read in chunks of about its share, so the
/// work is that of one seek per series and of the rows that are wanted.
fn merge(
    connection: &Connection,
    series: &[i64],
    range: Range,
    limit: usize,
) -> rusqlite::Result<Vec<StoredReading>> {
    let chunk_len = limit.div_ceil(series.len().max(1)).saturating_mul(2).min(limit);
    let mut chunks = Vec::with_capacity(series.len());
    let mut heads = BinaryHeap::with_capacity(series.len());
    for (&id, index) in series.iter().zip(0_usize..) {
        let chunk = one_series(connection, id, range, chunk_len)?;
        heads.extend(chunk.front().map(|row| Reverse((rank(row, range.order), index))));
        chunks.push((id, chunk));
    }
    let mut rows = Vec::with_capacity(limit);
    while rows.len() < limit
        && let Some(Reverse((_, index))) = heads.pop()
        && let Some((id, chunk)) = chunks.get_mut(index)
        && let Some(row) = chunk.pop_front()
    {
        if chunk.is_empty() {
            let rest = Range { after: Cursor::behind(&row), ..range };
            *chunk = one_series(connection, *id, rest, chunk_len)?;
        }
        heads.extend(chunk.front().map(|row| Reverse((rank(row, range.order), index))));
        rows.push(row);
    }
    Ok(rows)
}

/// Lower is earlier in the page.
fn rank(row: &StoredReading, order: Order) -> (i64, i64) {
    let (at, id) = (row.at.0, row.id.cast_signed());
    match order {
        Order::Ascending => (at, id),
        // The complement turns the order round and cannot overflow.
        Order::Descending => (!at, !id),
    }
}

fn sql_len(len: usize) -> i64 {
    i64::try_from(len).expect("a page is short")
}
