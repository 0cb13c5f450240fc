//! What all rules remember, and how it is kept over a restart.
//!
//! The bytes are JSON with a version, so that a person can read them in the database. Rules stand
//! in them by name and version, never by place.

use crate::machine::Memory;
use crate::spec::RuleVersion;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;

mod raw;

pub use crate::machine::SERIES_LEN_MAX;

/// Going back by at most this much is two callers that read the clock at nearly the same time; by
/// more, the clock was set back.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// What the rules of one [`crate::Engine`] remember. A clone is a way to take a step back.
#[derive(Clone, Debug)]
pub struct State {
    clock: UnixMicros,
    revision: u64,
    entries: Vec<Entry>,
}

/// The memory of one rule. The entries stand in the order of the engine's rules.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) version: RuleVersion,
    pub(crate) memory: Memory,
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
    pub(crate) const fn new(clock: UnixMicros, entries: Vec<Entry>) -> Self {
        Self { clock, revision: 0, entries }
    }

    /// The bytes to keep. They are the same for the same state.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        raw::encode(self.clock, &self.entries)
    }

    /// Rises with every step that changed what [`State::encode`] must keep; a step that only took
    /// note of the time does not count. Not kept itself.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there is something to keep since [`State::revision`] was that.
    #[must_use]
    pub const fn changed_since(&self, revision: u64) -> bool {
        self.revision != revision
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        raw::decode(bytes).map(|(clock, entries)| Self::new(clock, entries))
    }

    pub(crate) fn take_entries(self) -> Vec<Entry> {
        self.entries
    }

    pub(crate) fn memories(&self) -> impl Iterator<Item = &Memory> {
        self.entries.iter().map(|entry| &entry.memory)
    }

    /// Lets `change` work on the memory of one rule and say whether it did anything.
    pub(crate) fn change(&mut self, index: usize, change: impl FnOnce(&mut Memory) -> bool) {
        if let Some(entry) = self.entries.get_mut(index)
            && change(&mut entry.memory)
        {
            self.revision += 1;
        }
    }

    /// Takes note of the time and returns the one to go by.
    pub(crate) fn advance(&mut self, now: UnixMicros) -> UnixMicros {
        if now >= self.clock {
            self.clock = now;
        } else if self.clock.since(now) > CLOCK_SLACK {
            self.clock = now;
            for entry in &mut self.entries {
                let before = entry.memory.clone();
                entry.memory.set_back(now);
                self.revision += u64::from(entry.memory != before);
            }
        }
        self.clock
    }
}

#[cfg(test)]
mod tests;
