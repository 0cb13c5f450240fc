//! Texts that repeat in every reading, and the numbers that stand for them in the file.
//!
//! The numbers are remembered so that a reading costs no look-up. When a batch that met new names
//! is rolled back all are forgotten, and read again as they are needed.

use mtom_protocol::reading::Reading;
use mtom_protocol::unit::Unit;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;

/// How many of each kind are remembered. Full: all of that kind are forgotten and read again; a
/// device that changes its name with each message costs time, never memory.
const REMEMBERED_LEN_MAX: usize = 65_536;

/// Numbers of series, topics and boots.
#[derive(Debug, Default)]
pub(crate) struct Names {
    series: HashMap<SeriesName, i64>,
    topics: HashMap<Arc<str>, i64>,
    boots: HashMap<Box<str>, i64>,
    /// Some of them may not be in the file: the batch that met them is not committed.
    has_new: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SeriesName {
    device: Arc<str>,
    quantity: Arc<str>,
    unit: Unit,
}

impl Names {
    /// The number of the reading's series, added where it is new.
    pub(crate) fn series(
        &mut self,
        connection: &Connection,
        reading: &Reading,
    ) -> rusqlite::Result<i64> {
        let name = SeriesName {
            device: Arc::clone(&reading.device),
            quantity: Arc::clone(&reading.quantity),
            unit: reading.unit,
        };
        if let Some(&id) = self.series.get(&name) {
            return Ok(id);
        }
        let id = find_or_add(
            connection,
            "SELECT id FROM series WHERE device = ?1 AND quantity = ?2 AND unit = ?3",
            params![name.device, name.quantity, name.unit.symbol()],
            "INSERT INTO series (device, quantity, unit, is_temperature) VALUES (?1, ?2, ?3, ?4)",
            params![name.device, name.quantity, name.unit.symbol(), name.unit.is_temperature()],
        )?;
        make_room(&mut self.series);
        self.has_new = true;
        self.series.insert(name, id);
        Ok(id)
    }

    /// The number of the topic, added where it is new.
    pub(crate) fn topic(
        &mut self,
        connection: &Connection,
        topic: &Arc<str>,
    ) -> rusqlite::Result<i64> {
        if let Some(&id) = self.topics.get(topic) {
            return Ok(id);
        }
        let id = find_or_add(
            connection,
            "SELECT id FROM topic WHERE name = ?1",
            params![topic],
            "INSERT INTO topic (name) VALUES (?1)",
            params![topic],
        )?;
        make_room(&mut self.topics);
        self.has_new = true;
        self.topics.insert(Arc::clone(topic), id);
        Ok(id)
    }

    /// The number of the boot's name, added where it is new.
    pub(crate) fn boot(&mut self, connection: &Connection, boot: &str) -> rusqlite::Result<i64> {
        if let Some(&id) = self.boots.get(boot) {
            return Ok(id);
        }
        let id = find_or_add(
            connection,
            "SELECT id FROM boot WHERE name = ?1",
            params![boot],
            "INSERT INTO boot (name) VALUES (?1)",
            params![boot],
        )?;
        make_room(&mut self.boots);
        self.has_new = true;
        self.boots.insert(boot.into(), id);
        Ok(id)
    }

    /// The batch is committed.
    pub(crate) fn keep(&mut self) {
        self.has_new = false;
    }

    /// The batch is undone.
    pub(crate) fn roll_back(&mut self) {
        if self.has_new {
            *self = Self::default();
        }
    }
}

fn find_or_add(
    connection: &Connection,
    find: &str,
    find_by: impl rusqlite::Params,
    add: &str,
    add_with: impl rusqlite::Params,
) -> rusqlite::Result<i64> {
    let found = connection.prepare_cached(find)?.query_row(find_by, |row| row.get(0)).optional()?;
    match found {
        Some(id) => Ok(id),
        None => connection.prepare_cached(add)?.insert(add_with),
    }
}

fn make_room<Name>(remembered: &mut HashMap<Name, i64>) {
    if remembered.len() >= REMEMBERED_LEN_MAX {
        remembered.clear();
    }
}
