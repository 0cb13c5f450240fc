//! Topics that are wished for while the client runs: subscribed to and given up as they come and go.
//!
//! They come many at a time, so what has changed is looked at a moment later, all of it together. A broker that
//! refuses one is not asked for it again on this connection; the others are not disturbed.

use mtom_mqtt::connection::Connection as Mqtt;
use mtom_mqtt::fault::Fault;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long changes may wait for company.
const DELAY: Duration = Duration::from_millis(100);
/// Filters of one packet.
const PACKET_LEN: usize = 100;

/// What is wished for.
pub struct Wishes {
    changed: watch::Receiver<u64>,
    list: Arc<dyn Fn() -> BTreeSet<String> + Send + Sync>,
    due: Option<Instant>,
    /// What this session has been asked for.
    asked: BTreeSet<String>,
    /// Packets that are not answered.
    unanswered: usize,
}

impl Wishes {
    /// What `list` says, looked at again whenever `changed` has.
    pub fn new(
        changed: watch::Receiver<u64>,
        list: impl Fn() -> BTreeSet<String> + Send + Sync + 'static,
    ) -> Self {
        let asked = BTreeSet::new();
        Self { changed, list: Arc::new(list), due: None, asked, unanswered: 0 }
    }

    /// Nothing, for ever.
    #[must_use]
    pub fn none() -> Self {
        Self::new(watch::channel(0).1, BTreeSet::new)
    }

    /// A connection is made; `is_whole`: the session has what it was asked for.
    pub(super) fn connected(&mut self, is_whole: bool) {
        if !is_whole || self.unanswered > 0 {
            self.asked.clear();
        }
        self.unanswered = 0;
        self.due = Some(Instant::now());
    }

    /// Waits until something is to be asked for. May be dropped and called again.
    pub(super) async fn due(&mut self) {
        loop {
            if let Some(due) = self.due {
                sleep_until(due).await;
                self.due = None;
                return;
            }
            if self.changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            self.due = Some(Instant::now() + DELAY);
        }
    }

    /// Asks for what is new and gives up what is not wished for any more.
    pub(super) fn follow(&mut self, mqtt: &mut Mqtt) -> Result<(), Fault> {
        let wanted = (self.list)();
        for filter in self.asked.difference(&wanted) {
            mqtt.unsubscribe(filter)?;
        }
        let new: Vec<&str> = wanted.difference(&self.asked).map(String::as_str).collect();
        for filters in new.chunks(PACKET_LEN) {
            mqtt.subscribe(filters, true)?;
            self.unanswered += 1;
        }
        self.asked = wanted;
        Ok(())
    }

    /// The broker has answered to one packet.
    pub(super) fn answered(&mut self, refused: &[(String, String)]) {
        self.unanswered = self.unanswered.saturating_sub(1);
        for (filter, reason) in refused {
            tracing::warn!(
                filter,
                reason,
                "the broker does not let us hear a topic of a discovered device"
            );
        }
    }
}
