//! Reads a database that the journal writes.
//!
//! Any number of threads may ask; calls block, so async callers use `spawn_blocking`. Connections
//! cannot write. Each call is one short transaction of its own: it sees whole batches only, and
//! holds nothing once it has returned.

use crate::error::{OpenError, StoreError};
use crate::file::{self, Found};
use crate::lineage::{Followed, Lineage};
use crate::maria;
use crate::migrations::{MIGRATIONS, version_of};
use crate::record::{CommandRow, Counts, Cursor, ImportRow, Order, RejectRow};
use audit::Audit;
use chart::{Chart, ChartQuery};
use ledger::LedgerQuery;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use pool::Pool;
use rusqlite::{OptionalExtension, Row};
use std::path::Path;
use std::sync::Arc;

pub mod audit;
pub mod chart;
pub mod ledger;
mod original;
mod page;
pub mod play;
mod pool;
pub mod rejects;
mod row;
pub mod rules;
mod scan;

/// The most rows of one page, whatever its query asks for.
pub const PAGE_LEN_MAX: usize = 1_000;

/// Readers of one database. A clone shares the connections.
#[derive(Clone, Debug)]
pub struct History {
    pool: Arc<Pool>,
}

/// Which readings, in which direction, from where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageQuery {
    /// Only this device.
    pub device: Option<String>,
    /// Only this quantity.
    pub quantity: Option<String>,
    /// Only this unit.
    pub unit: Option<Unit>,
    /// Only from this time on.
    pub from: Option<UnixMicros>,
    /// Only before this time.
    pub until: Option<UnixMicros>,
    /// Only values of at least this, in the unit of their series.
    pub value_min: Option<f64>,
    /// Only values of at most this.
    pub value_max: Option<f64>,
    /// By time, then by journal number.
    pub order: Order,
    /// Where the last page ended; `None` starts at the oldest or the newest.
    pub after: Option<Cursor>,
    /// How many rows; at most [`PAGE_LEN_MAX`] are given.
    pub limit: usize,
}

/// How large a database is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of the file and its log.
    pub len: u64,
    /// Readings in it.
    pub readings: u64,
}

/// Which readings by their journal numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdQuery {
    /// By journal number.
    pub order: Order,
    /// The journal number of the last row of the page before; `None` starts at either end.
    pub after: Option<u64>,
    /// How many rows; at most [`PAGE_LEN_MAX`] are given.
    pub limit: usize,
}

/// Some readings and where they end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// In the order of the query.
    pub rows: Vec<StoredReading>,
    /// The `after` of the next page; `None` when this one is the last.
    pub next: Option<Cursor>,
}

impl History {
    /// Readers of the database at `path`, also while another process writes it.
    ///
    /// # Errors
    /// [`OpenError`] names the file and what to do.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        match file::inspect_open(path, MIGRATIONS)? {
            Found::Version(version) if version == version_of(MIGRATIONS) => Ok(Self::new(path)),
            Found::Version(found) => Err(OpenError::Older { path: path.to_owned(), found }),
            Found::Nothing => Err(OpenError::Missing { path: path.to_owned() }),
        }
    }

    pub(crate) fn new(path: &Path) -> Self {
        Self { pool: Arc::new(Pool::new(path)) }
    }

    /// Which history this is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lineage(&self) -> Result<Lineage, StoreError> {
        self.pool.read(Lineage::read)
    }

    /// How far those of other gateways were taken over; the one that was followed last comes first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn followed(&self) -> Result<Vec<Followed>, StoreError> {
        self.pool.read(Followed::read)
    }

    /// The answer to `database:N` (`wire.md` §1.3): the temperatures `offset` … of all series in
    /// ascending (time, journal number), at most [`crate::record::ORIGINAL_PAGE_LEN`]. It costs about the
    /// same at any offset.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn original_page(&self, offset: u64) -> Result<Vec<StoredReading>, StoreError> {
        self.pool.read(|connection| original::page(connection, offset))
    }

    /// A page of readings. It costs about the same wherever it starts and however rare the series
    /// are that it asks for.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn page(&self, query: &PageQuery) -> Result<Page, StoreError> {
        self.pool.read(|connection| page::page(connection, query))
    }

    /// What a chart is drawn from. It costs about the same over any stretch.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn chart(&self, query: &ChartQuery) -> Result<Chart, StoreError> {
        self.pool.read(|connection| chart::chart(connection, query))
    }

    /// Readings in the order in which they were stored.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn page_by_id(&self, query: IdQuery) -> Result<Vec<StoredReading>, StoreError> {
        self.pool.read(|connection| page::by_id(connection, query))
    }

    /// The newest reading of every device's every quantity, by device and quantity: of those that are
    /// still there the one of the latest time, also where retention has taken a later one and kept an
    /// older one that another database lacks. A quantity without any reading left is not in it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn latest(&self) -> Result<Vec<StoredReading>, StoreError> {
        self.pool.read(page::latest)
    }

    /// The newest temperature of all that are still there.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn latest_temperature(&self) -> Result<Option<StoredReading>, StoreError> {
        self.pool.read(page::latest_temperature)
    }

    /// The ledger, newest first, at most `limit` commands and [`PAGE_LEN_MAX`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn commands(&self, limit: usize) -> Result<Vec<CommandRow>, StoreError> {
        self.ledger(&LedgerQuery { order: Order::Descending, limit, ..LedgerQuery::default() })
    }

    /// How large the file is, and how many readings are in it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn size(&self) -> Result<Size, StoreError> {
        let log_len = self.pool.log_len();
        self.pool.read(|connection| {
            let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let page_len: i64 =
                connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let sql = "SELECT stored - readings_deleted FROM total";
            let readings: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(Size {
                len: (pages * page_len).cast_unsigned() + log_len,
                readings: readings.cast_unsigned(),
            })
        })
    }

    /// Up to which reading another database has everything, as far as it was written down, and the newest.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn drained(&self) -> Result<(u64, u64), StoreError> {
        self.pool.read(|connection| {
            let sql = "SELECT drained_reading_id, reading_id_last FROM total";
            connection.prepare_cached(sql)?.query_row([], |row| {
                let number = |column| row.get(column).map(i64::cast_unsigned);
                Ok((number(0)?, number(1)?))
            })
        })
    }

    /// How far the import of a file is; `None` when it never began.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn import(&self, source: &str) -> Result<Option<ImportRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT source, position, stored, duplicate, bad, began_at_micros,
                         ended_at_micros
                     FROM import WHERE source = ?1",
                )?
                .query_row([source], import_row)
                .optional()
        })
    }

    /// The account of every series, hop and boot.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn audit(&self) -> Result<Audit, StoreError> {
        self.pool.read(audit::audit)
    }

    /// Totals of the committed batches.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.pool.read(|connection| {
            let sql = "SELECT stored, duplicate, rejected FROM total";
            connection.prepare_cached(sql)?.query_row([], |row| {
                let number = |column| row.get(column).map(i64::cast_unsigned);
                Ok(Counts { stored: number(0)?, duplicate: number(1)?, rejected: number(2)? })
            })
        })
    }
}

fn reject_row(row: &Row<'_>) -> rusqlite::Result<RejectRow> {
    Ok(RejectRow {
        id: row.get(0).map(i64::cast_unsigned)?,
        topic: row.get(1)?,
        payload_head: row.get(2)?,
        payload_len: row.get(3).map(i64::cast_unsigned)?,
        code: row.get(4)?,
        reason: row.get(5)?,
        arrived_at: row.get(6).map(UnixMicros)?,
    })
}

impl maria::Source for History {
    fn after(&self, number: u64, limit: usize) -> Result<Vec<StoredReading>, StoreError> {
        let mut rows: Vec<StoredReading> = Vec::new();
        while rows.len() < limit {
            let after = Some(rows.last().map_or(number, |row| row.id));
            let left = limit - rows.len();
            let page = self.page_by_id(IdQuery { after, limit: left, ..IdQuery::default() })?;
            let is_last = page.len() < left.min(PAGE_LEN_MAX);
            rows.extend(page);
            if is_last {
                break;
            }
        }
        Ok(rows)
    }

    fn rejects_after(&self, number: u64, limit: usize) -> Result<Vec<RejectRow>, StoreError> {
        self.rejects_by_id(IdQuery { order: Order::Ascending, after: Some(number), limit })
    }
}

fn import_row(row: &Row<'_>) -> rusqlite::Result<ImportRow> {
    let number = |column| row.get(column).map(i64::cast_unsigned);
    Ok(ImportRow {
        source: row.get(0)?,
        position: number(1)?,
        stored: number(2)?,
        duplicate: number(3)?,
        bad: number(4)?,
        began_at: row.get(5).map(UnixMicros)?,
        ended_at: row.get::<_, Option<i64>>(6)?.map(UnixMicros),
    })
}

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit.min(PAGE_LEN_MAX)).expect("a page is short")
}

#[cfg(test)]
mod tests;
