//! Readings in bulk and in the order of their arrival, for whoever plays much of the history.
//!
//! Names stand as numbers: a thousand readings share them. Journal numbers rise in the order of arrival
//! as long as nothing was imported, so a journal without imports is read from its first page to its last.
//! With imports it is read in the order of time, and what arrived late waits here until its turn; what
//! counts for a time before the stretch is then left out. Each chunk is a short transaction of its own.

use super::History;
use crate::batch::TAKEN_AFTER_MAX;
use crate::error::StoreError;
use crate::rollup::SLOT;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

/// About how many readings a chunk has.
const CHUNK_LEN: i64 = 8_192;

/// One reading in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// Its journal number.
    pub id: u64,
    /// The number of its series in [`Names`].
    pub series: i64,
    /// The number of its topic in [`Names`].
    pub topic: i64,
    /// The time it counts for.
    pub at: UnixMicros,
    /// When it reached the gateway.
    pub arrived_at: UnixMicros,
    /// Its number, in the unit of its series.
    pub value: f64,
}

/// What the numbers of an [`Arrival`] stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// By its number.
    pub series: HashMap<i64, SeriesName>,
    /// By its number.
    pub topics: HashMap<i64, Arc<str>>,
}

/// What is measured where.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesName {
    /// Which device.
    pub device: Arc<str>,
    /// What was measured.
    pub quantity: Arc<str>,
    /// What its numbers count.
    pub unit: Unit,
}

/// A way through the arrivals of a stretch of time. What is stored meanwhile is given too.
#[derive(Debug)]
pub struct Arrivals {
    history: History,
    from: UnixMicros,
    until: UnixMicros,
    way: Way,
}

#[derive(Debug)]
enum Way {
    ByNumber {
        after: i64,
        first: i64,
        /// The first number that is behind the stretch.
        end: i64,
    },
    BySlot {
        /// The next slot, and how many are read at once.
        slot: i64,
        slots: i64,
        waiting: BinaryHeap<Reverse<Waiting>>,
    },
    Ended,
}

/// A reading that waits for the time of its arrival.
#[derive(Debug)]
struct Waiting(Arrival);

impl History {
    /// The names of all series and topics.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn names(&self) -> Result<Names, StoreError> {
        self.pool.read(names)
    }

    /// The readings that arrived from `from` on and before `until`, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn arrivals(&self, from: UnixMicros, until: UnixMicros) -> Result<Arrivals, StoreError> {
        let way = self.pool.read(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM import)";
            let has_imports: bool = connection.query_row(sql, [], |row| row.get(0))?;
            if has_imports {
                let slot = from.0.max(0) / SLOT;
                return Ok(Way::BySlot { slot, slots: 1, waiting: BinaryHeap::new() });
            }
            // Each by itself is one seek; both in one query read the whole table.
            let sql = "SELECT (SELECT min(id) FROM reading), (SELECT max(id) FROM reading)";
            let ends = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (Some(first), Some(last)) = ends else { return Ok(Way::Ended) };
            let first = first_arrived(connection, first, last, from)?;
            let end = first_arrived(connection, first, last, until)?;
            Ok(Way::ByNumber { after: first - 1, first, end })
        })?;
        Ok(Arrivals { history: self.clone(), from, until, way })
    }
}

impl Arrivals {
    /// Puts the next readings into `out`, which is emptied before; false when there are none left.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next(&mut self, out: &mut Vec<Arrival>) -> Result<bool, StoreError> {
        out.clear();
        while out.is_empty() {
            match &mut self.way {
                Way::ByNumber { .. } => self.by_number(out)?,
                Way::BySlot { .. } => self.by_slot(out)?,
                Way::Ended => return Ok(false),
            }
        }
        Ok(true)
    }

    /// How far it is, and of how much, in steps that take about equally long.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let (done, of) = match self.way {
            Way::ByNumber { after, first, end } => (after + 1 - first, end - first),
            Way::BySlot { slot, .. } => {
                let first = self.from.0.max(0) / SLOT;
                (slot - first, self.until.0 / SLOT + 1 - first)
            }
            Way::Ended => (1, 1),
        };
        let of = u64::try_from(of).unwrap_or(0);
        // A chunk ends behind the stretch.
        (u64::try_from(done).unwrap_or(0).min(of), of)
    }

    fn by_number(&mut self, out: &mut Vec<Arrival>) -> Result<(), StoreError> {
        let Way::ByNumber { after, end, .. } = &mut self.way else { return Ok(()) };
        let before = *after;
        self.history.pool.read(|connection| {
            let sql =
                "SELECT id, series, topic, at_micros, arrived_after_micros, value FROM reading
                       WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![before, *end, CHUNK_LEN])?;
            while let Some(row) = rows.next()? {
                let arrival = arrival(row)?;
                *after = arrival.id.cast_signed();
                // Only where the clock was set back.
                if (self.from..self.until).contains(&arrival.arrived_at) {
                    out.push(arrival);
                }
            }
            Ok(())
        })?;
        if *after == before {
            self.way = Way::Ended;
        }
        Ok(())
    }

    fn by_slot(&mut self, out: &mut Vec<Arrival>) -> Result<(), StoreError> {
        let Way::BySlot { slot, slots, waiting } = &mut self.way else { return Ok(()) };
        let mut count = 0;
        let begun = self.history.pool.read(|connection| {
            let sql = "SELECT slot FROM reading INDEXED BY reading_by_slot WHERE slot >= ?1
                       ORDER BY slot LIMIT 1";
            let next: Option<i64> =
                connection.prepare_cached(sql)?.query_row([*slot], |row| row.get(0)).optional()?;
            // Beyond the end only what is counted for later than it arrived can be left.
            let end = self.until.saturating_add(TAKEN_AFTER_MAX).0 / SLOT;
            let Some(next) = next.filter(|next| *next <= end) else { return Ok(false) };
            *slot = next + *slots;
            let sql = "SELECT id, series, topic, at_micros, arrived_after_micros, value
                       FROM reading INDEXED BY reading_by_slot WHERE slot >= ?1 AND slot < ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![next, *slot])?;
            while let Some(row) = rows.next()? {
                count += 1;
                let arrival = arrival(row)?;
                if (self.from..self.until).contains(&arrival.arrived_at) {
                    waiting.push(Reverse(Waiting(arrival)));
                }
            }
            Ok(true)
        })?;
        // Whatever comes counts for this time or later, and arrived at most so much before that.
        let settled =
            if begun { UnixMicros(slot.saturating_mul(SLOT)) } else { UnixMicros(i64::MAX) };
        *slots = match count {
            0..4_096 => (*slots * 2).min(17_280),
            8_192.. => (*slots / 2).max(1),
            _ => *slots,
        };
        while let Some(Reverse(Waiting(first))) = waiting.peek()
            && first.arrived_at.saturating_add(TAKEN_AFTER_MAX) < settled
        {
            out.push(*first);
            waiting.pop();
        }
        if !begun {
            self.way = Way::Ended;
        }
        Ok(())
    }
}

impl Waiting {
    fn rank(&self) -> (UnixMicros, u64) {
        (self.0.arrived_at, self.0.id)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// The lowest number from `first` on whose reading arrived at `from` or later; `last` + 1 if none did.
fn first_arrived(
    connection: &Connection,
    first: i64,
    last: i64,
    from: UnixMicros,
) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at_micros + arrived_after_micros FROM reading WHERE id >= ?1 ORDER BY id LIMIT 1",
    )?;
    let (mut low, mut high) = (first.min(last + 1), last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let (id, arrived_at): (i64, i64) =
            statement.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // Between `middle` and `id` retention has left nothing.
        if arrived_at < from.0 {
            low = id + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn arrival(row: &Row<'_>) -> rusqlite::Result<Arrival> {
    let at: i64 = row.get(3)?;
    let after: i64 = row.get(4)?;
    Ok(Arrival {
        id: row.get(0).map(i64::cast_unsigned)?,
        series: row.get(1)?,
        topic: row.get(2)?,
        at: UnixMicros(at),
        arrived_at: UnixMicros(at.saturating_add(after)),
        value: row.get(5)?,
    })
}

fn names(connection: &Connection) -> rusqlite::Result<Names> {
    let series = connection
        .prepare_cached("SELECT id, device, quantity, unit FROM series")?
        .query_map([], |row| {
            let unit: String = row.get(3)?;
            let text = |column| row.get::<_, String>(column).map(Arc::from);
            // A unit of a newer version is none that a rule knows.
            let unit = Unit::parse(&unit).unwrap_or_default();
            Ok((row.get(0)?, SeriesName { device: text(1)?, quantity: text(2)?, unit }))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let topics = connection
        .prepare_cached("SELECT id, name FROM topic")?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1).map(Arc::from)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Names { series, topics })
}

#[cfg(test)]
mod tests;
