//! A few read-only connections, opened when they are first needed.

use crate::error::StoreError;
use crate::file::beside;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many queries run at once. More wait for their turn: each is short.
const CONNECTIONS_LEN_MAX: usize = 4;

/// A reader meets a lock only while the log is recovered or closed.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const STATEMENTS_LEN_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    /// Blocking, and never held during a query.
    idle: Mutex<Idle>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<Connection>,
    lent_len: usize,
}

impl Pool {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default(), returned: Condvar::new() }
    }

    /// Bytes of the log beside the file; 0 where there is none.
    pub(super) fn log_len(&self) -> u64 {
        std::fs::metadata(beside(&self.path, "-wal")).map_or(0, |log| log.len())
    }

    /// Runs `query` in a transaction that sees one state of the file and ends with the call.
    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut loan = self.borrow()?;
        let transaction = loan.connection().transaction()?;
        let found = query(&transaction)?;
        transaction.finish()?;
        Ok(found)
    }

    fn borrow(&self) -> Result<Loan<'_>, StoreError> {
        let mut idle = self
            .returned
            .wait_while(self.lock(), |idle| {
                idle.connections.is_empty() && idle.lent_len >= CONNECTIONS_LEN_MAX
            })
            .unwrap_or_else(PoisonError::into_inner);
        idle.lent_len += 1;
        // From here on the drop of the loan counts it back, also when the next line fails.
        let mut loan = Loan { pool: self, connection: idle.connections.pop() };
        drop(idle);
        if loan.connection.is_none() {
            loan.connection = Some(connect(&self.path)?);
        }
        Ok(loan)
    }

    /// A panic elsewhere leaves the list as good as it was.
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Loan<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
}

impl Loan<'_> {
    fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a loan that was given out has a connection")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut idle = self.pool.lock();
        idle.lent_len -= 1;
        idle.connections.extend(self.connection.take());
        drop(idle);
        self.pool.returned.notify_one();
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_LEN_MAX);
    // A plan that looks at the values is made anew for each page, which takes longer than the page.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}
