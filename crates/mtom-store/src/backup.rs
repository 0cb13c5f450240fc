//! A copy of the database while it is written, and the way back.
//!
//! A backup is one file that any mtom of its version or a newer one can open. It is made from one
//! state of the database, in steps, while the journal goes on; then it is opened, checked, and each of
//! its tables is compared with the same state by count and checksum. It has its name only when all of
//! that is true. A restore checks the backup first, and moves what it replaces aside.

use crate::error::OpenError;
use crate::file::{self, Found, Lock};
use crate::lineage;
use crate::migrations::MIGRATIONS;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pages of one step, after which progress is told.
const PAGES: i32 = 64;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no backup, or nothing was restored. What was there before is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Choose another name.
    #[error("{path} exists: choose another name, or remove it first")]
    TargetExists {
        /// The name.
        path: PathBuf,
    },
    /// Say that the present history may be moved aside.
    #[error(
        "{path} holds a history of {readings} readings: stop mtom and repeat with --force to replace it (it is moved aside, not deleted)"
    )]
    WouldReplace {
        /// The database.
        path: PathBuf,
        /// How many readings it has stored; 0 where it cannot be read.
        readings: u64,
    },
    /// Look at the file: it is not a database of ours, or damaged.
    #[error(transparent)]
    Unusable(#[from] OpenError),
    /// Make another backup: the copy is not what it was made from.
    #[error(
        "the copy differs from the database ({what}): it was removed; check the disk of {path}"
    )]
    Differs {
        /// The copy.
        path: PathBuf,
        /// Which table.
        what: String,
    },
    /// Look at the cause: the file system refused something.
    #[error("cannot write {path}: expected a folder with room that this user may write to")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Look at the cause: SQLite refused something.
    #[error("cannot copy {path}")]
    Copy {
        /// The file that was read.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Readings in it.
    pub readings: u64,
    /// Rejects in it.
    pub rejects: u64,
    /// Commands in it.
    pub commands: u64,
    /// Bytes.
    pub len: u64,
    /// Each table with its rows and the checksum of them.
    pub tables: Vec<(String, u64, u64)>,
}

/// Copies the database at `from` to the new file `to`. `progress` gets pages done and pages in all.
///
/// # Errors
/// [`BackupError`]; there is no file `to` then.
pub fn back_up(
    from: &Path,
    to: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Summary, BackupError> {
    if to.exists() {
        return Err(BackupError::TargetExists { path: to.to_owned() });
    }
    if !from.exists() {
        let cause = io::ErrorKind::NotFound.into();
        return Err(OpenError::Folder { folder: file::folder(from), cause }.into());
    }
    let partial = file::beside(to, ".part");
    let write = |cause| BackupError::Write { path: to.to_owned(), cause };
    remove(&partial).map_err(write)?;
    fs::write(&partial, "").map_err(write)?;
    let copied = copy(from, &partial, &mut progress).and_then(|expected| {
        OpenOptions::new()
            .write(true)
            .open(&partial)
            .and_then(|file| file.sync_all())
            .map_err(write)?;
        let found = verify(&partial)?;
        match difference(&expected, &found.tables) {
            None => Ok(found),
            Some(what) => Err(BackupError::Differs { path: to.to_owned(), what }),
        }
    });
    match copied {
        Ok(summary) => {
            file::put_in_place(&partial, to).map_err(write)?;
            Ok(summary)
        }
        Err(error) => {
            // The error that is told is the first one.
            let _ = remove(&partial);
            Err(error)
        }
    }
}

/// Opens a backup, checks every page of it and counts what it holds.
///
/// # Errors
/// [`BackupError::Unusable`] says what is wrong with it.
pub fn verify(path: &Path) -> Result<Summary, BackupError> {
    let damaged = |what: String| OpenError::Damaged { path: path.to_owned(), what, cause: None };
    if file::inspect(path, MIGRATIONS)? == Found::Nothing {
        return Err(damaged("there is no such file, or it is empty".into()).into());
    }
    let copy = |cause| BackupError::Copy { path: path.to_owned(), cause };
    let connection = file::open_alone(path).map_err(copy)?;
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(copy)?;
    if verdict != "ok" {
        return Err(damaged(verdict.replace(['\n', '\r'], " ")).into());
    }
    let tables = checksums(&connection).map_err(copy)?;
    let rows = |name: &str| tables.iter().find(|(table, ..)| table == name).map_or(0, |row| row.1);
    Ok(Summary {
        readings: rows("reading"),
        rejects: rows("reject"),
        commands: rows("command"),
        len: fs::metadata(path).map_or(0, |metadata| metadata.len()),
        tables,
    })
}

/// Puts a copy of the backup at `from` in the place of the database `to`. What was there is moved to
/// `<to>.replaced`, and only with `force`. The copy is a history of its own from here on ([`crate::lineage`]).
///
/// # Errors
/// [`BackupError`]; the database is unchanged then.
pub fn restore(from: &Path, to: &Path, force: bool) -> Result<Summary, BackupError> {
    let summary = verify(from)?;
    let write = |cause| BackupError::Write { path: to.to_owned(), cause };
    fs::create_dir_all(file::folder(to)).map_err(write)?;
    let _lock = Lock::take(to)?;
    let is_there = fs::metadata(to).is_ok_and(|metadata| metadata.len() > 0);
    if is_there && !force {
        let readings = verify(to).map_or(0, |present| present.readings);
        return Err(BackupError::WouldReplace { path: to.to_owned(), readings });
    }
    let fresh = file::beside(to, ".new");
    remove(&fresh).map_err(write)?;
    fs::copy(from, &fresh).map_err(write)?;
    begin_anew(&fresh).map_err(|cause| BackupError::Copy { path: from.to_owned(), cause })?;
    OpenOptions::new().write(true).open(&fresh).and_then(|file| file.sync_all()).map_err(write)?;
    if is_there {
        let aside = file::beside(to, ".replaced");
        remove(&aside).map_err(write)?;
        // The log first: without it the old file is whole but older, the other way round it is mixed up.
        let log = file::beside(to, "-wal");
        if log.exists() {
            fs::rename(&log, file::beside(&aside, "-wal")).map_err(write)?;
        }
        fs::rename(to, &aside).map_err(write)?;
    }
    let _ = fs::remove_file(file::beside(to, "-shm"));
    file::put_in_place(&fresh, to).map_err(write)?;
    Ok(summary)
}

/// The next readings of a copy are not those of what it was copied from.
fn begin_anew(copy: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags)?;
    lineage::fork(&connection)?;
    connection.close().map_err(|(_, cause)| cause)
}

/// Copies one state of the database; what its tables hold.
fn copy(
    from: &Path,
    to: &Path,
    progress: &mut impl FnMut(u64, u64),
) -> Result<Vec<(String, u64, u64)>, BackupError> {
    let failed = |cause| BackupError::Copy { path: from.to_owned(), cause };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(failed)?;
    source.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let application: i32 =
        source.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    if application != file::APPLICATION_ID {
        let what = "it is an SQLite database of another program".into();
        return Err(OpenError::Damaged { path: from.to_owned(), what, cause: None }.into());
    }
    // One transaction over the copy and the checksums: both see the same state.
    source.execute_batch("BEGIN; SELECT 1 FROM schema_version").map_err(failed)?;
    let mut target = Connection::open(to).map_err(failed)?;
    let backup = Backup::new(&source, &mut target).map_err(failed)?;
    loop {
        let step = backup.step(PAGES).map_err(failed)?;
        let state = backup.progress();
        let pages = |count: i32| u64::try_from(count).unwrap_or(0);
        progress(pages(state.pagecount - state.remaining), pages(state.pagecount));
        if matches!(step, StepResult::Done) {
            break;
        }
    }
    drop(backup);
    target.close().map_err(|(_, cause)| failed(cause))?;
    checksums(&source).map_err(failed)
}

/// Every table by name, with its rows and a checksum over them in the order of its key.
fn checksums(connection: &Connection) -> rusqlite::Result<Vec<(String, u64, u64)>> {
    let names: Vec<String> = connection
        .prepare(
            "SELECT name FROM sqlite_schema
             WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    names
        .into_iter()
        .map(|name| {
            // A name of the schema is no text from outside; quoted all the same.
            let quoted = name.replace('"', "\"\"");
            let mut statement = connection.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            let (mut count, mut sum) = (0_u64, 0_u64);
            while let Some(row) = rows.next()? {
                let mut hasher = DefaultHasher::new();
                for column in 0..columns {
                    match row.get_ref(column)? {
                        ValueRef::Null => 0_u8.hash(&mut hasher),
                        ValueRef::Integer(number) => number.hash(&mut hasher),
                        ValueRef::Real(number) => number.to_bits().hash(&mut hasher),
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(&mut hasher),
                    }
                }
                count += 1;
                sum = sum.wrapping_add(hasher.finish());
            }
            Ok((name, count, sum))
        })
        .collect()
}

/// The first table that is not the same.
fn difference(a: &[(String, u64, u64)], b: &[(String, u64, u64)]) -> Option<String> {
    if a.len() != b.len() {
        return Some(format!("{} tables instead of {}", b.len(), a.len()));
    }
    a.iter()
        .zip(b)
        .find(|(a, b)| a != b)
        .map(|(a, b)| format!("table {}: {} rows instead of {}, or other content", a.0, b.1, a.1))
}

/// Removes a database that was not finished, with its side files.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(file::beside(path, suffix)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
