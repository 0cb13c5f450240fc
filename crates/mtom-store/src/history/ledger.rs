//! Pages of the ledger.

use super::{History, sql_limit};
use crate::error::StoreError;
use crate::record::{CommandRecord, CommandRow, Order};
use mtom_protocol::time::UnixMicros;
use rusqlite::{Row, params};

/// Which commands, in which direction, from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerQuery {
    /// Only to this actuator.
    pub actuator: Option<String>,
    /// Only decided from this time on.
    pub from: Option<UnixMicros>,
    /// Only decided before this time.
    pub until: Option<UnixMicros>,
    /// By number, which is the order in which they were decided.
    pub order: Order,
    /// The number of the last command of the page before; `None` starts at either end.
    pub after: Option<u64>,
    /// How many; at most [`super::PAGE_LEN_MAX`] are given.
    pub limit: usize,
}

impl History {
    /// A page of the ledger.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn ledger(&self, query: &LedgerQuery) -> Result<Vec<CommandRow>, StoreError> {
        let (after, order, start) = match query.order {
            Order::Ascending => (">", "ASC", 0),
            Order::Descending => ("<", "DESC", i64::MAX),
        };
        let (index, of_actuator) = match query.actuator {
            Some(_) => ("INDEXED BY command_by_actuator", "actuator = ?2"),
            None => ("", "?2 IS NULL"),
        };
        let sql = format!(
            "SELECT {COMMAND_COLUMNS} FROM command {index}
             WHERE number {after} ?1 AND {of_actuator}
                 AND decided_at_micros >= ?3 AND decided_at_micros < ?4
             ORDER BY number {order} LIMIT ?5"
        );
        let start = query.after.map_or(start, |number| i64::try_from(number).unwrap_or(i64::MAX));
        let (from, until) =
            (query.from.map_or(i64::MIN, |at| at.0), query.until.map_or(i64::MAX, |at| at.0));
        self.pool.read(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_map(
                    params![start, query.actuator, from, until, sql_limit(query.limit)],
                    command_row,
                )?
                .collect()
        })
    }

    /// The names of all actuators that were ever commanded.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn commanded(&self) -> Result<Vec<String>, StoreError> {
        self.pool.read(|connection| {
            connection
                // From name to name by the index, not over all rows.
                .prepare_cached(
                    "WITH RECURSIVE name (name) AS (
                         SELECT min(actuator) FROM command
                         UNION ALL
                         SELECT (SELECT min(actuator) FROM command WHERE actuator > name.name)
                         FROM name WHERE name.name IS NOT NULL
                     )
                     SELECT name FROM name WHERE name IS NOT NULL",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }
}

/// The columns that [`command_row`] takes.
const COMMAND_COLUMNS: &str =
    "number, actuator, desired_on, rule, rule_version, reading, cause, condition, decided_at_micros,
     sent_at_micros, applied_at_micros, refused_at_micros, refused_reason";

fn command_row(row: &Row<'_>) -> rusqlite::Result<CommandRow> {
    let time = |column| row.get::<_, Option<i64>>(column).map(|time| time.map(UnixMicros));
    Ok(CommandRow {
        command: CommandRecord {
            number: row.get(0).map(i64::cast_unsigned)?,
            actuator: row.get(1)?,
            on: row.get(2)?,
            rule: row.get(3)?,
            rule_version: row.get(4)?,
            reading: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
            cause: row.get(6)?,
            condition: row.get(7)?,
            decided_at: row.get(8).map(UnixMicros)?,
        },
        sent_at: time(9)?,
        applied_at: time(10)?,
        refused_at: time(11)?,
        refused_reason: row.get(12)?,
    })
}

#[cfg(test)]
mod tests;
