//! Rejects into the database, each once under its number in the journal.

use super::error::MariaError;
use super::{Maria, within};
use crate::record::RejectRow;
use sqlx::{AssertSqlSafe, Row};

impl Maria {
    /// Every reject up to this number was brought here.
    ///
    /// # Errors
    /// [`MariaError`]
    pub async fn rejects_position(&mut self) -> Result<u64, MariaError> {
        let query = sqlx::query("SELECT rejects_drained FROM gateway WHERE id = ?");
        let query = query.bind(self.gateway_id).fetch_one(&mut self.connection);
        let row = within(self.limit, "the position of rejects", query).await?;
        Ok(row.try_get(0)?)
    }

    /// Brings at most 1,000 rejects that follow [`Maria::rejects_position`], rising, and moves the position
    /// behind them. What is there already is left as it is.
    ///
    /// # Errors
    /// [`MariaError`]: they are there or they are not; the position tells.
    pub async fn append_rejects(&mut self, rejects: &[RejectRow]) -> Result<(), MariaError> {
        let Some(last) = rejects.last() else { return Ok(()) };
        self.run("BEGIN").await?;
        let row = format!("({},?,?,?,?,?,?,?)", self.gateway_id);
        let sql = format!(
            "INSERT INTO reject (gateway, number, arrived_at_micros, topic, payload_head, payload_len,
                 code, reason) VALUES {} ON DUPLICATE KEY UPDATE number = reject.number",
            vec![row; rejects.len()].join(",")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for reject in rejects {
            query = query
                .bind(reject.id)
                .bind(reject.arrived_at.0)
                .bind(&reject.topic)
                .bind(&reject.payload_head)
                .bind(reject.payload_len)
                .bind(&reject.code)
                .bind(&reject.reason);
        }
        within(self.limit, "rejects", query.execute(&mut self.connection)).await?;
        let sql = "UPDATE gateway SET rejects_drained = GREATEST(rejects_drained, ?) WHERE id = ?";
        let query = sqlx::query(sql).bind(last.id).bind(self.gateway_id);
        within(self.limit, "the position of rejects", query.execute(&mut self.connection)).await?;
        self.run("COMMIT").await
    }
}
