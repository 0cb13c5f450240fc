//! What reaches the relay, and what of it is not written yet.

use super::{BATCH_LEN_MAX, OUTCOME_DELAY, Relay};
use crate::alerts::Note;
use crate::board::Outcome;
use crate::control::Request;
use crate::discovery::Plans;
use crate::forwarded::lines::Forwarding;
use mtom_broker::intake::Delivery;
use mtom_protocol::payload::sparkplug::METRICS_LEN_MAX;
use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// The fewest bytes of a payload in which one more reading, or one more that is refused, can be said: a metric of
/// Sparkplug with a number for its name and a value.
const OUTCOME_LEN: usize = 6;
/// How many readings the messages of one transaction may say, as far as their lengths tell. What is beyond waits for
/// the next.
const OUTCOMES_MAX: usize = 16 * BATCH_LEN_MAX;

/// The queues of the relay; each says where it is made what happens when it is full.
pub(crate) struct Inbox {
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    /// From another gateway.
    pub(crate) forwarded: mpsc::Receiver<Forwarding>,
    pub(crate) outcomes: mpsc::Receiver<Outcome>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) notes: mpsc::Receiver<Note>,
}

/// What goes into the next transaction.
#[derive(Default)]
pub(super) struct Work {
    pub(super) batch: Vec<Delivery>,
    /// Those that were taken and are too much for this transaction.
    pub(super) rest: VecDeque<Delivery>,
    pub(super) forwarded: Vec<Forwarding>,
    pub(super) told: Vec<Outcome>,
    /// When `told` is to be written at the latest, whatever else happens until then.
    pub(super) told_due: Option<Instant>,
    pub(super) notes: Vec<Note>,
}

impl Work {
    /// How many messages and forwarded readings there are.
    pub(super) fn len(&self) -> usize {
        self.batch.len() + self.forwarded.len()
    }

    /// There is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.told.is_empty() && self.notes.is_empty()
    }

    /// Puts off what is too much for one transaction.
    fn lighten(&mut self) {
        let mut sum = 0_usize;
        let is_too_much = |delivery: &Delivery| {
            let most = (delivery.message.payload.len() / OUTCOME_LEN).clamp(1, METRICS_LEN_MAX);
            // Each sensor may find one in the same few bytes.
            let most = most.max(Plans::of(delivery).map_or(0, Plans::len));
            sum = sum.saturating_add(most);
            sum > OUTCOMES_MAX
        };
        // One of them alone never is.
        if let Some(len) = self.batch.iter().position(is_too_much) {
            for delivery in self.batch.drain(len..).rev() {
                self.rest.push_front(delivery);
            }
        }
    }

    /// Takes up what was put off; false: nothing was.
    fn take_up(&mut self) -> bool {
        let has_rest = !self.rest.is_empty();
        self.batch.extend(self.rest.drain(..));
        self.lighten();
        has_rest
    }

    fn tell(&mut self, outcome: Outcome, now: Instant) {
        self.told.push(outcome);
        self.told_due.get_or_insert(now + OUTCOME_DELAY);
    }

    /// The outcomes are written.
    pub(super) fn close_told(&mut self) {
        self.told.clear();
        self.told_due = None;
    }

    /// The outcomes could not be written.
    pub(super) fn put_off_told(&mut self, now: Instant) {
        self.told_due = (!self.told.is_empty()).then(|| now + OUTCOME_DELAY);
    }
}

pub(super) enum Wake {
    Work,
    Request(Request),
    Timer,
    End,
}

impl Inbox {
    /// Takes what is there, or waits for something, at most for `wait`.
    pub(super) async fn next(
        &mut self,
        work: &mut Work,
        wait: Duration,
        end: &CancellationToken,
    ) -> Wake {
        if work.take_up() {
            self.take_notes(work);
            return Wake::Work;
        }
        let mut rest = pin!(sleep(wait));
        loop {
            let told_due = work.told_due;
            tokio::select! {
                biased;
                count = self.deliveries.recv_many(&mut work.batch, BATCH_LEN_MAX) => {
                    work.lighten();
                    self.take_notes(work);
                    return if count == 0 { Wake::End } else { Wake::Work };
                }
                Some(forwarding) = self.forwarded.recv() => {
                    work.forwarded.push(forwarding);
                    self.take_forwarded(work);
                    self.take_notes(work);
                    return Wake::Work;
                }
                Some(outcome) = self.outcomes.recv() => {
                    work.tell(outcome, Instant::now());
                }
                // The next alert of its target waits for it.
                Some(note) = self.notes.recv() => {
                    work.notes.push(note);
                    self.take_notes(work);
                    return Wake::Work;
                }
                // Before the requests: whoever asks again and again does not hold this up.
                () = sleep_until(told_due.unwrap_or_else(Instant::now)), if told_due.is_some() => {
                    return Wake::Timer;
                }
                () = &mut rest => return Wake::Timer,
                Some(request) = self.requests.recv() => return Wake::Request(request),
                () = end.cancelled(), if !self.deliveries.is_closed() => self.deliveries.close(),
            }
        }
    }

    /// What a person asks for, if anybody does.
    pub(super) fn request(&mut self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Takes the outcomes that came before the end.
    pub(super) fn take_last(&mut self, work: &mut Work) {
        while let Ok(outcome) = self.outcomes.try_recv() {
            work.tell(outcome, Instant::now());
        }
        self.take_forwarded(work);
        self.take_notes(work);
    }

    fn take_forwarded(&mut self, work: &mut Work) {
        while work.forwarded.len() < BATCH_LEN_MAX
            && let Ok(forwarding) = self.forwarded.try_recv()
        {
            work.forwarded.push(forwarding);
        }
    }

    fn take_notes(&mut self, work: &mut Work) {
        while let Ok(note) = self.notes.try_recv() {
            work.notes.push(note);
        }
    }
}

impl Relay {
    /// How long it may sleep when nothing comes.
    pub(super) fn wait_max(&self) -> Duration {
        let rules_in = self.rules.engine.next_deadline(&self.rules.state);
        let rules_in = rules_in.map_or(Duration::MAX, |at| at.since((self.clock)()));
        let wait = rules_in.min(self.upkeep.wait_max());
        if self.failing { wait.min(super::RETRY_PERIOD) } else { wait }
    }
}

#[cfg(test)]
mod tests;
