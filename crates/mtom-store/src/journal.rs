//! The one writer of a database file.
//!
//! Blocking, and owned by one thread. A second journal on the same file is refused, in this
//! process and in any other. What is committed survives a loss of power. A transaction that was not
//! committed leaves nothing, not even in memory. Who can use the moment between the two halves of a
//! commit calls [`Batch::write`], then [`Journal::sync`].

use crate::batch::Batch;
use crate::error::{OpenError, StoreError};
use crate::file::{self, Found, Lock};
use crate::history::History;
use crate::latency::{Hop, Latencies};
use crate::log::{self, Log};
use crate::migrations::{MIGRATIONS, migrate, version_of};
use crate::names::Names;
use crate::record::Counts;
use crate::retention::Passed;
use crate::rollup::Sums;
use crate::seen::Seen;
use mtom_protocol::time::UnixMicros;
use rusqlite::config::DbConfig;
use rusqlite::ffi::{Error, SQLITE_BUSY};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

mod sums;

/// How long a write waits for a program that is not mtom, such as the `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Room for the pages that a thousand series touch again and again. Used only as it is needed.
const PAGE_CACHE_KIB: i64 = 32 * 1024;

const STATEMENTS_LEN_MAX: usize = 64;

/// The one writer of a database file. See the module's head for what it promises.
#[derive(Debug)]
pub struct Journal {
    // Before the connection: the last connection that is closed tidies up, and readers cannot.
    history: History,
    // Before the connection, which takes the file away.
    pub(crate) log: Log,
    pub(crate) connection: Connection,
    pub(crate) names: Names,
    pub(crate) seen: Seen,
    pub(crate) sums: Sums,
    pub(crate) latencies: Latencies,
    pub(crate) totals: Totals,
    pub(crate) passed: Passed,
    drained: u64,
    rejects_drained: u64,
    /// The disk was full, so the log has to give back what it takes before anything is tried again.
    pub(crate) is_full: bool,
    // Behind the connection, so that the file is closed before another process may have it.
    _lock: Lock,
}

/// The only row of `total`, as of the last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) counts: Counts,
    pub(crate) reading_id_last: u64,
    pub(crate) reject_id_last: u64,
    pub(crate) command_number_last: u64,
    /// Up to there the sums have everything.
    pub(crate) summed_reading_id: u64,
}

impl Journal {
    /// Opens the database at `path`, makes it where there is none, and brings an older one to this
    /// version after copying it to `<path>.v<N>.bak`. The folder must exist.
    ///
    /// # Errors
    /// [`OpenError`] names the file and what to do; the file is then unchanged.
    pub fn open(path: &Path, now: UnixMicros) -> Result<Self, OpenError> {
        Self::open_with(path, now, MIGRATIONS)
    }

    pub(crate) fn open_with(
        path: &Path,
        now: UnixMicros,
        migrations: &[&str],
    ) -> Result<Self, OpenError> {
        let lock = Lock::take(path)?;
        match file::inspect(path, migrations)? {
            Found::Nothing => create(path, now, migrations)?,
            Found::Version(version) if version < version_of(migrations) => {
                upgrade(path, now, migrations, version)?;
            }
            Found::Version(_) => {}
        }
        let failed = |cause| failed(path, cause);
        let connection = connect(path).map_err(failed)?;
        if !is_writable(&connection).map_err(failed)? {
            let cause = io::ErrorKind::PermissionDenied.into();
            return Err(OpenError::Folder { folder: file::folder(path), cause });
        }
        let totals = Totals::read(&connection).map_err(|cause| {
            // The version says that they are there.
            if file::is_of_others(&cause) {
                let what = "its totals cannot be read".into();
                OpenError::Damaged { path: path.into(), what, cause: Some(cause) }
            } else {
                failed(cause)
            }
        })?;
        let (drained, rejects_drained): (i64, i64) = connection
            .query_row("SELECT drained_reading_id, drained_reject_id FROM total", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(failed)?;
        let log = Log::open(path).map_err(|cause| OpenError::Log { path: path.into(), cause })?;
        connection.pragma_update(None, "synchronous", "normal").map_err(failed)?;
        check_durable(&connection, path)?;
        let history = History::new(path);
        let mut journal = Self {
            history,
            log,
            connection,
            names: Names::default(),
            seen: Seen::default(),
            sums: Sums::default(),
            latencies: Latencies::default(),
            totals,
            passed: Passed::default(),
            drained: drained.cast_unsigned(),
            rejects_drained: rejects_drained.cast_unsigned(),
            is_full: false,
            _lock: lock,
        };
        // The last process may have ended between a batch and its sums.
        journal.sum_up();
        Ok(journal)
    }

    /// Readers of the same file. They may outlive the journal.
    #[must_use]
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// Starts a transaction. Only one can be open; dropping it undoes it.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another program keeps the file for over five seconds.
    pub fn begin(&mut self) -> Result<Batch<'_>, StoreError> {
        Batch::begin(self)
    }

    /// Makes every [`Batch::write`] proof against a loss of power too.
    ///
    /// # Errors
    /// [`StoreError::Unsynced`]; from then on this journal refuses everything.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.log.sync()
    }

    /// The next `count` command numbers, the first of them 1. They are on disk as used before this
    /// returns, so no number is ever given out twice, not even by a process that is killed. Numbers
    /// that nobody uses are a gap.
    ///
    /// # Errors
    /// When the disk does not take it; then no number is given out.
    pub fn reserve_command_numbers(&mut self, count: u64) -> Result<Range<u64>, StoreError> {
        self.log.check()?;
        self.make_room()?;
        let first = self.totals.command_number_last.saturating_add(1);
        let last = self.totals.command_number_last.saturating_add(count);
        let reserve = || {
            self.connection
                .prepare_cached("UPDATE total SET command_number_last = ?1")?
                .execute(params![last.cast_signed()])
        };
        if let Err(cause) = reserve() {
            let error = StoreError::from(cause);
            self.is_full = matches!(error, StoreError::Full(_));
            return Err(error);
        }
        self.log.sync()?;
        self.totals.command_number_last = last;
        Ok(first..last.saturating_add(1))
    }

    /// After the disk was full: copies the log into the file and gives its space back. On a small disk
    /// the log alone may be what fills it, long before it is due to be copied. Else a log that is too
    /// long starts anew.
    pub(crate) fn make_room(&mut self) -> Result<(), StoreError> {
        if self.is_full {
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            self.is_full = false;
        }
        self.log.keep_short(&self.connection, BUSY_TIMEOUT);
        Ok(())
    }

    /// What [`Batch::rule_state`] kept last, each with its key. The key `""` is what a version before 3 kept
    /// of all rules together.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rule_states(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let states = self
            .connection
            .prepare_cached("SELECT key, state FROM rule_state ORDER BY key")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(states)
    }

    /// Keeps a new version of the rules, durable when this returns; its number.
    ///
    /// # Errors
    /// When the disk refuses it; then the version before is still the last.
    pub fn add_rule_set(
        &mut self,
        source: &str,
        text: &str,
        at: UnixMicros,
    ) -> Result<u64, StoreError> {
        let mut batch = self.begin()?;
        let version = batch.rule_set(source, text, at)?;
        batch.commit()?;
        Ok(version)
    }

    /// The newest reading's number; 0 before the first.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.totals.reading_id_last
    }

    /// Up to which reading another database has everything, as far as [`Journal::set_drained`] knows.
    #[must_use]
    pub fn drained(&self) -> u64 {
        self.drained
    }

    /// The same of rejects.
    #[must_use]
    pub fn rejects_drained(&self) -> u64 {
        self.rejects_drained
    }

    /// Notes up to which reading and reject another database has everything. It is durable with the
    /// next batch.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn set_drained(&mut self, id: u64, reject_id: u64) -> Result<(), StoreError> {
        if id > self.drained || reject_id > self.rejects_drained {
            self.drained = self.drained.max(id);
            self.rejects_drained = self.rejects_drained.max(reject_id);
            self.connection
                .prepare_cached("UPDATE total SET drained_reading_id = ?1, drained_reject_id = ?2")?
                .execute(params![self.drained.cast_signed(), self.rejects_drained.cast_signed()])?;
        }
        Ok(())
    }

    /// Counts `count` readings that took `span` on a part of the path, as of `now`. It is written with
    /// a later batch, at the latest when the journal is closed.
    pub fn took(&mut self, hop: Hop, now: UnixMicros, span: Duration, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.latencies.add(hop, now, span, count);
    }

    /// Totals of the committed batches.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.totals.counts
    }
}

impl Drop for Journal {
    /// Leaves everything in the one file, also when readers keep it open. After a failed sync it leaves
    /// the log alone: what the system reads back from it now may not be what is on the disk.
    fn drop(&mut self) {
        if self.log.check().is_err() {
            let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            if let Err(cause) = self.connection.set_db_config(no_checkpoint, true) {
                tracing::error!(%cause, "the log of the database cannot be kept from being copied");
            }
            return;
        }
        self.sum_up();
        if let Err(cause) = self.latencies.write(&self.connection) {
            tracing::warn!(%cause, "the last latencies are not kept");
        }
        let tidied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(cause) = tidied {
            // Nothing is lost: the log is read again by whoever opens the file next.
            tracing::warn!(%cause, "the log of the database stays beside it");
        }
    }
}

impl Totals {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT stored, duplicate, rejected, reading_id_last, reject_id_last,
                       command_number_last, summed_reading_id FROM total";
        connection.query_row(sql, [], |row| {
            let number = |column| row.get(column).map(i64::cast_unsigned);
            Ok(Self {
                counts: Counts { stored: number(0)?, duplicate: number(1)?, rejected: number(2)? },
                reading_id_last: number(3)?,
                reject_id_last: number(4)?,
                command_number_last: number(5)?,
                summed_reading_id: number(6)?,
            })
        })
    }

    /// Writes all but `command_number_last`, which changes outside of batches.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE total SET stored = ?1, duplicate = ?2, rejected = ?3,
                     reading_id_last = ?4, reject_id_last = ?5, summed_reading_id = ?6",
            )?
            .execute(params![
                self.counts.stored.cast_signed(),
                self.counts.duplicate.cast_signed(),
                self.counts.rejected.cast_signed(),
                self.reading_id_last.cast_signed(),
                self.reject_id_last.cast_signed(),
                self.summed_reading_id.cast_signed(),
            ])?;
        Ok(())
    }
}

/// Makes the database under another name first: a process that dies here leaves no half of one.
fn create(path: &Path, now: UnixMicros, migrations: &[&str]) -> Result<(), OpenError> {
    let unfinished = file::beside(path, ".new");
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // Left over from a process that died here; that there is none is the usual case.
        let _ = fs::remove_file(file::beside(&unfinished, suffix));
    }
    let failed = |cause| failed(path, cause);
    let mut connection = connect(&unfinished).map_err(failed)?;
    migrate(&mut connection, migrations, 0, now).map_err(failed)?;
    close(connection).map_err(failed)?;
    file::put_in_place(&unfinished, path)
        .map_err(|cause| OpenError::Folder { folder: file::folder(path), cause })
}

fn upgrade(path: &Path, now: UnixMicros, migrations: &[&str], found: u32) -> Result<(), OpenError> {
    let failed = |cause| failed(path, cause);
    // With the log that a killed process may have left, so that the copy is whole.
    close(connect(path).map_err(failed)?).map_err(failed)?;
    let backup = file::back_up(path, found)?;
    tracing::info!(
        backup = %backup.display(),
        from = found,
        to = version_of(migrations),
        "migrating the database"
    );
    let mut connection = connect(path).map_err(failed)?;
    migrate(&mut connection, migrations, found, now).map_err(failed)?;
    let auto_vacuum: i64 =
        connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).map_err(failed)?;
    if auto_vacuum == 0 {
        // Written anew once; before version 2 no file could shrink.
        connection.execute_batch("PRAGMA auto_vacuum = incremental; VACUUM").map_err(failed)?;
    }
    close(connection).map_err(failed)
}

/// Leaves everything in the one file. Closing alone would do it too, and not tell when it fails.
fn close(connection: Connection) -> rusqlite::Result<()> {
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    let is_blocked: bool = connection.query_row(checkpoint, [], |row| row.get(0))?;
    if is_blocked {
        return Err(rusqlite::Error::SqliteFailure(Error::new(SQLITE_BUSY), None));
    }
    connection.close().map_err(|(_, cause)| cause)
}

/// SQLite takes another mode without an error where the file system cannot have a log.
fn check_durable(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |cause| failed(path, cause);
    let log: String =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(failed)?;
    let synchronous: i64 =
        connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
    // 1 is NORMAL: the sync of each commit is our own.
    if log == "wal" && synchronous == 1 {
        return Ok(());
    }
    let found = format!("journal_mode {log}, synchronous {synchronous}");
    Err(OpenError::NotDurable { path: path.to_owned(), found })
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_LEN_MAX);
    if fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0 {
        // What retention deletes is to leave the file again. Only a file without a page takes this.
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", log::COPIED_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", log::KEPT_LEN)?;
    Ok(connection)
}

/// Whether the file, its log and their index can all be written: SQLite opens for reading what it
/// cannot open for writing, and says nothing.
fn is_writable(connection: &Connection) -> rusqlite::Result<bool> {
    if connection.is_readonly("main")? {
        return Ok(false);
    }
    let begun = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
    Ok(begun.err().and_then(|cause| cause.sqlite_error_code()) != Some(ErrorCode::ReadOnly))
}

fn failed(path: &Path, cause: rusqlite::Error) -> OpenError {
    if file::is_damage(&cause) {
        let what = "SQLite cannot read it".into();
        OpenError::Damaged { path: path.to_owned(), what, cause: Some(cause) }
    } else {
        OpenError::Failed { path: path.to_owned(), cause }
    }
}

#[cfg(test)]
mod tests;
