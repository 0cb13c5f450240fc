//! What two sequences of commands have in common, and what only one of them has.
//!
//! Pure, and in one pass: commands of both sides come in the order of time, and only those of the last
//! moment are remembered, so that months can be compared. A command that says what the side has said of
//! the actuator before is no change and is left out.

use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One actuator is to be so from then on; or, once, an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) at: UnixMicros,
    /// Its name; of an alert where it goes, as in `publish alarm/heat`.
    pub(crate) actuator: Arc<str>,
    /// What it is to be; of an alert whether its episode begins or ends.
    pub(crate) led: Led,
    /// One alert like another is news; one command like another is none.
    pub(crate) is_alert: bool,
    /// What kind of cause; `None` where nobody says.
    pub(crate) reason: Option<Reason>,
    pub(crate) rule: Arc<str>,
    /// The cause in words.
    pub(crate) cause: String,
    /// The journal number of the reading that led to it.
    pub(crate) reading: Option<u64>,
}

/// What kind of cause a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Reading,
    Silent,
    Start,
    /// A person, or the end of what a person said.
    Override,
    /// The end of a schedule.
    Schedule,
    /// A cause that has no word here.
    Other,
}

/// Whose commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What was expected, or what was really decided.
    Old,
    /// What happened, or what would have.
    New,
}

/// A command that only one side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) side: Side,
    pub(crate) command: Command,
}

/// Compares while commands come.
#[derive(Debug)]
pub(crate) struct Comparer {
    slack: Duration,
    /// Commands without their like so far, in the order of time.
    open: VecDeque<Difference>,
    states: [HashMap<Arc<str>, Led>; 2],
}

impl Comparer {
    /// Commands that are the same but for at most `slack` are the same.
    pub(crate) fn new(slack: Duration) -> Self {
        Self { slack, open: VecDeque::new(), states: Default::default() }
    }

    /// What was so before the comparison begins.
    pub(crate) fn begin(&mut self, side: Side, actuator: &Arc<str>, led: Led) {
        self.states[side as usize].insert(Arc::clone(actuator), led);
    }

    /// Takes a command; those of one side must not go back in time. Says whether it was a change.
    pub(crate) fn push(&mut self, side: Side, command: Command) -> bool {
        let states = &mut self.states[side as usize];
        let before = states.insert(Arc::clone(&command.actuator), command.led);
        if before == Some(command.led) && !command.is_alert {
            return false;
        }
        let distance = |other: &Command| other.at.since(command.at).max(command.at.since(other.at));
        let is_like = |other: &Difference| {
            let theirs = &other.command;
            other.side != side
                && theirs.actuator == command.actuator
                && theirs.led == command.led
                && distance(theirs) <= self.slack
                && (theirs.reason.is_none()
                    || command.reason.is_none()
                    || theirs.reason == command.reason)
        };
        let like = self.open.iter().enumerate().filter(|(_, other)| is_like(other));
        match like.min_by_key(|(_, other)| distance(&other.command)).map(|(at, _)| at) {
            Some(like) => drop(self.open.remove(like)),
            None => self.open.push_back(Difference { side, command }),
        }
        true
    }

    /// Nothing before `now` comes any more: the next command whose like can no longer come.
    pub(crate) fn pop(&mut self, now: UnixMicros) -> Option<Difference> {
        let oldest = self.open.front()?;
        if now.since(oldest.command.at) <= self.slack {
            return None;
        }
        self.open.pop_front()
    }

    /// What is left when nothing comes any more.
    pub(crate) fn finish(self) -> impl Iterator<Item = Difference> {
        self.open.into_iter()
    }
}

/// What a person would call one difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    Missing(Command),
    Unexpected(Command),
    /// The same, at another time or for another reason.
    Other {
        expected: Command,
        actual: Command,
    },
}

/// Compares two whole sequences exactly, and joins what differs in time or reason only. In the order
/// of time.
pub(crate) fn mismatches(expected: Vec<Command>, actual: Vec<Command>) -> Vec<Mismatch> {
    let mut comparer = Comparer::new(Duration::ZERO);
    for (side, commands) in [(Side::Old, expected), (Side::New, actual)] {
        for command in commands {
            comparer.push(side, command);
        }
    }
    let (old, new): (Vec<_>, Vec<_>) =
        comparer.finish().partition(|difference| difference.side == Side::Old);
    let mut new: Vec<Option<Command>> = new.into_iter().map(|it| Some(it.command)).collect();
    let mut found: Vec<Mismatch> = Vec::new();
    for Difference { command: expected, .. } in old {
        let like = new.iter_mut().find(|actual| {
            actual.as_ref().is_some_and(|actual| {
                actual.actuator == expected.actuator && actual.led == expected.led
            })
        });
        found.push(match like.and_then(Option::take) {
            Some(actual) => Mismatch::Other { expected, actual },
            None => Mismatch::Missing(expected),
        });
    }
    found.extend(new.into_iter().flatten().map(Mismatch::Unexpected));
    found.sort_by_key(Mismatch::at);
    found
}

impl Mismatch {
    fn at(&self) -> UnixMicros {
        match self {
            Self::Missing(command) | Self::Unexpected(command) => command.at,
            Self::Other { expected, actual } => expected.at.min(actual.at),
        }
    }
}

impl Reason {
    /// The words that may stand in parentheses behind what is expected.
    pub(crate) const WORDS: [(&str, Self); 4] = [
        ("silent", Self::Silent),
        ("reading", Self::Reading),
        ("override", Self::Override),
        ("schedule", Self::Schedule),
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reading => "reading",
            Self::Silent => "silent",
            Self::Start => "start",
            Self::Override => "override",
            Self::Schedule => "schedule",
            Self::Other => "other",
        })
    }
}

/// `on` or `off`.
pub(crate) const fn word(led: Led) -> &'static str {
    match led {
        Led::On => "on",
        Led::Off => "off",
    }
}

#[cfg(test)]
mod tests;
