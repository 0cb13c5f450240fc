//! The other database: starts the drain, and tells the relay and the view how far it is.
//!
//! The relay never waits for it. What it has not got is kept in the journal by the retention.

use crate::Clock;
use crate::view::View;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::{History, IdQuery};
use mtom_store::maria::drain::{self, DrainSettings, DrainState};
use mtom_store::maria::{Limits, Settings, Url};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the age of the backlog is told while nothing else changes.
const TELL_PERIOD: Duration = Duration::from_secs(1);
/// Latencies that wait for the relay. Full: they are not counted.
const LATENCIES_MAX: usize = 4_096;

/// A database that gets a copy of everything.
#[derive(Clone)]
pub struct Database {
    /// Where it is.
    pub url: Url,
    /// The user's password.
    pub password: Option<String>,
}

/// How far the drain is, for the relay.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    drained: u64,
    rejects_drained: u64,
    /// From the disk to the other database, and of how many readings.
    latencies: Vec<(Duration, u64)>,
}

impl Progress {
    /// The last reading and the last reject that the database has, and what is to be counted since the
    /// last call.
    pub(crate) fn take(&self) -> (u64, u64, Vec<(Duration, u64)>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.drained, inner.rejects_drained, std::mem::take(&mut inner.latencies))
    }

    fn add_rejects(&self, drained: u64) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.rejects_drained = inner.rejects_drained.max(drained);
    }

    fn add(&self, drained: u64, latency: Option<Duration>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let count = drained.saturating_sub(inner.drained);
        inner.drained = inner.drained.max(drained);
        if let Some(latency) = latency.filter(|_| count > 0)
            && inner.latencies.len() < LATENCIES_MAX
        {
            inner.latencies.push((latency, count));
        }
    }
}

/// What runs it.
pub(crate) struct Drain {
    history: History,
    settings: DrainSettings,
    newest: watch::Receiver<u64>,
    progress: Arc<Progress>,
}

impl Drain {
    /// A drain of `history` under the name `gateway`, which had come as far as `drained_before`: a
    /// reading and a reject.
    pub(crate) fn new(
        history: History,
        database: Database,
        gateway: String,
        drained_before: (u64, u64),
        newest: watch::Receiver<u64>,
    ) -> Self {
        let Database { url, password } = database;
        let maria = Settings { url, password, gateway, limits: Limits::default() };
        let mut settings = DrainSettings::new(maria);
        settings.drained_before = (drained_before.0 > 0).then_some(drained_before.0);
        let progress = Arc::new(Progress::default());
        progress.add(drained_before.0, None);
        progress.add_rejects(drained_before.1);
        Self { history, settings, newest, progress }
    }

    /// What the relay looks at.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Drains until `stop`.
    pub(crate) async fn run(self, view: View, clock: Clock, stop: CancellationToken) {
        let Self { history, settings, newest, progress } = self;
        let (sender, mut states) = watch::channel(DrainState::new());
        let source = Arc::new(history.clone());
        let draining =
            drain::run(source, newest.clone(), settings, sender, Arc::clone(&clock), stop);
        let mut told = 0;
        let telling = async {
            loop {
                // Nothing new: the backlog grows older all the same.
                if let Ok(Err(_)) = tokio::time::timeout(TELL_PERIOD, states.changed()).await {
                    break;
                }
                let mut state = states.borrow_and_update().clone();
                let now = clock();
                state.newest = state.newest.max(*newest.borrow());
                if let Some(drained) = state.rejects_drained {
                    progress.add_rejects(drained);
                }
                if let Some(drained) = state.drained.filter(|drained| *drained > told) {
                    told = drained;
                    progress.add(drained, latency(&history, drained, now).await);
                }
                view.drain(state);
            }
        };
        tokio::join!(draining, telling);
    }
}

/// How long the newest drained reading took.
async fn latency(history: &History, drained: u64, now: UnixMicros) -> Option<Duration> {
    let history = history.clone();
    let query = IdQuery { after: drained.checked_sub(1), limit: 1, ..IdQuery::default() };
    let rows = tokio::task::spawn_blocking(move || history.page_by_id(query)).await.ok()?.ok()?;
    let row = rows.first().filter(|row| row.id == drained)?;
    Some(now.since(row.arrived_at))
}
