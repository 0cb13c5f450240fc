//! What reaches the relay, and what of it is not written yet.

use super::{BATCH_LEN_MAX, OUTCOME_DELAY, Relay};
use crate::alerts::Note;
use crate::board::Outcome;
use crate::control::Request;
use mtom_broker::intake::Delivery;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The queues of the relay; each says where it is made what happens when it is full.
pub(crate) struct Inbox {
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    pub(crate) outcomes: mpsc::Receiver<Outcome>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) notes: mpsc::Receiver<Note>,
}

/// What goes into the next transaction.
#[derive(Default)]
pub(super) struct Work {
    pub(super) batch: Vec<Delivery>,
    pub(super) told: Vec<Outcome>,
    pub(super) notes: Vec<Note>,
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
        mut wait: Duration,
        end: &CancellationToken,
    ) -> Wake {
        let mut delayed = !work.told.is_empty();
        loop {
            if delayed {
                wait = wait.min(OUTCOME_DELAY);
            }
            tokio::select! {
                biased;
                count = self.deliveries.recv_many(&mut work.batch, BATCH_LEN_MAX) => {
                    self.take_notes(work);
                    return if count == 0 { Wake::End } else { Wake::Work };
                }
                Some(outcome) = self.outcomes.recv() => {
                    work.told.push(outcome);
                    delayed = true;
                }
                // The next alert of its target waits for it.
                Some(note) = self.notes.recv() => {
                    work.notes.push(note);
                    self.take_notes(work);
                    return Wake::Work;
                }
                Some(request) = self.requests.recv() => return Wake::Request(request),
                () = end.cancelled(), if !self.deliveries.is_closed() => self.deliveries.close(),
                () = tokio::time::sleep(wait) => return Wake::Timer,
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
            work.told.push(outcome);
        }
        self.take_notes(work);
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
