//! What is newest, for who looks again and again and needs no log.

use super::{ActuatorView, View};
use mtom_protocol::reading::StoredReading;
use std::sync::Arc;

impl View {
    /// Waits for a change of an actuator. For one at a time.
    pub(crate) async fn actuator_changed(&self) {
        self.shared.actuator.notified().await;
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
