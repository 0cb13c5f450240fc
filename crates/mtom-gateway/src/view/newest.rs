//! What is newest, for who looks again and again and needs no log; and what is stored and never becomes it.

use super::{ActuatorView, Update, View};
use mtom_protocol::reading::{Reading, StoredReading};
use std::collections::BTreeSet;
use std::sync::Arc;

impl View {
    /// Waits for a change of an actuator. For one at a time.
    pub(crate) async fn actuator_changed(&self) {
        self.shared.actuator.notified().await;
    }

    /// Shows stored readings: first how things are, then those with the numbers in `past`, as if they came late. One of
    /// those that is newer than what is shown, or that nothing is shown beside, is left to the history: it is not how
    /// things are (Sparkplug 3.0, clause 6.4, `is_historical`).
    pub(crate) fn stored(&self, readings: &[Arc<StoredReading>], past: &BTreeSet<u64>) {
        if past.is_empty() {
            return self.readings(readings);
        }
        let is_past = |stored: &Arc<StoredReading>| past.contains(&stored.id);
        let (past, present): (Vec<_>, Vec<_>) = readings.iter().cloned().partition(is_past);
        self.readings(&present);
        let state = self.state();
        for stored in past {
            let Reading { device, quantity, .. } = &stored.reading;
            let shown = state.latest.get(&(Arc::clone(device), Arc::clone(quantity)));
            if shown.is_some_and(|shown| stored.at < shown.at) {
                self.send(Update::Reading(stored));
            }
        }
    }

    /// Every actuator, in the order of its name.
    pub(crate) fn actuators(&self) -> Vec<ActuatorView> {
        self.state().actuators.values().cloned().collect()
    }

    /// The newest reading of each series, in the order of device and quantity.
    pub(crate) fn latest(&self) -> Vec<Arc<StoredReading>> {
        self.state().latest.values().cloned().collect()
    }
}
