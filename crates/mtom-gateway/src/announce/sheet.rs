//! What the broker is to keep for Home Assistant, and what of it has been told. No I/O.

use super::config::{self, Config, Series};
use super::names::Names;
use super::talk::ToldCounts;
use crate::view::ActuatorView;
use bytes::Bytes;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Series that are told. More are not.
pub(super) const SERIES_LEN_MAX: usize = 2_000;
/// Of one device.
pub(super) const DEVICE_LEN_MAX: usize = 1_000;
/// Series of one device that are told although none of their readings is left: what a person has made of them in Home
/// Assistant is not lost, and a device that names its quantities anew each time does not fill its place with them.
pub(super) const BARE_LEN_MAX: usize = 100;
/// What is new or other is told then.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// A series of an unknown device whose newest reading was this old before it was ever told is not.
const SILENT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The device and the quantity of a series.
pub(super) type Name = (Arc<str>, Arc<str>);

/// What is wanted, and what is told.
#[derive(Default)]
pub(super) struct Sheet {
    /// The series that are told, and in which part of their device: whoever came first stays.
    series: BTreeMap<Name, usize>,
    /// How many of each device.
    of_device: BTreeMap<Arc<str>, usize>,
    has_chosen: bool,
    /// What earlier processes have told and has not come again yet.
    before: BTreeMap<Name, Unit>,
    /// Those of it that are told without a reading, because something else of their device has one.
    bare: BTreeMap<Name, Unit>,
    /// What the configs were made of.
    made_of: (Vec<Series>, Vec<String>),
    configs: Vec<Config>,
    in_configs: BTreeSet<Name>,
    /// Since when they would be made of something else.
    other_since: Option<Instant>,
    /// What the broker has by now, of all that it is to keep, by topic.
    told: BTreeMap<String, Bytes>,
}

impl Sheet {
    /// Leaves of the newest reading of each series those that are told. True: there was no room for one. The first time
    /// those of devices that `is_known` come first: a person may have worked with what they are in Home Assistant.
    pub(super) fn choose(
        &mut self,
        latest: &mut Vec<Arc<StoredReading>>,
        now: UnixMicros,
        is_known: impl Fn(&str) -> bool,
    ) -> bool {
        if !std::mem::replace(&mut self.has_chosen, true) {
            let known = latest.iter().filter(|stored| is_known(&stored.reading.device));
            for stored in known {
                self.place(&name(&stored.reading));
            }
        }
        let mut is_full = false;
        latest.retain(|stored| {
            let name = name(&stored.reading);
            if self.series.contains_key(&name) {
                self.bare.remove(&name);
                return true;
            }
            if now.since(stored.at) >= SILENT_MAX {
                return false;
            }
            let is_placed = self.place(&name);
            is_full |= !is_placed;
            is_placed
        });
        self.recall();
        is_full
    }

    /// What earlier processes have told.
    pub(super) fn remember(&mut self, before: BTreeMap<Name, Unit>) {
        self.before = before;
    }

    /// What a later process is to remember.
    pub(super) fn remembered(&self) -> BTreeMap<Name, Unit> {
        let told = self.made_of.0.iter().map(|series| (series.name(), series.unit()));
        let mut all: BTreeMap<_, _> = self.bare.clone().into_iter().chain(told).collect();
        for (name, unit) in &self.before {
            if all.len() >= SERIES_LEN_MAX {
                break;
            }
            all.entry(name.clone()).or_insert(*unit);
        }
        all
    }

    /// Tells again of what devices with readings had when they were told before, behind what they have.
    fn recall(&mut self) {
        let of_device = &self.of_device;
        let recalled = self.before.extract_if(.., |(device, _), _| of_device.contains_key(device));
        let recalled: Vec<_> = recalled.collect();
        for chunk in recalled.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
            let gone = chunk.iter().filter(|(name, _)| !self.series.contains_key(name));
            let gone: Vec<_> = gone.take(BARE_LEN_MAX).cloned().collect();
            for (name, unit) in gone {
                if self.place(&name) {
                    self.bare.insert(name, unit);
                }
            }
        }
    }

    /// Gives a series its place. False: there is none.
    fn place(&mut self, name: &Name) -> bool {
        if self.series.len() >= SERIES_LEN_MAX {
            return false;
        }
        let count = self.of_device.entry(Arc::clone(&name.0)).or_default();
        if *count >= DEVICE_LEN_MAX {
            return false;
        }
        let part = *count / config::PART_LEN_MAX;
        *count += 1;
        self.series.insert(name.clone(), part);
        true
    }

    /// All that the broker is to keep, by topic. The readings are in the order of devices. What is new or other waits for
    /// what comes with it: a config that is told twice within a moment may lose a sensor in Home Assistant.
    pub(super) fn wanted(
        &mut self,
        names: &Names,
        (latest, actuators): (&[Arc<StoredReading>], &[ActuatorView]),
        expire_after: Duration,
        now: Instant,
    ) -> BTreeMap<String, Bytes> {
        let part = |reading: &Reading| self.series.get(&name(reading)).copied().unwrap_or(0);
        let series = latest.iter().map(|stored| &stored.reading);
        let mut series: Vec<_> = series.map(|reading| Series::of(reading, part(reading))).collect();
        let bare = self.bare.iter();
        series.extend(bare.map(|(name, unit)| {
            Series::new(name.clone(), *unit, self.series.get(name).copied().unwrap_or(0))
        }));
        series.sort_by(|one, other| one.place().cmp(&other.place()));
        let called = actuators.iter().map(|actuator| actuator.name.clone()).collect();
        let made_of = (series, called);
        let is_first = self.configs.is_empty();
        if is_first || made_of != self.made_of {
            let other_since = *self.other_since.get_or_insert(now);
            if is_first || now.duration_since(other_since) >= SETTLED_AFTER {
                self.configs = config::all(names, &made_of.0, &made_of.1, expire_after);
                self.in_configs = made_of.0.iter().map(Series::name).collect();
                self.made_of = made_of;
                self.other_since = None;
            }
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

    /// Whether a config has the series.
    pub(super) fn has(&self, reading: &Reading) -> bool {
        self.in_configs.contains(&name(reading))
    }

    /// What of it the broker has not been told: states first, which change, and then configs.
    pub(super) fn untold(&self, wanted: &BTreeMap<String, Bytes>) -> Vec<(String, Bytes)> {
        let is_untold =
            |(topic, payload): &(&String, &Bytes)| self.told.get(*topic) != Some(payload);
        let untold = wanted.iter().filter(is_untold);
        let mut untold: Vec<_> =
            untold.map(|(topic, payload)| (topic.clone(), payload.clone())).collect();
        untold.sort_by_key(|(topic, _)| topic.ends_with("/config"));
        untold
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

fn name(reading: &Reading) -> Name {
    (Arc::clone(&reading.device), Arc::clone(&reading.quantity))
}
