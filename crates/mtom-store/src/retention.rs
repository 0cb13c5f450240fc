//! What is forgotten, and when: readings first, sums after, days never.
//!
//! By age, by the size of the file, and when the disk runs full. It happens in small steps between
//! batches, each a short transaction, so that no reading waits for it; and what was deleted leaves the
//! file again. Readings that another database still has to get are never deleted.

use crate::error::StoreError;
use crate::journal::Journal;
use crate::rollup::{COUNTED, HOUR, MINUTE, SLOT};
use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Rows of one step. It takes a few milliseconds.
const ROWS_MAX: i64 = 2_000;
/// Index entries that one step looks at to find them: among readings that another database lacks they
/// may be far apart.
const LOOKED_AT_MAX: i64 = 20_000;
/// Pages that leave the file in one step.
const PAGES_MAX: i64 = 128;
/// This much of the file may be free: it is used again soon.
const FREE_PARTS: i64 = 10;
/// The newest readings stay, however small the file is to be: rules and charts live on them.
const NEWEST_KEPT: Duration = Duration::from_hours(1);
/// And so many when it is others that fill the disk.
const NEWEST_KEPT_ON_FULL_DISK: Duration = Duration::from_hours(24);

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Readings and rejects this long; `None`: for ever.
    pub raw: Option<Duration>,
    /// Sums of minutes and hours and the ledger this long; `None`: for ever. Days stay.
    pub rollups: Option<Duration>,
    /// The file at most so large, in bytes; `None`: as large as it becomes.
    pub len_max: Option<u64>,
    /// The disk is to keep so many bytes free.
    pub disk_free_min: u64,
    /// Only what another database has too: readings and rejects up to these numbers.
    pub drained: Option<(u64, u64)>,
}

/// Where the oldest readings cannot go, because another database lacks them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// No reading in a slot before this one is up to `id_max`.
    slot: i64,
    id_max: i64,
}

/// What one step has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Rows that are gone.
    pub deleted: u64,
    /// Bytes that left the file.
    pub returned: u64,
    /// There is more to do.
    pub has_more: bool,
    /// Rows are gone because the disk is full.
    pub for_disk: bool,
}

/// Tables with a span of time, their spans, and their width.
const SUMS: [(&str, &str, i64); 2] =
    [("rollup_minute", "minute", MINUTE), ("rollup_hour", "hour", HOUR)];

impl Journal {
    /// One small step of forgetting. `disk_free` is what the disk of the file has left, where that is
    /// known.
    ///
    /// # Errors
    /// When the disk refuses it; then nothing is deleted.
    pub fn forget(
        &mut self,
        keep: &Keep,
        now: UnixMicros,
        disk_free: Option<u64>,
    ) -> Result<Step, StoreError> {
        self.log.check()?;
        let size = Size::read(&self.connection)?;
        let disk_is_full = disk_free.is_some_and(|free| free < keep.disk_free_min);
        let newest_kept = if keep.len_max.is_some_and(|max| size.used() > max) {
            Some(NEWEST_KEPT)
        } else {
            (disk_is_full && size.free == 0).then_some(NEWEST_KEPT_ON_FULL_DISK)
        };
        let (deleted, passed) = self.delete(keep, now, newest_kept)?;
        let is_large = keep.len_max.is_some_and(|max| size.len() > max);
        let is_loose = size.free > PAGES_MAX && size.free > size.pages / FREE_PARTS;
        let returns = size.free > 0 && (is_large || is_loose || disk_is_full);
        let returned = if deleted == 0 && returns { self.give_back(size)? } else { 0 };
        let has_more = deleted > 0 || returned > 0 || passed;
        Ok(Step { deleted, returned, has_more, for_disk: disk_is_full && deleted > 0 })
    }

    /// How many rows went, and whether there was nothing but others that stay as far as it looked.
    fn delete(
        &mut self,
        keep: &Keep,
        now: UnixMicros,
        newest_kept: Option<Duration>,
    ) -> Result<(u64, bool), StoreError> {
        let before = |age: Duration| {
            now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)).max(0)
        };
        // Whichever of the two keeps less.
        let raw_age = newest_kept.into_iter().chain(keep.raw).min();
        let (readings_max, rejects_max) = keep.drained.unwrap_or((u64::MAX, u64::MAX));
        let to_sql = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        // What goes has to be in the sums.
        let id_max = to_sql(readings_max.min(self.totals.summed_reading_id));
        let mut passed = self.passed;
        if passed.id_max != id_max {
            passed = Passed { slot: 0, id_max };
        }
        let transaction = self.connection.transaction()?;
        let (mut deleted, mut has_passed) = (0, false);
        if let Some(age) = raw_age {
            let readings = readings(&transaction, before(age) / SLOT, passed)?;
            if readings == 0 {
                let slot = looked_up_to(&transaction, before(age) / SLOT, passed)?;
                has_passed = slot.is_some();
                // Of one slot with so many the rest waits for the other database.
                passed.slot = slot.map_or(before(age) / SLOT, |slot| slot.max(passed.slot + 1));
            }
            let rejects = rejects(&transaction, before(age), to_sql(rejects_max))?;
            transaction
                .prepare_cached(
                    "UPDATE total SET readings_deleted = readings_deleted + ?1,
                         rejects_deleted = rejects_deleted + ?2",
                )?
                .execute(params![readings.cast_signed(), rejects.cast_signed()])?;
            deleted = readings + rejects;
        }
        // Readings are found through the sums of their minute and hour: those stay as long.
        let oldest = oldest(&transaction)?;
        let sums_before = |age: Duration| before(age).min(oldest);
        if let Some(age) = keep.rollups {
            for table in SUMS {
                deleted += sums(&transaction, table, sums_before(age))?;
            }
            deleted += commands(&transaction, before(age))?;
            deleted += alerts(&transaction, before(age))?;
        }
        // No readings are left that could go: the oldest sums of minutes, then of hours.
        if newest_kept.is_some() && deleted == 0 && !has_passed {
            for table in SUMS {
                deleted += sums(&transaction, table, sums_before(Duration::from_hours(24)))?;
                if deleted > 0 {
                    break;
                }
            }
        }
        if deleted == 0 {
            transaction.rollback()?;
        } else {
            transaction.commit()?;
        }
        self.passed = passed;
        Ok((deleted, has_passed))
    }

    /// Takes free pages off the end of the file.
    fn give_back(&mut self, before: Size) -> Result<u64, StoreError> {
        {
            let mut statement =
                self.connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_MAX})"))?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
        let after = Size::read(&self.connection)?;
        // The file itself is cut when the log is copied into it.
        if after.free == 0 || before.pages / 4_096 != after.pages / 4_096 {
            self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(before.len().saturating_sub(after.len()))
    }
}

/// The file in pages.
#[derive(Clone, Copy)]
struct Size {
    page_len: i64,
    pages: i64,
    free: i64,
}

impl Size {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        Ok(Self {
            page_len: number("page_size")?,
            pages: number("page_count")?,
            free: number("freelist_count")?,
        })
    }

    fn len(self) -> u64 {
        (self.pages * self.page_len).cast_unsigned()
    }

    fn used(self) -> u64 {
        ((self.pages - self.free) * self.page_len).cast_unsigned()
    }
}

/// The oldest readings before a slot; `database:N` counts on without them.
fn readings(connection: &Connection, before: i64, passed: Passed) -> rusqlite::Result<u64> {
    let temperatures: HashSet<i64> = connection
        .prepare_cached("SELECT id FROM series WHERE is_temperature")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM reading WHERE id IN (
             SELECT id FROM (
                 SELECT id FROM reading INDEXED BY reading_by_slot
                 WHERE slot >= ?2 AND slot < ?1 ORDER BY slot LIMIT ?5
             ) WHERE id <= ?3 LIMIT ?4
         ) RETURNING slot, series",
    )?;
    let mut rows =
        statement.query(params![before, passed.slot, passed.id_max, ROWS_MAX, LOOKED_AT_MAX])?;
    let (mut deleted, mut slots) = (0, HashMap::<i64, i64>::new());
    while let Some(row) = rows.next()? {
        deleted += 1;
        if temperatures.contains(&row.get(1)?) {
            *slots.entry(row.get(0)?).or_default() += 1;
        }
    }
    for (level, width) in (0_i64..).zip(COUNTED) {
        let mut counts: HashMap<i64, i64> = HashMap::new();
        for (slot, count) in &slots {
            *counts.entry(slot / (width / SLOT)).or_default() += count;
        }
        for (span, count) in counts {
            connection
                .prepare_cached(
                    "UPDATE temperature_count SET count = count - ?3
                     WHERE level = ?1 AND span = ?2",
                )?
                .execute(params![level, span, count])?;
            connection
                .prepare_cached(
                    "DELETE FROM temperature_count
                     WHERE level = ?1 AND span = ?2 AND count <= 0",
                )?
                .execute(params![level, span])?;
        }
    }
    Ok(deleted)
}

/// The slot up to which [`readings`] looked; `None`: it saw all.
fn looked_up_to(
    connection: &Connection,
    before: i64,
    passed: Passed,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT slot FROM reading INDEXED BY reading_by_slot
             WHERE slot >= ?2 AND slot < ?1 ORDER BY slot LIMIT 1 OFFSET ?3",
        )?
        .query_row(params![before, passed.slot, LOOKED_AT_MAX], |row| row.get(0))
        .optional()
}

/// The time from which on there are readings.
fn oldest(connection: &Connection) -> rusqlite::Result<i64> {
    let slot: Option<i64> = connection
        .prepare_cached(
            "SELECT slot FROM reading INDEXED BY reading_by_slot ORDER BY slot LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(slot.map_or(i64::MAX, |slot| slot * SLOT))
}

/// Rejects have the order of their arrival.
fn rejects(connection: &Connection, before: i64, id_max: i64) -> rusqlite::Result<u64> {
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT arrived_at_micros FROM reject ORDER BY id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if oldest.is_none_or(|oldest| oldest >= before) {
        return Ok(0);
    }
    let deleted = connection
        .prepare_cached(
            "DELETE FROM reject WHERE id IN (
                 SELECT id FROM reject WHERE id <= ?2 ORDER BY id LIMIT ?3
             ) AND arrived_at_micros < ?1",
        )?
        .execute(params![before, id_max, ROWS_MAX])?;
    Ok(deleted as u64)
}

/// The oldest commands; the newest of each actuator stays, it says what the actuator is to be.
fn commands(connection: &Connection, before: i64) -> rusqlite::Result<u64> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM command WHERE number IN (
                 SELECT number FROM command ORDER BY number LIMIT ?2
             ) AND decided_at_micros < ?1
             AND number NOT IN (SELECT max(number) FROM command GROUP BY actuator)",
        )?
        .execute(params![before, ROWS_MAX])?;
    Ok(deleted as u64)
}

/// The oldest alerts that nobody waits for any more.
fn alerts(connection: &Connection, before: i64) -> rusqlite::Result<u64> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM alert WHERE id IN (SELECT id FROM alert ORDER BY id LIMIT ?2)
             AND raised_at_micros < ?1
             AND (delivered_at_micros IS NOT NULL OR given_up_at_micros IS NOT NULL)",
        )?
        .execute(params![before, ROWS_MAX])?;
    Ok(deleted as u64)
}

/// The oldest sums of one width before a span, but those of a series' newest: readings that come late
/// for it are found through them.
fn sums(
    connection: &Connection,
    (table, span, width): (&str, &str, i64),
    before: i64,
) -> rusqlite::Result<u64> {
    let deleted = connection
        .prepare_cached(&format!(
            "DELETE FROM {table} WHERE ({span}, series) IN (
                 SELECT {span}, series FROM {table} AS sum
                 WHERE {span} < ?1 AND {span} <> ifnull((
                     SELECT last_at_micros / ?3 FROM rollup_open WHERE series = sum.series
                 ), -1)
                 ORDER BY {span} LIMIT ?2
             )"
        ))?
        .execute(params![before / width, ROWS_MAX, width])?;
    Ok(deleted as u64)
}

#[cfg(test)]
mod tests;
