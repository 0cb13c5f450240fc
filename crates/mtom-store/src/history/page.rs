//! Keyset pages, and the newest readings.
//!
//! Without a filter the index over all series is read. With one, each series is read in its own
//! order and the streams are merged, so that a rare series among many busy ones costs no scan.

use super::row::{columns, names, stored_reading};
use super::{PAGE_LEN_MAX, Page, PageQuery};
use crate::record::{Cursor, Order};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, OptionalExtension, params};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// One seek per series.
macro_rules! newest_of_each {
    () => {
        " FROM series AS each_series
          CROSS JOIN reading ON reading.series = each_series.id
              AND (reading.at_micros, reading.id) = (
                  SELECT newest.at_micros, newest.id FROM reading AS newest
                  WHERE newest.series = each_series.id
                  ORDER BY newest.at_micros DESC, newest.id DESC LIMIT 1
              )"
    };
}

pub(super) fn page(connection: &Connection, query: &PageQuery) -> rusqlite::Result<Page> {
    let limit = query.limit.min(PAGE_LEN_MAX);
    if limit == 0 {
        return Ok(Page::default());
    }
    let after = query.after.unwrap_or_else(|| beginning(query.order));
    // One row more tells whether there is a next page.
    let mut rows = if query.device.is_none() && query.quantity.is_none() {
        all_series(connection, query.order, after, limit + 1)?
    } else {
        let series = series_of(connection, query)?;
        merge(connection, &series, query.order, after, limit + 1)?
    };
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = if has_more { rows.last().map(Cursor::behind) } else { None };
    Ok(Page { rows, next })
}

pub(super) fn latest(connection: &Connection) -> rusqlite::Result<Vec<StoredReading>> {
    let mut rows: Vec<StoredReading> = connection
        .prepare_cached(concat!("SELECT ", columns!(), newest_of_each!(), names!()))?
        .query_map([], stored_reading)?
        .collect::<rusqlite::Result<_>>()?;
    // A device that changed its unit has one series per unit: the newest of them speaks for it.
    rows.sort_by(|a, b| name(a).cmp(&name(b)).then((b.at, b.id).cmp(&(a.at, a.id))));
    rows.dedup_by(|later, first| name(later) == name(first));
    Ok(rows)
}

pub(super) fn latest_temperature(
    connection: &Connection,
) -> rusqlite::Result<Option<StoredReading>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            newest_of_each!(),
            names!(),
            "WHERE series.is_temperature ORDER BY reading.at_micros DESC, reading.id DESC LIMIT 1"
        ))?
        .query_row([], stored_reading)
        .optional()
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

fn series_of(connection: &Connection, query: &PageQuery) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM series
             WHERE (?1 IS NULL OR device = ?1) AND (?2 IS NULL OR quantity = ?2)",
        )?
        .query_map(params![query.device, query.quantity], |row| row.get(0))?
        .collect()
}

fn all_series(
    connection: &Connection,
    order: Order,
    after: Cursor,
    limit: usize,
) -> rusqlite::Result<Vec<StoredReading>> {
    let sql = match order {
        Order::Ascending => concat!(
            "SELECT ",
            columns!(),
            " FROM reading INDEXED BY reading_by_time",
            names!(),
            "WHERE (reading.at_micros, reading.id) > (?1, ?2)
             ORDER BY reading.at_micros, reading.id LIMIT ?3"
        ),
        Order::Descending => concat!(
            "SELECT ",
            columns!(),
            " FROM reading INDEXED BY reading_by_time",
            names!(),
            "WHERE (reading.at_micros, reading.id) < (?1, ?2)
             ORDER BY reading.at_micros DESC, reading.id DESC LIMIT ?3"
        ),
    };
    connection
        .prepare_cached(sql)?
        .query_map(params![after.at.0, after.id.cast_signed(), sql_len(limit)], stored_reading)?
        .collect()
}

fn one_series(
    connection: &Connection,
    series: i64,
    order: Order,
    after: Cursor,
    limit: usize,
) -> rusqlite::Result<VecDeque<StoredReading>> {
    let sql = match order {
        Order::Ascending => concat!(
            "SELECT ",
            columns!(),
            " FROM reading",
            names!(),
            "WHERE reading.series = ?1 AND (reading.at_micros, reading.id) > (?2, ?3)
             ORDER BY reading.at_micros, reading.id LIMIT ?4"
        ),
        Order::Descending => concat!(
            "SELECT ",
            columns!(),
            " FROM reading",
            names!(),
            "WHERE reading.series = ?1 AND (reading.at_micros, reading.id) < (?2, ?3)
             ORDER BY reading.at_micros DESC, reading.id DESC LIMIT ?4"
        ),
    };
    let params = params![series, after.at.0, after.id.cast_signed(), sql_len(limit)];
    connection.prepare_cached(sql)?.query_map(params, stored_reading)?.collect()
}

/// The first `limit` rows of several series. Each is read in chunks of about its share, so the
/// work is that of one seek per series and of the rows that are wanted.
fn merge(
    connection: &Connection,
    series: &[i64],
    order: Order,
    after: Cursor,
    limit: usize,
) -> rusqlite::Result<Vec<StoredReading>> {
    let chunk_len = limit.div_ceil(series.len().max(1)).saturating_mul(2).min(limit);
    let mut chunks = Vec::with_capacity(series.len());
    let mut heads = BinaryHeap::with_capacity(series.len());
    for (&id, index) in series.iter().zip(0_usize..) {
        let chunk = one_series(connection, id, order, after, chunk_len)?;
        heads.extend(chunk.front().map(|row| Reverse((rank(row, order), index))));
        chunks.push((id, chunk));
    }
    let mut rows = Vec::with_capacity(limit);
    while rows.len() < limit
        && let Some(Reverse((_, index))) = heads.pop()
        && let Some((id, chunk)) = chunks.get_mut(index)
        && let Some(row) = chunk.pop_front()
    {
        if chunk.is_empty() {
            *chunk = one_series(connection, *id, order, Cursor::behind(&row), chunk_len)?;
        }
        heads.extend(chunk.front().map(|row| Reverse((rank(row, order), index))));
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
