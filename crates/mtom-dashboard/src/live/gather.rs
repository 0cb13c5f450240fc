//! What one viewer is still to be told, in its order, and when: at once where nothing was said to it of
//! late, else together.
//!
//! Each message costs a browser about as much as what is in it, and a thousand in a second a third of its
//! time. Pure: the present is an argument, and it holds a bounded number of changes.

use crate::api::{Counts, Frame};
use mtom_gateway::view::Update;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// After a message nothing is said for so long; nobody sees a light come later by that.
pub(super) const PAUSE: Duration = Duration::from_millis(20);
/// Full: the message goes at once. While its socket takes nothing the feed's queue fills, which has the policy.
pub(super) const CHANGES_LEN_MAX: usize = 256;

/// Something that a viewer is told.
pub(super) enum Change {
    Update(Arc<Update>),
    Counts(Counts),
}

/// When what is gathered is to be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    At(Instant),
}

pub(super) struct Gathered {
    changes: Vec<Change>,
    said_at: Instant,
}

impl Gathered {
    /// Something was said just now, or is about to be.
    pub(super) const fn new(now: Instant) -> Self {
        Self { changes: Vec::new(), said_at: now }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn add(&mut self, change: Change, now: Instant) -> Due {
        self.changes.push(change);
        let at = self.said_at + PAUSE;
        let is_due = now >= at || self.changes.len() >= CHANGES_LEN_MAX;
        if is_due { Due::Now } else { Due::At(at) }
    }

    /// All of it as one message: a frame of its own where it is one change. `None`: there is nothing.
    pub(super) fn take(&mut self) -> Option<String> {
        let mut frames: Vec<_> = self.changes.iter().map(Frame::from).collect();
        let text = match frames.len() {
            0 => return None,
            1 => frames.remove(0).json(),
            _ => Frame::Batch { frames }.json(),
        };
        self.changes.clear();
        Some(text)
    }

    /// A message, of this or of anything else, is written.
    pub(super) const fn said(&mut self, now: Instant) {
        self.said_at = now;
    }
}

impl<'a> From<&'a Change> for Frame<'a> {
    fn from(change: &'a Change) -> Self {
        match change {
            Change::Update(update) => Self::from(&**update),
            Change::Counts(counts) => Self::Counts { counts: *counts },
        }
    }
}

#[cfg(test)]
mod tests;
