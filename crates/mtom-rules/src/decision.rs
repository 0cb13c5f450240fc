//! What goes into the engine and what comes out of it.

use crate::spec::RuleVersion;
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A reading is, or is about to be, in the history.
    Reading(&'a StoredReading),
    /// Time went by: due at the latest at [`crate::Engine::next_deadline`].
    Time,
    /// A device said what its actuator is. No rule looks at it yet.
    Report {
        /// The actuator's name.
        actuator: &'a str,
        /// What it is.
        led: Led,
        /// The command that led to it.
        number: u64,
    },
    /// A device came or went. No rule looks at it yet.
    Availability {
        /// The device, as in [`mtom_protocol::reading::Reading::device`].
        device: &'a str,
        /// Whether it is there.
        online: bool,
    },
}

/// One actuator is to be so from now on.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The actuator's name.
    pub actuator: Arc<str>,
    /// What it is to be.
    pub led: Led,
    /// The name of the rule that decided.
    pub rule: Arc<str>,
    /// What that rule said.
    pub version: RuleVersion,
    /// Why.
    pub cause: Cause,
}

/// Why something was decided. `Display` is for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// A reading wished it.
    Reading {
        /// The first reading of those that wished it without a contrary one between them.
        witness: Witness,
        /// How long the wish had to hold or to wait: `for` and `dwell`. Zero: not at all.
        held: Duration,
    },
    /// There was no news.
    Silence {
        /// The rule's limit.
        max_age: Duration,
        /// The time of the newest reading, or the start when there was none.
        since: UnixMicros,
    },
    /// It was decided before the start and stands.
    Start {
        /// When it was decided.
        since: UnixMicros,
    },
}

/// The reading that a decision rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// Its journal number.
    pub id: u64,
    /// Its device.
    pub device: Arc<str>,
    /// Its quantity.
    pub quantity: Arc<str>,
    /// Its number.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

impl Cause {
    /// The journal number of the reading that it rests on, where it does on one.
    #[must_use]
    pub const fn reading_id(&self) -> Option<u64> {
        match self {
            Self::Reading { witness, .. } => Some(witness.id),
            Self::Silence { .. } | Self::Start { .. } => None,
        }
    }
}

impl Witness {
    pub(crate) fn of(stored: &StoredReading) -> Self {
        let reading = &stored.reading;
        Self {
            id: stored.id,
            device: reading.device.clone(),
            quantity: reading.quantity.clone(),
            value: reading.value,
            unit: reading.unit,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading { witness, held } => {
                write!(f, "{witness}")?;
                if held.is_zero() { Ok(()) } else { write!(f, ", held for {}", Seconds(*held)) }
            }
            Self::Silence { max_age, .. } => write!(f, "no reading for {}", Seconds(*max_age)),
            Self::Start { since } => write!(f, "decided before the start, at {}", since.rfc3339()),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reading {}: ", self.id)?;
        if !self.device.is_empty() {
            write!(f, "{}/", self.device)?;
        }
        write!(f, "{} {}", self.quantity, self.value)?;
        match self.unit {
            Unit::None => Ok(()),
            unit => write!(f, " {}", unit.symbol()),
        }
    }
}

/// `10 s`, `1.5 s`, `0.25 s`: tenths from a second on, milliseconds below.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let shown = if millis < 1_000 { millis } else { millis / 100 * 100 };
        let (whole, rest) = (shown / 1_000, shown % 1_000);
        if rest == 0 {
            write!(f, "{whole} s")
        } else {
            let digits = format!("{rest:03}");
            write!(f, "{whole}.{} s", digits.trim_end_matches('0'))
        }
    }
}
