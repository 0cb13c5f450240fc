//! The newest readings, by their ids: what those who follow them get without a look into the history.
//!
//! Pure: no I/O, no lock, no clock. It says honestly when it does not know all that came behind an id; who is that
//! far back reads the history, so a client that is slow loses nothing.

use crate::lines::{Request, line};
use mtom_protocol::reading::StoredReading;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

/// The newest readings, bounded by number. When full the oldest goes: it is in the history.
pub(crate) struct Recent {
    entries: VecDeque<Entry>,
    entries_max: usize,
    /// Every reading behind this id is in `entries`.
    complete_after: u64,
    newest: u64,
}

struct Entry {
    stored: Arc<StoredReading>,
    /// Encoded once, for the first who wants it.
    line: OnceLock<Box<[u8]>>,
}

/// How much a [`Piece`] may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// One line may be longer.
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
    /// So many readings are looked at for it, wanted or not.
    pub(crate) looks: usize,
}

/// Whole lines, one behind the other, for one write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// The ids of these lines.
    pub(crate) ids: Vec<u64>,
    /// Everything up to this id is in it, or is not wanted.
    pub(crate) until: u64,
}

impl Piece {
    /// Nothing yet, for one who has everything up to `id`.
    pub(crate) const fn behind(id: u64) -> Self {
        Self { bytes: Vec::new(), ids: Vec::new(), until: id }
    }

    /// Adds a reading, where it is wanted; false: there is no room for it.
    pub(crate) fn add<'a>(
        &mut self,
        stored: &'a StoredReading,
        request: &Request,
        room: Room,
        line: impl FnOnce() -> Cow<'a, [u8]>,
    ) -> bool {
        if request.wants(stored) {
            let line = line();
            let is_long = !self.ids.is_empty() && self.bytes.len() + line.len() > room.bytes;
            if is_long || self.ids.len() >= room.lines {
                return false;
            }
            self.bytes.extend_from_slice(&line);
            self.ids.push(stored.id);
        }
        self.until = stored.id;
        true
    }
}

impl Recent {
    /// Room for `entries_max` readings. `newest` is the last one that is stored; `known` are all that are stored
    /// from its first one on.
    pub(crate) fn new(entries_max: usize, newest: u64, known: Vec<StoredReading>) -> Self {
        let complete_after = known.first().map_or(newest, |first| first.id - 1);
        let (entries, entries_max) = (VecDeque::new(), entries_max.max(1));
        let mut recent = Self { entries, entries_max, complete_after, newest };
        for stored in known {
            recent.push(Arc::new(stored));
        }
        recent.newest = newest;
        recent
    }

    /// The id of the newest reading.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Takes the next reading; ids rise.
    pub(crate) fn push(&mut self, stored: Arc<StoredReading>) {
        self.newest = stored.id;
        if self.entries.len() == self.entries_max
            && let Some(oldest) = self.entries.pop_front()
        {
            self.complete_after = oldest.stored.id;
        }
        self.entries.push_back(Entry { stored, line: OnceLock::new() });
    }

    /// What comes behind `id`; `None`: not all of it is here.
    pub(crate) fn after(&self, id: u64, request: &Request, room: Room) -> Option<Piece> {
        if id < self.complete_after {
            return None;
        }
        let from = self.entries.partition_point(|entry| entry.stored.id <= id);
        let mut piece = Piece::behind(id);
        for Entry { stored, line: encoded } in self.entries.range(from..).take(room.looks) {
            let encode =
                || Cow::Borrowed(&**encoded.get_or_init(|| line(stored).into_boxed_slice()));
            if !piece.add(stored, request, room, encode) {
                break;
            }
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests;
