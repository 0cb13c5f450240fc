//! Which keys of devices are stored: runs of numbers without a gap.
//!
//! A device counts its readings up, so a boot is one run however long it lasts, and a reading costs
//! neither an index entry nor a look into one. Numbers that come out of order make more runs; when
//! the ones between them arrive, runs become one. What is not in a run has never arrived.
//!
//! Numbers are compared as the i64 of the same bits: a run never goes over 2^63, nor from the last of u64
//! to 0.

use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// How many boots' newest runs are remembered. Full: all are written down, forgotten and read again.
const REMEMBERED_LEN_MAX: usize = 65_536;

/// The runs that were touched last, one per series and boot.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    runs: HashMap<Device, Run>,
    /// Whose runs differ from the file.
    changed: Vec<Device>,
}

/// A series and a boot.
type Device = (i64, i64);

#[derive(Clone, Copy, Debug)]
struct Run {
    first: i64,
    last: i64,
    /// Where the next run begins. Runs that touch are one, so it is not [`behind`] `last`.
    next: Option<i64>,
    is_changed: bool,
}

impl Seen {
    /// Adds a number. False when it is there already.
    pub(crate) fn add(
        &mut self,
        connection: &Connection,
        series: i64,
        boot: i64,
        seq: i64,
    ) -> rusqlite::Result<bool> {
        let device = (series, boot);
        if let Some(run) = self.runs.get_mut(&device) {
            if (run.first..=run.last).contains(&seq) {
                return Ok(false);
            }
            let is_next = behind(run.last) == Some(seq);
            // Where the gap to the next run closes the two become one, below.
            if is_next && behind(seq).is_none_or(|behind| run.next != Some(behind)) {
                run.last = seq;
                if !std::mem::replace(&mut run.is_changed, true) {
                    self.changed.push(device);
                }
                return Ok(true);
            }
        }
        self.write(connection)?;
        let (is_new, run) = insert(connection, device, seq)?;
        if self.runs.len() >= REMEMBERED_LEN_MAX {
            self.runs.clear();
        }
        self.runs.insert(device, run);
        Ok(is_new)
    }

    /// Writes down what has changed.
    pub(crate) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        // In order of the key: neighbours share a page.
        self.changed.sort_unstable();
        let mut statement = connection.prepare_cached(
            "INSERT INTO seq_run (series, boot, first, last) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET last = excluded.last",
        )?;
        for device in self.changed.drain(..) {
            let Some(run) = self.runs.get_mut(&device) else { continue };
            statement.execute(params![device.0, device.1, run.first, run.last])?;
            run.is_changed = false;
        }
        Ok(())
    }

    /// The batch is undone: what was read or written in it may not be in the file.
    pub(crate) fn roll_back(&mut self) {
        *self = Self::default();
    }
}

/// The number that continues a run.
fn behind(seq: i64) -> Option<i64> {
    seq.checked_add(1).filter(|next| *next != 0)
}

/// Adds a number to the runs in the file. The run that holds it then, and whether it is new.
fn insert(connection: &Connection, device: Device, seq: i64) -> rusqlite::Result<(bool, Run)> {
    let (series, boot) = device;
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let before = connection
        .prepare_cached(
            "SELECT first, last FROM seq_run
             WHERE series = ?1 AND boot = ?2 AND first <= ?3 ORDER BY first DESC LIMIT 1",
        )?
        .query_row(params![series, boot, seq], pair)
        .optional()?;
    let mut run_behind = connection.prepare_cached(
        "SELECT first, last FROM seq_run
         WHERE series = ?1 AND boot = ?2 AND first > ?3 ORDER BY first LIMIT 1",
    )?;
    let mut run_behind =
        |first: i64| run_behind.query_row(params![series, boot, first], pair).optional();
    let next = run_behind(seq)?;
    if let Some((first, last)) = before.filter(|(_, last)| seq <= *last) {
        let next = next.map(|(first, _)| first);
        return Ok((false, Run { first, last, next, is_changed: false }));
    }
    let joins_before = before.filter(|(_, last)| behind(*last) == Some(seq));
    let joins_next = next.filter(|(first, _)| behind(seq) == Some(*first));
    let first = joins_before.map_or(seq, |(first, _)| first);
    let last = joins_next.map_or(seq, |(_, last)| last);
    let mut next = next;
    if let Some((start, _)) = joins_next {
        connection
            .prepare_cached("DELETE FROM seq_run WHERE series = ?1 AND boot = ?2 AND first = ?3")?
            .execute(params![series, boot, start])?;
        next = run_behind(last)?;
    }
    connection
        .prepare_cached(
            "INSERT INTO seq_run (series, boot, first, last) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET last = excluded.last",
        )?
        .execute(params![series, boot, first, last])?;
    Ok((true, Run { first, last, next: next.map(|(first, _)| first), is_changed: false }))
}

#[cfg(test)]
mod tests;
