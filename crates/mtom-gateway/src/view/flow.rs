//! How much passes each part of the path in a minute, how long it takes, and where it is broken.
//!
//! For the eye: in memory, gone with the process. What is kept is counted by the journal.

use super::{AlertCounts, Counts, LogEvent, View};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::time::Duration;

/// Rates are over so many whole seconds.
const SECONDS: usize = 60;
const SECOND_MICROS: i64 = 1_000_000;

/// What passes where.
#[derive(Clone, Copy)]
enum What {
    Received,
    Stored,
    Decided,
    Applied,
}

const KINDS: usize = 4;

/// The path as it was at one moment. Rates are over the last minute, latencies those of the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Readings that reached the gateway.
    pub received_per_minute: u64,
    /// Readings that were stored.
    pub stored_per_minute: u64,
    /// Decisions of rules and persons.
    pub decided_per_minute: u64,
    /// Commands that devices said they obeyed.
    pub applied_per_minute: u64,
    /// From the device's own time to ours; `None`: no device has told a time that can be believed.
    pub taken_to_arrived: Option<Duration>,
    /// From the arrival to the disk.
    pub arrived_to_stored: Option<Duration>,
    /// From the arrival to the decision.
    pub arrived_to_decided: Option<Duration>,
    /// From the decision to the device's answer.
    pub decided_to_applied: Option<Duration>,
    /// The external broker is away.
    pub broker_lost: Option<BrokerLost>,
    /// How often an external broker had forgotten our session, since the start.
    pub broker_sessions_lost: u64,
    /// Since when nothing can be stored.
    pub failing_since: Option<UnixMicros>,
    /// The rules that were applied last do not run.
    pub rules_refused: Option<RulesRefused>,
}

/// Rules that could not be used at the start, so that others run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesRefused {
    /// Their version.
    pub version: u64,
    /// Since when others run.
    pub since: UnixMicros,
    /// What is wrong with them.
    pub reason: String,
}

/// An external broker that is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerLost {
    /// Which.
    pub url: String,
    /// Since when, over every try since then.
    pub since: UnixMicros,
    /// Why the last try came to nothing.
    pub reason: String,
}

/// What flows, second by second.
pub(super) struct Meter {
    seconds: [(i64, [u64; KINDS]); SECONDS],
    received: Option<u64>,
    now: Flow,
}

impl Default for Meter {
    fn default() -> Self {
        let never = (i64::MIN, [0; KINDS]);
        Self { seconds: [never; SECONDS], received: None, now: Flow::default() }
    }
}

impl View {
    /// What became of alerts: cheap, however many series there are.
    #[must_use]
    pub fn alert_counts(&self) -> AlertCounts {
        self.state().alerts
    }
}

impl Meter {
    pub(super) fn sessions_lost(&self) -> u64 {
        self.now.broker_sessions_lost
    }

    /// What was in the journal at the start has not flown now.
    pub(super) fn counts(&mut self, counts: Counts, now: UnixMicros) {
        let before = self.received.replace(counts.received);
        let more = counts.received.saturating_sub(before.unwrap_or(counts.received));
        self.add(What::Received, more, now);
    }

    pub(super) fn reading(&mut self, stored: &StoredReading) {
        self.add(What::Stored, 1, stored.arrived_at);
        let taken =
            stored.reading.taken_at.filter(|at| !stored.suspect && *at <= stored.arrived_at);
        if let Some(taken) = taken {
            self.now.taken_to_arrived = Some(stored.arrived_at.since(taken));
        }
    }

    pub(super) fn said(&mut self, event: &LogEvent, at: UnixMicros) {
        match event {
            LogEvent::BrokerConnected { .. } => self.now.broker_lost = None,
            LogEvent::BrokerLost { url, reason } => {
                let since = self.now.broker_lost.as_ref().map_or(at, |lost| lost.since);
                let (url, reason) = (url.clone(), reason.clone());
                self.now.broker_lost = Some(BrokerLost { url, since, reason });
            }
            LogEvent::BrokerForgot { .. } => self.now.broker_sessions_lost += 1,
            LogEvent::RulesApplied { .. } => self.now.rules_refused = None,
            LogEvent::RulesRefused { version, reason } => {
                let (version, reason) = (*version, reason.clone());
                self.now.rules_refused = Some(RulesRefused { version, since: at, reason });
            }
            LogEvent::Decided { .. } => self.add(What::Decided, 1, at),
            LogEvent::Applied { latency_micros, .. } => {
                self.add(What::Applied, 1, at);
                self.now.decided_to_applied = Some(Duration::from_micros(*latency_micros));
            }
            _ => {}
        }
    }

    pub(super) fn stored(&mut self, took: Duration) {
        self.now.arrived_to_stored = Some(took);
        self.now.failing_since = None;
    }

    pub(super) fn decided(&mut self, took: Duration) {
        self.now.arrived_to_decided = Some(took);
    }

    pub(super) fn failing(&mut self, now: UnixMicros) {
        self.now.failing_since.get_or_insert(now);
    }

    pub(super) fn flow(&self, now: UnixMicros) -> Flow {
        let newest = now.0.div_euclid(SECOND_MICROS);
        let oldest = newest.saturating_sub_unsigned(SECONDS as u64 - 1);
        let seen = self.seconds.iter().filter(|(second, _)| (oldest..=newest).contains(second));
        let sums = seen.fold([0; KINDS], |mut sums, (_, counts)| {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
            sums
        });
        let [received, stored, decided, applied] = sums;
        Flow {
            received_per_minute: received,
            stored_per_minute: stored,
            decided_per_minute: decided,
            applied_per_minute: applied,
            ..self.now.clone()
        }
    }

    fn add(&mut self, what: What, count: u64, at: UnixMicros) {
        let second = at.0.div_euclid(SECOND_MICROS);
        let place = usize::try_from(second.rem_euclid(SECONDS as i64)).unwrap_or_default();
        let Some((known, counts)) = self.seconds.get_mut(place) else { return };
        if *known < second {
            (*known, *counts) = (second, [0; KINDS]);
        }
        if *known == second {
            counts[what as usize] += count;
        }
    }
}

#[cfg(test)]
mod tests;
