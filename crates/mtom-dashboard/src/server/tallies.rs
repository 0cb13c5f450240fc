//! What happens at the page's port, counted since the start.

use mtom_forward::tally::{PortStats, Tally};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Tallies {
    /// Connections: a place is had from the first request on.
    pub(crate) connections: Arc<Tally>,
    /// Viewers of `/live`.
    pub(crate) viewers: Arc<Tally>,
    viewers_gone: AtomicU64,
    bodies_late: AtomicU64,
    forbidden: AtomicU64,
}

/// The counts up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageStats {
    pub(crate) connections: PortStats,
    pub(crate) viewers: PortStats,
    /// Viewers that were closed because nobody was there.
    pub(crate) viewers_gone: u64,
    /// Requests that were refused because their body was not there in time.
    pub(crate) bodies_late: u64,
    /// Requests that were refused because of who asked.
    pub(crate) forbidden: u64,
}

impl Tallies {
    pub(crate) fn stats(&self) -> PageStats {
        PageStats {
            connections: self.connections.stats(),
            viewers: self.viewers.stats(),
            viewers_gone: self.viewers_gone.load(Ordering::Relaxed),
            bodies_late: self.bodies_late.load(Ordering::Relaxed),
            forbidden: self.forbidden.load(Ordering::Relaxed),
        }
    }

    /// A viewer was closed because nobody was there.
    pub(crate) fn viewer_gone(&self) {
        self.viewers_gone.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused because its body was not there in time.
    pub(crate) fn body_late(&self) {
        self.bodies_late.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused because of who asked.
    pub(crate) fn forbidden(&self) {
        self.forbidden.fetch_add(1, Ordering::Relaxed);
    }
}
