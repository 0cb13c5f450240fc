//! How the rules are at one moment, and what they wait for: a picture that the relay hands out.
//!
//! The relay only copies its state, which is cheap; what is asked of the picture is found by whoever asks.

use mtom_protocol::time::UnixMicros;
pub use mtom_rules::{ActuatorOutlook, Effect, RuleOutlook, Timer, TimerKind, Totals};
use mtom_rules::{Engine, State};
use std::sync::Arc;

/// The rules at one moment.
#[derive(Debug)]
pub struct Standing {
    engine: Arc<Engine>,
    state: State,
}

impl Standing {
    pub(crate) const fn new(engine: Arc<Engine>, state: State) -> Self {
        Self { engine, state }
    }

    /// At most `len` rules from that place on, in the order of the file.
    #[must_use]
    pub fn rules(&self, from: usize, len: usize) -> Vec<RuleOutlook> {
        self.engine.outlook(&self.state, from..from.saturating_add(len))
    }

    /// All rules together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.engine.totals(&self.state)
    }

    /// Rules that know nothing of what they read, and since when; the one that is so longest first.
    #[must_use]
    pub fn blind(&self) -> Vec<(Arc<str>, UnixMicros)> {
        self.engine.blind(&self.state)
    }

    /// Actuators that wait or that a person has a word about, those that are due first.
    #[must_use]
    pub fn actuators(&self) -> Vec<ActuatorOutlook> {
        self.engine.actuators_outlook(&self.state)
    }
}
