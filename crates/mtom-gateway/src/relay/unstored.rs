//! While nothing can be stored, viewers still see and rules still decide.
//!
//! No sender is acknowledged, so whoever was promised anything sends again; what comes again with its
//! key is shown and decided on once. Numbers of commands were reserved on disk before; their entries in
//! the ledger, and the state of the rules, are written with the first batch that can be.

use super::Relay;
use super::decoded::decoded;
use super::inbox::Work;
use super::ledger::{command, newest};
use super::rules::alert_record;
use crate::forwarded::lines::{Forwarding, What};
use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Decision, Event, Outputs};
use mtom_store::batch::counted_time;
use mtom_store::record::{AlertRecord, CommandRecord};
use std::collections::HashSet;
use std::sync::Arc;

/// The number of a reading that has none yet.
pub(crate) const UNSTORED_ID: u64 = 0;
/// Keys that are remembered. Full: all are forgotten, and what comes again is shown again.
const KEYS_MAX: usize = 65_536;
/// Commands that wait for the ledger. Full: the oldest is left out of it.
const COMMANDS_MAX: usize = 1_000;

/// Alerts that wait for the disk, which they need to be delivered. Full: the oldest is forgotten.
const ALERTS_MAX: usize = 1_000;

/// What waits for the disk.
#[derive(Default)]
pub(super) struct Unstored {
    seen: HashSet<(Arc<str>, Arc<str>, ReadingKey)>,
    /// The same of other gateways' histories.
    taken: HashSet<(Arc<str>, u64)>,
    pub(super) commands: Vec<CommandRecord>,
    /// So do alerts.
    pub(super) alerts: Vec<AlertRecord>,
}

impl Unstored {
    /// Everything is on the disk.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.alerts.is_empty()
    }

    fn note_alert(&mut self, alert: AlertRecord) {
        if self.alerts.len() >= ALERTS_MAX {
            self.alerts.remove(0);
        }
        self.alerts.push(alert);
    }

    /// False when the reading came before.
    fn is_new(&mut self, reading: &Reading) -> bool {
        let Some(key) = &reading.key else { return true };
        if self.seen.len() >= KEYS_MAX {
            self.seen.clear();
        }
        let (device, quantity) = (Arc::clone(&reading.device), Arc::clone(&reading.quantity));
        self.seen.insert((device, quantity, key.clone()))
    }

    /// The reading in it, where something may be done because of it: it is not late and did not come before.
    fn news<'a>(&mut self, forwarding: &'a Forwarding, now: UnixMicros) -> Option<&'a Reading> {
        let Forwarding { place, what, .. } = forwarding;
        let What::Reading { reading, fresh_until, .. } = what else { return None };
        if self.taken.len() >= KEYS_MAX {
            self.taken.clear();
        }
        let is_new = self.taken.insert((Arc::clone(&place.history), place.id));
        (is_new && now <= *fresh_until).then_some(reading)
    }

    fn note(&mut self, command: CommandRecord) {
        if self.commands.len() >= COMMANDS_MAX {
            self.commands.remove(0);
        }
        self.commands.push(command);
    }
}

impl Relay {
    /// Shows and decides on what cannot be stored now. Nobody is acknowledged.
    pub(super) fn go_on_without_disk(&mut self, work: &Work, now: UnixMicros) {
        let mut out = Outputs::default();
        if self.rules.engine.next_deadline(&self.rules.state).is_some_and(|at| at <= now) {
            self.rules.engine.step(&mut self.rules.state, Event::Time, now, &mut out);
        }
        let mut shown = Vec::new();
        self.sparkplug.undo();
        let (mut readings, mut heard) = (Vec::new(), Vec::new());
        for delivery in &work.batch {
            let known = (&mut self.sparkplug, &self.discovered);
            let mut found = decoded(delivery, readings.len(), known, now);
            heard.append(&mut found.heard);
            readings.extend(found.present().filter(|reading| self.unstored.is_new(reading)));
        }
        self.sparkplug.keep_what_comes_once(&work.batch, now);
        let fresh =
            work.forwarded.iter().filter_map(|forwarding| self.unstored.news(forwarding, now));
        readings.extend(fresh.cloned());
        for reading in readings {
            let (at, suspect) = counted_time(reading.taken_at, now);
            let stored =
                Arc::new(StoredReading { id: UNSTORED_ID, at, arrived_at: now, suspect, reading });
            self.rules.engine.step(&mut self.rules.state, Event::Reading(&stored), now, &mut out);
            self.followers.live.offer(&stored);
            shown.push(stored);
        }
        self.view.readings(&shown);
        self.view.availability(&heard, &shown, now);
        for alert in out.alerts {
            self.unstored.note_alert(alert_record(alert));
        }
        for decision in newest(out.decisions) {
            self.want_without_disk(decision, now);
        }
    }

    fn want_without_disk(&mut self, decision: Decision, now: UnixMicros) {
        let Some(number) = self.numbers.next() else {
            tracing::error!(
                actuator = &*decision.actuator,
                "no command number is left that is reserved on disk: the actuator stays as it is"
            );
            return;
        };
        let (wanted, record) = command(&decision, number, now);
        // Its reading has no number yet.
        self.unstored.note(CommandRecord { reading: None, ..record });
        self.board.want(&decision.actuator, wanted);
    }
}
