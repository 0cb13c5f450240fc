//! Every reading as a line, for those who come by another way than the TCP port: `/live` of the page.

use crate::history::Pages;
use mtom_forward::follow::{Desk, LINE_LEN_MAX as LEN_MAX};
pub use mtom_forward::follow::{End, Wire};
pub use mtom_forward::owners::Controller;
use mtom_forward::owners::Owners;
use std::net::IpAddr;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest line that one may say.
pub const LINE_LEN_MAX: usize = LEN_MAX;

/// The readings of a gateway as lines, and who follows them. A clone is the same.
#[derive(Clone)]
pub struct Lines {
    desk: Desk<Pages>,
    owners: Owners,
}

impl Lines {
    pub(crate) const fn new(desk: Desk<Pages>, owners: Owners) -> Self {
        Self { desk, owners }
    }

    /// Tells those who follow of what comes, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        self.desk.run(&stop).await;
    }

    /// Has the conversation that began with the line `said`, over `wire` with `peer`, until it ends or `stop`.
    pub async fn follow(
        &self,
        wire: impl Wire,
        peer: IpAddr,
        said: Vec<u8>,
        stop: CancellationToken,
    ) {
        self.desk.follow(wire, peer, Some(said), stop).await;
    }

    /// Which controllers follow, and what they drive.
    #[must_use]
    pub fn controllers(&self, now: Instant) -> Vec<Controller> {
        self.owners.list(now)
    }
}
