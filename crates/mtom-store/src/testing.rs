//! What several tests need: a folder, readings, and a look at the file from outside.

use crate::journal::Journal;
use crate::record::Stored;
use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use rusqlite::Connection;
use std::path::PathBuf;
use tempfile::TempDir;

/// 2026-11-23T08:06:30Z.
pub(crate) const NOW: UnixMicros = UnixMicros(1_795_421_190_000_000);
pub(crate) const SECOND: i64 = 1_000_000;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("mtom.db")
    }

    pub(crate) fn open(&self) -> Journal {
        Journal::open(&self.path(), NOW).unwrap()
    }

    /// A connection that knows nothing of mtom, like the `sqlite3` shell.
    pub(crate) fn plain(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// The names of the files in it, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// `Environ/Temperature` at `NOW + offset`.
pub(crate) fn after(micros: i64) -> UnixMicros {
    UnixMicros(NOW.0 + micros)
}

/// A temperature without a key or a time.
pub(crate) fn celsius(device: &str, value: f64) -> Reading {
    reading(device, "Temperature", value, Unit::Celsius)
}

pub(crate) fn reading(device: &str, quantity: &str, value: f64, unit: Unit) -> Reading {
    Reading {
        topic: format!("{device}/{quantity}").into(),
        device: device.into(),
        quantity: quantity.into(),
        value,
        unit,
        taken_at: None,
        key: None,
    }
}

pub(crate) fn keyed(reading: Reading, boot: &str, seq: u64) -> Reading {
    Reading { key: Some(ReadingKey { boot: boot.into(), seq }), ..reading }
}

pub(crate) fn taken(reading: Reading, at: UnixMicros) -> Reading {
    Reading { taken_at: Some(at), ..reading }
}

/// Stores everything in one batch.
pub(crate) fn store(journal: &mut Journal, readings: &[(Reading, UnixMicros)]) -> Vec<Stored> {
    let mut batch = journal.begin().unwrap();
    let stored = readings
        .iter()
        .map(|(reading, arrived_at)| batch.reading(reading, *arrived_at).unwrap())
        .collect();
    batch.commit().unwrap();
    stored
}

/// Stores one new reading.
pub(crate) fn store_new(
    journal: &mut Journal,
    reading: Reading,
    arrived_at: UnixMicros,
) -> StoredReading {
    match store(journal, &[(reading, arrived_at)]).remove(0) {
        Stored::New(stored) => stored,
        Stored::Duplicate => panic!("expected a new reading"),
    }
}
