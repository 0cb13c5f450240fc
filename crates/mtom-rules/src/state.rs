//! What all rules remember, and how it is kept over a restart.
//!
//! The bytes are JSON with a version, so that a person can read them in the database. Rules stand
//! in them by name and version, never by place.

use crate::deadlines::Deadlines;
use crate::lamp::Lamp;
use crate::machine::Memory;
use crate::spec::RuleVersion;
use crate::window::{Known, Windows};
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;

pub(crate) mod raw;

pub use crate::series::SERIES_LEN_MAX;

/// Going back by at most this much is two callers that read the clock at nearly the same time; by
/// more, the clock was set back.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// What the rules of one [`crate::Engine`] remember. A clone is cheap, and a way to take a step back.
#[derive(Clone, Debug)]
pub struct State {
    clock: UnixMicros,
    revision: u64,
    /// In the order of the engine's rules.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// In the order of the engine's actuators; behind them those that only persons drive.
    pub(crate) lamps: Vec<Arc<LampEntry>>,
    /// The newest values of the series that rules name with `other`. Not kept.
    pub(crate) others: Vec<Option<Known>>,
    /// Of the rules, and behind them of the actuators.
    pub(crate) deadlines: Deadlines,
}

/// The memory of one rule.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) version: RuleVersion,
    pub(crate) memory: Memory,
    /// Not kept: rebuilt from the journal.
    pub(crate) windows: Windows,
    /// Since when it knows nothing of the readings that come. Not kept.
    pub(crate) blind_since: Option<UnixMicros>,
    /// The state's, when it last changed.
    pub(crate) revision: u64,
}

/// The memory of one actuator.
#[derive(Clone, Debug)]
pub(crate) struct LampEntry {
    pub(crate) lamp: Lamp,
    /// The state's, when it last changed.
    pub(crate) revision: u64,
}

/// What is kept of one rule or one actuator, in a row of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `rule/` or `actuator/` and its name.
    pub key: String,
    /// For [`crate::Engine::restore_parts`].
    pub bytes: Vec<u8>,
}

/// What bytes are read to, before an engine has looked for its own in it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Before every time there is, as long as nothing is known.
    pub(crate) clock: UnixMicros,
    pub(crate) rules: Vec<(Arc<str>, RuleVersion, Memory)>,
    pub(crate) lamps: Vec<Lamp>,
}

impl Kept {
    pub(crate) const NOTHING: Self =
        Self { clock: UnixMicros(i64::MIN), rules: Vec::new(), lamps: Vec::new() };
}

/// Bytes that are no state of ours.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Tell the operator: an older program meets the data of a newer one.
    #[error("state of the rules has version {found}: expected at most {known}, use a newer mtom")]
    Newer {
        /// The version in the bytes.
        found: u64,
        /// The newest that this program reads.
        known: u64,
    },
    /// Tell the operator: something has damaged it.
    #[error("state of the rules is damaged: expected what State::encode wrote")]
    Damaged(#[source] DamagedError),
}

/// What is wrong with the bytes.
#[derive(Debug, thiserror::Error)]
pub enum DamagedError {
    /// Not the JSON that is expected.
    #[error("not its JSON")]
    Json(#[from] serde_json::Error),
    /// A value that cannot be.
    #[error("{what} cannot be {found:?}")]
    Value {
        /// Which one.
        what: &'static str,
        /// What it is.
        found: String,
    },
}

impl State {
    pub(crate) fn new(
        clock: UnixMicros,
        entries: Vec<Arc<Entry>>,
        lamps: Vec<Arc<LampEntry>>,
        others_len: usize,
    ) -> Self {
        let (others, deadlines) = (vec![None; others_len], Deadlines::default());
        Self { clock, revision: 0, entries, lamps, others, deadlines }
    }

    /// The bytes to keep, all in one. They are the same for the same state.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        raw::encode(self)
    }

    /// Everything that is to be kept, each rule and each actuator by itself.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        self.parts_from(0)
    }

    /// What has changed since [`State::revision`] was that, each rule and each actuator by itself.
    pub fn parts_since(&self, revision: u64) -> impl Iterator<Item = Part> {
        self.parts_from(revision.saturating_add(1))
    }

    fn parts_from(&self, revision: u64) -> impl Iterator<Item = Part> {
        let rules = self.entries.iter().filter(move |entry| entry.revision >= revision);
        let lamps = self.lamps.iter().filter(move |entry| entry.revision >= revision);
        let rules = rules.map(|entry| raw::rule(self.clock, entry));
        rules.chain(lamps.map(|entry| raw::lamp(self.clock, &entry.lamp)))
    }

    /// Rises with every step that changed what must be kept; a step that only took note of the time
    /// does not count. Not kept itself.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there is something to keep since [`State::revision`] was that.
    #[must_use]
    pub const fn changed_since(&self, revision: u64) -> bool {
        self.revision != revision
    }

    /// Takes note that the memory of a rule is not what it was.
    pub(crate) fn rule_changed(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            self.revision += 1;
            Arc::make_mut(entry).revision = self.revision;
        }
    }

    /// Lets `change` work on an actuator.
    pub(crate) fn change_lamp<T>(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut Lamp, &[Arc<Entry>]) -> T,
    ) -> Option<T> {
        let entry = self.lamps.get_mut(index)?;
        let mut lamp = entry.lamp.clone();
        let outcome = change(&mut lamp, &self.entries);
        if lamp != entry.lamp {
            self.revision += 1;
            *entry = Arc::new(LampEntry { lamp, revision: self.revision });
        }
        Some(outcome)
    }

    /// Takes note of the time and returns the one to go by, and whether the clock was set back.
    pub(crate) fn advance(&mut self, now: UnixMicros) -> (UnixMicros, bool) {
        if now >= self.clock {
            self.clock = now;
            return (now, false);
        }
        if self.clock.since(now) <= CLOCK_SLACK {
            return (self.clock, false);
        }
        self.clock = now;
        self.revision += 1;
        for entry in &mut self.entries {
            let entry = Arc::make_mut(entry);
            entry.memory.set_back(now);
            entry.windows.clear();
            entry.blind_since = None;
            // All of them: the time in each part is the new one.
            entry.revision = self.revision;
        }
        for entry in &mut self.lamps {
            let entry = Arc::make_mut(entry);
            entry.lamp.set_back(now);
            entry.revision = self.revision;
        }
        self.others.fill(None);
        (now, true)
    }

    #[cfg(test)]
    pub(crate) const fn clock(&self) -> UnixMicros {
        self.clock
    }

    #[cfg(test)]
    pub(crate) fn memories(&self) -> impl Iterator<Item = &Memory> {
        self.entries.iter().map(|entry| &entry.memory)
    }

    /// Whether both would keep the same.
    #[cfg(test)]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.memories().eq(other.memories())
            && self
                .lamps
                .iter()
                .map(|entry| &entry.lamp)
                .eq(other.lamps.iter().map(|entry| &entry.lamp))
    }
}

#[cfg(test)]
mod tests;
