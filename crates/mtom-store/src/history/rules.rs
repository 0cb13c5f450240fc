//! What rules left behind: the ledger, versions of the rules, alerts.

use super::{History, sql_limit};
use crate::error::StoreError;
use crate::record::{AlertRecord, AlertRow, AlertTarget, CommandRecord, CommandRow, RuleSetRow};
use mtom_protocol::time::UnixMicros;
use rusqlite::{OptionalExtension, Row, params};

/// Which part of the ledger. The default is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandQuery {
    /// Of this actuator only.
    pub actuator: Option<String>,
    /// Decided at this time or later.
    pub from: Option<UnixMicros>,
    /// Decided before this time.
    pub until: Option<UnixMicros>,
    /// Only what lies before this number.
    pub before: Option<u64>,
    /// At most so many, and at most [`super::PAGE_LEN_MAX`].
    pub limit: usize,
}

impl History {
    /// The ledger, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn ledger(&self, query: &CommandQuery) -> Result<Vec<CommandRow>, StoreError> {
        // Numbers rise with time, so the newest of a stretch are found from its end.
        let sql = match &query.actuator {
            Some(_) => {
                "SELECT number, actuator, desired_on, rule, rule_version, reading, cause, condition,
                     decided_at_micros, sent_at_micros, applied_at_micros, refused_at_micros,
                     refused_reason
                 FROM command INDEXED BY command_by_actuator
                 WHERE actuator = ?1 AND number < ?4 AND decided_at_micros >= ?2
                     AND decided_at_micros < ?3
                 ORDER BY number DESC LIMIT ?5"
            }
            None => {
                "SELECT number, actuator, desired_on, rule, rule_version, reading, cause, condition,
                     decided_at_micros, sent_at_micros, applied_at_micros, refused_at_micros,
                     refused_reason
                 FROM command
                 WHERE ?1 IS NULL AND number < ?4 AND decided_at_micros >= ?2
                     AND decided_at_micros < ?3
                 ORDER BY number DESC LIMIT ?5"
            }
        };
        self.pool.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map(
                    params![
                        query.actuator,
                        query.from.map_or(i64::MIN, |at| at.0),
                        query.until.map_or(i64::MAX, |at| at.0),
                        query.before.map_or(i64::MAX, u64::cast_signed),
                        sql_limit(query.limit)
                    ],
                    command_row,
                )?
                .collect()
        })
    }

    /// The newest `limit` commands of the ledger, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn commands(&self, limit: usize) -> Result<Vec<CommandRow>, StoreError> {
        self.ledger(&CommandQuery { limit, ..CommandQuery::default() })
    }

    /// The names of all actuators in the ledger.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn actuators(&self) -> Result<Vec<String>, StoreError> {
        self.pool.read(|connection| {
            // From name to name by the index, not over all rows.
            connection
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

    /// The rules that ran, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rule_sets(&self, limit: usize) -> Result<Vec<RuleSetRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT version, applied_at_micros, source, text FROM rule_set
                     ORDER BY version DESC LIMIT ?1",
                )?
                .query_map([sql_limit(limit)], rule_set_row)?
                .collect()
        })
    }

    /// One version of the rules.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rule_set(&self, version: u64) -> Result<Option<RuleSetRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT version, applied_at_micros, source, text FROM rule_set
                     WHERE version = ?1",
                )?
                .query_row([version.cast_signed()], rule_set_row)
                .optional()
        })
    }

    /// Alerts, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alerts(&self, limit: usize) -> Result<Vec<AlertRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, rule, rule_version, kind, target, qos, retain, body, begins, reading,
                         cause, raised_at_micros, tries, next_try_at_micros, delivered_at_micros,
                         given_up_at_micros, last_error
                     FROM alert ORDER BY id DESC LIMIT ?1",
                )?
                .query_map([sql_limit(limit)], alert_row)?
                .collect()
        })
    }

    /// Alerts that nobody has taken yet, in the order in which they are to be tried, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alerts_waiting(&self, limit: usize) -> Result<Vec<AlertRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, rule, rule_version, kind, target, qos, retain, body, begins, reading,
                         cause, raised_at_micros, tries, next_try_at_micros, delivered_at_micros,
                         given_up_at_micros, last_error
                     FROM alert INDEXED BY alert_waiting
                     WHERE delivered_at_micros IS NULL AND given_up_at_micros IS NULL
                     ORDER BY next_try_at_micros, id LIMIT ?1",
                )?
                .query_map([sql_limit(limit)], alert_row)?
                .collect()
        })
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixMicros>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UnixMicros))
}

fn command_row(row: &Row<'_>) -> rusqlite::Result<CommandRow> {
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
        sent_at: time(row, 9)?,
        applied_at: time(row, 10)?,
        refused_at: time(row, 11)?,
        refused_reason: row.get(12)?,
    })
}

fn rule_set_row(row: &Row<'_>) -> rusqlite::Result<RuleSetRow> {
    Ok(RuleSetRow {
        version: row.get(0).map(i64::cast_unsigned)?,
        applied_at: row.get(1).map(UnixMicros)?,
        source: row.get(2)?,
        text: row.get(3)?,
    })
}

fn alert_row(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    let target: String = row.get(4)?;
    let target = if row.get::<_, i64>(3)? == 0 {
        AlertTarget::Topic { topic: target, qos: row.get(5)?, retain: row.get(6)? }
    } else {
        AlertTarget::Url(target)
    };
    Ok(AlertRow {
        id: row.get(0).map(i64::cast_unsigned)?,
        alert: AlertRecord {
            rule: row.get(1)?,
            rule_version: row.get(2)?,
            target,
            body: row.get(7)?,
            begins: row.get(8)?,
            reading: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned),
            cause: row.get(10)?,
            raised_at: row.get(11).map(UnixMicros)?,
        },
        tries: row.get(12)?,
        next_try_at: row.get(13).map(UnixMicros)?,
        delivered_at: time(row, 14)?,
        given_up_at: time(row, 15)?,
        last_error: row.get(16)?,
    })
}

#[cfg(test)]
mod tests;
