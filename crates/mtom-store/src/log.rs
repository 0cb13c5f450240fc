//! The write-ahead log as a file: synced apart from the commit that wrote it, and kept short.
//!
//! SQLite with `synchronous=NORMAL` writes a commit to the log and leaves the sync to us; it syncs by
//! itself where its own order depends on it (before the log is copied into the database, and when
//! the log starts anew). Commit and sync together are what `synchronous=FULL` does, with a moment in
//! between in which the transaction is proof against the death of the process.
//!
//! SQLite copies the log into the database after [`COPIED_PAGES`] and starts it anew when nobody reads
//! from it. Among many readers somebody always does: then the log is copied while new readers are led to
//! the database, and the last ones are waited for, but never for long.

use crate::error::StoreError;
use crate::file;
use rusqlite::Connection;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

/// After how many pages of 4 KiB the log is copied back into the file. Each page is copied once however
/// often it was written, so a long log saves much.
pub(crate) const COPIED_PAGES: i64 = 10_240;

/// To so many bytes the file of the log is cut when it starts anew: up to there it is used again.
pub(crate) const KEPT_LEN: i64 = COPIED_PAGES * 4_096;

/// A log of more bytes is made to start anew. Until it has, large batches fit below the 64 MB that the
/// log may take.
const RESTARTED_LEN: u64 = 48 * 1024 * 1024;

/// So long a batch waits for readers. Ours hold a state of the file for milliseconds.
const READERS_WAIT: Duration = Duration::from_millis(100);

/// The log beside an open database.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// After a failed sync the system may have dropped what it could not write, and would call the
    /// next sync a success. Only a new process that reads the disk knows better.
    has_failed: bool,
    /// While somebody keeps the log from starting anew.
    blocked: Option<Blocked>,
}

#[derive(Clone, Copy, Debug)]
struct Blocked {
    tries: u32,
    /// How long the log has to be for the next one.
    next_len: u64,
}

impl Log {
    /// Opens the log of the database at `path`, which a connection has open and in WAL mode.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let log = file::beside(path, "-wal");
        let file = OpenOptions::new().write(true).open(&log)?;
        file.sync_all()?;
        file::sync_folder(&log)?;
        Ok(Self::of(file))
    }

    pub(crate) fn of(file: File) -> Self {
        Self { file, has_failed: false, blocked: None }
    }

    /// Returns when all that was committed is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.check()?;
        self.file.sync_data().map_err(|cause| {
            self.has_failed = true;
            StoreError::Unsynced(Some(cause))
        })
    }

    /// An error once a sync has failed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.has_failed { Err(StoreError::Unsynced(None)) } else { Ok(()) }
    }

    /// Makes a log that is too long start anew with the next write. `connection` writes it, is not in a
    /// transaction, and otherwise waits for `busy_timeout`. Who holds a state of the file for long is
    /// waited for again each time that the log has grown by an eighth; nothing is lost meanwhile.
    pub(crate) fn keep_short(&mut self, connection: &Connection, busy_timeout: Duration) {
        let Ok(len) = self.file.metadata().map(|log| log.len()) else { return };
        if len <= RESTARTED_LEN {
            if let Some(Blocked { tries, .. }) = self.blocked.take() {
                tracing::info!(tries, "the log of the database is short again");
            }
            return;
        }
        if self.blocked.is_some_and(|blocked| len < blocked.next_len) {
            return;
        }
        let cause = match restart(connection, busy_timeout) {
            Ok(true) => return,
            Ok(false) => None,
            Err(cause) => Some(cause),
        };
        let tries = self.blocked.map_or(0, |blocked| blocked.tries).saturating_add(1);
        if tries == 1 {
            let cause =
                cause.map_or("somebody reads an old state of it".into(), |cause| cause.to_string());
            tracing::warn!(len, cause, "the log of the database cannot be shortened");
        }
        self.blocked = Some(Blocked { tries, next_len: len.saturating_add(len / 8) });
    }
}

/// False when somebody reads an old state.
fn restart(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<bool> {
    connection.busy_timeout(READERS_WAIT)?;
    let is_blocked: rusqlite::Result<bool> =
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
    connection.busy_timeout(busy_timeout)?;
    Ok(!is_blocked?)
}

#[cfg(test)]
mod tests;
