//! The schema, version by version. Only forward; each step is one transaction.

use rusqlite::{Connection, TransactionBehavior, params};

use crate::file::APPLICATION_ID;
use mtom_protocol::time::UnixMicros;
use std::collections::BTreeSet;

/// The SQL that leads from each version to the next; the first makes version 1 from nothing.
/// A step that has been released is never edited: write the next one.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
];

/// The version that a list of migrations leads to.
pub(crate) fn version_of(migrations: &[&str]) -> u32 {
    u32::try_from(migrations.len()).expect("a list in the source is short")
}

/// Runs what `found` lacks. After an error the file is at the last version that was complete.
pub(crate) fn migrate(
    connection: &mut Connection,
    migrations: &[&str],
    found: u32,
    now: UnixMicros,
) -> rusqlite::Result<()> {
    for (sql, version) in migrations.iter().zip(1_u32..).filter(|(_, version)| *version > found) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(sql)?;
        step.execute(
            "INSERT INTO schema_version (version, applied_at_micros) VALUES (?1, ?2)",
            params![version, now.0],
        )?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.commit()?;
    }
    Ok(())
}

/// What of a file's tables is not as its schema version says; `None` also for versions that are not
/// known. Tables, columns and indexes that somebody added to ours are theirs.
///
/// A page that got lost takes rows with it, those that say the version too: then a migration would begin
/// on a file that had it already.
pub(crate) fn odd_schema(
    file: &Connection,
    migrations: &[&str],
    version: u32,
) -> rusqlite::Result<Option<String>> {
    let known = version_of(migrations);
    if version > known {
        return Ok(None);
    }
    let found = columns(file)?;
    let expected = columns_of(migrations, version)?;
    if let Some((table, column)) = expected.difference(&found).next() {
        return Ok(Some(format!("{table} has no {column}, as version {version} has")));
    }
    if version == known {
        return Ok(None);
    }
    // A step that cannot be done on nothing says so when it is to be done.
    let later = columns_of(migrations, known).unwrap_or_default();
    let early = later.difference(&expected).find(|column| found.contains(column));
    Ok(early.map(|(table, column)| {
        format!("it says version {version}, but {table} has {column} of a later one")
    }))
}

/// Tables, views and indexes with the names of their columns.
type Columns = BTreeSet<(String, String)>;

fn columns(connection: &Connection) -> rusqlite::Result<Columns> {
    let mut statement = connection.prepare(
        "SELECT of.name, coalesce(part.name, '')
             FROM sqlite_schema AS of, pragma_table_xinfo(of.name) AS part
             WHERE of.type IN ('table', 'view') AND substr(of.name, 1, 7) <> 'sqlite_'
         UNION ALL
         SELECT of.name, coalesce(part.name, '')
             FROM sqlite_schema AS of, pragma_index_info(of.name) AS part
             WHERE of.type = 'index' AND substr(of.name, 1, 7) <> 'sqlite_'",
    )?;
    // A name in a damaged file may be no text.
    let name = |row: &rusqlite::Row<'_>, index| {
        let bytes = row.get_ref(index)?.as_bytes_or_null()?.unwrap_or_default();
        Ok::<_, rusqlite::Error>(String::from_utf8_lossy(bytes).into_owned())
    };
    let rows = statement.query_map([], |row| Ok((name(row, 0)?, name(row, 1)?)))?;
    rows.collect()
}

/// Those of a database of this version.
fn columns_of(migrations: &[&str], version: u32) -> rusqlite::Result<Columns> {
    let connection = Connection::open_in_memory()?;
    for (sql, _) in migrations.iter().zip(0..version) {
        connection.execute_batch(sql)?;
    }
    columns(&connection)
}

#[cfg(test)]
mod tests;
