//! What became of the readings that other programs get, counted where they leave.

use super::View;
use mtom_forward::feed::{Feed, FeedStats};
use mtom_forward::udp::UdpStats;

/// The counts of this moment, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// As lines, by TCP.
    pub tcp: FeedStats,
    /// As datagrams, by UDP.
    pub udp: UdpStats,
}

impl From<&Feed> for Forwarded {
    fn from(feed: &Feed) -> Self {
        Self { tcp: feed.stats(), udp: feed.udp_stats() }
    }
}

impl View {
    /// Shows what becomes of readings that other programs get.
    pub(crate) fn forwarding(&self, feed: Feed) {
        self.state().feed = Some(feed);
    }
}
