//! Pages of what was no reading.

use super::rules::bounds;
use super::{History, IdQuery, PAGE_LEN_MAX, reject_row, sql_limit};
use crate::error::StoreError;
use crate::record::{Order, RejectRow};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic;
use rusqlite::params;

/// The most rows that are looked through for one page: who finds little goes on behind them.
const SCAN_MAX: usize = 50_000;

/// Which rejects, in which direction, from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectQuery {
    /// Only on topics of this device: its name, and whatever stands below it.
    pub device: Option<String>,
    /// Only on topics that this topic filter names.
    pub topic: Option<String>,
    /// Only for this reason.
    pub code: Option<String>,
    /// Only what arrived from this time on.
    pub from: Option<UnixMicros>,
    /// Only what arrived before this time.
    pub until: Option<UnixMicros>,
    /// By number, which is the order in which they arrived.
    pub order: Order,
    /// The [`RejectPage::next`] of the page before; `None` starts at either end.
    pub after: Option<u64>,
    /// How many; at most [`PAGE_LEN_MAX`] are given.
    pub limit: usize,
}

/// Some rejects, and where they end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectPage {
    /// In the order of the query.
    pub rows: Vec<RejectRow>,
    /// The `after` of the next page; `None` when this one is the last. A page may be short, and even empty, and
    /// not be the last: there is an end to what is looked through at a time.
    pub next: Option<u64>,
}

impl RejectQuery {
    fn takes(&self, row: &RejectRow) -> bool {
        let is_below = |device: &str| {
            let rest = row.topic.strip_prefix(device);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.code.as_ref().is_none_or(|code| *code == row.code)
            && self.from.is_none_or(|from| from <= row.arrived_at)
            && self.until.is_none_or(|until| row.arrived_at < until)
            && self.device.as_deref().is_none_or(is_below)
            && self.topic.as_ref().is_none_or(|filter| topic::matches(filter, &row.topic))
    }
}

impl History {
    /// A page of rejects.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn reject_page(&self, query: &RejectQuery) -> Result<RejectPage, StoreError> {
        self.reject_page_of(query, SCAN_MAX)
    }

    fn reject_page_of(
        &self,
        query: &RejectQuery,
        scan_max: usize,
    ) -> Result<RejectPage, StoreError> {
        let (side, order, start) = bounds(query.order, query.after);
        let limit = query.limit.min(PAGE_LEN_MAX);
        let sql = format!(
            "SELECT id, topic, payload_head, payload_len, code, reason, arrived_at_micros
             FROM reject WHERE id {side} ?1 ORDER BY id {order}"
        );
        self.pool.read(|connection| {
            let mut page = RejectPage::default();
            let mut statement = connection.prepare_cached(&sql)?;
            // One more than is looked through tells whether something is behind it.
            let rows = statement.query_map([start], reject_row)?;
            let mut last = None;
            for (seen, row) in rows.enumerate() {
                if seen == scan_max || page.rows.len() == limit {
                    page.next = last;
                    break;
                }
                let row = row?;
                last = Some(row.id);
                if query.takes(&row) {
                    page.rows.push(row);
                }
            }
            Ok(page)
        })
    }

    /// Rejects, newest first, at most `limit` of them and [`PAGE_LEN_MAX`]. `after` is the number
    /// of the last row of the page before.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rejects(&self, after: Option<u64>, limit: usize) -> Result<Vec<RejectRow>, StoreError> {
        self.rejects_by_id(IdQuery { order: Order::Descending, after, limit })
    }

    pub(super) fn rejects_by_id(&self, query: IdQuery) -> Result<Vec<RejectRow>, StoreError> {
        let (side, order, start) = bounds(query.order, query.after);
        let sql = format!(
            "SELECT id, topic, payload_head, payload_len, code, reason, arrived_at_micros
             FROM reject WHERE id {side} ?1 ORDER BY id {order} LIMIT ?2"
        );
        self.pool.read(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_map(params![start, sql_limit(query.limit)], reject_row)?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests;
