//! How far it is in each history, and which of them a gateway is offered.
//!
//! A gateway that has never had the history it is offered says so; then it is offered the one before that. When none is
//! left it begins with what comes.

use super::{Kept, Place};
use tokio::sync::watch;

/// How many histories are remembered. Full: the one that was followed the longest ago is forgotten.
const LEN_MAX: usize = 16;

pub(super) struct Places {
    /// The last one first.
    known: Vec<Place>,
    /// How many of them the gateway did not know.
    unknown: usize,
    kept: watch::Receiver<Kept>,
    /// What of `kept` is in `known`.
    taken: Option<Place>,
}

impl Places {
    pub(super) fn new(known: Vec<Place>, kept: watch::Receiver<Kept>) -> Self {
        Self { known, unknown: 0, kept, taken: None }
    }

    /// Where to go on; `None`: with what comes.
    pub(super) fn offered(&mut self) -> Option<Place> {
        let kept = self.kept.borrow_and_update().place.clone();
        if let Some(kept) = kept.filter(|kept| self.taken.as_ref() != Some(kept)) {
            match self.known.iter_mut().find(|known| known.history == kept.history) {
                Some(known) => known.id = known.id.max(kept.id),
                None => self.known.insert(0, kept.clone()),
            }
            self.taken = Some(kept);
        }
        self.known.get(self.unknown).cloned()
    }

    /// The gateway does not know what it was offered. False: that was all.
    pub(super) fn is_unknown(&mut self) -> bool {
        let had_more = self.unknown < self.known.len();
        self.unknown += usize::from(had_more);
        had_more
    }

    /// The gateway begins behind that.
    pub(super) fn set(&mut self, place: Place) {
        self.known.retain(|known| known.history != place.history);
        self.known.insert(0, place);
        self.known.truncate(LEN_MAX);
        self.unknown = 0;
    }

    /// How far its own side is, and each change of it.
    pub(super) const fn kept(&mut self) -> &mut watch::Receiver<Kept> {
        &mut self.kept
    }
}
