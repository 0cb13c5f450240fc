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
        "reading.id, reading.at_micros, reading.arrived_at_micros, reading.suspect,
         reading.taken_at_micros, reading.value, reading.seq,
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

pub(super) use {columns, names};

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
    Ok(StoredReading {
        id: row.get(0).map(i64::cast_unsigned)?,
        at: row.get(1).map(UnixMicros)?,
        arrived_at: row.get(2).map(UnixMicros)?,
        suspect: row.get(3)?,
        reading: Reading {
            taken_at: row.get::<_, Option<i64>>(4)?.map(UnixMicros),
            value: row.get(5)?,
            topic: text(7)?,
            device: text(8)?,
            quantity: text(9)?,
            unit,
            key,
        },
    })
}

#[derive(Debug, thiserror::Error)]
#[error("unit of a newer version")]
struct UnknownUnit;
