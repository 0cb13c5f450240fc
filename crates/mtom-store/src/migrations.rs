//! The schema, version by version. Only forward; each step is one transaction.

use rusqlite::{Connection, TransactionBehavior, params};

use crate::file::APPLICATION_ID;
use mtom_protocol::time::UnixMicros;

/// The SQL that leads from each version to the next; the first makes version 1 from nothing.
/// A step that has been released is never edited: write the next one.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
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

#[cfg(test)]
mod tests;
