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
pub(crate) use ears::{Again, Ears, Words};
use mtom_broker::outlet::{Announcement, NotTaken, Outlet};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use names::Names;
pub(crate) use names::Ours;
use obey::Servant;
use sheet::Sheet;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
pub use talk::{Left, Line, Talk, TalkStanding, ToldCounts};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

mod config;
mod ears;
mod left;
mod names;
mod noted;
mod obey;
mod sheet;
mod talk;

/// How often the newest readings are sent.
const PERIOD: Duration = Duration::from_secs(1);
/// Home Assistant takes a while to listen to what a config has told it; then it hears the states again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);
/// How often everything is told again at most because Home Assistant has started.
const ANEW_PERIOD: Duration = Duration::from_secs(10);
/// A broker that has not taken a message by then has it told anew.
const PUBLISH_MAX: Duration = Duration::from_secs(5);
/// When a topic that the broker has refused is tried again.
const REFUSED_PERIOD: Duration = Duration::from_secs(60);

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
    again: Arc<Again>,
    noted: noted::Noted,
    sheet: Sheet,
    /// The number of the newest reading of each series that was sent, by its topic.
    sent: BTreeMap<String, u64>,
    /// When the states are to be told again.
    again_at: Option<Instant>,
    /// What the broker does not want, by topic.
    refused: BTreeMap<String, Refusal>,
    /// A connection was made in the middle of it: what is told has to begin anew.
    is_interrupted: bool,
    has_said_too_many: bool,
}

/// What became of a message.
enum Fate {
    Taken,
    /// It is this one's fate alone.
    Refused,
    /// There is no way to the broker.
    Lost,
}

/// The broker does not want a topic.
struct Refusal {
    again_at: Instant,
    /// In words, for those who look.
    reason: String,
}

impl Announcer {
    pub(crate) fn new(
        settings: &HomeAssistant,
        folder: &Path,
        id: &str,
        (outlet, broker): (Outlet, &str),
        (view, control, clock): (View, Control, Clock),
        (words, again, talk): (Words, Arc<Again>, Talk),
    ) -> Self {
        let names = || Names::new(&settings.prefix, id);
        let servant = Servant::new(words, names(), view.clone(), control, talk.clone());
        let (noted, before) = noted::Noted::open(folder, id, broker);
        if let Some(before) = before {
            talk.left(left::leave(folder, before, noted.topics()));
        }
        let mut sheet = Sheet::default();
        let mut series = noted.series().clone();
        series.retain(|(device, _), _| noted.contains(&names().config_of_device(device, 0)));
        sheet.remember(series);
        Self {
            settings: settings.clone(),
            names: names(),
            outlet,
            view,
            clock,
            servant: Some(servant),
            talk,
            again,
            noted,
            sheet,
            sent: BTreeMap::new(),
            again_at: None,
            refused: BTreeMap::new(),
            is_interrupted: false,
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
        let mut not_before = Instant::now();
        loop {
            // Anybody at the broker can say that Home Assistant has started.
            let started = async {
                tokio::time::sleep_until(not_before).await;
                again.started.notified().await;
            };
            tokio::select! {
                () = again.connected.notified() => self.is_interrupted = true,
                () = started => {
                    self.is_interrupted = true;
                    not_before = Instant::now() + ANEW_PERIOD;
                }
                () = view.actuator_changed() => {}
                _ = ticks.tick() => {}
            }
            if std::mem::take(&mut self.is_interrupted) {
                self.begin_anew();
            }
            self.say().await;
        }
    }

    /// The broker may have forgotten everything, or Home Assistant has.
    fn begin_anew(&mut self) {
        self.sheet.forget();
        self.sent.clear();
        let now = Instant::now();
        self.refused.values_mut().for_each(|refusal| refusal.again_at = now);
        self.again_at = Some(now + AGAIN_AFTER);
    }

    /// Says all that the broker does not know, as far as it takes that.
    async fn say(&mut self) {
        let (mut latest, mut wanted) = (Vec::new(), BTreeMap::new());
        if self.settings.announce {
            latest = self.latest((self.clock)());
            let (actuators, expire_after) = (self.view.actuators(), self.settings.expire_after);
            let told = (latest.as_slice(), actuators.as_slice());
            wanted = self.sheet.wanted(&self.names, told, expire_after, Instant::now());
        }
        let is_all = self.keep(&wanted).await && self.take_back(&wanted).await;
        self.talk.told(self.sheet.counts());
        if is_all {
            self.send(&latest).await;
        }
    }

    /// Lets the broker keep what is wanted. False: there is more of it, for the next time: what is told is never much
    /// older than that.
    async fn keep(&mut self, wanted: &BTreeMap<String, Bytes>) -> bool {
        let (untold, begun) = (self.sheet.untold(wanted), Instant::now());
        untold.iter().for_each(|(topic, _)| self.noted.add(topic));
        self.noted.tells(if self.settings.announce {
            self.sheet.remembered()
        } else {
            BTreeMap::new()
        });
        self.noted.write().await;
        for (topic, payload) in untold {
            match self.publish(topic.clone(), payload.clone(), true).await {
                Fate::Taken => self.sheet.told(topic, payload),
                Fate::Refused => {}
                Fate::Lost => return false,
            }
            if begun.elapsed() >= PERIOD {
                return false;
            }
        }
        true
    }

    /// Takes back what the broker has kept and is not wanted any more. False: it is tried again. A device that is
    /// silent stays: what Home Assistant knows of it besides would go with it.
    async fn take_back(&mut self, wanted: &BTreeMap<String, Bytes>) -> bool {
        let is_device = |topic: &&String| self.names.is_config_of_device(topic);
        let is_room = self.noted.topics().iter().filter(is_device).count() <= sheet::SERIES_LEN_MAX;
        let stays = |topic: &String| self.settings.announce && is_room && is_device(&topic);
        let given_up = self.noted.topics().iter().filter(|topic| !wanted.contains_key(*topic));
        for topic in given_up.filter(|topic| !stays(topic)).cloned().collect::<Vec<_>>() {
            match self.publish(topic.clone(), Bytes::new(), true).await {
                Fate::Taken => {
                    self.sheet.taken_back(&topic);
                    self.noted.remove(&topic);
                }
                Fate::Refused => {}
                Fate::Lost => return false,
            }
        }
        self.noted.write().await;
        true
    }

    /// Sends the numbers that are new. One that was measured too long ago says nothing about the present, however late
    /// it came, or is sent.
    async fn send(&mut self, latest: &[Arc<StoredReading>]) {
        if self.again_at.is_some_and(|at| at <= Instant::now()) {
            self.again_at = None;
            self.sent.clear();
            self.sheet.forget_states();
        }
        for stored in latest {
            if !self.sheet.has(&stored.reading) {
                continue;
            }
            let topic = self.names.reading(&stored.reading);
            let is_fresh = (self.clock)().since(stored.at) < self.settings.expire_after;
            if is_fresh && self.sent.get(&topic) != Some(&stored.id) {
                let number = stored.reading.value.to_string();
                match self.publish(topic.clone(), number.into(), false).await {
                    Fate::Taken => drop(self.sent.insert(topic, stored.id)),
                    Fate::Refused => {}
                    Fate::Lost => return,
                }
            }
        }
    }

    /// The newest reading of each series that is told.
    fn latest(&mut self, now: UnixMicros) -> Vec<Arc<StoredReading>> {
        let mut latest = self.view.latest();
        let is_too_many = self.sheet.choose(&mut latest, now, |device| {
            self.noted.contains(&self.names.config_of_device(device, 0))
        });
        if is_too_many && !std::mem::replace(&mut self.has_said_too_many, true) {
            let told = sheet::SERIES_LEN_MAX;
            tracing::warn!(
                "Home Assistant is told of {told} series, and not of those that came later"
            );
        }
        latest
    }

    /// Hands it to the broker, which has a while for it: what waits longer is told anew.
    async fn publish(&mut self, topic: String, payload: Bytes, retain: bool) -> Fate {
        let now = Instant::now();
        if self.refused.get(&topic).is_some_and(|refusal| now < refusal.again_at) {
            return Fate::Refused;
        }
        // What is kept has to arrive; of a number there is another soon.
        let announcement =
            Announcement { topic: topic.clone(), payload, acknowledged: retain, retain };
        let publishing = tokio::time::timeout(PUBLISH_MAX, self.outlet.publish(announcement));
        let outcome = tokio::select! {
            biased;
            () = self.again.connected.notified() => {
                self.is_interrupted = true;
                return Fate::Lost;
            }
            outcome = publishing => outcome.unwrap_or_else(|_| {
                Err(NotTaken::Lost("it has not answered in time".into()))
            }),
        };
        match outcome {
            Ok(()) => {
                self.refused.remove(&topic);
                self.talk.taken(
                    self.refused
                        .values()
                        .next()
                        .map_or(Ok(()), |refusal| Err(refusal.reason.clone())),
                );
                Fate::Taken
            }
            Err(NotTaken::Refused(reason)) => {
                self.refuse(topic, &reason, now);
                Fate::Refused
            }
            Err(error @ NotTaken::Lost(_)) => {
                tracing::debug!(%error, "Home Assistant is not told");
                self.talk.taken(Err(error.to_string()));
                Fate::Lost
            }
        }
    }

    /// The broker does not want that topic: the others go on, and it is asked again after a while.
    fn refuse(&mut self, topic: String, reason: &str, now: Instant) {
        let told = format!("the broker refuses {topic}: {reason}");
        self.talk.taken(Err(told.clone()));
        let refusal = Refusal { again_at: now + REFUSED_PERIOD, reason: told };
        let is_news = self.refused.insert(topic.clone(), refusal).is_none();
        if is_news && let Some(unsaid) = self.talk.may_warn(now) {
            tracing::warn!(
                topic,
                reason,
                unsaid,
                "the broker does not take what Home Assistant is told: allow it to broker.username"
            );
        }
    }
}

#[cfg(test)]
mod tests;
