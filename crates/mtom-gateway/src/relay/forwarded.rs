//! Readings of another gateway: stored together with how far its history was taken over.

use super::inbox::Work;
use super::rules::Rules;
use super::{Effects, Relay};
use crate::forwarded::lines::Forwarding;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Event, Outputs};
use mtom_store::batch::Batch;
use mtom_store::error::StoreError;

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
        for Forwarding { place, reading, is_late, .. } in forwarded {
            if !transaction.follow(&place.history, place.id, now)? {
                continue;
            }
            let Some(stored) = super::keep(transaction, reading.clone(), now, effects)? else {
                continue;
            };
            if *is_late {
                self.engine.warm(&mut self.state, &stored);
            } else {
                self.engine.step(&mut self.state, Event::Reading(&stored), now, out);
            }
            effects.readings.push(stored);
        }
        Ok(())
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
