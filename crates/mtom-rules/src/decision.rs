//! What goes into the engine and what comes out of it.

use crate::spec::{Qos, RuleVersion};
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest body of an alert, in bytes.
pub const BODY_LEN_MAX: usize = 65_536;

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
    /// A person says what an actuator is to be, whatever the rules say.
    Override {
        /// The actuator's name.
        actuator: &'a str,
        /// What it is to be; `None`: the rules speak again.
        led: Option<Led>,
        /// When the rules speak again; `None`: when they are told to.
        until: Option<UnixMicros>,
    },
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// Actuators that are to be so from now on, in the order in which it was decided.
    pub decisions: Vec<Decision>,
    /// What is to be told, in the order in which it happened.
    pub alerts: Vec<Alert>,
}

/// Something to tell, once: an episode of a rule began or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The name of the rule.
    pub rule: Arc<str>,
    /// What that rule said.
    pub version: RuleVersion,
    /// Whom to tell.
    pub target: Target,
    /// What to tell, at most [`crate::BODY_LEN_MAX`] bytes.
    pub body: String,
    /// On: the episode began. Off: it ended.
    pub led: Led,
    /// Why.
    pub cause: Cause,
    /// When.
    pub at: UnixMicros,
}

/// Where an alert goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the broker.
    Publish {
        /// The topic.
        topic: Arc<str>,
        /// How surely.
        qos: Qos,
        /// Whether the broker keeps it.
        retain: bool,
    },
    /// To a web server, as a POST. The body is JSON when it begins with `{` or `[`.
    Webhook {
        /// `http://…` or `https://…`.
        url: Arc<str>,
    },
}

/// One actuator is to be so from now on.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The actuator's name.
    pub actuator: Arc<str>,
    /// What it is to be.
    pub led: Led,
    /// The name of the rule that decided: the owner. [`MANUAL`] when a person did.
    pub rule: Arc<str>,
    /// What that rule said; 0 when a person decided.
    pub version: RuleVersion,
    /// Why.
    pub cause: Cause,
}

/// Who decides while a person's override stands.
pub const MANUAL: &str = "manual";

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
    /// A person said so.
    Override {
        /// When the rules speak again; `None`: when they are told to.
        until: Option<UnixMicros>,
    },
    /// A person's override is over, and this is what the owner among the rules said meanwhile.
    OverrideEnded {
        /// When the owner decided it; `None`: no rule has a say, so the silent state is taken.
        since: Option<UnixMicros>,
        /// The reading that it rests on, where it does on one.
        witness: Option<Witness>,
    },
    /// The rule's schedule ended, and no other rule has a say: the silent state is taken.
    ScheduleEnded {
        /// When it ended.
        at: UnixMicros,
    },
    /// A rule of higher priority has no say any more, and this is what the next one said meanwhile.
    Succession {
        /// The rule that had a say.
        from: Arc<str>,
        /// When the next one decided it.
        since: UnixMicros,
        /// The reading that it rests on, where it does on one.
        witness: Option<Witness>,
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
    /// The topic that it came on; empty in the state of an older version.
    pub topic: Arc<str>,
    /// Its number.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// The condition that was true and its values: `celsius >= 25.0, where celsius is 26.5`. Empty in
    /// the state of an older version.
    pub condition: Arc<str>,
}

impl Cause {
    /// The journal number of the reading that it rests on, where it does on one.
    #[must_use]
    pub fn reading_id(&self) -> Option<u64> {
        self.witness().map(|witness| witness.id)
    }

    /// The reading that it rests on, where it does on one.
    #[must_use]
    pub const fn witness(&self) -> Option<&Witness> {
        match self {
            Self::Reading { witness, .. } => Some(witness),
            Self::OverrideEnded { witness, .. } | Self::Succession { witness, .. } => {
                witness.as_ref()
            }
            Self::Silence { .. }
            | Self::Start { .. }
            | Self::Override { .. }
            | Self::ScheduleEnded { .. } => None,
        }
    }
}

impl Witness {
    pub(crate) fn of(stored: &StoredReading, condition: Arc<str>) -> Self {
        let reading = &stored.reading;
        Self {
            id: stored.id,
            device: reading.device.clone(),
            quantity: reading.quantity.clone(),
            topic: reading.topic.clone(),
            value: reading.value,
            unit: reading.unit,
            condition,
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
            Self::Override { until: None } => write!(f, "by hand"),
            Self::Override { until: Some(until) } => {
                write!(f, "by hand, until {}", until.rfc3339())
            }
            Self::OverrideEnded { since, witness } => {
                write!(f, "no longer by hand")?;
                meanwhile(f, *since, witness.as_ref())
            }
            Self::ScheduleEnded { at } => write!(f, "schedule ended at {}", at.rfc3339()),
            Self::Succession { from, since, witness } => {
                write!(f, "{from} has no say any more")?;
                meanwhile(f, Some(*since), witness.as_ref())
            }
        }
    }
}

/// What a rule said while another had the say.
fn meanwhile(
    f: &mut fmt::Formatter<'_>,
    since: Option<UnixMicros>,
    witness: Option<&Witness>,
) -> fmt::Result {
    if let Some(since) = since {
        write!(f, ", decided at {}", since.rfc3339())?;
    }
    witness.map_or(Ok(()), |witness| write!(f, ", {witness}"))
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

#[cfg(test)]
mod tests;
