//! What is known of a device by its readings.

use super::View;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

impl View {
    /// On which topics the newest readings of a device came, one for each of its series.
    pub(crate) fn topics_of(&self, device: &str) -> Vec<Arc<str>> {
        let state = self.state();
        let all = state.latest.range((Arc::from(device), Arc::from(""))..);
        let its = all.take_while(|((of, _), _)| **of == *device);
        its.map(|(_, newest)| Arc::clone(&newest.reading.topic)).collect()
    }

    /// When the newest reading of a series was measured, or came; `None`: there is none.
    pub(crate) fn newest(&self, device: &str, quantity: &str) -> Option<UnixMicros> {
        Some(self.state().latest.get(&(device.into(), quantity.into()))?.at)
    }
}
