//! One transaction of the journal: readings, rejects, rule state and commands, all or nothing.
//!
//! After the first error nothing more is taken and `commit` fails too, because SQLite may have
//! undone the transaction by itself. Dropping a batch undoes it.

use crate::error::StoreError;
use crate::journal::{Journal, Totals};
use crate::latency::Hop;
use crate::lineage::Followed;
use crate::record::{ImportRow, REJECT_HEAD_LEN_MAX, Reject, Stored};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::time::Duration;

mod rules;

/// How far before its arrival a device may say that it measured (`design.md` §2).
const TAKEN_BEFORE_MAX: Duration = Duration::from_hours(30 * 24);
/// How far after it: clocks differ.
pub(crate) const TAKEN_AFTER_MAX: Duration = Duration::from_mins(5);

/// One transaction. See the module's head for what an error does to it.
#[derive(Debug)]
pub struct Batch<'j> {
    journal: &'j mut Journal,
    /// What the totals will be once this is committed.
    totals: Totals,
    /// How many duplicates came of each series.
    duplicates: HashMap<i64, i64>,
    /// How far the history of another gateway is taken over with it, and as of when.
    followed: Option<(Followed, UnixMicros)>,
    /// The latencies are written with it.
    has_latencies: bool,
    is_broken: bool,
    is_committed: bool,
}

impl<'j> Batch<'j> {
    pub(crate) fn begin(journal: &'j mut Journal) -> Result<Self, StoreError> {
        journal.log.check()?;
        if !journal.connection.is_autocommit() {
            // The last batch could not be rolled back: its disk failed. It may work again.
            journal.connection.execute_batch("ROLLBACK")?;
        }
        journal.make_room()?;
        journal.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let totals = journal.totals;
        let mut batch = Self {
            journal,
            totals,
            duplicates: HashMap::new(),
            followed: None,
            has_latencies: false,
            is_broken: false,
            is_committed: false,
        };
        batch.step(|batch| batch.journal.catch_up())?;
        Ok(batch)
    }

    /// Adds a reading, unless its key is known for its series.
    ///
    /// It counts for the time that the device says where that is from 30 days before to 5 minutes
    /// after `arrived_at`, else for `arrived_at` and as suspect.
    ///
    /// # Errors
    /// When the disk or the schema refuses it, also a value that is not finite; the batch is lost.
    pub fn reading(
        &mut self,
        reading: &Reading,
        arrived_at: UnixMicros,
    ) -> Result<Stored, StoreError> {
        self.step(|batch| {
            // A clock that stands before 1970 is a clock that is not set.
            let arrived_at = arrived_at.max(UnixMicros(0));
            let (at, suspect) = counted_time(reading.taken_at, arrived_at);
            let stored = batch.add_reading(reading, at, arrived_at, suspect)?;
            if let Stored::New(stored) = &stored
                && reading.taken_at.is_some()
                && !suspect
            {
                let took = arrived_at.since(stored.at);
                batch.journal.latencies.add(Hop::TakenToArrived, arrived_at, took, 1);
            }
            Ok(stored)
        })
    }

    /// Adds a reading of another history, however old, with all its times and a number of its own;
    /// unless its key is known for its series. The number that it has there does not matter.
    ///
    /// # Errors
    /// When the disk or the schema refuses it, also a time before 1970; the batch is lost.
    pub fn import(&mut self, other: &StoredReading) -> Result<Stored, StoreError> {
        self.step(|batch| {
            let suspect = other.suspect && other.reading.taken_at.is_some();
            batch.add_reading(&other.reading, other.at, other.arrived_at, suspect)
        })
    }

    /// Notes how far an import is: whoever is cut off goes on from there.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn import_progress(&mut self, import: &ImportRow) -> Result<(), StoreError> {
        self.step(|batch| {
            let sql = "INSERT INTO import
                    (source, position, stored, duplicate, bad, began_at_micros, ended_at_micros)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                ON CONFLICT (source) DO UPDATE SET position = excluded.position,
                    stored = excluded.stored, duplicate = excluded.duplicate,
                    bad = excluded.bad, ended_at_micros = excluded.ended_at_micros";
            batch.connection().prepare_cached(sql)?.execute(params![
                import.source,
                import.position.cast_signed(),
                import.stored.cast_signed(),
                import.duplicate.cast_signed(),
                import.bad.cast_signed(),
                import.began_at.0,
                import.ended_at.map(|at| at.0),
            ])?;
            Ok(())
        })
    }

    /// Notes that everything up to the number `id` in the history of another gateway is taken over with this
    /// batch. False: it was taken over before; a reading with that number must not be stored again.
    ///
    /// # Errors
    /// When the file cannot be read; the batch is lost.
    pub fn follow(&mut self, history: &str, id: u64, now: UnixMicros) -> Result<bool, StoreError> {
        self.step(|batch| {
            let (mut followed, at) = batch.take_followed(history, now)?;
            let is_new = id > followed.id;
            followed.id = followed.id.max(id);
            batch.followed = Some((followed, at));
            Ok(is_new)
        })
    }

    /// Notes that the history of another gateway is followed from behind the number `id` on, whatever was noted of it
    /// before.
    ///
    /// # Errors
    /// When the file cannot be read; the batch is lost.
    pub fn follow_from(
        &mut self,
        history: &str,
        id: u64,
        now: UnixMicros,
    ) -> Result<(), StoreError> {
        self.step(|batch| {
            let (followed, at) = batch.take_followed(history, now)?;
            batch.followed = Some((Followed { id, ..followed }, at));
            Ok(())
        })
    }

    /// How far that history is taken over with this batch, and as of when; what is noted of another one is written.
    fn take_followed(
        &mut self,
        history: &str,
        now: UnixMicros,
    ) -> rusqlite::Result<(Followed, UnixMicros)> {
        match self.followed.take() {
            Some(known) if known.0.history == history => return Ok(known),
            Some((other, at)) => other.write(self.connection(), at.0)?,
            None => {}
        }
        let id = Followed::id_of(self.connection(), history)?;
        Ok((Followed { history: history.to_owned(), id }, now))
    }

    /// Keeps what was no reading, and why. Returns its number.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn reject(&mut self, reject: &Reject<'_>) -> Result<u64, StoreError> {
        self.step(|batch| batch.add_reject(reject))
    }

    /// Makes everything durable. When this returns `Ok` it is on the disk; when it returns an error
    /// nothing of the batch is visible, now or after a restart, save that after
    /// [`StoreError::Unsynced`] only a restart can tell.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Damaged`] and the like from the disk;
    /// [`StoreError::Broken`] after an earlier error.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.finish(true)?;
        self.journal.sync()
    }

    /// The first half of a commit: readers see it and it survives the death of this process, but a
    /// loss of power only after [`Journal::sync`], which is what an acknowledgement has to wait for.
    ///
    /// # Errors
    /// As [`Batch::commit`].
    pub fn write(mut self) -> Result<(), StoreError> {
        self.finish(true)
    }

    /// As [`Batch::write`]; `is_ahead`: the sums follow with [`Journal::sum_up`], so that what the readings command can
    /// be told sooner. For a moment nobody finds them by their time.
    ///
    /// # Errors
    /// As [`Batch::commit`].
    pub fn write_ahead(mut self, is_ahead: bool) -> Result<(), StoreError> {
        self.finish(!is_ahead)
    }

    fn finish(&mut self, with_sums: bool) -> Result<(), StoreError> {
        self.step(|batch| {
            let Journal { connection, seen, sums, latencies, totals, .. } = &mut *batch.journal;
            seen.write(connection)?;
            if with_sums {
                sums.write(connection)?;
                batch.totals.summed_reading_id = batch.totals.reading_id_last;
            }
            write_duplicates(connection, &batch.duplicates)?;
            if let Some((followed, at)) = &batch.followed {
                followed.write(connection, at.0)?;
            }
            if latencies.are_due() {
                latencies.write(connection)?;
                batch.has_latencies = true;
            }
            if batch.totals != *totals {
                batch.totals.write(connection)?;
            }
            batch.connection().prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        })?;
        self.is_committed = true;
        self.journal.totals = self.totals;
        if with_sums {
            self.journal.sums.keep();
        }
        self.journal.names.keep();
        if self.has_latencies {
            self.journal.latencies.clear();
        }
        Ok(())
    }

    /// A reading for the time that it has, unless its key is known for its series.
    fn add_reading(
        &mut self,
        reading: &Reading,
        at: UnixMicros,
        arrived_at: UnixMicros,
        suspect: bool,
    ) -> rusqlite::Result<Stored> {
        let Journal { connection, names, seen, sums, .. } = &mut *self.journal;
        let series = names.series(connection, reading)?;
        let boot = match &reading.key {
            Some(key) => Some(names.boot(connection, &key.boot)?),
            None => None,
        };
        let seq = reading.key.as_ref().map(|key| key.seq.cast_signed());
        if let Some((boot, seq)) = boot.zip(seq)
            && !seen.add(connection, series, boot, seq)?
        {
            *self.duplicates.entry(series).or_default() += 1;
            self.totals.counts.duplicate += 1;
            return Ok(Stored::Duplicate);
        }
        let topic = names.topic(connection, &reading.topic)?;
        let id = self.totals.reading_id_last + 1;
        let taken_at = reading.taken_at.map(|taken_at| taken_at.0);
        connection
            .prepare_cached(
                "INSERT INTO reading (id, series, at_micros, value, topic, arrived_after_micros,
                     is_device_time, suspect_taken_at_micros, boot, seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                id.cast_signed(),
                series,
                at.0,
                reading.value,
                topic,
                arrived_at.0.saturating_sub(at.0),
                taken_at.is_some() && !suspect,
                taken_at.filter(|_| suspect),
                boot,
                seq,
            ])?;
        sums.add(series, at, reading.value, reading.unit.is_temperature());
        self.totals.reading_id_last = id;
        self.totals.counts.stored += 1;
        let reading = reading.clone();
        Ok(Stored::New(StoredReading { id, at, arrived_at, suspect, reading }))
    }

    fn add_reject(&mut self, reject: &Reject<'_>) -> rusqlite::Result<u64> {
        let id = self.totals.reject_id_last + 1;
        let head_len = reject.payload.len().min(REJECT_HEAD_LEN_MAX);
        let topic_len = reject.topic.floor_char_boundary(REJECT_HEAD_LEN_MAX);
        self.connection()
            .prepare_cached(
                "INSERT INTO reject (id, arrived_at_micros, topic, payload_head, payload_len, code,
                     reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id.cast_signed(),
                reject.arrived_at.0,
                reject.topic.get(..topic_len),
                reject.payload.get(..head_len),
                i64::try_from(reject.payload.len()).unwrap_or(i64::MAX),
                reject.code,
                reject.reason,
            ])?;
        self.totals.reject_id_last = id;
        self.totals.counts.rejected += 1;
        Ok(id)
    }

    fn connection(&self) -> &Connection {
        &self.journal.connection
    }

    /// Runs one step, unless an earlier one failed.
    fn step<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.is_broken {
            return Err(StoreError::Broken);
        }
        step(self).map_err(|cause| {
            self.is_broken = true;
            let error = StoreError::from(cause);
            self.journal.is_full |= matches!(error, StoreError::Full(_));
            error
        })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.is_committed {
            return;
        }
        self.journal.sums.roll_back();
        self.journal.names.roll_back();
        self.journal.seen.roll_back();
        // After some errors SQLite has rolled back already.
        if !self.connection().is_autocommit()
            && let Err(cause) = self.connection().execute_batch("ROLLBACK")
        {
            tracing::error!(%cause, "the database did not take a rollback");
        }
    }
}

fn write_duplicates(
    connection: &Connection,
    duplicates: &HashMap<i64, i64>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO duplicate_total (series, count) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for (series, count) in duplicates {
        statement.execute(params![series, count])?;
    }
    Ok(())
}

/// The time that a reading counts for, and whether the device's own is suspect: it is believed from 30
/// days before to 5 minutes after the arrival.
#[must_use]
pub fn counted_time(taken_at: Option<UnixMicros>, arrived_at: UnixMicros) -> (UnixMicros, bool) {
    match taken_at {
        None => (arrived_at, false),
        Some(at)
            if at.0 >= 0
                && arrived_at.since(at) <= TAKEN_BEFORE_MAX
                && at.since(arrived_at) <= TAKEN_AFTER_MAX =>
        {
            (at, false)
        }
        Some(_) => (arrived_at, true),
    }
}

#[cfg(test)]
pub(crate) mod tests;
