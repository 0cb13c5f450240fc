//! The database as a file: who holds it, and whether it is one of ours.
//!
//! Looking changes nothing: not the file, and not its folder. The only trace is the lock file
//! beside it, which stays for ever because removing it would race with the next process.

use crate::error::OpenError;
use crate::migrations::{odd_schema, version_of};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// `mtom` in ASCII, in the header of every database of ours.
pub(crate) const APPLICATION_ID: i32 = 0x6d74_6f6d;

/// Up to this size the whole file is checked at every start; it takes a third of a second.
/// Beyond it only the header, the length and the schema are.
const CHECK_WHOLE_LEN_MAX: u64 = 16 * 1024 * 1024;

const HEADER_LEN: usize = 100;

/// Held as long as the journal is open. The system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the database at `path`, or says who has it.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let folder = folder(path);
        let unusable = |cause| OpenError::Folder { folder: folder.clone(), cause };
        if !fs::metadata(&folder).map_err(unusable)?.is_dir() {
            return Err(unusable(io::ErrorKind::NotADirectory.into()));
        }
        let lock = beside(path, ".lock");
        // Not truncated: it holds the number of the process that has it.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: path.to_owned(), by: holder(&lock) });
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        file.set_len(0).map_err(unusable)?;
        write!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

/// What stands at the path of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Neither a file nor a log of one.
    Nothing,
    /// A database of ours with this schema version.
    Version(u32),
}

/// Looks at the file without changing it. `migrations` lead to the newest version that we can read.
/// Nobody may be writing it.
pub(crate) fn inspect(path: &Path, migrations: &[&str]) -> Result<Found, OpenError> {
    look(path, migrations, true)
}

/// The same for a file that another process may be writing, which reading leaves a log beside.
pub(crate) fn inspect_open(path: &Path, migrations: &[&str]) -> Result<Found, OpenError> {
    look(path, migrations, false)
}

fn look(path: &Path, migrations: &[&str], is_alone: bool) -> Result<Found, OpenError> {
    let damaged = |what: String| OpenError::Damaged { path: path.to_owned(), what, cause: None };
    let has_wal = fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        // A log belongs to one database: read into a new one it would be nonsense.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && has_wal => {
            return Err(damaged("it is gone, and its log beside it is not".into()));
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(cause) => return Err(OpenError::Folder { folder: folder(path), cause }),
    };
    if metadata.is_dir() {
        return Err(damaged("it is a folder".into()));
    }
    if metadata.len() == 0 {
        // No database of ours is ever empty: this one has lost its content.
        return Err(damaged("it is empty".into()));
    }
    // With a write-ahead log the file is what a power cut left of copying the log into it, its header
    // too, until the log is replayed.
    if is_alone && !has_wal {
        let header = read_header(path)
            .map_err(|cause| OpenError::Folder { folder: folder(path), cause })?
            .ok_or_else(|| damaged("it is not an SQLite file".into()))?;
        let pages_len = u64::from(header.page_count) * u64::from(header.page_len);
        if metadata.len() < pages_len {
            let what = format!("it ends after {} of {pages_len} bytes", metadata.len());
            return Err(damaged(what));
        }
    }
    let version =
        look_inside(path, migrations, has_wal || !is_alone, metadata.len()).map_err(|found| {
            match found {
                Unusable::Sqlite(cause) if is_damage(&cause) || is_of_others(&cause) => {
                    let what = "SQLite cannot read it".into();
                    OpenError::Damaged { path: path.to_owned(), what, cause: Some(cause) }
                }
                Unusable::Sqlite(cause) => OpenError::Failed { path: path.to_owned(), cause },
                Unusable::Content(what) => damaged(what),
            }
        })?;
    let known = version_of(migrations);
    if version > known {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known });
    }
    Ok(Found::Version(version))
}

/// Says whether an error of SQLite means that the file itself is broken.
pub(crate) fn is_damage(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure)
    )
}

/// Says whether what is there is nothing that a question of ours is for: SQLite's plain error.
pub(crate) fn is_of_others(cause: &rusqlite::Error) -> bool {
    matches!(cause, rusqlite::Error::SqlInputError { .. })
        || cause.sqlite_error_code() == Some(ErrorCode::Unknown)
}

/// Copies a database that nobody has open to `<path>.v<version>.bak`, durably, whole or not at all.
pub(crate) fn back_up(path: &Path, version: u32) -> Result<PathBuf, OpenError> {
    let backup = beside(path, &format!(".v{version}.bak"));
    let partial = beside(path, &format!(".v{version}.bak.part"));
    let copy = || -> io::Result<()> {
        fs::copy(path, &partial)?;
        OpenOptions::new().write(true).open(&partial)?.sync_all()?;
        put_in_place(&partial, &backup)
    };
    copy().map_err(|cause| OpenError::Backup { backup: backup.clone(), cause })?;
    Ok(backup)
}

/// Renames durably.
pub(crate) fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Makes the name of `file` durable.
pub(crate) fn sync_folder(file: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file, and the system orders its own writes.
    if cfg!(unix) { File::open(folder(file))?.sync_all() } else { Ok(()) }
}

/// `mtom.db` and `-wal` are `mtom.db-wal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The folder of the database; `.` for a bare name.
pub(crate) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn holder(lock: &Path) -> String {
    match fs::read_to_string(lock) {
        Ok(number) if number.parse::<u32>().is_ok() => format!(" (process {number})"),
        _ => String::new(),
    }
}

struct Header {
    page_len: u32,
    page_count: u32,
}

/// The first bytes of an SQLite file (its file format, §1.3); `None` when it is none.
fn read_header(path: &Path) -> io::Result<Option<Header>> {
    let mut bytes = [0; HEADER_LEN];
    match File::open(path)?.read_exact(&mut bytes) {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(cause) => return Err(cause),
    }
    if !bytes.starts_with(b"SQLite format 3\0") {
        return Ok(None);
    }
    let page_len = match u16::from_be_bytes([bytes[16], bytes[17]]) {
        1 => 65_536,
        len => u32::from(len),
    };
    // The page count is to be believed only when the same transaction wrote both counters.
    let is_counted = bytes[24..28] == bytes[92..96];
    let page_count = u32::from_be_bytes([bytes[28], bytes[29], bytes[30], bytes[31]]);
    Ok(Some(Header { page_len, page_count: if is_counted { page_count } else { 0 } }))
}

enum Unusable {
    Sqlite(rusqlite::Error),
    Content(String),
}

impl From<rusqlite::Error> for Unusable {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

/// A connection to a file that nobody writes, which leaves no side files.
pub(crate) fn open_alone(path: &Path) -> rusqlite::Result<Connection> {
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri(path, !has_log), flags)
}

/// The schema version, from a connection that cannot write. The tables must be those of this version.
fn look_inside(
    path: &Path,
    migrations: &[&str],
    may_have_log: bool,
    len: u64,
) -> Result<u32, Unusable> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Without a log nobody can be writing (we hold the lock), and `immutable` keeps SQLite from
    // making its side files. With one, the newest pages are in it and it must be read.
    let connection = Connection::open_with_flags(uri(path, !may_have_log), flags)?;
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(Unusable::Content("it is an SQLite database of another program".into()));
    }
    if len <= CHECK_WHOLE_LEN_MAX {
        let verdict: String =
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Unusable::Content(verdict.replace(['\n', '\r'], " ")));
        }
    }
    let none = || Unusable::Content("it has no schema version".into());
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'";
    if !connection.prepare(table)?.exists([])? {
        return Err(none());
    }
    let version: Option<u32> =
        connection.query_row("SELECT max(version) FROM schema_version", [], |row| row.get(0))?;
    let version = version.ok_or_else(none)?;
    if let Some(what) = odd_schema(&connection, migrations, version)? {
        return Err(Unusable::Content(what));
    }
    Ok(version)
}

/// A `file:` URI of the path (RFC 8089), with everything but plain characters escaped.
fn uri(path: &Path, is_immutable: bool) -> String {
    let mut uri = String::from("file:");
    let text = path.to_string_lossy();
    if cfg!(windows) && path.is_absolute() {
        uri.push('/');
    }
    for byte in text.bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b':' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str(if is_immutable { "?mode=ro&immutable=1" } else { "?mode=ro" });
    uri
}

#[cfg(test)]
mod tests;
