//! History from the database: pages by time with a cursor, and the original's pages by offset.
//!
//! Only this gateway's readings, whose numbers are those of its journal.

use super::error::MariaError;
use super::row::{columns, joined, stored_reading};
use super::{Maria, within};
use crate::record::{Cursor, ORIGINAL_PAGE_LEN, Order};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use sqlx::{AssertSqlSafe, Row};

/// How many series one question is about.
const SERIES_LEN_MAX: usize = 200;

impl Maria {
    /// At most `limit` readings behind `after` in `order`, of `device` and `quantity` where they are given.
    ///
    /// # Errors
    /// [`MariaError`]
    pub async fn page_by_time(
        &mut self,
        after: Option<Cursor>,
        order: Order,
        limit: u32,
        device: Option<&str>,
        quantity: Option<&str>,
    ) -> Result<Vec<StoredReading>, MariaError> {
        let after = after.unwrap_or(match order {
            Order::Ascending => Cursor { at: UnixMicros(i64::MIN), id: 0 },
            Order::Descending => Cursor { at: UnixMicros(i64::MAX), id: u64::MAX },
        });
        let mut rows = Vec::new();
        if device.is_none() && quantity.is_none() {
            rows = self.page(&[], after, order, limit).await?;
        } else {
            let series = self.series(device, quantity).await?;
            for series in series.chunks(SERIES_LEN_MAX) {
                rows.extend(self.page(series, after, order, limit).await?);
            }
        }
        rows.sort_by(|a, b| {
            let ascending = (a.at, a.id).cmp(&(b.at, b.id));
            if order == Order::Ascending { ascending } else { ascending.reverse() }
        });
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// The answer to `database:N`: at most [`ORIGINAL_PAGE_LEN`] temperatures from number `offset`
    /// (from 0) in ascending time.
    ///
    /// # Errors
    /// [`MariaError`]
    pub async fn original_page(&mut self, offset: u64) -> Result<Vec<StoredReading>, MariaError> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM (
                  SELECT at_micros, number FROM reading FORCE INDEX (reading_by_time)
                  WHERE gateway = ? AND series IN (SELECT id FROM series WHERE is_temperature)
                  ORDER BY at_micros, number LIMIT ? OFFSET ?
              ) AS found
              JOIN reading ON reading.gateway = ? AND reading.number = found.number",
            joined!(),
            "ORDER BY found.at_micros, found.number"
        );
        let len = u64::try_from(ORIGINAL_PAGE_LEN).expect("a page is short");
        let query = sqlx::query(sql)
            .bind(self.gateway_id)
            .bind(len)
            .bind(offset)
            .bind(self.gateway_id)
            .fetch_all(&mut self.connection);
        let rows = within(self.limit, "a page", query).await?;
        Ok(rows.iter().map(stored_reading).collect::<sqlx::Result<_>>()?)
    }

    async fn series(
        &mut self,
        device: Option<&str>,
        quantity: Option<&str>,
    ) -> Result<Vec<u32>, MariaError> {
        let sql = "SELECT id FROM series
             WHERE (? IS NULL OR device = ?) AND (? IS NULL OR quantity = ?)";
        let query = sqlx::query(sql).bind(device).bind(device).bind(quantity).bind(quantity);
        let rows = within(self.limit, "the series", query.fetch_all(&mut self.connection)).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?)
    }

    /// A page of these series, or of all where there are none: one seek for each.
    async fn page(
        &mut self,
        series: &[u32],
        after: Cursor,
        order: Order,
        limit: u32,
    ) -> Result<Vec<StoredReading>, MariaError> {
        let sql = page_sql(series.len(), order);
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for index in 0..series.len().max(1) {
            query = query.bind(self.gateway_id).bind(after.at.0).bind(after.at.0).bind(after.id);
            if let Some(series) = series.get(index) {
                query = query.bind(*series);
            }
            query = query.bind(limit);
        }
        query = query.bind(self.gateway_id).bind(limit);
        let rows = within(self.limit, "a page", query.fetch_all(&mut self.connection)).await?;
        Ok(rows.iter().map(stored_reading).collect::<sqlx::Result<_>>()?)
    }
}

fn page_sql(series_len: usize, order: Order) -> String {
    let (beyond, direction) = match order {
        Order::Ascending => (">", "ASC"),
        Order::Descending => ("<", "DESC"),
    };
    let (index, filter) = if series_len == 0 {
        ("reading_by_time", "")
    } else {
        ("reading_by_series", " AND series = ?")
    };
    let one = format!(
        "(SELECT at_micros, number FROM reading FORCE INDEX ({index})
          WHERE gateway = ? AND at_micros {beyond}= ? AND (at_micros {beyond} ? OR number {beyond} ?){filter}
          ORDER BY at_micros {direction}, number {direction} LIMIT ?)"
    );
    let all = vec![one; series_len.max(1)].join(" UNION ALL ");
    format!(
        "SELECT {} FROM ({all}) AS found
         JOIN reading ON reading.gateway = ? AND reading.number = found.number {}
         ORDER BY found.at_micros {direction}, found.number {direction} LIMIT ?",
        columns!(),
        joined!()
    )
}
