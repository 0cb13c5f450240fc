//! What goes in and out beside readings: rejects, commands, counts, cursors.

use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::fmt;
use std::str::FromStr;

/// How many rows an answer to `database:N` has at most (`wire.md` §1.3).
pub const ORIGINAL_PAGE_LEN: usize = 20;

/// How much of a reject's topic and of its payload is kept, each, in bytes.
pub const REJECT_HEAD_LEN_MAX: usize = 256;

/// What became of a reading.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// It is in the history as soon as the batch is committed.
    New(StoredReading),
    /// Its key is known for its series: it is in the history already, and counted as a duplicate.
    Duplicate,
}

/// A message, or a part of one, that was not a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject<'a> {
    /// The topic it came on; its first [`REJECT_HEAD_LEN_MAX`] bytes are kept.
    pub topic: &'a str,
    /// The payload as it came; its first [`REJECT_HEAD_LEN_MAX`] bytes and its length are kept.
    pub payload: &'a [u8],
    /// One stable word for counting, as `mtom_protocol::payload::NotAReading::code` gives it.
    pub code: &'a str,
    /// The reason, for people.
    pub reason: &'a str,
    /// When it reached the gateway.
    pub arrived_at: UnixMicros,
}

/// A reject as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectRow {
    /// Rising in the order of arrival, never used twice.
    pub id: u64,
    /// The first [`REJECT_HEAD_LEN_MAX`] bytes of the topic.
    pub topic: String,
    /// The first [`REJECT_HEAD_LEN_MAX`] bytes of the payload.
    pub payload_head: Vec<u8>,
    /// How many bytes the payload had.
    pub payload_len: u64,
    /// One stable word for counting.
    pub code: String,
    /// The reason, for people.
    pub reason: String,
    /// When it reached the gateway.
    pub arrived_at: UnixMicros,
}

/// A decision of a rule: what an actuator is to be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// From [`crate::journal::Journal::reserve_command_numbers`].
    pub number: u64,
    /// The actuator's name.
    pub actuator: String,
    /// The desired state.
    pub on: bool,
    /// Which rule decided.
    pub rule: String,
    /// What that rule said: 16 hexadecimal digits. `None` where no rule decided.
    pub rule_version: Option<String>,
    /// The journal number of the reading that led to it; `None` when time or an operator did.
    pub reading: Option<u64>,
    /// The cause in words.
    pub cause: String,
    /// The rule's condition with the values of the reading, as in `celsius (26.5) >= 25.0`; `None` where
    /// none decided.
    pub condition: Option<String>,
    /// When the rule decided.
    pub decided_at: UnixMicros,
}

/// What has become of a command since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOutcome<'a> {
    /// Its bytes were written to the link.
    Sent,
    /// The device says that it is so.
    Applied,
    /// The device or the link refused it.
    Refused {
        /// In the device's words or ours.
        reason: &'a str,
    },
}

/// One row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRow {
    /// The decision.
    pub command: CommandRecord,
    /// When its bytes were first written to the link.
    pub sent_at: Option<UnixMicros>,
    /// When the device first said that it is so.
    pub applied_at: Option<UnixMicros>,
    /// When it was first refused.
    pub refused_at: Option<UnixMicros>,
    /// Why it was refused.
    pub refused_reason: Option<String>,
}

/// A version of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSetRow {
    /// From 1, rising.
    pub version: u64,
    /// Since when it ran.
    pub applied_at: UnixMicros,
    /// Who brought it.
    pub source: String,
    /// The rules, in TOML.
    pub text: String,
}

/// A message of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecord {
    /// Which rule raised it.
    pub rule: String,
    /// What that rule said: 16 hexadecimal digits.
    pub rule_version: String,
    /// Where it goes.
    pub target: AlertTarget,
    /// What it says.
    pub body: String,
    /// An episode begins; otherwise one ends.
    pub begins: bool,
    /// The journal number of the reading that led to it.
    pub reading: Option<u64>,
    /// The cause in words.
    pub cause: String,
    /// When the rule decided.
    pub raised_at: UnixMicros,
}

/// Where an alert goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertTarget {
    /// To the broker.
    Topic {
        /// The topic.
        topic: String,
        /// QoS 0 or 1.
        qos: u8,
        /// The broker keeps it for later subscribers.
        retain: bool,
    },
    /// To a web server, as a POST.
    Url(String),
}

impl fmt::Display for AlertTarget {
    /// The topic, or only the server of the URL: passwords, keys and the secret paths of webhooks are in the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic { topic, .. } => f.write_str(topic),
            Self::Url(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let (authority, path) = match rest.find(['/', '?', '#']) {
                    Some(end) => rest.split_at(end),
                    None => (rest, ""),
                };
                let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
                let more = if path.len() > 1 { "/…" } else { "" };
                write!(f, "{scheme}://{server}{more}")
            }
        }
    }
}

/// What became of one try to deliver an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertOutcome {
    /// It was taken.
    Delivered,
    /// It was not, and is tried again.
    Failed {
        /// Why.
        error: String,
        /// When it is tried again.
        next_try_at: UnixMicros,
    },
    /// It was not, and nobody tries again.
    GivenUp {
        /// Why.
        error: String,
    },
}

/// An alert and what has become of it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Rising.
    pub id: u64,
    /// The message.
    pub alert: AlertRecord,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next, where it is.
    pub next_try_at: UnixMicros,
    /// When it was taken.
    pub delivered_at: Option<UnixMicros>,
    /// When it was given up.
    pub given_up_at: Option<UnixMicros>,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// Totals since the database was made, of committed batches. What retention deletes stays counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Readings in the history.
    pub stored: u64,
    /// Readings that were there already.
    pub duplicate: u64,
    /// What was no reading.
    pub rejected: u64,
}

/// How far the import of a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// What makes the file recognisable.
    pub source: String,
    /// Where to go on, in the words of its format: a line, a row.
    pub position: u64,
    /// Readings that were new.
    pub stored: u64,
    /// Readings that were there already.
    pub duplicate: u64,
    /// Lines that were none; each is among the rejects.
    pub bad: u64,
    /// When it began.
    pub began_at: UnixMicros,
    /// When its end was reached.
    pub ended_at: Option<UnixMicros>,
}

/// The direction of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// A place between two readings: right behind the one that it names.
///
/// Its text is `<at_micros>.<id>`, safe in a URL: `1795421190000000.42`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The reading's time.
    pub at: UnixMicros,
    /// The reading's journal number.
    pub id: u64,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: expected the `next` of an earlier page, as in 1795421190000000.42")]
pub struct NotACursor;

impl Cursor {
    /// The place right behind `reading`.
    #[must_use]
    pub const fn behind(reading: &StoredReading) -> Self {
        Self { at: reading.at, id: reading.id }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.0, self.id)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (at, id) = text.split_once('.').ok_or(NotACursor)?;
        // `from_str` alone would let `+5` through.
        if text.contains('+') {
            return Err(NotACursor);
        }
        let at = at.parse().map(UnixMicros).map_err(|_| NotACursor)?;
        // SQL's integers end at 2^63-1, and so do journal numbers.
        let id = id.parse::<i64>().ok().and_then(|id| u64::try_from(id).ok()).ok_or(NotACursor)?;
        Ok(Self { at, id })
    }
}

#[cfg(test)]
mod tests;
