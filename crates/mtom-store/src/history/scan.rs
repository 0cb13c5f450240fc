//! Readings in bulk and in the order of their arrival, for [`super::play`].
//!
//! Names stand as numbers: a thousand readings share them. Journal numbers rise in the order of arrival
//! as long as nothing was imported, so a journal without imports is read from its first page to its last.
//! With imports it is read in the order of time, and what arrived late waits here until its turn; what
//! counts for a time before the stretch is then left out. Each chunk is a short transaction of its own.

use super::History;
use super::play::SeriesName;
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
pub(super) struct Arrival {
    /// Its journal number.
    pub(super) id: u64,
    /// The number of its series in [`Names`].
    pub(super) series: i64,
    /// The number of its topic in [`Names`].
    pub(super) topic: i64,
    /// The time it counts for.
    pub(super) at: UnixMicros,
    /// When it reached the gateway.
    pub(super) arrived_at: UnixMicros,
    /// Its number, in the unit of its series.
    pub(super) value: f64,
}

/// What the numbers of an [`Arrival`] stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names {
    /// By its number.
    pub(super) series: HashMap<i64, SeriesName>,
    /// By its number.
    pub(super) topics: HashMap<i64, Arc<str>>,
}

/// What one transaction has read.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Those that are wanted.
    pub(super) arrivals: Vec<Arrival>,
    /// How many there are. One that a clock that was set back puts outside the stretch counts too.
    pub(super) count: u64,
    /// How far this is, and of how much, in steps that take about equally long.
    pub(super) progress: (u64, u64),
}

/// A way through the arrivals of a stretch of time.
#[derive(Debug)]
pub(super) struct Arrivals {
    history: History,
    from: UnixMicros,
    until: UnixMicros,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    ByNumber {
        /// Where the next chunk begins, and how far behind it the one after begins.
        next: i64,
        step: i64,
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
#[derive(Clone, Debug)]
struct Waiting(Arrival);

impl Names {
    /// The names of a series and a topic.
    pub(super) fn of(&self, series: i64, topic: i64) -> Option<(&SeriesName, &Arc<str>)> {
        self.series.get(&series).zip(self.topics.get(&topic))
    }
}

impl History {
    pub(super) fn names(&self) -> Result<Names, StoreError> {
        self.pool.read(names)
    }

    /// The readings that arrived from `from` on and before `until`, oldest first. Where the history can be
    /// read in several places at once these are up to `len_max` ways, which give its chunks in turn; else
    /// it is one.
    pub(super) fn arrivals(
        &self,
        from: UnixMicros,
        until: UnixMicros,
        len_max: u8,
    ) -> Result<Vec<Arrivals>, StoreError> {
        let ways = self.pool.read(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM import)";
            let has_imports: bool = connection.query_row(sql, [], |row| row.get(0))?;
            if has_imports {
                let slot = from.0.max(0) / SLOT;
                return Ok(vec![Way::BySlot { slot, slots: 1, waiting: BinaryHeap::new() }]);
            }
            // Each by itself is one seek; both in one query read the whole table.
            let sql = "SELECT (SELECT min(id) FROM reading), (SELECT max(id) FROM reading)";
            let ends = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (Some(first), Some(last)) = ends else { return Ok(Vec::new()) };
            let first = first_arrived(connection, first, last, from)?;
            let end = first_arrived(connection, first, last, until)?;
            let step = i64::from(len_max) * CHUNK_LEN;
            let way = |place: u8| Way::ByNumber {
                next: first + i64::from(place) * CHUNK_LEN,
                step,
                first,
                end,
            };
            Ok((0..len_max).map(way).collect())
        })?;
        let arrivals = |way| Arrivals { history: self.clone(), from, until, way };
        Ok(ways.into_iter().map(arrivals).collect())
    }
}

impl Arrivals {
    /// The next chunk, which may be empty; `None` when there is none left. `wanted` is asked about the
    /// numbers of a series and a topic, on the connection that has just read them.
    pub(super) fn next(
        &mut self,
        wanted: &mut impl FnMut(&Connection, i64, i64) -> rusqlite::Result<bool>,
    ) -> Result<Option<Chunk>, StoreError> {
        let mut chunk = Chunk::default();
        let is_one = match &mut self.way {
            Way::ByNumber { .. } => self.by_number(wanted, &mut chunk)?,
            Way::BySlot { .. } => self.by_slot(wanted, &mut chunk)?,
            Way::Ended => false,
        };
        chunk.progress = self.progress();
        Ok(is_one.then_some(chunk))
    }

    fn progress(&self) -> (u64, u64) {
        let (done, of) = match self.way {
            Way::ByNumber { next, first, end, .. } => (next - first, end - first),
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

    fn by_number(
        &mut self,
        wanted: &mut impl FnMut(&Connection, i64, i64) -> rusqlite::Result<bool>,
        chunk: &mut Chunk,
    ) -> Result<bool, StoreError> {
        let Way::ByNumber { next, step, end, .. } = &mut self.way else { return Ok(false) };
        let (begin, behind) = (*next, next.saturating_add(CHUNK_LEN).min(*end));
        if begin >= behind {
            return Ok(false);
        }
        *next = next.saturating_add(*step);
        self.history.pool.read(|connection| {
            let sql =
                "SELECT series, topic, id, at_micros, arrived_after_micros, value FROM reading
                       WHERE id >= ?1 AND id < ?2 ORDER BY id";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([begin, behind])?;
            while let Some(row) = rows.next()? {
                chunk.count += 1;
                let (series, topic) = (row.get(0)?, row.get(1)?);
                // What nobody wants costs only the columns that say so.
                if !wanted(connection, series, topic)? {
                    continue;
                }
                let arrival = arrival(row, series, topic)?;
                // Only where the clock was set back.
                if (self.from..self.until).contains(&arrival.arrived_at) {
                    chunk.arrivals.push(arrival);
                }
            }
            Ok(true)
        })
    }

    fn by_slot(
        &mut self,
        wanted: &mut impl FnMut(&Connection, i64, i64) -> rusqlite::Result<bool>,
        chunk: &mut Chunk,
    ) -> Result<bool, StoreError> {
        let Way::BySlot { slot, slots, waiting } = &mut self.way else { return Ok(false) };
        let mut read_len = 0;
        let begun = self.history.pool.read(|connection| {
            let sql = "SELECT slot FROM reading INDEXED BY reading_by_slot WHERE slot >= ?1
                       ORDER BY slot LIMIT 1";
            let next: Option<i64> =
                connection.prepare_cached(sql)?.query_row([*slot], |row| row.get(0)).optional()?;
            // Beyond the end only what is counted for later than it arrived can be left.
            let end = self.until.saturating_add(TAKEN_AFTER_MAX).0 / SLOT;
            let Some(next) = next.filter(|next| *next <= end) else { return Ok(false) };
            *slot = next + *slots;
            let sql = "SELECT series, topic, id, at_micros, arrived_after_micros, value
                       FROM reading INDEXED BY reading_by_slot WHERE slot >= ?1 AND slot < ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![next, *slot])?;
            while let Some(row) = rows.next()? {
                read_len += 1;
                let (series, topic) = (row.get(0)?, row.get(1)?);
                let arrival = arrival(row, series, topic)?;
                if (self.from..self.until).contains(&arrival.arrived_at) {
                    chunk.count += 1;
                    if wanted(connection, series, topic)? {
                        waiting.push(Reverse(Waiting(arrival)));
                    }
                }
            }
            Ok(true)
        })?;
        // Whatever comes counts for this time or later, and arrived at most so much before that.
        let settled =
            if begun { UnixMicros(slot.saturating_mul(SLOT)) } else { UnixMicros(i64::MAX) };
        *slots = match read_len {
            0..4_096 => (*slots * 2).min(17_280),
            8_192.. => (*slots / 2).max(1),
            _ => *slots,
        };
        while let Some(Reverse(Waiting(first))) = waiting.peek()
            && first.arrived_at.saturating_add(TAKEN_AFTER_MAX) < settled
        {
            chunk.arrivals.push(*first);
            waiting.pop();
        }
        if !begun {
            self.way = Way::Ended;
        }
        Ok(true)
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

fn arrival(row: &Row<'_>, series: i64, topic: i64) -> rusqlite::Result<Arrival> {
    let at: i64 = row.get(3)?;
    let after: i64 = row.get(4)?;
    Ok(Arrival {
        id: row.get(2).map(i64::cast_unsigned)?,
        series,
        topic,
        at: UnixMicros(at),
        arrived_at: UnixMicros(at.saturating_add(after)),
        value: row.get(5)?,
    })
}

pub(super) fn names(connection: &Connection) -> rusqlite::Result<Names> {
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
