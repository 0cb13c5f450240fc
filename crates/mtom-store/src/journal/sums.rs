//! The sums of readings that were committed without them.
//!
//! A batch that commands something is committed before its sums are written, so that the command is told sooner. What
//! lies between the two, and whether this process sees the second, does not matter: the file says up to which reading
//! the sums have everything.

use super::{Journal, Totals};
use crate::error::StoreError;
use rusqlite::TransactionBehavior;

impl Journal {
    /// Writes the sums that [`Batch::write_ahead`] left for later. What the disk does not take now comes with the
    /// next batch.
    pub fn sum_up(&mut self) {
        if self.has_sums() {
            return;
        }
        if let Err(cause) = self.write_sums() {
            tracing::warn!(%cause, "the sums are written later");
            self.sums.roll_back();
            self.is_full |= matches!(StoreError::from(cause), StoreError::Full(_));
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
