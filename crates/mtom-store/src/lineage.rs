//! Which history a database is, and how far it has taken over those of others.
//!
//! Numbers of readings mean something only together with the name of their history. A restored backup begins a
//! history of its own, because its next readings get numbers that the one before may have given to others. The
//! names before stay known: whoever was at one of them is told where to go on.

use rusqlite::{Connection, OptionalExtension, params};

/// The names that the history of a database has had, oldest first; the last is its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage(Vec<Ancestor>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ancestor {
    name: String,
    /// Up to this number its readings are those of the one before.
    after_id: u64,
}

impl Lineage {
    /// A history that began with nothing.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(vec![Ancestor { name: name.to_owned(), after_id: 0 }])
    }

    /// The name of a copy of it that goes on by itself behind the reading `after_id`.
    #[must_use]
    pub fn forked(mut self, name: &str, after_id: u64) -> Self {
        self.0.push(Ancestor { name: name.to_owned(), after_id });
        self
    }

    /// Its own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.last().map_or("", |last| &last.name)
    }

    /// Where whoever has everything up to `id` of the history `name` has to go on here; `None`: it never was this
    /// history.
    #[must_use]
    pub fn here(&self, name: &str, id: u64) -> Option<u64> {
        let place = self.0.iter().position(|ancestor| ancestor.name == name)?;
        let forks = self.0.iter().skip(place + 1).map(|later| later.after_id);
        Some(forks.fold(id, u64::min))
    }

    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement =
            connection.prepare_cached("SELECT name, after_id FROM lineage ORDER BY place")?;
        let rows = statement.query_map([], |row| {
            let after_id = row.get(1).map(i64::cast_unsigned)?;
            Ok(Ancestor { name: row.get(0)?, after_id })
        })?;
        rows.collect::<rusqlite::Result<_>>().map(Self)
    }
}

/// How far the history of another gateway was taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Its name.
    pub history: String,
    /// Everything up to this number of it.
    pub id: u64,
}

impl Followed {
    /// All of them, the one that was followed last first.
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        let mut statement = connection
            .prepare_cached("SELECT history, id FROM followed ORDER BY at_micros DESC, history")?;
        let rows = statement.query_map([], |row| {
            Ok(Self { history: row.get(0)?, id: row.get(1).map(i64::cast_unsigned)? })
        })?;
        rows.collect()
    }

    /// Of the one with this name; 0: nothing.
    pub(crate) fn id_of(connection: &Connection, history: &str) -> rusqlite::Result<u64> {
        let id: Option<i64> = connection
            .prepare_cached("SELECT id FROM followed WHERE history = ?1")?
            .query_row([history], |row| row.get(0))
            .optional()?;
        Ok(id.unwrap_or(0).cast_unsigned())
    }

    pub(crate) fn write(&self, connection: &Connection, at_micros: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO followed (history, id, at_micros) VALUES (?1, ?2, ?3)
            ON CONFLICT (history) DO UPDATE SET id = excluded.id, at_micros = excluded.at_micros";
        connection.prepare_cached(sql)?.execute(params![
            self.history,
            self.id.cast_signed(),
            at_micros
        ])?;
        Ok(())
    }
}

/// The history in a copy of a database goes on by itself from here. Nothing where the copy is of a version before
/// histories had names: it gets one when it is opened.
pub(crate) fn fork(connection: &Connection) -> rusqlite::Result<()> {
    let has_names = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'lineage'", [], |_| Ok(()))
        .optional()?
        .is_some();
    if has_names {
        connection.execute(
            "INSERT INTO lineage (name, after_id)
             SELECT lower(hex(randomblob(8))), reading_id_last FROM total",
            [],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
