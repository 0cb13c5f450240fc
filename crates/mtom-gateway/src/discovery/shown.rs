//! What was discovered, as it is shown.

/// One thing that was discovered.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The topic of its config.
    pub config: String,
    /// Its device.
    pub device: String,
    /// Which program has written the config.
    pub origin: Option<String>,
    /// Its key in the config.
    pub key: String,
    /// `sensor`, `switch`, …
    pub platform: String,
    /// What it is here.
    pub standing: Standing,
}

/// What a discovered thing is here.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Its readings come by themselves.
    Read {
        /// Where they come.
        topic: String,
        /// What they are called.
        quantity: String,
        /// What they count; empty: a plain number.
        unit: &'static str,
    },
    /// `ingest.topics` names its topic, which is read as it always was.
    Named {
        /// Where its messages come.
        topic: String,
        /// What it is called where a message says nothing else, and what that counts: the topic comes by `#` alone.
        second: Option<(String, &'static str)>,
    },
    /// It can be an actuator with this link.
    Switch {
        /// As `[[actuator]] link` has it.
        link: String,
    },
    /// It is understood, and something stands in its way.
    NotRead {
        /// One word.
        code: &'static str,
        /// The sentence.
        reason: String,
    },
    /// It leads to nothing.
    NotUnderstood {
        /// One word.
        code: &'static str,
        /// The sentence.
        reason: String,
    },
}

/// How many things were discovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Configs that are kept.
    pub configs: u64,
    /// Sensors whose readings come.
    pub sensors: u64,
    /// Those that can be an actuator.
    pub switches: u64,
    /// Those that something stands in the way of, each with its reason.
    pub not_read: u64,
    /// Those that lead to nothing, each with its reason.
    pub not_understood: u64,
    /// Neither sensors nor switches.
    pub others: u64,
    /// Configs that were not taken because there are too many.
    pub refused: u64,
}
