//! A row of the database and a reading: the same in both directions, to the last bit. Only the sign of a zero
//! is lost: the server has one zero, and so 0.0 and -0.0 count as equal wherever rows are compared.

use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use sqlx::Row;
use sqlx::mysql::MySqlRow;
use std::fmt::Write;
use std::sync::Arc;

/// The columns that [`stored_reading`] takes, from the tables of [`joined!`].
macro_rules! columns {
    () => {
        "reading.number, reading.at_micros, reading.arrived_at_micros, reading.suspect,
         reading.taken_at_micros, reading.value, reading.seq,
         topic.name, series.device, series.quantity, series.unit, boot.name"
    };
}

/// What a reading's numbers stand for.
macro_rules! joined {
    () => {
        " JOIN series ON series.id = reading.series
          JOIN topic ON topic.id = reading.topic
          LEFT JOIN boot ON boot.id = reading.boot "
    };
}

/// A row as the text that [`line`] makes of a reading.
///
/// A number is written with the fewest digits that name it, padded to 30 decimals, on both sides. What is too
/// large or too small for that many takes no part.
macro_rules! line {
    () => {
        "CONCAT_WS('|', reading.number, reading.at_micros, reading.arrived_at_micros,
             COALESCE(reading.taken_at_micros, '-'), reading.suspect, COALESCE(reading.seq, '-'),
             IF(reading.value = 0, '0', IF(ABS(reading.value) BETWEEN 1e-13 AND 1e30,
                 CAST(CAST(reading.value AS DECIMAL(65,30)) AS CHAR), 'x')),
             topic.name, series.device, series.quantity, series.unit, COALESCE(boot.name, ''))"
    };
}

pub(super) use {columns, joined, line};

pub(super) fn stored_reading(row: &MySqlRow) -> sqlx::Result<StoredReading> {
    let text = |column: usize| row.try_get::<&str, _>(column).map(Arc::<str>::from);
    let unit = row.try_get::<&str, _>(10)?;
    let unit = Unit::parse(unit)
        .ok_or_else(|| sqlx::Error::Decode(format!("unit `{unit}` of a newer version").into()))?;
    let boot = row.try_get::<Option<&str>, _>(11)?;
    let seq = row.try_get::<Option<u64>, _>(6)?;
    Ok(StoredReading {
        id: row.try_get(0)?,
        at: UnixMicros(row.try_get(1)?),
        arrived_at: UnixMicros(row.try_get(2)?),
        suspect: row.try_get(3)?,
        reading: Reading {
            taken_at: row.try_get::<Option<i64>, _>(4)?.map(UnixMicros),
            value: row.try_get(5)?,
            topic: text(7)?,
            device: text(8)?,
            quantity: text(9)?,
            unit,
            key: boot.zip(seq).map(|(boot, seq)| ReadingKey { boot: boot.into(), seq }),
        },
    })
}

/// A reading as the text that [`line!`] makes of its row.
fn line_of(stored: &StoredReading, text: &mut String) -> std::fmt::Result {
    let StoredReading { id, at, arrived_at, suspect, reading } = stored;
    text.clear();
    write!(text, "{id}|{}|{}|", at.0, arrived_at.0)?;
    match reading.taken_at {
        Some(taken_at) => write!(text, "{}|", taken_at.0)?,
        None => text.push_str("-|"),
    }
    write!(text, "{}|", u8::from(*suspect))?;
    match &reading.key {
        Some(key) => write!(text, "{}|", key.seq)?,
        None => text.push_str("-|"),
    }
    number_of(reading.value, text)?;
    write!(
        text,
        "|{}|{}|{}|{}|{}",
        reading.topic,
        reading.device,
        reading.quantity,
        reading.unit.symbol(),
        reading.key.as_ref().map_or("", |key| &key.boot)
    )
}

fn number_of(value: f64, text: &mut String) -> std::fmt::Result {
    if value == 0.0 {
        return text.write_str("0");
    }
    if !(1e-13..=1e30).contains(&value.abs()) {
        return text.write_str("x");
    }
    let start = text.len();
    // The fewest digits that name the number, without an exponent.
    write!(text, "{value}")?;
    let decimals = match text.get(start..).and_then(|number| number.split_once('.')) {
        Some((_, decimals)) => decimals.len(),
        None => {
            text.push('.');
            0
        }
    };
    text.extend(std::iter::repeat_n('0', 30_usize.saturating_sub(decimals)));
    Ok(())
}

/// The sum of the lines' CRC-32. A sum, because CRC is linear: under XOR two readings that have swapped their
/// values would cancel out.
pub(super) fn checksum(readings: &[StoredReading]) -> u64 {
    let mut text = String::new();
    let mut sum = 0_u64;
    for reading in readings {
        // Writing into a string cannot fail.
        let _ = line_of(reading, &mut text);
        sum = sum.wrapping_add(u64::from(crc32(text.as_bytes())));
    }
    sum
}

/// CRC-32 as in IEEE 802.3, which is the server's `CRC32()`.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(!0_u32, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ TABLE[usize::from(low ^ byte)]
    })
}

const fn table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut index = 0;
    let mut start = 0_u32;
    while index < table.len() {
        let mut crc = start;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
        start += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{crc32, number_of};

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_number_is_written_with_thirty_decimals() {
        let shown = |value| {
            let mut text = String::new();
            number_of(value, &mut text).unwrap();
            text
        };
        assert_eq!(shown(24.5), "24.500000000000000000000000000000");
        assert_eq!(shown(-3.0), "-3.000000000000000000000000000000");
        assert_eq!(shown(-0.0), "0");
        assert_eq!(shown(1e300), "x");
        assert_eq!(shown(1.234_567_890_123_456_6e-13), "0.000000000000123456789012345660");
    }
}
