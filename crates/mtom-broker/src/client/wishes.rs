//! Topics that are wished for while the client runs: subscribed to and given up as they come and go.
//!
//! They come many at a time, so what has changed is looked at a moment later, all of it together. A broker that
//! refuses one is not asked for it again on this connection; the others are not disturbed.
//!
//! A broker that keeps our session keeps its subscriptions, also those of a process that has ended. So what is asked
//! for is noted before, and what is noted and not wished for any more is given up, whoever has asked for it; it is out
//! of the note when the broker has answered to that.

use mtom_mqtt::connection::Connection as Mqtt;
use mtom_mqtt::fault::Fault;
use std::collections::BTreeSet;
use std::io;
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
    /// What the session may have, by earlier processes too.
    noted: BTreeSet<String>,
    /// The note that is written down is another.
    is_older: bool,
    write: Arc<Write>,
    /// What somebody else has asked for in the same session.
    others: BTreeSet<String>,
    /// What the broker has been told to give up on this connection and has not answered to.
    leaving: BTreeSet<String>,
}

/// Writes down what the session may have.
type Write = dyn Fn(&BTreeSet<String>) -> io::Result<()> + Send + Sync;

impl Wishes {
    /// What `list` says, looked at again whenever `changed` has.
    pub fn new(
        changed: watch::Receiver<u64>,
        list: impl Fn() -> BTreeSet<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            changed,
            list: Arc::new(list),
            due: None,
            asked: BTreeSet::new(),
            unanswered: 0,
            noted: BTreeSet::new(),
            is_older: false,
            write: Arc::new(|_| Ok(())),
            others: BTreeSet::new(),
            leaving: BTreeSet::new(),
        }
    }

    /// Notes what is asked for with `write`, which may block; `noted` is what was noted before. What is among `others`
    /// is asked for by somebody else and is not given up here.
    #[must_use]
    pub fn noting(
        self,
        noted: BTreeSet<String>,
        others: BTreeSet<String>,
        write: impl Fn(&BTreeSet<String>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { noted, others, write: Arc::new(write), ..self }
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
        self.leaving.clear();
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
    pub(super) async fn follow(&mut self, mqtt: &mut Mqtt) -> Result<(), Fault> {
        let wanted = (self.list)();
        let others = &self.others;
        let len = self.noted.len();
        self.noted.retain(|filter| wanted.contains(filter) || !others.contains(filter));
        self.is_older |= self.noted.len() != len || !wanted.is_subset(&self.noted);
        self.noted.extend(wanted.iter().cloned());
        if self.is_older {
            self.write().await;
        }
        for filter in self.noted.difference(&wanted) {
            if self.leaving.insert(filter.clone()) {
                mqtt.unsubscribe(filter)?;
            }
        }
        let new: Vec<&str> = wanted.difference(&self.asked).map(String::as_str).collect();
        for filters in new.chunks(PACKET_LEN) {
            mqtt.subscribe(filters, true)?;
            self.unanswered += 1;
        }
        self.asked = wanted;
        Ok(())
    }

    async fn write(&mut self) {
        let (write, noted) = (Arc::clone(&self.write), self.noted.clone());
        match tokio::task::spawn_blocking(move || write(&noted)).await {
            Ok(Ok(())) => self.is_older = false,
            // It is tried again with the next change; to hear is worth more than to be tidy after a crash.
            Ok(Err(cause)) => {
                tracing::warn!(%cause, "what the broker is asked for is not noted");
            }
            Err(cause) => {
                tracing::warn!(%cause, "what the broker is asked for is not noted");
            }
        }
    }

    /// The broker has given up one.
    pub(super) fn given_up(&mut self, filter: &str) {
        let was_leaving = self.leaving.remove(filter);
        if was_leaving && !self.asked.contains(filter) && self.noted.remove(filter) {
            self.is_older = true;
            self.due.get_or_insert(Instant::now() + DELAY);
        }
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
