//! `database:N`: a page by its number of rows, without walking over them.
//!
//! The counts of days lead to the day that holds row N, its hours to the hour, its slots to the slot.
//! Only inside that slot are rows skipped one by one.

use super::row::{columns, names, stored_reading};
use crate::record::ORIGINAL_PAGE_LEN;
use crate::rollup::COUNTED;
use mtom_protocol::reading::StoredReading;
use rusqlite::{Connection, OptionalExtension, params};
use std::ops::Range;

pub(super) fn page(connection: &Connection, offset: u64) -> rusqlite::Result<Vec<StoredReading>> {
    let mut rows = Vec::new();
    let mut next = find(connection, offset)?;
    while let Some(place) = next
        && rows.len() < ORIGINAL_PAGE_LEN
    {
        read_slot(connection, place, &mut rows)?;
        next = slot_behind(connection, place.slot)?;
    }
    Ok(rows)
}

/// Row `skip` of the temperatures in a slot.
#[derive(Clone, Copy)]
struct Place {
    slot: i64,
    skip: i64,
}

/// Where row `offset` is; `None` beyond the last.
fn find(connection: &Connection, offset: u64) -> rusqlite::Result<Option<Place>> {
    let Ok(mut skip) = i64::try_from(offset) else { return Ok(None) };
    let mut within = 0..i64::MAX;
    let mut narrower = COUNTED.iter().skip(1);
    for (level, width) in (0_i64..).zip(COUNTED) {
        let Some(span) = find_span(connection, level, within, &mut skip)? else {
            return Ok(None);
        };
        let ratio = narrower.next().map_or(1, |narrow| width / narrow);
        within = span * ratio..(span + 1) * ratio;
    }
    Ok(Some(Place { slot: within.start, skip }))
}

/// The first span of this level inside `within` that holds more than `skip` rows, once the rows of
/// the spans before it are taken off `skip`.
fn find_span(
    connection: &Connection,
    level: i64,
    within: Range<i64>,
    skip: &mut i64,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT span, count FROM temperature_count
         WHERE level = ?1 AND span >= ?2 AND span < ?3 ORDER BY span",
    )?;
    let mut spans = statement.query(params![level, within.start, within.end])?;
    while let Some(span) = spans.next()? {
        let (number, count): (i64, i64) = (span.get(0)?, span.get(1)?);
        if *skip < count {
            return Ok(Some(number));
        }
        *skip -= count;
    }
    Ok(None)
}

fn slot_behind(connection: &Connection, slot: i64) -> rusqlite::Result<Option<Place>> {
    connection
        .prepare_cached(
            "SELECT span FROM temperature_count
             WHERE level = 2 AND span > ?1 AND count > 0 ORDER BY span LIMIT 1",
        )?
        .query_row([slot], |row| Ok(Place { slot: row.get(0)?, skip: 0 }))
        .optional()
}

/// Adds the rows of one slot until the page is full. The inner query skips rows on the index
/// alone; only what it yields is looked up.
fn read_slot(
    connection: &Connection,
    place: Place,
    rows: &mut Vec<StoredReading>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM (
              SELECT id, within FROM reading INDEXED BY reading_by_slot
              WHERE slot = ?1 AND series IN (SELECT id FROM series WHERE is_temperature)
              ORDER BY within, id LIMIT ?2 OFFSET ?3
          ) AS found
          CROSS JOIN reading ON reading.id = found.id",
        names!(),
        "ORDER BY found.within, found.id"
    ))?;
    let wanted = i64::try_from(ORIGINAL_PAGE_LEN - rows.len()).expect("a page is short");
    let found = statement.query_map(params![place.slot, wanted, place.skip], stored_reading)?;
    for row in found {
        rows.push(row?);
    }
    Ok(())
}
