//! What happens at one port, counted since the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Counts what happens at one port.
#[derive(Debug, Default)]
pub struct Tally {
    pub(crate) open: watch::Sender<u64>,
    refused: AtomicU64,
    malformed: AtomicU64,
    closed_slow: AtomicU64,
    late: AtomicU64,
    crowded: AtomicU64,
}

/// The counts up to a moment. `open` is of that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStats {
    /// Connections that have a place.
    pub open: u64,
    /// Connections that were refused: no place, or who may not connect.
    pub refused: u64,
    /// Connections that were refused because they said no request that the port takes.
    pub malformed: u64,
    /// Connections that were closed because a write made no progress.
    pub closed_slow: u64,
    /// Connections that were closed because a request, the first or one that they had begun, was not there in time.
    pub late: u64,
    /// Connections that were closed, or told so, before they had a place because there were too many of those.
    pub crowded: u64,
}

impl Tally {
    /// The counts up to now.
    #[must_use]
    pub fn stats(&self) -> PortStats {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PortStats {
            open: *self.open.borrow(),
            refused: count(&self.refused),
            malformed: count(&self.malformed),
            closed_slow: count(&self.closed_slow),
            late: count(&self.late),
            crowded: count(&self.crowded),
        }
    }

    /// One was refused.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// One was refused that said no request that the port takes.
    pub fn malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// One was closed that took nothing.
    pub fn closed_slow(&self) {
        self.closed_slow.fetch_add(1, Ordering::Relaxed);
    }

    /// One was closed whose request was not there in time.
    pub fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// One was closed before it had a place because there were too many of those.
    pub fn crowded(&self) {
        self.crowded.fetch_add(1, Ordering::Relaxed);
    }
}

/// One who has a place, counted as long as it lives.
#[derive(Debug)]
pub struct Present {
    tally: Arc<Tally>,
    _place: OwnedSemaphorePermit,
}

impl Present {
    /// One more.
    #[must_use]
    pub fn new(tally: Arc<Tally>, place: OwnedSemaphorePermit) -> Self {
        tally.open.send_modify(|open| *open += 1);
        Self { tally, _place: place }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.tally.open.send_modify(|open| *open -= 1);
    }
}
