//! Readings of another gateway: stored together with how far its history was taken over.

use super::inbox::Work;
use super::rules::Rules;
use super::{Effects, Relay};
use crate::forwarded::lines::{Forwarding, What};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_rules::Outputs;
use mtom_store::batch::Batch;
use mtom_store::error::StoreError;
use mtom_store::record::Stored;
use std::sync::Arc;

impl Rules {
    /// Stores those that are not known, and decides on those that are not late. Late ones fill windows alone.
    pub(super) fn take_over(
        &mut self,
        forwarded: &[Forwarding],
        transaction: &mut Batch<'_>,
        now: UnixMicros,
        effects: &mut Effects,
        out: &mut Outputs,
    ) -> Result<(), StoreError> {
        for Forwarding { place, what, .. } in forwarded {
            let (reading, fresh_until, is_complete) = match what {
                What::Begins => {
                    transaction.follow_from(&place.history, place.id, now)?;
                    continue;
                }
                What::Looked => {
                    transaction.follow(&place.history, place.id, now)?;
                    continue;
                }
                What::Reading { reading, fresh_until, is_complete } => {
                    (reading, fresh_until, is_complete)
                }
            };
            if *is_complete && !transaction.follow(&place.history, place.id, now)? {
                continue;
            }
            let is_late = now > *fresh_until;
            let Some(stored) = take_in(transaction, reading, is_late, now)? else { continue };
            self.meet(&stored, is_late, now, out);
            effects.readings.push(stored);
        }
        Ok(())
    }
}

/// Stores a reading; `None` when it is stored already. One that is late has its time, however long ago that is, and
/// says nothing of how long readings take.
fn take_in(
    transaction: &mut Batch<'_>,
    reading: &Reading,
    is_late: bool,
    now: UnixMicros,
) -> Result<Option<Arc<StoredReading>>, StoreError> {
    let at = reading.taken_at.filter(|at| is_late && (UnixMicros(0)..=now).contains(at));
    let stored = match at {
        Some(at) => {
            let reading = reading.clone();
            transaction.import(&StoredReading {
                id: 0,
                at,
                arrived_at: now,
                suspect: false,
                reading,
            })?
        }
        None => transaction.reading(reading, now)?,
    };
    match stored {
        Stored::New(stored) => Ok(Some(Arc::new(stored))),
        Stored::Duplicate => Ok(None),
    }
}

impl Relay {
    /// Those that could not be stored are asked for again, and so is everything behind them on that connection: it
    /// must not be stored before them.
    pub(super) fn lose(&mut self, work: &mut Work) {
        if let Some(last) = work.forwarded.last() {
            self.lost_connection = self.lost_connection.max(last.connection);
        }
        work.forwarded.clear();
    }

    /// Leaves out what came on a connection that something was lost on.
    pub(super) fn drop_lost(&self, work: &mut Work) {
        work.forwarded.retain(|forwarding| forwarding.connection > self.lost_connection);
    }
}

#[cfg(test)]
mod tests;
