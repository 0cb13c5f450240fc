//! The sums of readings that were committed without them.
//!
//! A batch that commands something is committed before its sums are written, so that the command is told sooner. What
//! lies between the two, and whether this process sees the second, does not matter: the file says up to which reading
//! the sums have everything.

use super::{BUSY_TIMEOUT, Journal, Totals};
use crate::error::StoreError;
use rusqlite::TransactionBehavior;
use std::time::Duration;

impl Journal {
    /// Writes the sums that [`Batch::write_ahead`](crate::batch::Batch::write_ahead) left for later; nothing where there
    /// are none. What the disk does not take now comes with the next batch or the next call. Another program that keeps
    /// the file is not waited for.
    pub fn sum_up(&mut self) {
        if self.has_sums() || self.log.check().is_err() {
            return;
        }
        let written = self
            .connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| self.write_sums())
            .and_then(|()| self.connection.busy_timeout(BUSY_TIMEOUT));
        match written {
            Ok(()) => self.sums.are_late = false,
            Err(cause) => {
                let _ = self.connection.busy_timeout(BUSY_TIMEOUT);
                if !std::mem::replace(&mut self.sums.are_late, true) {
                    tracing::warn!(%cause, "charts and counts lack the newest readings for now");
                }
                self.sums.roll_back();
                self.is_full |= matches!(StoreError::from(cause), StoreError::Full(_));
            }
        }
    }

    /// Whether the sums have every reading.
    pub(crate) fn has_sums(&self) -> bool {
        self.totals.summed_reading_id == self.totals.reading_id_last
    }

    fn write_sums(&mut self) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Totals { summed_reading_id, reading_id_last, .. } = self.totals;
        if self.sums.is_empty() {
            self.sums.catch_up(&transaction, summed_reading_id)?;
        }
        self.sums.write(&transaction)?;
        transaction
            .prepare_cached("UPDATE total SET summed_reading_id = ?1")?
            .execute([reading_id_last.cast_signed()])?;
        transaction.commit()?;
        self.sums.keep();
        self.totals.summed_reading_id = reading_id_last;
        Ok(())
    }

    /// Takes into the sums, within a batch, what they do not have and nobody remembers.
    pub(crate) fn catch_up(&mut self) -> rusqlite::Result<()> {
        if !self.has_sums() && self.sums.is_empty() {
            self.sums.catch_up(&self.connection, self.totals.summed_reading_id)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
