//! What the journal has and the database lacks, and the other way round.
//!
//! Blocks of numbers are compared by count and checksum first; rows are only fetched where they differ.

use super::error::MariaError;
use super::row::{checksum, columns, joined, line, stored_reading};
use super::{Maria, Source, within};
use crate::record::RejectRow;
use mtom_protocol::reading::StoredReading;
use sqlx::Row;
use std::cmp::Ordering;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How many numbers a block has.
const BLOCK_LEN: u64 = 10_000;

/// What differs in a range of journal numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// In the journal, not in the database.
    pub missing: Vec<u64>,
    /// In the database, not in the journal.
    pub excess: Vec<u64>,
    /// In both, with different content.
    pub different: Vec<u64>,
    /// Readings of the journal that were compared.
    pub compared: u64,
    /// Blocks of which the rows had to be fetched, because count or checksum differed.
    pub blocks_fetched: u64,
    /// The last number that was compared: go on behind it when the range is not at its end.
    pub compared_to: u64,
}

impl Differences {
    /// How many numbers differ.
    #[must_use]
    pub fn len(&self) -> usize {
        self.missing.len() + self.excess.len() + self.different.len()
    }

    /// Nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Maria {
    /// Compares the numbers of `range` block by block and stops behind the block in which `len_max`
    /// differences were reached.
    ///
    /// # Errors
    /// [`MariaError`]
    pub async fn compare(
        &mut self,
        source: &Arc<dyn Source>,
        range: RangeInclusive<u64>,
        len_max: usize,
    ) -> Result<Differences, MariaError> {
        let mut found = Differences::default();
        let mut first = *range.start();
        while first <= *range.end() {
            let last = first.saturating_add(BLOCK_LEN - 1).min(*range.end());
            let journal = read_block(source, first, last).await?;
            if self.block(first, last).await? != (as_u64(journal.len()), checksum(&journal)) {
                let rows = self.rows_between(first, last).await?;
                found.blocks_fetched += 1;
                merge(&journal, &rows, &mut found);
            }
            found.compared += as_u64(journal.len());
            found.compared_to = last;
            if found.len() >= len_max {
                break;
            }
            let Some(next) = last.checked_add(1) else { break };
            first = next;
        }
        Ok(found)
    }

    /// How many rows there are and the sum of their checksums.
    async fn block(&mut self, first: u64, last: u64) -> Result<(u64, u64), MariaError> {
        let sql = concat!(
            "SELECT CAST(COUNT(*) AS UNSIGNED), CAST(COALESCE(SUM(CRC32(",
            line!(),
            ")), 0) AS UNSIGNED) FROM reading",
            joined!(),
            "WHERE reading.gateway = ? AND reading.number BETWEEN ? AND ?"
        );
        let query = sqlx::query(sql).bind(self.gateway_id).bind(first).bind(last);
        let row = within(self.limit, "a checksum", query.fetch_one(&mut self.connection)).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    async fn rows_between(
        &mut self,
        first: u64,
        last: u64,
    ) -> Result<Vec<StoredReading>, MariaError> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM reading",
            joined!(),
            "WHERE reading.gateway = ? AND reading.number BETWEEN ? AND ? ORDER BY reading.number"
        );
        let query = sqlx::query(sql).bind(self.gateway_id).bind(first).bind(last);
        let rows = within(self.limit, "a block", query.fetch_all(&mut self.connection)).await?;
        Ok(rows.iter().map(stored_reading).collect::<sqlx::Result<_>>()?)
    }
}

/// The journal's readings from number `first` to number `last`.
async fn read_block(
    source: &Arc<dyn Source>,
    first: u64,
    last: u64,
) -> Result<Vec<StoredReading>, MariaError> {
    let limit = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
    let mut readings = read(source, first.saturating_sub(1), limit).await?;
    readings.retain(|reading| (first..=last).contains(&reading.id));
    Ok(readings)
}

/// Reads the journal on a thread that may block.
pub(super) async fn read(
    source: &Arc<dyn Source>,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredReading>, MariaError> {
    let source = Arc::clone(source);
    match tokio::task::spawn_blocking(move || source.after(after, limit)).await {
        Ok(readings) => readings.map_err(MariaError::Journal),
        // It is never cancelled, so it panicked: that goes on here.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Reads rejects of the journal on a thread that may block.
pub(super) async fn read_rejects(
    source: &Arc<dyn Source>,
    after: u64,
    limit: usize,
) -> Result<Vec<RejectRow>, MariaError> {
    let source = Arc::clone(source);
    match tokio::task::spawn_blocking(move || source.rejects_after(after, limit)).await {
        Ok(rejects) => rejects.map_err(MariaError::Journal),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Both sides rise.
fn merge(journal: &[StoredReading], rows: &[StoredReading], found: &mut Differences) {
    let (mut journal, mut rows) = (journal.iter().peekable(), rows.iter().peekable());
    loop {
        let order = match (journal.peek(), rows.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) => ours.id.cmp(&theirs.id),
        };
        let ours = if order.is_le() { journal.next() } else { None };
        let theirs = if order.is_ge() { rows.next() } else { None };
        match (ours, theirs) {
            (Some(ours), None) => found.missing.push(ours.id),
            (None, Some(theirs)) => found.excess.push(theirs.id),
            (Some(ours), Some(theirs)) if ours != theirs => found.different.push(ours.id),
            _ => {}
        }
    }
}

fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
