//! `database:N`: a page by its number of rows, without walking over them.
//!
//! The counts of days lead to the day that holds row N, its hours to the hour, down to the second.
//! Only inside that second are rows skipped one by one.

use super::row::{columns, names, stored_reading};
use crate::record::ORIGINAL_PAGE_LEN;
use crate::rollup::{SECOND, WIDTHS};
use mtom_protocol::reading::StoredReading;
use rusqlite::{Connection, OptionalExtension, params};
use std::ops::Range;

pub(super) fn page(connection: &Connection, offset: u64) -> rusqlite::Result<Vec<StoredReading>> {
    let mut rows = Vec::new();
    let mut next = find(connection, offset)?;
    while let Some(place) = next
        && rows.len() < ORIGINAL_PAGE_LEN
    {
        read_second(connection, place, &mut rows)?;
        next = second_behind(connection, place.second)?;
    }
    Ok(rows)
}

/// Row `skip` of the temperatures in the second that starts at `second`.
#[derive(Clone, Copy)]
struct Place {
    second: i64,
    skip: i64,
}

/// Where row `offset` is; `None` beyond the last.
fn find(connection: &Connection, offset: u64) -> rusqlite::Result<Option<Place>> {
    let Ok(mut skip) = i64::try_from(offset) else { return Ok(None) };
    let mut within = i64::MIN..i64::MAX;
    for width in WIDTHS {
        let Some(start) = find_span(connection, width, within, &mut skip)? else {
            return Ok(None);
        };
        within = start..start.saturating_add(width);
    }
    Ok(Some(Place { second: within.start, skip }))
}

/// The first span of this width inside `within` that holds more than `skip` rows, once the rows of
/// the spans before it are taken off `skip`.
fn find_span(
    connection: &Connection,
    width: i64,
    within: Range<i64>,
    skip: &mut i64,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT start_micros, count FROM temperature_count
         WHERE width_micros = ?1 AND start_micros >= ?2 AND start_micros < ?3
         ORDER BY start_micros",
    )?;
    let mut spans = statement.query(params![width, within.start, within.end])?;
    while let Some(span) = spans.next()? {
        let (start, count): (i64, i64) = (span.get(0)?, span.get(1)?);
        if *skip < count {
            return Ok(Some(start));
        }
        *skip -= count;
    }
    Ok(None)
}

fn second_behind(connection: &Connection, second: i64) -> rusqlite::Result<Option<Place>> {
    connection
        .prepare_cached(
            "SELECT start_micros FROM temperature_count
             WHERE width_micros = ?1 AND start_micros > ?2 ORDER BY start_micros LIMIT 1",
        )?
        .query_row(params![SECOND, second], |row| Ok(Place { second: row.get(0)?, skip: 0 }))
        .optional()
}

/// Adds the rows of one second until the page is full. The inner query skips rows on the index
/// alone; only what it yields is looked up.
fn read_second(
    connection: &Connection,
    place: Place,
    rows: &mut Vec<StoredReading>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM (
              SELECT series, at_micros, id FROM reading INDEXED BY reading_by_time
              WHERE at_micros >= ?1 AND at_micros < ?2
                  AND series IN (SELECT id FROM series WHERE is_temperature)
              ORDER BY at_micros, id LIMIT ?3 OFFSET ?4
          ) AS found
          CROSS JOIN reading USING (series, at_micros, id)",
        names!(),
        "ORDER BY found.at_micros, found.id"
    ))?;
    let wanted = i64::try_from(ORIGINAL_PAGE_LEN - rows.len()).expect("a page is short");
    let end = place.second.saturating_add(SECOND);
    let found =
        statement.query_map(params![place.second, end, wanted, place.skip], stored_reading)?;
    for row in found {
        rows.push(row?);
    }
    Ok(())
}
