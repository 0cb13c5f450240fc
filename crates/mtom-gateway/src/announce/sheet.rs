//! What the broker is to keep for Home Assistant, and what of it has been told. No I/O.

use super::config::{self, Config, Series};
use super::names::Names;
use super::talk::ToldCounts;
use crate::view::ActuatorView;
use bytes::Bytes;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Series that are told. More are not.
pub(super) const SERIES_LEN_MAX: usize = 2_000;
/// A series whose newest reading was this old before it was ever told is not.
const SILENT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is wanted, and what is told.
#[derive(Default)]
pub(super) struct Sheet {
    /// The series that are told: whoever came first stays.
    series: BTreeSet<(Arc<str>, Arc<str>)>,
    /// What the configs were made of.
    made_of: (Vec<Series>, Vec<String>),
    configs: Vec<Config>,
    /// What the broker has by now, of all that it is to keep, by topic.
    told: BTreeMap<String, Bytes>,
}

impl Sheet {
    /// Leaves of the newest reading of each series those that are told. True: there was no room for one.
    pub(super) fn choose(&mut self, latest: &mut Vec<Arc<StoredReading>>, now: UnixMicros) -> bool {
        let mut is_full = false;
        latest.retain(|stored| {
            let reading = &stored.reading;
            let name = (Arc::clone(&reading.device), Arc::clone(&reading.quantity));
            if self.series.contains(&name) {
                return true;
            }
            if now.since(stored.at) >= SILENT_MAX {
                return false;
            }
            let is_room = self.series.len() < SERIES_LEN_MAX;
            is_full |= !is_room;
            is_room && self.series.insert(name)
        });
        is_full
    }

    /// All that the broker is to keep, by topic. The readings are in the order of devices.
    pub(super) fn wanted(
        &mut self,
        names: &Names,
        latest: &[Arc<StoredReading>],
        actuators: &[ActuatorView],
        expire_after: Duration,
    ) -> BTreeMap<String, Bytes> {
        let series = latest.iter().map(|stored| Series::of(&stored.reading)).collect();
        let called = actuators.iter().map(|actuator| actuator.name.clone()).collect();
        let made_of = (series, called);
        if self.configs.is_empty() || made_of != self.made_of {
            self.configs = config::all(names, &made_of.0, &made_of.1, expire_after);
            self.made_of = made_of;
        }
        let configs = self.configs.iter().map(|one| (one.topic.clone(), one.payload.clone()));
        let mut wanted: BTreeMap<_, _> = configs.collect();
        wanted.insert(names.gateway(), Bytes::from_static(b"online"));
        for actuator in actuators {
            let (state, online) = config::states(actuator);
            wanted.insert(names.actuator_online(&actuator.name), online);
            wanted.insert(names.actuator_state(&actuator.name), state);
        }
        wanted
    }

    /// What of it the broker has not been told.
    pub(super) fn untold(&self, wanted: &BTreeMap<String, Bytes>) -> Vec<(String, Bytes)> {
        let is_untold =
            |(topic, payload): &(&String, &Bytes)| self.told.get(*topic) != Some(payload);
        let untold = wanted.iter().filter(is_untold);
        untold.map(|(topic, payload)| (topic.clone(), payload.clone())).collect()
    }

    /// The broker has it.
    pub(super) fn told(&mut self, topic: String, payload: Bytes) {
        self.told.insert(topic, payload);
    }

    /// The broker does not keep it any more.
    pub(super) fn taken_back(&mut self, topic: &str) {
        self.told.remove(topic);
    }

    /// The broker may have forgotten everything.
    pub(super) fn forget(&mut self) {
        self.told.clear();
    }

    /// Home Assistant may have missed all but the configs.
    pub(super) fn forget_states(&mut self) {
        self.told.retain(|topic, _| topic.ends_with("/config"));
    }

    /// How much of the configs the broker has.
    pub(super) fn counts(&self) -> ToldCounts {
        let mut counts = ToldCounts::default();
        for config in self.configs.iter().filter(|one| self.told.contains_key(&one.topic)) {
            counts.devices += config.counts.devices;
            counts.sensors += config.counts.sensors;
            counts.switches += config.counts.switches;
        }
        counts
    }
}
