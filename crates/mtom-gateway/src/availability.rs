//! Which devices are there and which have gone, as they, their last wills or their bridges say it.
//!
//! Pure: the present is an argument. Who says nothing of the kind is not known here; it is silent once its readings
//! are missed, which is something else. A reading of a device that had gone makes it be there again, unless it was
//! measured before that. All of it is in memory: after a restart brokers tell again what they have kept, and until
//! then nothing is known.

use mtom_protocol::payload::{Availability as Said, Whose};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Devices that are known. Full: a further one is not noted, and counted each time that it speaks.
pub const DEVICES_LEN_MAX: usize = 10_000;

/// Whether a device is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// Which, as its readings name it.
    pub device: Arc<str>,
    /// It is there.
    pub is_available: bool,
    /// Since when.
    pub since: UnixMicros,
    /// It was so before anybody here could hear it: `since` is when that was learnt.
    pub is_learnt_late: bool,
}

/// What was heard of somebody being there, behind so many readings of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) behind: usize,
    pub(crate) who: Who,
    pub(crate) is_available: bool,
    /// A copy that the broker had kept.
    pub(crate) is_kept: bool,
}

/// Whom it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Device(Arc<str>),
    /// Everybody whose readings' topics begin so.
    Bridge(&'static str),
    /// A Sparkplug node, and the devices behind it: `group/node`.
    Node(Arc<str>),
}

impl Heard {
    /// Of somebody whose word just came.
    pub(crate) fn now(who: Who, is_available: bool, behind: usize) -> Self {
        Self { behind, who, is_available, is_kept: false }
    }

    pub(crate) fn new(said: Said<'_>, behind: usize, is_kept: bool) -> Self {
        let who = match said.whose {
            Whose::Device(name) => Who::Device(name.into()),
            Whose::Bridge(prefix) => Who::Bridge(prefix),
        };
        Self { behind, who, is_available: said.is_available, is_kept }
    }
}

/// One word about it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word {
    is_available: bool,
    since: UnixMicros,
    is_learnt_late: bool,
}

/// A device by its own word, and while what it is reached through is away by that.
#[derive(Default)]
struct Known {
    own: Option<Word>,
    unreachable: Option<Word>,
}

impl Known {
    fn word(&self) -> Option<Word> {
        self.unreachable.or(self.own)
    }
}

/// Everybody of whom that is known.
#[derive(Default)]
pub(crate) struct Availabilities {
    devices: BTreeMap<Arc<str>, Known>,
    /// How many of them have gone: without any, readings cost nothing here.
    away: usize,
    refused: u64,
}

impl Availabilities {
    /// Notes what a device says of itself, or somebody of it; what has become of it, where that changed.
    pub(crate) fn says(
        &mut self,
        device: &str,
        is_available: bool,
        is_learnt_late: bool,
        now: UnixMicros,
    ) -> Option<Availability> {
        let word = Word { is_available, since: now, is_learnt_late };
        self.change(device, |known| {
            // Said again it is no later.
            if known.own.is_none_or(|own| own.is_available != is_available) {
                known.own = Some(word);
            }
        })
    }

    /// Notes that what these devices are reached through has gone or is back; who that has changed.
    pub(crate) fn bridge(
        &mut self,
        devices: impl Iterator<Item = Arc<str>>,
        is_available: bool,
        is_learnt_late: bool,
        now: UnixMicros,
    ) -> Vec<Availability> {
        let word = Word { is_available, since: now, is_learnt_late };
        let change = |device: Arc<str>| {
            self.change(&device, |known| {
                if !is_available {
                    known.unreachable.get_or_insert(word);
                } else if known.unreachable.take().is_some() {
                    // What it says itself stands; else it is reached again.
                    known.own.get_or_insert(word);
                }
            })
        };
        devices.filter_map(change).collect()
    }

    /// A reading has come: whoever sent it is there.
    pub(crate) fn heard(&mut self, stored: &StoredReading) -> Option<Availability> {
        let device = &stored.reading.device;
        let word = self.devices.get(device).filter(|_| self.away > 0)?.word()?;
        // What it had measured before came late.
        if word.is_available || stored.at < word.since {
            return None;
        }
        let since = stored.arrived_at;
        self.change(device, |known| {
            let word = Word { is_available: true, since, is_learnt_late: false };
            *known = Known { own: Some(word), unreachable: None };
        })
    }

    /// Everybody, in the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = Availability> {
        let all = self.devices.iter();
        all.filter_map(|(device, known)| Some(shown(device, known.word()?)))
    }

    /// Those of whom something is known and whose names begin so.
    pub(crate) fn named(&self, prefix: &str) -> Vec<Arc<str>> {
        let from = self.devices.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let names = from.map(|(name, _)| name).take_while(|name| name.starts_with(prefix));
        names.map(Arc::clone).collect()
    }

    /// Of one.
    pub(crate) fn of(&self, device: &str) -> Option<Availability> {
        let (device, known) = self.devices.get_key_value(device)?;
        Some(shown(device, known.word()?))
    }

    /// How often something was said by a device for which there was no room.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    fn change(&mut self, device: &str, change: impl FnOnce(&mut Known)) -> Option<Availability> {
        if !self.devices.contains_key(device) {
            if self.devices.len() >= DEVICES_LEN_MAX {
                self.refused += 1;
                return None;
            }
            self.devices.insert(device.into(), Known::default());
        }
        let known = self.devices.get_mut(device)?;
        let before = known.word();
        change(known);
        let after = known.word();
        if after.is_none() {
            self.devices.remove(device);
        }
        if before == after {
            return None;
        }
        let is_away = |word: Option<Word>| usize::from(word.is_some_and(|word| !word.is_available));
        self.away = self.away + is_away(after) - is_away(before);
        self.of(device)
    }
}

fn shown(device: &Arc<str>, word: Word) -> Availability {
    let Word { is_available, since, is_learnt_late } = word;
    Availability { device: Arc::clone(device), is_available, since, is_learnt_late }
}

#[cfg(test)]
mod tests;
