//! The floor of the store: the table that a person would write for the same readings, filled by a bare loop
//! over one prepared INSERT.
//!
//! Log, sync, page cache and the length of the log are those of the journal, so that what differs is what
//! is written and how.

use super::store::Sample;
use anyhow::Result;
use rusqlite::{Connection, params};
use std::path::Path;

const SETTINGS: &str = "PRAGMA journal_mode = wal; PRAGMA synchronous = full;
    PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 10240; PRAGMA journal_size_limit = 41943040;";

const TABLE: &str = "CREATE TABLE reading (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL,
    quantity_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    arrived INTEGER NOT NULL,
    boot INTEGER,
    seq INTEGER
);";

/// The one index that answers "this series between two times".
const INDEX: &str = "CREATE INDEX reading_by_series ON reading (device_id, quantity_id, at);";

/// A database of one table.
pub(crate) struct Plain {
    connection: Connection,
}

impl Plain {
    pub(crate) fn create(path: &Path, has_index: bool) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SETTINGS)?;
        connection.execute_batch(TABLE)?;
        if has_index {
            connection.execute_batch(INDEX)?;
        }
        Ok(Self { connection })
    }

    /// One synced transaction.
    pub(crate) fn commit(&mut self, samples: &[Sample]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO reading (device_id, quantity_id, at, value, arrived, boot, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for sample in samples {
            insert.execute(params![
                sample.series,
                1,
                sample.at,
                sample.value,
                sample.arrived_at,
                sample.series,
                sample.seq
            ])?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(())
    }

    /// Copies the log into the file.
    pub(crate) fn close(self) -> Result<()> {
        self.connection.close().map_err(|(_, cause)| cause)?;
        Ok(())
    }
}
