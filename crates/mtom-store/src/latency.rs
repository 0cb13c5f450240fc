//! How long readings take from hop to hop: counts of powers of two, by the hour.
//!
//! Gathered in memory and written with a batch now and then, because a table of its own in every
//! commit would cost each reading a page. What a killed process had gathered last is not counted.

use mtom_protocol::time::UnixMicros;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::time::Duration;

use crate::rollup::HOUR;

/// Counts are written when the oldest of them is this old.
const WRITTEN_AFTER: Duration = Duration::from_secs(10);

/// A part of the path. The number is the `hop` of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hop {
    /// From the device's own time to ours. Clocks differ, so it can be wrong by as much.
    TakenToArrived = 0,
    /// From the arrival to the disk.
    ArrivedToStored = 1,
    /// From the disk to the other database.
    StoredToDrained = 2,
}

impl Hop {
    /// All, in the order of the path.
    pub const ALL: [Self; 3] = [Self::TakenToArrived, Self::ArrivedToStored, Self::StoredToDrained];
}

#[derive(Debug, Default)]
pub(crate) struct Latencies {
    counts: HashMap<(i64, Hop, u32), i64>,
    /// When the oldest and the newest of them were added.
    between: Option<(UnixMicros, UnixMicros)>,
}

impl Latencies {
    /// Counts `count` readings that took `span` and were there at `now`.
    pub(crate) fn add(&mut self, hop: Hop, now: UnixMicros, span: Duration, count: i64) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
        *self.counts.entry((now.0 / HOUR, hop, micros.ilog2())).or_default() += count;
        self.between.get_or_insert((now, now)).1 = now;
    }

    /// Says whether it is time to write.
    pub(crate) fn are_due(&self) -> bool {
        self.between.is_some_and(|(oldest, newest)| newest.since(oldest) >= WRITTEN_AFTER)
    }

    /// Adds everything to what the file holds. The counts stay until [`Latencies::clear`], because the
    /// batch may fail.
    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO latency (hour, hop, level, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for (&(hour, hop, level), count) in &self.counts {
            statement.execute(params![hour, hop as i64, level, count])?;
        }
        Ok(())
    }

    /// What was written is committed.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.between = None;
    }
}
