//! The actuators as the gateway knows them: what each should be, what it was told, what it says.
//!
//! Between the rules and a link there is a mailbox of depth 1: a newer desired state replaces an
//! older one that was not sent yet. Nothing here waits.

use crate::Clock;
use crate::settings::Actuator;
use crate::view::{ActuatorView, Hop, LinkState, LogEvent, Told, Trust, View, Wanted};
use mtom_actuator::{Desired, LinkState as State, Report, Trust as Trusted, Version};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, watch};

/// No gateway gets there by counting: a device that says a higher number is broken or lies.
const NUMBER_MAX: u64 = 1 << 62;

/// Outcomes of commands on their way into the ledger. Full: the outcome is not recorded, and counted.
const OUTCOMES_LEN: usize = 1_024;

/// What the relay has to know of a command that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was written to the link.
    Sent { number: u64, at: UnixMicros },
    /// The device says that it obeyed.
    Applied { number: u64, at: UnixMicros },
    /// The device refused it.
    Refused { number: u64, at: UnixMicros, reason: String },
    /// The device has applied a higher number than ours: say it again with one above that.
    Ahead { actuator: String },
}

/// All actuators.
pub(crate) struct Board {
    view: View,
    clock: Clock,
    // A std mutex: held for a few instructions, never across an await.
    actuators: Mutex<BTreeMap<String, Entry>>,
    outcomes: mpsc::Sender<Outcome>,
    /// A command is decided and not written yet.
    is_coming: AtomicBool,
    announced: Notify,
}

struct Entry {
    shown: ActuatorView,
    mailbox: watch::Sender<Option<Desired>>,
    /// The highest number the device has ever reported; ours must be above it.
    number_seen: u64,
    /// The last line about the link in the log.
    said: Option<(LinkState, String)>,
    /// It has a key, so only the link knows whether its device has the same.
    is_keyed: bool,
}

impl Board {
    pub(crate) fn new(view: View, clock: Clock) -> (Self, mpsc::Receiver<Outcome>) {
        let (outcomes, receiver) = mpsc::channel(OUTCOMES_LEN);
        let (actuators, is_coming, announced) = (Mutex::default(), false.into(), Notify::new());
        (Self { view, clock, actuators, outcomes, is_coming, announced }, receiver)
    }

    /// Says that a command is decided, which [`Board::want`] will say when it is written: who sends it had
    /// better be awake by then.
    pub(crate) fn announce(&self) {
        self.is_coming.store(true, Ordering::Release);
        self.announced.notify_one();
    }

    /// Waits until a command is announced.
    pub(crate) async fn announced(&self) {
        self.announced.notified().await;
    }

    /// Whether what was announced is still to come.
    pub(crate) fn is_coming(&self) -> bool {
        self.is_coming.load(Ordering::Acquire)
    }

    /// Puts an actuator on the board; its link reads the mailbox.
    pub(crate) fn add(&self, actuator: &Actuator) -> watch::Receiver<Option<Desired>> {
        let (mailbox, receiver) = watch::channel(None);
        let now = (self.clock)();
        let shown = ActuatorView {
            name: actuator.name.clone(),
            link: actuator.link.to_string(),
            link_state: LinkState::Away,
            link_reason: String::new(),
            link_since: now,
            link_down_since: Some(now),
            simulated: actuator.simulated,
            desired: None,
            reported: None,
            sent: None,
            firmware: None,
            trust: actuator.key.is_none().then_some(Trust::Unauthenticated),
            latency_micros: None,
        };
        self.view.actuator(shown.clone());
        let is_keyed = actuator.key.is_some();
        let entry = Entry { shown, mailbox, number_seen: 0, said: None, is_keyed };
        self.lock().insert(actuator.name.clone(), entry);
        receiver
    }

    /// Says what an actuator should be from now on.
    pub(crate) fn want(&self, actuator: &str, wanted: Wanted) {
        let mut actuators = self.lock();
        let Some(entry) = actuators.get_mut(actuator) else { return };
        entry.mailbox.send_replace(Some(Desired { led: wanted.led, number: wanted.number }));
        self.is_coming.store(false, Ordering::Release);
        let event = LogEvent::Decided {
            rule: wanted.rule.clone(),
            actuator: actuator.into(),
            led: wanted.led,
            cause: wanted.cause.clone(),
        };
        self.view.log(wanted.at, Hop::Rules, event);
        entry.shown.desired = Some(wanted);
        self.view.actuator(entry.shown.clone());
    }

    /// What an actuator should be.
    pub(crate) fn wanted(&self, actuator: &str) -> Option<Wanted> {
        self.lock().get(actuator)?.shown.desired.clone()
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// How many actuators there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The highest command number that any device has reported.
    pub(crate) fn number_seen(&self) -> u64 {
        self.lock().values().map(|entry| entry.number_seen).max().unwrap_or(0)
    }

    /// Takes what a link reports.
    pub(crate) fn report(&self, actuator: &str, report: Report) {
        let now = (self.clock)();
        let mut actuators = self.lock();
        let Some(entry) = actuators.get_mut(actuator) else { return };
        if let Some(event) = entry.take(actuator, report, now, &self.outcomes) {
            self.view.log(now, Hop::Actuator, event);
        }
        self.view.actuator(entry.shown.clone());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.actuators.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Takes one report; returns what there is to say about it.
    fn take(
        &mut self,
        actuator: &str,
        report: Report,
        now: UnixMicros,
        outcomes: &mpsc::Sender<Outcome>,
    ) -> Option<LogEvent> {
        let actuator = actuator.to_owned();
        // Full: the ledger lacks this line; the view has it.
        let tell = |outcome| drop(outcomes.try_send(outcome));
        match report {
            Report::Link { state, reason } => self.link(actuator, state, reason, now),
            // Kept beside the journal, by the one who runs the link.
            Report::Found { .. } => None,
            Report::Identified { version: Version::Original } => {
                self.unproven();
                self.shown.firmware = None;
                self.shown.reported = None;
                None
            }
            Report::Identified { version: Version::Second { name, firmware } } => {
                self.unproven();
                self.shown.firmware = Some(format!("{name} {firmware}"));
                None
            }
            Report::Trusted { trust } => {
                self.shown.trust = Some(trust.into());
                None
            }
            Report::Sent { led, number, at } => {
                let again = self.shown.sent.is_some_and(|sent| sent.number == number);
                self.shown.sent = Some(Told { led, number, at });
                if again {
                    return None;
                }
                tell(Outcome::Sent { number, at });
                Some(LogEvent::Sent { actuator, number, led })
            }
            Report::Applied { led, number, at } => {
                let again = self.shown.reported.is_some_and(|told| told.number == number);
                self.told(led, number, at);
                if again {
                    return None;
                }
                let decided = self.shown.desired.as_ref().filter(|wanted| wanted.number == number);
                let latency = decided.map(|wanted| at.since(wanted.at).as_micros());
                self.shown.latency_micros = latency.and_then(|span| u64::try_from(span).ok());
                tell(Outcome::Applied { number, at });
                let latency_micros = self.shown.latency_micros.unwrap_or_default();
                Some(LogEvent::Applied { actuator, number, led, latency_micros })
            }
            Report::State { led, number } => {
                self.told(led, number, now);
                None
            }
            Report::Drifted { led, number, is_adopted } => {
                if is_adopted && let Some(desired) = &mut self.shown.desired {
                    desired.led = led;
                }
                Some(LogEvent::Drifted { actuator, number, led, is_adopted })
            }
            Report::Refused { number, reason } => {
                tell(Outcome::Refused { number, at: now, reason: reason.clone() });
                Some(LogEvent::Refused { actuator, number, reason })
            }
            Report::Ahead { number, .. } if number > NUMBER_MAX => {
                let reason = "the device counts beyond any command of ours".to_owned();
                Some(LogEvent::Refused { actuator, number, reason })
            }
            Report::Ahead { led, number } => {
                self.told(led, number, now);
                tell(Outcome::Ahead { actuator });
                None
            }
            Report::Noise { lines } => Some(LogEvent::Noise { actuator, lines }),
            Report::Forged { lines } => Some(LogEvent::Forged { actuator, lines }),
        }
    }

    /// A device talks to us without a key, whatever the one before it wanted.
    fn unproven(&mut self) {
        if !self.is_keyed {
            self.shown.trust = Some(Trust::Unauthenticated);
        }
    }

    fn told(&mut self, led: Led, number: u64, at: UnixMicros) {
        self.shown.reported = Some(Told { led, number, at });
        // A number that cannot be ours would use up all numbers at once, on disk, for ever.
        if number <= NUMBER_MAX {
            self.number_seen = self.number_seen.max(number);
        }
    }

    fn link(
        &mut self,
        actuator: String,
        state: State,
        reason: String,
        now: UnixMicros,
    ) -> Option<LogEvent> {
        let state = match state {
            State::Away => LinkState::Away,
            State::Searching => LinkState::Searching,
            State::Connecting => LinkState::Connecting,
            State::Up => LinkState::Up,
            State::Broken => LinkState::Broken,
        };
        let same = self.shown.link_state == state && self.shown.link_reason == reason;
        // A link that is tried again and again says so once, not at every try.
        let retry = self.shown.link_state != LinkState::Up
            && matches!(state, LinkState::Searching | LinkState::Connecting);
        if self.shown.link_state != state {
            self.shown.link_since = now;
            self.shown.link_state = state;
        }
        self.shown.link_reason.clone_from(&reason);
        self.shown.link_down_since = match state {
            LinkState::Up => None,
            _ => Some(self.shown.link_down_since.unwrap_or(now)),
        };
        let known = self.said == Some((state, reason.clone()));
        if same || retry || known {
            return None;
        }
        self.said = Some((state, reason.clone()));
        Some(LogEvent::Link { actuator, state, reason })
    }
}

impl From<Trusted> for Trust {
    fn from(trust: Trusted) -> Self {
        match trust {
            Trusted::Authenticated => Self::Authenticated,
            Trusted::Unauthenticated => Self::Unauthenticated,
            Trusted::WrongKey => Self::WrongKey,
        }
    }
}

#[cfg(test)]
mod tests;
