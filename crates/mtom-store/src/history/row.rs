//! From a row of the file to a reading.

use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Error, Row};
use std::sync::Arc;

/// The columns that [`stored_reading`] takes, from the tables of [`joined!`].
macro_rules! columns {
    () => {
        "reading.id, reading.at_micros, reading.arrived_after_micros, reading.is_device_time,
         reading.suspect_taken_at_micros, reading.value, reading.seq,
         topic.name, series.device, series.quantity, series.unit, boot.name"
    };
}

/// What a reading's numbers stand for. `CROSS` fixes the order: readings first.
macro_rules! names {
    () => {
        " CROSS JOIN series ON series.id = reading.series
          CROSS JOIN topic ON topic.id = reading.topic
          LEFT JOIN boot ON boot.id = reading.boot "
    };
}

/// The readings of series ?1 in the twelve slots of the minute `part`: twelve seeks, no scan.
macro_rules! readings_of_part {
    () => {
        " CROSS JOIN reading INDEXED BY reading_by_slot
              ON reading.series = ?1 AND reading.slot IN (
                  part.minute * 12, part.minute * 12 + 1, part.minute * 12 + 2,
                  part.minute * 12 + 3, part.minute * 12 + 4, part.minute * 12 + 5,
                  part.minute * 12 + 6, part.minute * 12 + 7, part.minute * 12 + 8,
                  part.minute * 12 + 9, part.minute * 12 + 10, part.minute * 12 + 11
              ) "
    };
}

pub(super) use {columns, names, readings_of_part};

pub(super) fn stored_reading(row: &Row<'_>) -> rusqlite::Result<StoredReading> {
    let text = |column| row.get_ref(column)?.as_str().map(Arc::from).map_err(Error::from);
    let unit = row.get_ref(10)?.as_str()?;
    let unit = Unit::parse(unit).ok_or_else(|| {
        let cause = FromSqlError::other(UnknownUnit);
        Error::FromSqlConversionFailure(10, Type::Text, Box::new(cause))
    })?;
    let boot: Option<Box<str>> = row.get(11)?;
    let seq: Option<i64> = row.get(6)?;
    let key = boot.zip(seq).map(|(boot, seq)| ReadingKey { boot, seq: seq.cast_unsigned() });
    let at: UnixMicros = row.get(1).map(UnixMicros)?;
    let arrived_after: i64 = row.get(2)?;
    let is_device_time: bool = row.get(3)?;
    let suspect: Option<UnixMicros> = row.get::<_, Option<i64>>(4)?.map(UnixMicros);
    Ok(StoredReading {
        id: row.get(0).map(i64::cast_unsigned)?,
        at,
        arrived_at: UnixMicros(at.0.saturating_add(arrived_after)),
        suspect: suspect.is_some(),
        reading: Reading {
            taken_at: suspect.or(is_device_time.then_some(at)),
            value: row.get(5)?,
            topic: text(7)?,
            device: text(8)?,
            quantity: text(9)?,
            unit,
            key,
        },
    })
}

/// The time and the value alone.
pub(super) fn stored_value(row: &Row<'_>) -> rusqlite::Result<(UnixMicros, f64)> {
    Ok((row.get(0).map(UnixMicros)?, row.get(1)?))
}

#[derive(Debug, thiserror::Error)]
#[error("unit of a newer version")]
struct UnknownUnit;
