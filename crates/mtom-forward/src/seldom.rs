//! Limits how often something is logged, so that an outsider cannot fill the disk.

use std::time::Duration;
use tokio::time::Instant;

/// Lets the first event through, then one per period, and counts what it holds back.
pub(crate) struct Seldom {
    period: Duration,
    last: Option<Instant>,
    held_back: u64,
}

impl Seldom {
    pub(crate) const fn new(period: Duration) -> Self {
        Self { period, last: None, held_back: 0 }
    }

    /// `Some` when this event may be logged, with the number that was held back before it.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < self.period) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}
