//! What rules left behind beside the ledger: their versions, and their alerts.

use super::{History, IdQuery, sql_limit};
use crate::error::StoreError;
use crate::record::{AlertRecord, AlertRow, AlertTarget, Order, RuleSetRow};
use mtom_protocol::time::UnixMicros;
use rusqlite::{OptionalExtension, Row, params};

/// What [`rule_set_row`] reads.
macro_rules! rule_sets {
    () => {
        "SELECT version, applied_at_micros, source, text FROM rule_set "
    };
}

/// What [`alert_row`] reads.
macro_rules! alerts {
    () => {
        "SELECT id, rule, rule_version, kind, target, qos, retain, body, begins, reading, cause,
             raised_at_micros, tries, next_try_at_micros, delivered_at_micros, given_up_at_micros,
             last_error
         FROM alert "
    };
}

impl History {
    /// The rules that ran, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rule_sets(&self, limit: usize) -> Result<Vec<RuleSetRow>, StoreError> {
        self.rule_set_page(IdQuery { order: Order::Descending, after: None, limit })
    }

    /// A page of the rules that ran, by the numbers of their versions.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rule_set_page(&self, query: IdQuery) -> Result<Vec<RuleSetRow>, StoreError> {
        let (side, order, start) = bounds(query.order, query.after);
        let sql = format!(
            concat!(rule_sets!(), "WHERE version {} ?1 ORDER BY version {} LIMIT ?2"),
            side, order
        );
        self.pool.read(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_map(params![start, sql_limit(query.limit)], rule_set_row)?
                .collect()
        })
    }

    /// The version of the rules that ran at that time; `None`: none did yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rule_set_at(&self, at: UnixMicros) -> Result<Option<RuleSetRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(concat!(
                    rule_sets!(),
                    "WHERE applied_at_micros <= ?1 ORDER BY version DESC LIMIT 1"
                ))?
                .query_row([at.0], rule_set_row)
                .optional()
        })
    }

    /// One version of the rules.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rule_set(&self, version: u64) -> Result<Option<RuleSetRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(concat!(rule_sets!(), "WHERE version = ?1"))?
                .query_row([version.cast_signed()], rule_set_row)
                .optional()
        })
    }

    /// Alerts, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alerts(&self, limit: usize) -> Result<Vec<AlertRow>, StoreError> {
        self.alert_page(IdQuery { order: Order::Descending, after: None, limit })
    }

    /// A page of alerts, by their numbers.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alert_page(&self, query: IdQuery) -> Result<Vec<AlertRow>, StoreError> {
        let (side, order, start) = bounds(query.order, query.after);
        let sql =
            format!(concat!(alerts!(), "WHERE id {} ?1 ORDER BY id {} LIMIT ?2"), side, order);
        self.pool.read(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_map(params![start, sql_limit(query.limit)], alert_row)?
                .collect()
        })
    }

    /// Alerts that nobody has taken yet and whose number is above `after`, in the order of their numbers, at
    /// most `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alerts_after(&self, after: u64, limit: usize) -> Result<Vec<AlertRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(concat!(
                    alerts!(),
                    "WHERE id IN (
                         SELECT id FROM alert INDEXED BY alert_waiting
                         WHERE delivered_at_micros IS NULL AND given_up_at_micros IS NULL
                             AND id > ?1
                         ORDER BY id LIMIT ?2)
                     ORDER BY id"
                ))?
                .query_map(params![after.cast_signed(), sql_limit(limit)], alert_row)?
                .collect()
        })
    }

    /// The oldest alert that was tried and that nobody has taken yet; `None`: all that were tried are taken or
    /// given up.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alert_stuck(&self) -> Result<Option<AlertRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(concat!(
                    alerts!(),
                    "INDEXED BY alert_waiting
                     WHERE delivered_at_micros IS NULL AND given_up_at_micros IS NULL AND tries > 0
                     ORDER BY id LIMIT 1"
                ))?
                .query_row([], alert_row)
                .optional()
        })
    }

    /// One alert; `None` when there is none, or no longer.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alert(&self, id: u64) -> Result<Option<AlertRow>, StoreError> {
        self.pool.read(|connection| {
            connection
                .prepare_cached(concat!(alerts!(), "WHERE id = ?1"))?
                .query_row([id.cast_signed()], alert_row)
                .optional()
        })
    }
}

/// On which side of which number a page is, and its order, in SQL's words.
pub(super) fn bounds(order: Order, after: Option<u64>) -> (&'static str, &'static str, i64) {
    let number = after.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    match order {
        Order::Ascending => (">", "ASC", number.unwrap_or(0)),
        Order::Descending => ("<", "DESC", number.unwrap_or(i64::MAX)),
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UnixMicros>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UnixMicros))
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
