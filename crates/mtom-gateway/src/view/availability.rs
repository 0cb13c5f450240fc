//! Which devices are there, as they say it: what the relay heard becomes what viewers see.

use super::{LogEvent, State, Update, View};
use crate::availability::{Availability, Heard, Who};
use crate::sparkplug::SparkplugCounts;
use mtom_protocol::payload::sparkplug;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::collections::BTreeSet;
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
        let mut seen = 0;
        for one in heard {
            for stored in readings.get(seen..one.behind).unwrap_or_default() {
                changed.extend(state.availabilities.heard(stored));
            }
            seen = seen.max(one.behind);
            state.hears(one, now, &mut changed);
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
    fn hears(&mut self, heard: &Heard, now: UnixMicros, changed: &mut Vec<Availability>) {
        let Heard { who, is_available, is_kept, .. } = heard;
        match who {
            Who::Device(device) => {
                changed.extend(self.availabilities.says(device, *is_available, *is_kept, now));
            }
            Who::Node(node) => {
                let prefix = format!("{node}/");
                let behind = self.latest.values().map(|stored| &stored.reading);
                let behind = behind.filter(|reading| {
                    reading.topic.starts_with(sparkplug::PREFIX)
                        && reading.device.starts_with(&*prefix)
                });
                let mut all: BTreeSet<_> =
                    behind.map(|reading| Arc::clone(&reading.device)).collect();
                all.extend(self.availabilities.named(&prefix));
                all.insert(Arc::clone(node));
                for device in all {
                    changed.extend(self.availabilities.says(&device, *is_available, false, now));
                }
            }
            Who::Bridge(prefix) => {
                let behind = self.latest.values().map(|stored| &stored.reading);
                let behind: BTreeSet<_> = behind
                    .filter(|reading| reading.topic.starts_with(prefix))
                    .map(|reading| Arc::clone(&reading.device))
                    .collect();
                let behind = behind.into_iter();
                changed.extend(self.availabilities.bridge(behind, *is_available, *is_kept, now));
            }
        }
    }
}
