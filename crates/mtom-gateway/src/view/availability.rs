//! Which devices are there, as they say it: what the relay heard becomes what viewers see.

use super::{LogEvent, State, Update, View};
use crate::availability::{Availability, Heard, Who};
use crate::sparkplug::SparkplugCounts;
use mtom_protocol::payload::sparkplug;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl From<Availability> for LogEvent {
    fn from(Availability { device, is_available, .. }: Availability) -> Self {
        Self::Availability { device, is_available }
    }
}

impl View {
    /// Shows what became of Sparkplug nodes.
    pub(crate) fn sparkplug(&self, counts: SparkplugCounts) {
        self.state().sparkplug = counts;
    }

    /// Notes what a batch says about devices being there, in its order; what that has changed.
    pub(crate) fn availability(
        &self,
        heard: &[Heard],
        readings: &[Arc<StoredReading>],
        now: UnixMicros,
    ) -> Vec<Availability> {
        let mut state = self.state();
        let mut changed = Vec::new();
        // Within a batch it stays as it is: its readings are in the view.
        let mut bridged = BTreeMap::new();
        let mut seen = 0;
        for one in heard {
            for stored in readings.get(seen..one.behind).unwrap_or_default() {
                changed.extend(state.availabilities.heard(stored));
            }
            seen = seen.max(one.behind);
            state.hears(one, now, &mut bridged, &mut changed);
        }
        for stored in readings.get(seen..).unwrap_or_default() {
            changed.extend(state.availabilities.heard(stored));
        }
        for availability in &changed {
            self.send(Update::Availability(availability.clone()));
        }
        changed
    }
}

impl State {
    /// The devices whose readings' topics begin so: every series is looked at.
    fn behind_bridge(&self, prefix: &str) -> Vec<Arc<str>> {
        let all = self.latest.values().map(|stored| &stored.reading);
        let behind = all.filter(|reading| reading.topic.starts_with(prefix));
        let behind: BTreeSet<_> = behind.map(|reading| Arc::clone(&reading.device)).collect();
        behind.into_iter().collect()
    }

    /// The devices behind a Sparkplug node, and the node: its own series alone are looked at.
    fn behind_node(&self, node: &Arc<str>) -> BTreeSet<Arc<str>> {
        let prefix = format!("{node}/");
        let first = (Arc::from(&*prefix), Arc::from(""));
        let named = self.latest.range(first..).map(|(_, stored)| &stored.reading);
        let named = named.take_while(|reading| reading.device.starts_with(&*prefix));
        let behind = named.filter(|reading| reading.topic.starts_with(sparkplug::PREFIX));
        let mut all: BTreeSet<_> = behind.map(|reading| Arc::clone(&reading.device)).collect();
        all.extend(self.availabilities.named(&prefix));
        all.insert(Arc::clone(node));
        all
    }

    fn hears(
        &mut self,
        heard: &Heard,
        now: UnixMicros,
        bridged: &mut BTreeMap<&'static str, Vec<Arc<str>>>,
        changed: &mut Vec<Availability>,
    ) {
        let Heard { who, is_available, is_kept, .. } = heard;
        match who {
            Who::Device(device) => {
                changed.extend(self.availabilities.says(device, *is_available, *is_kept, now));
            }
            Who::Node(node) => {
                for device in self.behind_node(node) {
                    changed.extend(self.availabilities.says(&device, *is_available, false, now));
                }
            }
            Who::Bridge(prefix) => {
                let behind = bridged.entry(prefix).or_insert_with(|| self.behind_bridge(prefix));
                let behind = behind.iter().cloned();
                changed.extend(self.availabilities.bridge(behind, *is_available, *is_kept, now));
            }
        }
    }
}

#[cfg(test)]
mod tests;
