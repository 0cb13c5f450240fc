//! The write-ahead log as a file that can be synced apart from the commit that wrote it.
//!
//! SQLite with `synchronous=NORMAL` writes a commit to the log and leaves the sync to us; it syncs by
//! itself where its own order depends on it (before the log is copied into the database, and when
//! the log starts anew). Commit and sync together are what `synchronous=FULL` does, with a moment in
//! between in which the transaction is proof against the death of the process.

use crate::error::StoreError;
use crate::file;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// The log beside an open database.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// After a failed sync the system may have dropped what it could not write, and would call the
    /// next sync a success. Only a new process that reads the disk knows better.
    has_failed: bool,
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
        Self { file, has_failed: false }
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
}
