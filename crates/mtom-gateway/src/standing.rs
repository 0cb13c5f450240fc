//! How the rules are at one moment, and what they wait for: a picture that the relay hands out.
//!
//! The relay only copies its state, which is cheap; what is asked of the picture is found by whoever asks.

use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Effect, Engine, RuleOutlook, State, Timer, TimerKind};
use std::sync::Arc;

/// The rules at one moment.
#[derive(Debug)]
pub struct Standing {
    engine: Arc<Engine>,
    state: State,
}

/// How one rule is.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStanding {
    /// Its name.
    pub name: Arc<str>,
    /// What it wants; `None`: it has decided nothing yet, or its schedule is not in force.
    pub led: Option<Led>,
    /// Since when it wants that.
    pub since: Option<UnixMicros>,
    /// The reading that this rests on.
    pub reading: Option<u64>,
    /// The condition that was true, with its values; empty where none is known.
    pub condition: Arc<str>,
    /// No reading came for its `max_age`.
    pub is_silent: bool,
    /// Its schedule is in force, or it has none.
    pub is_active: bool,
    /// Since when it knows nothing of what it reads.
    pub blind_since: Option<UnixMicros>,
    /// What it waits for, the earliest first.
    pub pending: Vec<Pending>,
}

/// An actuator that a person has a word about, or that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct ActuatorStanding {
    /// Its name.
    pub name: Arc<str>,
    /// What a person said that it is to be; `None`: the rules speak.
    pub manual: Option<Led>,
    /// What it waits for; `None`: until a person says so.
    pub pending: Option<Pending>,
}

/// A time that runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which: the key in `mtom.toml`, or `override`.
    pub timer: &'static str,
    /// What is done then: `on`, `off`, `hold`, or `begin` of a schedule.
    pub does: &'static str,
    /// When.
    pub at: UnixMicros,
}

/// How many rules want what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// On.
    pub on: u64,
    /// Off.
    pub off: u64,
    /// Nothing.
    pub unknown: u64,
}

impl Standing {
    pub(crate) const fn new(engine: Arc<Engine>, state: State) -> Self {
        Self { engine, state }
    }

    /// At most `len` rules from that place on, in the order of the file.
    #[must_use]
    pub fn rules(&self, from: usize, len: usize) -> Vec<RuleStanding> {
        let found = self.engine.outlook(&self.state, from..from.saturating_add(len));
        found.into_iter().map(RuleStanding::from).collect()
    }

    /// All rules together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let totals = self.engine.totals(&self.state);
        let [on, off, unknown] = [totals.on, totals.off, totals.unknown].map(|count| count as u64);
        Totals { on, off, unknown }
    }

    /// Rules that know nothing of what they read, and since when; the one that is so longest first.
    #[must_use]
    pub fn blind(&self) -> Vec<(Arc<str>, UnixMicros)> {
        self.engine.blind(&self.state)
    }

    /// Actuators that wait or that a person has a word about, those that are due first.
    #[must_use]
    pub fn actuators(&self) -> Vec<ActuatorStanding> {
        let found = self.engine.actuators_outlook(&self.state).into_iter();
        found
            .map(|one| ActuatorStanding {
                name: one.name,
                manual: one.manual,
                pending: one.timer.as_ref().map(Pending::from),
            })
            .collect()
    }
}

impl From<RuleOutlook> for RuleStanding {
    fn from(rule: RuleOutlook) -> Self {
        Self {
            name: rule.name,
            led: rule.led,
            since: rule.since,
            reading: rule.reading,
            condition: rule.condition,
            is_silent: rule.is_silent,
            is_active: rule.is_active,
            blind_since: rule.blind_since,
            pending: rule.timers.iter().map(Pending::from).collect(),
        }
    }
}

impl From<&Timer> for Pending {
    fn from(timer: &Timer) -> Self {
        let word = match timer.kind {
            TimerKind::For => "for",
            TimerKind::Dwell => "dwell",
            TimerKind::MaxAge => "max_age",
            TimerKind::Schedule => "schedule",
            TimerKind::Override => "override",
        };
        let does = match timer.effect {
            Effect::Led(Led::On) => "on",
            Effect::Led(Led::Off) => "off",
            Effect::Hold => "hold",
            Effect::Begin => "begin",
        };
        Self { timer: word, does, at: timer.at }
    }
}
