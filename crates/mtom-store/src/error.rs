//! What can go wrong, one variant per reaction.

use rusqlite::ErrorCode;
use std::io;
use std::path::PathBuf;

/// Why a journal cannot be opened. The database file is as it was before, byte for byte.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Make the folder, or let this user write there.
    #[error("cannot use the data folder {folder}: expected a folder that this user may write to")]
    Folder {
        /// The folder of the database.
        folder: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Stop the other process, or choose another folder.
    #[error(
        "database {path} is in use by another mtom process{by}: stop that one, or give this one another data.dir"
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// ` (process 42)`, or nothing where the system does not let us read it.
        by: String,
    },
    /// Install the newer program again.
    #[error(
        "database {path} has schema version {found}, this mtom knows versions up to {known}: run the newer mtom that wrote it, or move the file away to start empty (nothing was changed)"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Start mtom once, or name another folder.
    #[error("there is no history at {path}: start mtom up first, or name its folder with --data")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Start mtom once: it brings the file to its version.
    #[error(
        "database {path} has the older schema version {found}: start mtom up or mtom gateway once, which brings it to this version"
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// The version in the file.
        found: u32,
    },
    /// Put a backup in its place, or start empty.
    #[error(
        "{path} is not a usable mtom database ({what}): restore a backup in its place, or move it away to start empty, and the -wal file beside it too (nothing was changed)"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found instead of an mtom database.
        what: String,
        /// What SQLite said, where it was SQLite that found out.
        #[source]
        cause: Option<rusqlite::Error>,
    },
    /// Make room for the copy that is kept before a migration.
    #[error("cannot keep a backup of the database as {backup} before its migration")]
    Backup {
        /// Where the copy was to be.
        backup: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Choose a folder on a local disk: this file system cannot keep what is acknowledged.
    #[error(
        "database {path} cannot be kept durably (expected a write-ahead log, found {found}): put data.dir on a local disk"
    )]
    NotDurable {
        /// The database.
        path: PathBuf,
        /// What SQLite uses instead.
        found: String,
    },
    /// Look at the cause: the log beside the database cannot be synced.
    #[error("cannot sync the log of database {path}: expected a disk that confirms its writes")]
    Log {
        /// The database.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Look at the cause: SQLite or the file system failed in another way.
    #[error("cannot open database {path}")]
    Failed {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
}

/// Why nothing was stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Make room, then go on: the same journal works again.
    #[error("the disk of the database is full: expected room to write")]
    Full(#[source] rusqlite::Error),
    /// Try again: a program that is not mtom holds the file.
    #[error("another program keeps the database locked")]
    Busy(#[source] rusqlite::Error),
    /// Stop: the file or its disk is broken and an operator must act.
    #[error("the database is damaged or its disk fails: restore a backup or check the disk")]
    Damaged(#[source] rusqlite::Error),
    /// End the process: what was written may or may not be on the disk, and only a new one that reads
    /// the disk can tell.
    #[error(
        "the disk did not confirm what was written to the database: check the disk, then start mtom again"
    )]
    Unsynced(#[source] Option<io::Error>),
    /// Begin a new batch: this one had an error before, so nothing of it is stored.
    #[error("an earlier step of this batch failed: nothing of it is stored")]
    Broken,
    /// Look at the cause: the store and its schema disagree.
    #[error("the database refused a statement")]
    Failed(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(cause: rusqlite::Error) -> Self {
        match cause.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(cause),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(cause),
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly,
            ) => Self::Damaged(cause),
            _ => Self::Failed(cause),
        }
    }
}
