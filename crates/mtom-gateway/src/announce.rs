//! Our sensors and actuators in Home Assistant, where the configuration wants that.
//!
//! Each device is told there by one retained config, again after every connection and whenever Home Assistant says that
//! it has started. Numbers go to topics of our own, because a payload may be anything that [`mtom_protocol`] reads: a
//! series has there one plain number, and only one that is stored. They are looked at once a second and the newest
//! of each series is sent, so that nothing waits in a line and ingest never waits for this. A command of Home Assistant
//! is a person's word for now: one that has waited is not obeyed. What was kept at the broker is noted, and what is
//! noted and not wanted is taken back.

use crate::Clock;
use crate::control::Control;
use crate::settings::HomeAssistant;
use crate::view::View;
use bytes::Bytes;
pub(crate) use ears::{Ears, Words};
use mtom_broker::outlet::{Announcement, Outlet};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use names::Names;
pub(crate) use names::is_ours;
use obey::Servant;
use sheet::Sheet;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
pub use talk::{Line, Talk, TalkStanding, ToldCounts};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

mod config;
mod ears;
mod names;
mod noted;
mod obey;
mod sheet;
mod talk;

/// How often the newest readings are sent.
const PERIOD: Duration = Duration::from_secs(1);
/// Home Assistant takes a while to listen to what a config has told it; then it hears the states again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Says what there is.
pub(crate) struct Announcer {
    settings: HomeAssistant,
    names: Names,
    outlet: Outlet,
    view: View,
    clock: Clock,
    /// Taken when it runs.
    servant: Option<Servant>,
    talk: Talk,
    /// A connection is made, or Home Assistant has started.
    again: Arc<Notify>,
    noted: noted::Noted,
    sheet: Sheet,
    /// The number of the newest reading of each series that was sent, by its topic.
    sent: BTreeMap<String, u64>,
    /// When the states are to be told again.
    again_at: Option<Instant>,
    has_said_too_many: bool,
}

impl Announcer {
    pub(crate) fn new(
        settings: &HomeAssistant,
        folder: &Path,
        id: &str,
        outlet: Outlet,
        (view, control, clock): (View, Control, Clock),
        (words, again, talk): (Words, Arc<Notify>, Talk),
    ) -> Self {
        let names = || Names::new(&settings.prefix, id);
        let servant = Servant::new(words, names(), view.clone(), control, talk.clone());
        Self {
            settings: settings.clone(),
            names: names(),
            outlet,
            view,
            clock,
            servant: Some(servant),
            talk,
            again,
            noted: noted::Noted::open(folder),
            sheet: Sheet::default(),
            sent: BTreeMap::new(),
            again_at: None,
            has_said_too_many: false,
        }
    }

    /// Says what there is and does what Home Assistant wants until `stop`, and says that we are gone then.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        if !self.settings.announce && self.noted.is_empty() {
            return stop.cancelled().await;
        }
        let Some(servant) = self.servant.take() else { return };
        tokio::select! {
            () = stop.cancelled() => {}
            // Beside the other: a word must not wait for a broker that takes nothing.
            () = servant.run() => {}
            () = self.say_always() => {}
        }
        if self.settings.announce {
            let gone = self.publish(self.names.gateway(), "offline".into(), true);
            // A broker that is away gets our last will.
            let _ = tokio::time::timeout(PERIOD, gone).await;
        }
    }

    async fn say_always(&mut self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (view, again) = (self.view.clone(), Arc::clone(&self.again));
        loop {
            tokio::select! {
                () = again.notified() => {
                    self.sheet.forget();
                    self.sent.clear();
                    self.again_at = Some(Instant::now() + AGAIN_AFTER);
                }
                () = view.actuator_changed() => {}
                _ = ticks.tick() => {}
            }
            self.say().await;
        }
    }

    /// Says all that the broker does not know, as far as it takes that.
    async fn say(&mut self) {
        let now = (self.clock)();
        let (mut latest, mut wanted) = (Vec::new(), BTreeMap::new());
        if self.settings.announce {
            latest = self.latest(now);
            let (actuators, expire_after) = (self.view.actuators(), self.settings.expire_after);
            wanted = self.sheet.wanted(&self.names, &latest, &actuators, expire_after);
        }
        let is_all = self.keep(&wanted).await && self.take_back(&wanted).await;
        self.talk.told(self.sheet.counts());
        if is_all {
            self.send(&latest, now).await;
        }
    }

    /// Lets the broker keep what is wanted. False: it has not taken all of it.
    async fn keep(&mut self, wanted: &BTreeMap<String, Bytes>) -> bool {
        let untold = self.sheet.untold(wanted);
        untold.iter().for_each(|(topic, _)| self.noted.add(topic));
        self.noted.write().await;
        for (topic, payload) in untold {
            if !self.publish(topic.clone(), payload.clone(), true).await {
                return false;
            }
            self.sheet.told(topic, payload);
        }
        true
    }

    /// Takes back what the broker has kept and is not wanted any more. False: it is tried again.
    async fn take_back(&mut self, wanted: &BTreeMap<String, Bytes>) -> bool {
        let given_up = self.noted.iter().filter(|topic| !wanted.contains_key(*topic));
        for topic in given_up.cloned().collect::<Vec<_>>() {
            if !self.publish(topic.clone(), Bytes::new(), true).await {
                return false;
            }
            self.sheet.taken_back(&topic);
            self.noted.remove(&topic);
        }
        self.noted.write().await;
        true
    }

    /// Sends the numbers that are new. One that was measured too long ago says nothing about the present, however late
    /// it came.
    async fn send(&mut self, latest: &[Arc<StoredReading>], now: UnixMicros) {
        if self.again_at.is_some_and(|at| at <= Instant::now()) {
            self.again_at = None;
            self.sent.clear();
            self.sheet.forget_states();
        }
        for stored in latest {
            let topic = self.names.reading(&stored.reading);
            let is_fresh = now.since(stored.at) < self.settings.expire_after;
            if is_fresh && self.sent.get(&topic) != Some(&stored.id) {
                let number = stored.reading.value.to_string();
                if !self.publish(topic.clone(), number.into(), false).await {
                    return;
                }
                self.sent.insert(topic, stored.id);
            }
        }
    }

    /// The newest reading of each series that is told.
    fn latest(&mut self, now: UnixMicros) -> Vec<Arc<StoredReading>> {
        let mut latest = self.view.latest();
        let is_too_many = self.sheet.choose(&mut latest, now);
        if is_too_many && !std::mem::replace(&mut self.has_said_too_many, true) {
            let told = sheet::SERIES_LEN_MAX;
            tracing::warn!(
                "Home Assistant is told of {told} series, and not of those that came later"
            );
        }
        latest
    }

    /// False: the broker has not taken it.
    async fn publish(&self, topic: String, payload: Bytes, retain: bool) -> bool {
        // What is kept has to arrive; of a number there is another soon.
        let announcement = Announcement { topic, payload, acknowledged: retain, retain };
        let outcome = self.outlet.publish(announcement).await;
        if let Err(error) = &outcome {
            tracing::debug!(%error, "Home Assistant is not told");
        }
        let is_taken = outcome.is_ok();
        self.talk.taken(outcome.map_err(|error| error.to_string()));
        is_taken
    }
}

#[cfg(test)]
mod tests;
