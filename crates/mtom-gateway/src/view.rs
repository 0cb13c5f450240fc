//! What the gateway lets others see: the newest state of everything, and each change of it.
//!
//! Read only. A viewer that is too slow loses updates and learns how many ([`Feed`]); the gateway
//! never waits for one. The page, the HTTP API and the terminal see through this and nothing else.

use crate::availability::{Availabilities, Availability};
use crate::sparkplug::SparkplugCounts;
use mtom_broker::intake::Tally;
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_rules::RuleSpec;
use mtom_store::maria::drain::DrainState;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

mod availability;
pub mod flow;
pub mod forwarded;
mod known;
mod newest;
mod sentence;
mod words;

use flow::{Flow, Meter};
use forwarded::Forwarded;

/// How many updates a slow viewer may be behind before it loses the oldest.
const UPDATE_QUEUE_LEN: usize = 1_024;
/// How many log entries a new viewer gets.
const LOG_LEN: usize = 200;
/// How many topics that nobody listens to are named in the log, each once; further ones are counted.
const STRANGER_LEN_MAX: usize = 100;

/// Everything that can be seen. Cheap to clone.
#[derive(Clone)]
pub struct View {
    shared: Arc<Shared>,
}

struct Shared {
    // A std mutex: held for a few instructions, never across an await.
    state: Mutex<State>,
    updates: broadcast::Sender<Arc<Update>>,
    /// An actuator has changed.
    actuator: Notify,
}

#[derive(Default)]
struct State {
    latest: BTreeMap<(Arc<str>, Arc<str>), Arc<StoredReading>>,
    actuators: BTreeMap<String, ActuatorView>,
    log: VecDeque<LogEntry>,
    log_next: u64,
    counts: Counts,
    tally: Tally,
    strangers: HashSet<String>,
    rules: Arc<[RuleView]>,
    drain: Option<DrainState>,
    alerts: AlertCounts,
    availabilities: Availabilities,
    sparkplug: SparkplugCounts,
    exits: Option<forwarded::Exits>,
    meter: Meter,
}

/// One change.
#[derive(Clone, Debug)]
pub enum Update {
    /// A reading is in the history.
    Reading(Arc<StoredReading>),
    /// An actuator, its link or its LED changed.
    Actuator(ActuatorView),
    /// A device has gone or is there.
    Availability(Availability),
    /// Something was said on the path.
    Log(LogEntry),
}

/// Everything as it was when a viewer came.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The newest reading of each series, in the order of device and quantity.
    pub latest: Vec<Arc<StoredReading>>,
    /// Devices that say whether they are there, in the order of their names.
    pub availability: Vec<Availability>,
    /// How often one of them was not noted, because there are too many.
    pub availability_refused: u64,
    /// What became of Sparkplug nodes.
    pub sparkplug: SparkplugCounts,
    /// Every actuator, in the order of its name.
    pub actuators: Vec<ActuatorView>,
    /// The newest log entries, oldest first.
    pub log: Vec<LogEntry>,
    /// The account.
    pub counts: Counts,
    /// The rules in force.
    pub rules: Arc<[RuleView]>,
    /// How far the other database is; `None`: there is none.
    pub drain: Option<DrainState>,
    /// What became of alerts.
    pub alerts: AlertCounts,
    /// What became of readings that other programs get; `None`: nobody is served.
    pub forwarded: Option<Forwarded>,
    /// How often an external broker had forgotten our session, since the start.
    pub broker_sessions_lost: u64,
}

/// A rule in the words of its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// The topic filter of the readings that it looks at.
    pub when: String,
    /// The expression that wishes the actuators on.
    pub on: String,
    /// The expression that wishes them off; `None`: the negation of `on`.
    pub off: Option<String>,
    /// The actuators that it drives.
    pub actuators: Vec<String>,
}

impl From<&RuleSpec> for RuleView {
    fn from(spec: &RuleSpec) -> Self {
        Self {
            name: spec.name.clone(),
            when: spec.when.clone(),
            on: spec.on.clone(),
            off: spec.off.clone(),
            actuators: spec.actuators().map(str::to_owned).collect(),
        }
    }
}

/// The account: received = stored + duplicate + rejected + in flight, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Readings that reached the gateway.
    pub received: u64,
    /// In the history.
    pub stored: u64,
    /// Recognised by their key as stored before.
    pub duplicate: u64,
    /// Kept with the reason why they are no readings.
    pub rejected: u64,
    /// Received and not yet decided.
    pub in_flight: u64,
    /// Messages on topics that nobody listens to, and those that are no readings by design.
    pub ignored: u64,
}

/// What became of the alerts that rules raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertCounts {
    /// They are neither delivered nor given up.
    pub waiting: u64,
    /// Delivered since the start.
    pub delivered: u64,
    /// Given up since the start.
    pub given_up: u64,
}

/// Where on the path something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The broker, embedded or external.
    Broker,
    /// The gateway itself: what arrived and what was stored.
    Gateway,
    /// Viewers on the live and history ports.
    Forward,
    /// A rule decided.
    Rules,
    /// The link to a device.
    Actuator,
}

/// One line of the communication log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Rises by one.
    pub id: u64,
    /// When.
    pub at: UnixMicros,
    /// Where.
    pub hop: Hop,
    /// What. `Display` is the English sentence.
    pub event: LogEvent,
}

/// What can be said in the communication log.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the sentence of each variant in `Display` is its documentation")]
pub enum LogEvent {
    BrokerConnected { url: String },
    BrokerLost { url: String, reason: String },
    BrokerForgot { url: String },
    Stored { id: u64, device: Arc<str>, quantity: Arc<str>, value: f64, unit: &'static str },
    Duplicate { seq: u64, device: Arc<str>, quantity: Arc<str> },
    Rejected { topic: String, code: &'static str, reason: String },
    Ignored { topic: String },
    Viewers { port: &'static str, count: u64 },
    Availability { device: Arc<str>, is_available: bool },
    Decided { rule: Arc<str>, actuator: String, led: Led, cause: String },
    Sent { actuator: String, number: u64, led: Led },
    Applied { actuator: String, number: u64, led: Led, latency_micros: u64 },
    Link { actuator: String, state: LinkState, reason: String },
    Refused { actuator: String, number: u64, reason: String },
    Drifted { actuator: String, number: u64, led: Led, is_adopted: bool },
    Noise { actuator: String, lines: u64 },
    Forged { actuator: String, lines: u64 },
    Skipped { count: u64 },
    RulesApplied { version: u64, count: u64, source: String },
    RulesRefused { version: u64, reason: String },
    AlertDelivered { id: u64, rule: String, target: String, latency_micros: u64 },
    AlertFailed { id: u64, rule: String, target: String, reason: String },
    AlertGivenUp { id: u64, rule: String, target: String, reason: String },
}

/// The link to a device, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Not tried yet, or waiting before the next try.
    Away,
    /// The device is looked for.
    Searching,
    /// A connection is being made.
    Connecting,
    /// Open.
    Up,
    /// It was open and failed; tried again soon.
    Broken,
}

/// Whether a device proves what it says, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It vouches for each line with the key that it shares with us.
    Authenticated,
    /// It does not: it has no key, or we have none for it.
    Unauthenticated,
    /// One of us has a key that the other has not.
    WrongKey,
}

/// One actuator: what it should be, what it was told, what it says it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ActuatorView {
    /// The configured name, `TEMP_LED`.
    pub name: String,
    /// The configured link, `tcp:127.0.0.1:7000`.
    pub link: String,
    /// The state of the link.
    pub link_state: LinkState,
    /// Why the link is so, or while the device is tried again why the last try came to nothing; empty where
    /// there is nothing to say.
    pub link_reason: String,
    /// Since when the link is so.
    pub link_since: UnixMicros,
    /// Since when the link is not up, over every try since then; `None`: it is up.
    pub link_down_since: Option<UnixMicros>,
    /// True when mtom simulates this device.
    pub simulated: bool,
    /// What the rules want, and by which command.
    pub desired: Option<Wanted>,
    /// What the device says it is. `None` for an original device: it never answers.
    pub reported: Option<Told>,
    /// The newest command that was written to the link.
    pub sent: Option<Told>,
    /// The device's own name and firmware, when it speaks the second version of the link.
    pub firmware: Option<String>,
    /// Whether the device proves what it says; `None`: it has a key and was not heard yet.
    pub trust: Option<Trust>,
    /// From the decision to the device's answer, for the newest acknowledged command.
    pub latency_micros: Option<u64>,
}

/// A desired state and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The state.
    pub led: Led,
    /// The command that carries it.
    pub number: u64,
    /// When it was decided.
    pub at: UnixMicros,
    /// The rule that decided.
    pub rule: Arc<str>,
    /// The reading or the silence that made it decide, in words.
    pub cause: String,
}

/// A state that was told, by us or by the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The state.
    pub led: Led,
    /// The command it belongs to; 0 before the first.
    pub number: u64,
    /// When it was told.
    pub at: UnixMicros,
}

/// The updates from the moment of the snapshot on: none is missing between the two, none is twice.
pub struct Feed {
    updates: broadcast::Receiver<Arc<Update>>,
}

impl Feed {
    /// The next update, or how many were lost because the viewer was too slow. `None`: the gateway ended.
    ///
    /// Safe to cancel.
    pub async fn next(&mut self) -> Option<Result<Arc<Update>, u64>> {
        match self.updates.recv().await {
            Ok(update) => Some(Ok(update)),
            Err(broadcast::error::RecvError::Lagged(lost)) => Some(Err(lost)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Default for View {
    fn default() -> Self {
        // Full: the oldest update is lost for those who have not read it, and they are told how many.
        let (updates, _) = broadcast::channel(UPDATE_QUEUE_LEN);
        Self {
            shared: Arc::new(Shared { state: Mutex::default(), updates, actuator: Notify::new() }),
        }
    }
}

impl View {
    /// Everything as it is now, and what changes from now on.
    #[must_use]
    pub fn watch(&self) -> (Snapshot, Feed) {
        let state = self.state();
        let updates = self.shared.updates.subscribe();
        (state.snapshot(), Feed { updates })
    }

    /// Everything as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot()
    }

    /// Shows stored readings.
    pub fn readings(&self, readings: &[Arc<StoredReading>]) {
        let mut state = self.state();
        for reading in readings {
            let series =
                (Arc::clone(&reading.reading.device), Arc::clone(&reading.reading.quantity));
            let newest = state.latest.entry(series).or_insert_with(|| Arc::clone(reading));
            if newest.at <= reading.at {
                *newest = Arc::clone(reading);
            }
            self.send(Update::Reading(Arc::clone(reading)));
        }
    }

    /// What passes each part of the path at present.
    #[must_use]
    pub fn flow(&self, now: UnixMicros) -> Flow {
        self.state().meter.flow(now)
    }

    /// Readings have flown into the store. What is there from earlier has not, see [`View::readings`].
    pub(crate) fn flown(&self, readings: &[Arc<StoredReading>]) {
        let mut state = self.state();
        readings.iter().for_each(|reading| state.meter.reading(reading));
    }

    /// The disk took a batch, in that time; `None`: it takes nothing.
    pub(crate) fn took(&self, took: Option<Duration>, now: UnixMicros) {
        let mut state = self.state();
        match took {
            Some(took) => state.meter.stored(took),
            None => state.meter.failing(now),
        }
    }

    /// Rules have decided on what arrived, in that time.
    pub(crate) fn decided(&self, took: Duration) {
        self.state().meter.decided(took);
    }

    /// Shows an actuator.
    pub fn actuator(&self, actuator: ActuatorView) {
        let mut state = self.state();
        state.actuators.insert(actuator.name.clone(), actuator.clone());
        self.send(Update::Actuator(actuator));
        self.shared.actuator.notify_one();
    }

    /// Adds a line to the log.
    pub fn log(&self, at: UnixMicros, hop: Hop, event: LogEvent) {
        let mut state = self.state();
        state.meter.said(&event, at);
        let entry = LogEntry { id: state.log_next, at, hop, event };
        state.log_next += 1;
        // Full: the oldest line goes; the log is for the eye, the history and the ledger keep.
        if state.log.len() == LOG_LEN {
            state.log.pop_front();
        }
        state.log.push_back(entry.clone());
        self.send(Update::Log(entry));
    }

    /// Shows the rules in force.
    pub fn rules(&self, rules: impl Into<Arc<[RuleView]>>) {
        self.state().rules = rules.into();
    }

    /// Shows how far the other database is.
    pub fn drain(&self, drain: DrainState) {
        self.state().drain = Some(drain);
    }

    /// Shows what became of alerts.
    pub(crate) fn alerts(&self, alerts: AlertCounts) {
        self.state().alerts = alerts;
    }

    /// The account alone: cheap, however many series there are.
    #[must_use]
    pub fn account(&self) -> Counts {
        self.state().account()
    }

    /// Where the ignored messages are counted.
    pub(crate) fn tally(&self, tally: Tally) {
        self.state().tally = tally;
    }

    /// Says once of each topic that nobody listens to it.
    pub(crate) fn ignored(&self, topic: &str, at: UnixMicros) {
        let mut state = self.state();
        if state.strangers.len() >= STRANGER_LEN_MAX || state.strangers.contains(topic) {
            return;
        }
        state.strangers.insert(topic.to_owned());
        drop(state);
        self.log(at, Hop::Gateway, LogEvent::Ignored { topic: topic.to_owned() });
    }

    /// Shows the account as it is `now`.
    pub fn counts(&self, counts: Counts, now: UnixMicros) {
        let mut state = self.state();
        state.counts = counts;
        state.meter.counts(counts, now);
    }

    fn send(&self, update: Update) {
        // Without a viewer there is nobody to tell; that is no error.
        if self.shared.updates.receiver_count() > 0 {
            let _ = self.shared.updates.send(Arc::new(update));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            latest: self.latest.values().cloned().collect(),
            availability: self.availabilities.all().collect(),
            availability_refused: self.availabilities.refused(),
            sparkplug: self.sparkplug,
            actuators: self.actuators.values().cloned().collect(),
            log: self.log.iter().cloned().collect(),
            counts: self.account(),
            rules: Arc::clone(&self.rules),
            drain: self.drain.clone(),
            alerts: self.alerts,
            forwarded: self.exits.as_ref().map(forwarded::Exits::counts),
            broker_sessions_lost: self.meter.sessions_lost(),
        }
    }

    fn account(&self) -> Counts {
        Counts { ignored: self.tally.ignored(), ..self.counts }
    }
}
