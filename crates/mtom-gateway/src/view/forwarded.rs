//! What became of the readings that other programs get, counted where they leave.

use super::View;
use mtom_forward::feed::{Feed, FeedStats};
use mtom_forward::live::{LiveHub, LiveStats};
use mtom_forward::tally::{PortStats, Tally};
use mtom_forward::udp::UdpStats;
use std::sync::Arc;

/// The counts of this moment, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// In the original's words, at its live port.
    pub live: LiveStats,
    /// At the original's history port.
    pub history: PortStats,
    /// As lines, by TCP.
    pub tcp: FeedStats,
    /// As datagrams, by UDP.
    pub udp: UdpStats,
}

/// Where they leave.
pub(super) struct Exits {
    live: LiveHub,
    history: Arc<Tally>,
    feed: Feed,
}

impl Exits {
    pub(super) fn counts(&self) -> Forwarded {
        let Self { live, history, feed } = self;
        let (live, history) = (live.stats(), history.stats());
        Forwarded { live, history, tcp: feed.stats(), udp: feed.udp_stats() }
    }
}

impl View {
    /// Shows what becomes of readings that other programs get.
    pub(crate) fn forwarding(&self, live: LiveHub, history: Arc<Tally>, feed: Feed) {
        self.state().exits = Some(Exits { live, history, feed });
    }
}
