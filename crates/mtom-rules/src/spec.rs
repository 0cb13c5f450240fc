//! What a rule says, as the configuration gives it, and what can be wrong with it.

use std::fmt;
use std::time::Duration;

/// One rule. The names of the keys in `mtom.toml` stand where they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// Names the rule in the ledger and finds its state after a restart. Unique.
    pub name: String,
    /// MQTT topic filter; `+` and `#` are allowed.
    pub when: String,
    /// CEL, boolean: true wishes the actuators on. The variables are [`crate::VARIABLES`].
    pub on: String,
    /// CEL, boolean: true wishes them off. `None`: the negation of `on`.
    pub off: Option<String>,
    /// Key `for`: how long readings must wish the same before it counts.
    pub hold_for: Duration,
    /// The least time in a state, counted from the decision that led to it.
    pub dwell: Duration,
    /// Without news for this long the rule is silent; `None`: never.
    pub max_age: Option<Duration>,
    /// What to do when silent, and when the schedule ends.
    pub silent: Silent,
    /// When the rule is in force, as in `Mon-Fri 07:00-19:00 Europe/Berlin`; `None`: always.
    pub schedule: Option<String>,
    /// Which rule an actuator obeys when several have a say: the highest. −1000 to 1000.
    pub priority: i32,
    /// What follows; at least one.
    pub then: Vec<Consequence>,
}

/// One entry of `then`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// An actuator of that name is on from the rule's on to its off.
    Actuator(String),
    /// An MQTT message, once per episode.
    Publish {
        /// Where to: no wildcards, not under `$` or `mtom/`.
        topic: String,
        /// A template; `None`: a JSON object with all variables.
        payload: Option<String>,
        /// When.
        edge: Edge,
        /// How surely.
        qos: Qos,
        /// Whether the broker keeps it for those who come later.
        retain: bool,
    },
    /// An HTTP POST, once per episode.
    Webhook {
        /// `http://…` or `https://…`.
        url: String,
        /// A template; `None`: a JSON object with all variables.
        body: Option<String>,
        /// When.
        edge: Edge,
    },
}

/// At which end of an episode an alert is sent. An episode is from a rule's on to its off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// When it begins.
    #[default]
    On,
    /// When it ends.
    Off,
    /// At both.
    Both,
}

/// The quality of service of an MQTT message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Qos {
    /// 0
    #[default]
    AtMostOnce,
    /// 1
    AtLeastOnce,
}

/// What a rule does without news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silent {
    /// Switches on.
    On,
    /// Switches off.
    #[default]
    Off,
    /// Leaves everything as it is.
    Hold,
}

impl RuleSpec {
    /// The rule of the original system for one actuator; for more, push to `then`.
    #[must_use]
    pub fn original(actuator: &str) -> Self {
        Self {
            name: "original".into(),
            when: "Environ/Temperature".into(),
            on: "celsius >= 25.0".into(),
            off: None,
            hold_for: Duration::ZERO,
            dwell: Duration::from_secs(1),
            max_age: Some(Duration::from_secs(10)),
            silent: Silent::Off,
            schedule: None,
            priority: 0,
            then: vec![Consequence::Actuator(actuator.into())],
        }
    }

    /// The names of the actuators that it drives.
    pub fn actuators(&self) -> impl Iterator<Item = &str> {
        self.then.iter().filter_map(|consequence| match consequence {
            Consequence::Actuator(name) => Some(name.as_str()),
            Consequence::Publish { .. } | Consequence::Webhook { .. } => None,
        })
    }

    /// The version of what the rule says: everything but its name.
    #[must_use]
    pub fn version(&self) -> RuleVersion {
        let mut hash = Fnv::new();
        hash.text(&self.when);
        hash.text(&self.on);
        hash.optional(self.off.as_deref(), Fnv::text);
        hash.bytes(&self.hold_for.as_nanos().to_be_bytes());
        hash.bytes(&self.dwell.as_nanos().to_be_bytes());
        hash.optional(self.max_age, |hash, span| hash.bytes(&span.as_nanos().to_be_bytes()));
        hash.bytes(&[match self.silent {
            Silent::Off => 0,
            Silent::On => 1,
            Silent::Hold => 2,
        }]);
        for actuator in self.actuators() {
            hash.text(actuator);
        }
        // What a rule could not say before counts only where it is said: versions stand in databases.
        if let Some(schedule) = &self.schedule {
            hash.bytes(b"schedule");
            hash.text(schedule);
        }
        if self.priority != 0 {
            hash.bytes(b"priority");
            hash.bytes(&self.priority.to_be_bytes());
        }
        for consequence in &self.then {
            hash.alert(consequence);
        }
        RuleVersion(hash.0)
    }
}

/// Tells what a rule says from what it said before. `Display` is 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleVersion(pub u64);

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// FNV-1a. It is kept in databases, so it may not differ between builds as `std`'s hashers do.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The length stands first, so that two texts never read as one.
    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_be_bytes());
        self.bytes(text.as_bytes());
    }

    fn alert(&mut self, consequence: &Consequence) {
        match consequence {
            Consequence::Actuator(_) => {}
            Consequence::Publish { topic, payload, edge, qos, retain } => {
                self.bytes(b"publish");
                self.text(topic);
                self.optional(payload.as_deref(), Self::text);
                self.bytes(&[*edge as u8, *qos as u8, u8::from(*retain)]);
            }
            Consequence::Webhook { url, body, edge } => {
                self.bytes(b"webhook");
                self.text(url);
                self.optional(body.as_deref(), Self::text);
                self.bytes(&[*edge as u8]);
            }
        }
    }

    fn optional<T>(&mut self, value: Option<T>, add: impl FnOnce(&mut Self, T)) {
        self.bytes(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            add(self, value);
        }
    }
}

/// One thing that is wrong with a rule. `Display` is the whole sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The rule's name.
    pub rule: String,
    /// Its place among the specs given to [`crate::Engine::compile`], from 0.
    pub index: usize,
    /// The key that is wrong, as in `mtom.toml`: `name`, `when`, `on`, `off`, `max_age`,
    /// `schedule`, `priority`, `then`.
    pub key: &'static str,
    /// Where in the expression, where the key is one.
    pub position: Option<Position>,
    /// What is wrong and what is expected.
    pub problem: String,
}

/// A place in an expression, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which line.
    pub line: usize,
    /// Which character of it.
    pub column: usize,
}

impl std::error::Error for RuleError {}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {:?}, {}", self.rule, self.key)?;
        if let Some(position) = self.position {
            write!(f, ", {position}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}", self.column)
    }
}
