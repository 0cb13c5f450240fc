//! Our sensors and actuators in Home Assistant, where the configuration wants that.
//!
//! Each device is told there by one retained config, again after every connection and whenever Home Assistant says that
//! it has started. Numbers go to topics of our own, because a payload may be anything that [`mtom_protocol`] reads: a
//! series has there one plain number, and only one that is stored. They are looked at once a second and the newest
//! of each series is sent, so that nothing waits in a line and ingest never waits for this. A command of Home Assistant
//! is a person's word. What was kept at the broker is noted, and taken back when it is not wanted any more.

use crate::Clock;
use crate::control::Control;
use crate::settings::HomeAssistant;
use crate::view::{ActuatorView, View};
use bytes::Bytes;
use ears::Word;
pub(crate) use ears::{Ears, Words};
use mtom_broker::outlet::{Announcement, Outlet};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use names::Names;
pub(crate) use names::is_ours;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

mod config;
mod ears;
mod names;
mod noted;

/// How often the newest readings are sent.
const PERIOD: Duration = Duration::from_secs(1);
/// Home Assistant takes a while to listen to what a config has told it; then it hears the states again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);
/// Series that are told. More are not, and that is said once.
const SERIES_LEN_MAX: usize = 2_000;
/// A device that has been silent for so long is not told any more after a start.
const SILENT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What stands in the cause of a command.
const BY: &str = "Home Assistant";

/// Says what there is.
pub(crate) struct Announcer {
    settings: HomeAssistant,
    names: Names,
    outlet: Outlet,
    view: View,
    control: Control,
    clock: Clock,
    words: Words,
    /// A connection is made, or Home Assistant has started.
    again: Arc<Notify>,
    noted: noted::Noted,
    told: Told,
    has_said_too_many: bool,
}

/// What the broker was told since it was last new.
#[derive(Default)]
struct Told {
    /// Configs, availability and the states of actuators: all that is kept.
    kept: BTreeMap<String, Bytes>,
    /// The number of the newest reading of each series, by its topic.
    readings: BTreeMap<String, (u64, UnixMicros)>,
    /// When the states are to be told again.
    again_at: Option<Instant>,
    /// What the configs were made of.
    made_of: Vec<config::Series>,
}

impl Announcer {
    pub(crate) fn new(
        settings: &HomeAssistant,
        folder: &Path,
        id: &str,
        outlet: Outlet,
        (view, control, clock): (View, Control, Clock),
        (words, again): (Words, Arc<Notify>),
    ) -> Self {
        Self {
            settings: settings.clone(),
            names: Names::new(&settings.prefix, id),
            outlet,
            view,
            control,
            clock,
            words,
            again,
            noted: noted::Noted::open(folder),
            told: Told::default(),
            has_said_too_many: false,
        }
    }

    /// Says what there is until `stop`, and that we are gone then.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        if !self.settings.announce && self.noted.is_empty() {
            return stop.cancelled().await;
        }
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let view = self.view.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.again.notified() => {
                    self.told = Told::default();
                    self.told.again_at = Some(Instant::now() + AGAIN_AFTER);
                }
                Some(word) = self.words.next() => self.obey(word).await,
                () = view.actuator_changed() => {}
                _ = ticks.tick() => {}
            }
            if stop.run_until_cancelled(self.say()).await.is_none() {
                break;
            }
        }
        if self.settings.announce {
            let gone = self.publish(self.names.gateway(), "offline".into(), true);
            // A broker that is away gets our last will.
            let _ = tokio::time::timeout(PERIOD, gone).await;
        }
    }

    async fn obey(&self, Word { actuator, led }: Word) {
        let Some(name) = self
            .view
            .actuators()
            .into_iter()
            .map(|one| one.name)
            .find(|name| self.names.actuator(name) == actuator)
        else {
            return tracing::warn!(actuator, "Home Assistant switches what is not there");
        };
        if let Err(error) = self.control.set_by(&name, led, None, Some(BY)).await {
            tracing::warn!(actuator = name, %error, "what Home Assistant wants is not done");
        }
    }

    /// Says all that the broker does not know.
    async fn say(&mut self) {
        let now = (self.clock)();
        let (latest, actuators) = if self.settings.announce {
            (self.latest(now), self.view.actuators())
        } else {
            Default::default()
        };
        let mut wanted = self.wanted(&latest, &actuators);
        wanted.retain(|(topic, payload)| self.told.kept.get(topic) != Some(payload));
        wanted.iter().for_each(|(topic, _)| self.noted.add(topic));
        self.noted.write().await;
        for (topic, payload) in wanted {
            if !self.publish(topic.clone(), payload.clone(), true).await {
                return;
            }
            self.told.kept.insert(topic, payload);
        }
        if !self.take_back().await {
            return;
        }
        if self.told.again_at.is_some_and(|at| at <= Instant::now()) {
            self.told.again_at = None;
            self.told.readings.clear();
            self.told.kept.retain(|topic, _| topic.ends_with("/config"));
        }
        for stored in latest {
            let (topic, is) = (self.names.reading(&stored.reading), (stored.id, stored.arrived_at));
            let is_fresh = now.since(stored.arrived_at) < self.settings.expire_after;
            if is_fresh && self.told.readings.get(&topic) != Some(&is) {
                let number = stored.reading.value.to_string();
                if !self.publish(topic.clone(), number.into(), false).await {
                    return;
                }
                self.told.readings.insert(topic, is);
            }
        }
    }

    /// The newest reading of each series that is told.
    fn latest(&mut self, now: UnixMicros) -> Vec<Arc<StoredReading>> {
        let mut latest = self.view.latest();
        latest.retain(|stored| now.since(stored.arrived_at) < SILENT_MAX);
        if latest.len() > SERIES_LEN_MAX {
            if !std::mem::replace(&mut self.has_said_too_many, true) {
                tracing::warn!(
                    series = latest.len(),
                    "Home Assistant is told of the first {SERIES_LEN_MAX} series only"
                );
            }
            latest.truncate(SERIES_LEN_MAX);
        }
        latest
    }

    /// What the broker is to keep: all that has not been told since it was new.
    fn wanted(
        &mut self,
        latest: &[Arc<StoredReading>],
        actuators: &[ActuatorView],
    ) -> Vec<(String, Bytes)> {
        if !self.settings.announce {
            return Vec::new();
        }
        let names = &self.names;
        let mut wanted = vec![(names.gateway(), Bytes::from_static(b"online"))];
        let series: Vec<_> =
            latest.iter().map(|stored| config::Series::of(&stored.reading)).collect();
        let is_new = !self.told.kept.contains_key(&names.config_of_gateway());
        if is_new || series != self.told.made_of {
            wanted.push((names.config_of_gateway(), config::gateway(names)));
            let expire_after = self.settings.expire_after;
            wanted.extend(config::devices(names, &series, expire_after));
            for actuator in actuators {
                let name = &actuator.name;
                wanted.push((names.config_of_actuator(name), config::actuator(names, name)));
            }
            self.told.made_of = series;
        }
        for actuator in actuators {
            let (state, online) = config::states(actuator);
            wanted.push((names.actuator_online(&actuator.name), online));
            wanted.push((names.actuator_state(&actuator.name), state));
        }
        wanted
    }

    /// Takes back what the broker has kept and is not told any more. False: it is tried again.
    async fn take_back(&mut self) -> bool {
        let given_up: Vec<_> = self
            .noted
            .iter()
            .filter(|topic| !self.told.kept.contains_key(*topic))
            .cloned()
            .collect();
        for topic in given_up {
            if !self.publish(topic.clone(), Bytes::new(), true).await {
                return false;
            }
            self.noted.remove(&topic);
        }
        self.noted.write().await;
        true
    }

    /// False: the broker has not taken it.
    async fn publish(&self, topic: String, payload: Bytes, retain: bool) -> bool {
        // What is kept has to arrive; of a number there is another soon.
        let announcement = Announcement { topic, payload, acknowledged: retain, retain };
        match self.outlet.publish(announcement).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "Home Assistant is not told");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
