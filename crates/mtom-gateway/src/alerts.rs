//! Brings the alerts that rules raised to where they go: a topic of the broker, or a web server.
//!
//! They wait in the journal, where the relay wrote them with the reading that led to them. What becomes of each
//! try goes back to the relay, which writes it down. So each alert is delivered at least once: when the process
//! dies between a delivery and its note, the next one delivers it again, with the same number in `X-Mtom-Alert`.
//! It is not given up before it was tried.
//!
//! At the end nothing new is tried and tries under way have [`DRAIN_MAX`]; the relay ends after that, so that
//! what was delivered is noted. What still waits is tried after the next start.

use crate::Clock;
use crate::view::{AlertCounts, Hop, LogEvent, View};
use mtom_broker::outlet::{Announcement, Outlet};
use mtom_protocol::time::UnixMicros;
use mtom_store::error::StoreError;
use mtom_store::history::History;
use mtom_store::record::{AlertOutcome, AlertRow, AlertTarget};
use queue::{Blame, Ended, LINE_LEN_MAX, Queue, Turn};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webhook::{Refused, Webhooks};

mod queue;
mod webhook;

/// Notes that wait for the relay. Full: whoever delivers waits.
pub(crate) const NOTES_LEN: usize = 64;
/// Alerts that are read at a time; each may have 64 KiB.
const PAGE_LEN: usize = 64;
/// The limit of one try, from the server's name to its answer.
const TRY_MAX: Duration = Duration::from_secs(10);
/// An alert that could not be delivered for so long is given up.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon it is tried again to read the journal.
const REREAD_DELAY: Duration = Duration::from_secs(1);
/// What subscribers have to come back after a start: a broker that starts with us has lost them, and what
/// waited would be said to nobody.
const SUBSCRIBERS_DELAY: Duration = Duration::from_secs(5);
/// What tries under way have at the end.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// What became of one try, for the relay to write down.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) outcome: AlertOutcome,
    pub(crate) at: UnixMicros,
    /// Told when it is on the disk.
    pub(crate) written: oneshot::Sender<()>,
}

/// What runs it.
pub(crate) struct Alerts {
    courier: Courier,
    queue: Queue,
    counts: AlertCounts,
    /// The relay has written alerts.
    raised: Arc<Notify>,
    /// Every alert up to this number has been read.
    read_up_to: u64,
    reread_at: Option<UnixMicros>,
}

/// Brings one alert. Cheap to clone.
#[derive(Clone)]
struct Courier {
    history: History,
    /// `None`: the readings come from another gateway and there is no broker.
    outlet: Option<Outlet>,
    webhooks: Webhooks,
    notes: mpsc::Sender<Note>,
    view: View,
    clock: Clock,
    /// From 0 to 1.
    chance: fn() -> f64,
    try_max: Duration,
    stop: CancellationToken,
}

impl Alerts {
    /// What delivers the alerts of `history` until `stop`.
    pub(crate) fn new(
        history: History,
        outlet: Option<Outlet>,
        raised: Arc<Notify>,
        notes: mpsc::Sender<Note>,
        (view, clock): (View, Clock),
        stop: CancellationToken,
    ) -> Self {
        let (webhooks, chance, try_max) = (Webhooks::new(TRY_MAX), fastrand::f64, TRY_MAX);
        let courier =
            Courier { history, outlet, webhooks, notes, view, clock, chance, try_max, stop };
        Self {
            courier,
            queue: Queue::default(),
            counts: AlertCounts::default(),
            raised,
            read_up_to: 0,
            reread_at: None,
        }
    }

    /// Delivers until it is told to stop.
    pub(crate) async fn run(mut self) {
        let (stop, raised) = (self.courier.stop.clone(), Arc::clone(&self.raised));
        let mut tries = JoinSet::new();
        self.read().await;
        if self.courier.outlet.is_some() {
            self.queue.hold_topics((self.courier.clock)().saturating_add(SUBSCRIBERS_DELAY));
        }
        while !stop.is_cancelled() {
            let now = (self.courier.clock)();
            while let Some(turn) = self.queue.start(now) {
                tries.spawn(self.courier.clone().take(turn));
            }
            self.tell();
            let wait = self.queue.next_at().into_iter().chain(self.reread_at).min();
            let wait = wait.map(|at| at.since(now));
            tokio::select! {
                () = stop.cancelled() => {}
                Some(tried) = tries.join_next(), if !tries.is_empty() => self.end(tried.expect(NO_PANIC)),
                () = raised.notified() => self.read().await,
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {
                    if self.reread_at.is_some_and(|at| at <= (self.courier.clock)()) {
                        self.read().await;
                    }
                }
            }
        }
        let drained = async {
            while let Some(tried) = tries.join_next().await {
                self.end(tried.expect(NO_PANIC));
            }
        };
        if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            tracing::info!(
                "alerts still under way after {DRAIN_MAX:?}: they are tried again after a start"
            );
        }
        tries.shutdown().await;
        self.tell();
    }

    /// Reads what was raised since the last time.
    async fn read(&mut self) {
        let is_failing = self.reread_at.take().is_some();
        loop {
            let after = self.read_up_to;
            let page = self.courier.ask(move |history| history.alerts_after(after, PAGE_LEN)).await;
            let Some(page) = page else {
                if !is_failing {
                    tracing::warn!("alerts cannot be read: it is tried again until they can");
                }
                self.reread_at = Some((self.courier.clock)().saturating_add(REREAD_DELAY));
                return;
            };
            let len = page.len();
            for row in page {
                self.read_up_to = row.id;
                if !self.queue.add(row.id, (&row.alert.target).into()) {
                    self.counts.given_up += 1;
                    let reason = format!("{LINE_LEN_MAX} alerts wait for this target already");
                    self.courier.give_up(&row, reason).await;
                }
            }
            if len < PAGE_LEN {
                return;
            }
        }
    }

    fn end(&mut self, (turn, ended): (Turn, Option<Ended>)) {
        let Some(ended) = ended else { return };
        if let Ended::Done { taken } = ended {
            let count = if taken { &mut self.counts.delivered } else { &mut self.counts.given_up };
            *count += 1;
        }
        self.queue.end(&turn.target, ended);
    }

    fn tell(&mut self) {
        self.counts.waiting = self.queue.len() as u64;
        self.courier.view.alerts(self.counts);
    }
}

const NO_PANIC: &str = "a try does not panic, and is not aborted before the end";

impl Courier {
    /// One try. `None`: the gateway is ending, and nothing is known of the alert.
    async fn take(self, turn: Turn) -> (Turn, Option<Ended>) {
        let ended = self.try_once(&turn).await;
        (turn, ended)
    }

    async fn try_once(&self, turn: &Turn) -> Option<Ended> {
        let id = turn.id;
        let Some(row) = self.ask(move |history| history.alert(id)).await else {
            let again_at = (self.clock)().saturating_add(REREAD_DELAY);
            return Some(Ended::Failed { blame: Blame::Target, again_at });
        };
        // Retention leaves alerts that wait alone; a person with a SQL shell does not.
        let Some(row) = row else { return Some(Ended::Done { taken: false }) };
        let outcome = self.deliver(&row).await;
        let now = (self.clock)();
        let (blame, reason) = match outcome {
            Ok(()) => {
                let took = now.since(row.alert.raised_at);
                let latency_micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                let (rule, target) = (row.alert.rule.clone(), row.alert.target.to_string());
                self.say(now, LogEvent::AlertDelivered { id, rule, target, latency_micros });
                self.note(id, AlertOutcome::Delivered, now).await?;
                return Some(Ended::Done { taken: true });
            }
            // It may be the end that made it fail.
            Err(_) if self.stop.is_cancelled() => return None,
            Err(Refused::ForGood(reason)) => {
                self.give_up(&row, reason).await?.await.ok()?;
                return Some(Ended::Done { taken: false });
            }
            Err(Refused::ForNow(blame, reason)) => (blame, reason),
        };
        let (delay, is_first) = turn.delay(blame, (self.chance)());
        let again_at = now.saturating_add(delay);
        if now.since(row.alert.raised_at) >= AGE_MAX {
            let hours = AGE_MAX.as_secs() / 3_600;
            self.give_up(&row, format!("not taken within {hours} hours; {reason}"))
                .await?
                .await
                .ok()?;
            return Some(Ended::Done { taken: false });
        }
        if is_first {
            let (rule, target) = (row.alert.rule.clone(), row.alert.target.to_string());
            tracing::warn!(
                alert = id,
                rule,
                target,
                reason,
                "an alert was not taken: it is tried again"
            );
            let reason = reason.clone();
            self.say(now, LogEvent::AlertFailed { id, rule, target, reason });
        }
        let failed = AlertOutcome::Failed { error: reason, next_try_at: again_at };
        self.note(id, failed, now).await?;
        Some(Ended::Failed { blame, again_at })
    }

    async fn deliver(&self, row: &AlertRow) -> Result<(), Refused> {
        let body = row.alert.body.clone();
        match (&row.alert.target, &self.outlet) {
            (AlertTarget::Url(url), _) => self.webhooks.post(url, row.id, body).await,
            (AlertTarget::Topic { .. }, None) => {
                let reason = "this gateway takes its readings from another one and has no broker";
                Err(Refused::ForGood(reason.into()))
            }
            (AlertTarget::Topic { topic, qos, retain }, Some(outlet)) => {
                let (topic, payload) = (topic.clone(), body.into());
                let announcement =
                    Announcement { topic, payload, acknowledged: *qos > 0, retain: *retain };
                let published = outlet.publish(announcement);
                let reason = match tokio::time::timeout(self.try_max, published).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "the broker has not answered in time".into(),
                };
                Err(Refused::ForNow(Blame::Target, reason))
            }
        }
    }

    /// Says that nobody tries again; what comes back is told when that is on the disk.
    async fn give_up(&self, row: &AlertRow, reason: String) -> Option<oneshot::Receiver<()>> {
        let now = (self.clock)();
        let (id, rule) = (row.id, row.alert.rule.clone());
        let target = row.alert.target.to_string();
        tracing::warn!(alert = id, rule, target, reason, "an alert is given up");
        self.say(now, LogEvent::AlertGivenUp { id, rule, target, reason: reason.clone() });
        self.hand_over(id, AlertOutcome::GivenUp { error: reason }, now).await
    }

    /// Waits until the outcome is on the disk. `None`: the relay has ended.
    async fn note(&self, id: u64, outcome: AlertOutcome, at: UnixMicros) -> Option<()> {
        self.hand_over(id, outcome, at).await?.await.ok()
    }

    async fn hand_over(
        &self,
        id: u64,
        outcome: AlertOutcome,
        at: UnixMicros,
    ) -> Option<oneshot::Receiver<()>> {
        let (written, receipt) = oneshot::channel();
        self.notes.send(Note { id, outcome, at, written }).await.ok()?;
        Some(receipt)
    }

    fn say(&self, at: UnixMicros, event: LogEvent) {
        self.view.log(at, Hop::Rules, event);
    }

    /// Asks the history on a thread that may block. `None`: it cannot be read now.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&History) -> Result<T, StoreError> + Send + 'static,
    ) -> Option<T> {
        let history = self.history.clone();
        match tokio::task::spawn_blocking(move || question(&history)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "an alert cannot be read");
                None
            }
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
