//! Brings the journal to the database, for ever: what is committed, in order, each reading once.
//!
//! Whatever goes wrong it connects again and goes on from the position that the database knows. Ingest never
//! waits for it. It holds at most two batches: one that is being written, and the next one.

use super::append::Appended;
use super::audit::{read, read_rejects};
use super::error::{MariaError, chain};
use super::session::SILENCE_MAX;
use super::{Maria, Settings, Source, Warning};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> UnixMicros + Send + Sync>;

/// Rejects of one transaction. There are few.
const REJECTS_LEN: usize = 500;
/// While there is a backlog of readings rejects follow after so many batches of them.
const BATCHES_BEFORE_REJECTS: usize = 64;

/// The rate is that of at least so long a time.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Where to drain to, and how.
#[derive(Clone, Debug)]
pub struct DrainSettings {
    /// The database.
    pub maria: Settings,
    /// How many readings one transaction brings.
    pub batch_len: usize,
    /// How long after the first failure it tries again; doubled with each further one.
    pub retry_min: Duration,
    /// The longest time between two tries.
    pub retry_max: Duration,
    /// The position that an earlier run knew, so that the backlog's age is known before the database answers.
    pub drained_before: Option<u64>,
}

impl DrainSettings {
    /// Batches of 1,000 and tries after 0.2 s to 30 s.
    #[must_use]
    pub const fn new(maria: Settings) -> Self {
        Self {
            maria,
            batch_len: 1_000,
            retry_min: Duration::from_millis(200),
            retry_max: Duration::from_secs(30),
            drained_before: None,
        }
    }
}

/// Whether the database takes readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nobody has tried yet.
    Starting,
    /// It takes them.
    Connected {
        /// Since when.
        since: UnixMicros,
    },
    /// It does not; tries go on.
    Away {
        /// Since when.
        since: UnixMicros,
        /// What went wrong last, in one line.
        reason: String,
    },
}

/// How far the drain is.
#[derive(Clone, Debug, PartialEq)]
pub struct DrainState {
    /// Whether the database takes readings.
    pub link: Link,
    /// Every reading up to this journal number is in the database; `None` until somebody knows.
    pub drained: Option<u64>,
    /// Every reject up to this number is in the database; `None` until somebody knows.
    pub rejects_drained: Option<u64>,
    /// The journal's newest number.
    pub newest: u64,
    /// When the oldest reading that the database lacks reached the gateway; `None` when it has all.
    pub oldest_arrived_at: Option<UnixMicros>,
    /// Readings per second, lately.
    pub rows_per_second: f64,
    /// Readings brought since the start.
    pub rows: u64,
    /// Times that the database went away since the start.
    pub outages: u64,
    /// What an operator should know about the server.
    pub warnings: Vec<Warning>,
}

impl DrainState {
    /// Before anything is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            link: Link::Starting,
            drained: None,
            rejects_drained: None,
            newest: 0,
            oldest_arrived_at: None,
            rows_per_second: 0.0,
            rows: 0,
            outages: 0,
            warnings: Vec::new(),
        }
    }

    /// How old the oldest reading is that the database lacks.
    #[must_use]
    pub fn age(&self, now: UnixMicros) -> Duration {
        self.oldest_arrived_at.map_or(Duration::ZERO, |at| now.since(at))
    }
}

impl Default for DrainState {
    fn default() -> Self {
        Self::new()
    }
}

/// Drains until `stop`, or until nobody sets `newest` any more and all is drained. `newest` is the highest
/// number that the journal has committed, also at the start.
pub async fn run(
    source: Arc<dyn Source>,
    newest: watch::Receiver<u64>,
    settings: DrainSettings,
    state: watch::Sender<DrainState>,
    clock: Clock,
    stop: CancellationToken,
) {
    let drained = settings.drained_before;
    state.send_modify(|state| state.drained = drained);
    let mut drain =
        Drain { source, newest, settings, state, clock, stop, former: None, rate: Rate::new() };
    let mut failures = 0;
    loop {
        let rows_before = drain.state.borrow().rows;
        let Err(error) = drain.session().await else { return };
        let is_moving = drain.state.borrow().rows > rows_before;
        failures = if is_moving { 1 } else { failures + 1 };
        drain.away(&error).await;
        let wait = backoff(&drain.settings, failures);
        if drain.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

struct Drain {
    source: Arc<dyn Source>,
    newest: watch::Receiver<u64>,
    settings: DrainSettings,
    state: watch::Sender<DrainState>,
    clock: Clock,
    stop: CancellationToken,
    /// The last connection's number on the server, whose locks it may still hold.
    former: Option<u64>,
    rate: Rate,
}

impl Drain {
    /// One connection's life; `Ok` at the end of the drain.
    async fn session(&mut self) -> Result<(), MariaError> {
        let stop = self.stop.clone();
        let connected = stop.run_until_cancelled(Box::pin(self.connect())).await;
        let Some(connected) = connected else { return Ok(()) };
        let (mut maria, position) = connected?;
        self.drain(&mut maria, position).await?;
        maria.close().await;
        Ok(())
    }

    async fn connect(&mut self) -> Result<(Maria, u64), MariaError> {
        let mut maria = Maria::connect(&self.settings.maria).await?;
        maria.lock(self.former).await?;
        self.former = Some(maria.connection_id());
        let position = maria.position().await?;
        self.check_journal(&mut maria, position).await?;
        let warnings = maria.warnings().to_vec();
        for warning in warnings.iter().filter(|new| !self.state.borrow().warnings.contains(new)) {
            tracing::warn!("{warning}");
        }
        self.state.send_modify(|state| {
            state.drained = Some(position);
            state.warnings = warnings;
        });
        Ok((maria, position))
    }

    /// The database may know another journal under this gateway's name: its numbers would hide ours.
    async fn check_journal(&self, maria: &mut Maria, position: u64) -> Result<(), MariaError> {
        let gateway = self.settings.maria.gateway.clone();
        let newest = *self.newest.borrow();
        if position > newest {
            return Err(MariaError::OtherJournal { gateway, drained: position, newest });
        }
        let Some(before) = position.checked_sub(1) else { return Ok(()) };
        let ours = read(&self.source, before, 1).await?;
        let Some(ours) = ours.first().filter(|ours| ours.id == position) else { return Ok(()) };
        match maria.rows(&[position]).await?.first() {
            Some(theirs) if ours != theirs => {
                Err(MariaError::Conflict { gateway, number: position, count: 1 })
            }
            _ => Ok(()),
        }
    }

    async fn drain(&mut self, maria: &mut Maria, mut position: u64) -> Result<(), MariaError> {
        let len = self.settings.batch_len;
        let mut rejects = maria.rejects_position().await?;
        let mut batches = 0_usize;
        let mut batch = read(&self.source, position, len).await?;
        loop {
            if batch.is_empty() || batches.is_multiple_of(BATCHES_BEFORE_REJECTS) {
                rejects = self.drain_rejects(maria, rejects).await?;
            }
            batches += 1;
            let Some(last) = batch.last().map(|reading| reading.id) else {
                self.progress(position, None, Appended::default());
                if !self.has_new(maria).await? {
                    return Ok(());
                }
                batch = read(&self.source, position, len).await?;
                continue;
            };
            let write = self.stop.run_until_cancelled(Box::pin(maria.append(&batch)));
            // The next batch is read while this one is written.
            let (written, next) = tokio::join!(write, read(&self.source, last, len));
            let Some(written) = written else { return Ok(()) };
            position = last;
            batch = next?;
            self.progress(position, batch.first(), written?);
        }
    }

    /// Brings the rejects behind `position`; the new position.
    async fn drain_rejects(
        &mut self,
        maria: &mut Maria,
        mut position: u64,
    ) -> Result<u64, MariaError> {
        while !self.stop.is_cancelled() {
            let rejects = read_rejects(&self.source, position, REJECTS_LEN).await?;
            let Some(last) = rejects.last() else { break };
            maria.append_rejects(&rejects).await?;
            position = last.id;
        }
        self.state
            .send_if_modified(|state| state.rejects_drained.replace(position) != Some(position));
        Ok(position)
    }

    /// Waits until there is more, or until it is time to look for rejects, which nobody announces;
    /// false at the end.
    async fn has_new(&mut self, maria: &mut Maria) -> Result<bool, MariaError> {
        tokio::select! {
            () = self.stop.cancelled() => Ok(false),
            changed = self.newest.changed() => Ok(changed.is_ok()),
            () = tokio::time::sleep(SILENCE_MAX / 3) => {
                maria.ping().await?;
                Ok(true)
            }
        }
    }

    fn progress(&mut self, position: u64, oldest: Option<&StoredReading>, written: Appended) {
        let rows = u64::try_from(written.inserted + written.present).unwrap_or(u64::MAX);
        let rows_per_second = self.rate.add(rows, oldest.is_none());
        let (now, newest) = ((self.clock)(), *self.newest.borrow());
        let mut outage = None;
        self.state.send_modify(|state| {
            if let Link::Away { since, .. } = &state.link {
                outage = Some(now.since(*since));
            }
            if !matches!(state.link, Link::Connected { .. }) {
                state.link = Link::Connected { since: now };
            }
            state.drained = Some(position);
            state.newest = newest;
            state.oldest_arrived_at = oldest.map(|reading| reading.arrived_at);
            state.rows_per_second = rows_per_second;
            state.rows += rows;
        });
        if let Some(outage) = outage {
            tracing::info!(
                ?outage,
                drained = position,
                newest,
                "the database takes readings again"
            );
        }
    }

    /// Told once in the log, however many tries follow.
    async fn away(&mut self, error: &MariaError) {
        let reason = chain(error);
        let position = self.state.borrow().drained;
        let oldest = match position {
            Some(position) => read(&self.source, position, 1).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let (now, newest) = ((self.clock)(), *self.newest.borrow());
        let mut is_news = false;
        self.state.send_modify(|state| {
            let since = match &state.link {
                Link::Away { since, .. } => *since,
                Link::Starting | Link::Connected { .. } => {
                    is_news = true;
                    state.outages += 1;
                    now
                }
            };
            state.link = Link::Away { since, reason: reason.clone() };
            state.newest = newest;
            state.oldest_arrived_at = oldest.first().map(|reading| reading.arrived_at);
            state.rows_per_second = 0.0;
        });
        if is_news {
            tracing::warn!(
                drained = position,
                newest,
                "the database takes no readings: they stay in the journal until it does: {reason}"
            );
        } else {
            tracing::debug!("the database still takes no readings: {reason}");
        }
    }
}

/// Doubled with each failure, give or take a half: many gateways must not come back in step.
fn backoff(settings: &DrainSettings, failures: u32) -> Duration {
    let doubled =
        settings.retry_min.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(settings.retry_max).mul_f64(0.5 + fastrand::f64())
}

/// Readings per second over the last [`RATE_WINDOW`] that was full.
struct Rate {
    start: Instant,
    rows: u64,
    last: f64,
}

impl Rate {
    fn new() -> Self {
        Self { start: Instant::now(), rows: 0, last: 0.0 }
    }

    fn add(&mut self, rows: u64, is_idle: bool) -> f64 {
        self.rows += rows;
        let elapsed = self.start.elapsed();
        if elapsed >= RATE_WINDOW || is_idle {
            // Exact for more rows than a window can have.
            #[allow(clippy::cast_precision_loss, reason = "a window has few rows")]
            let rows = self.rows as f64;
            self.last = rows / elapsed.max(RATE_WINDOW).as_secs_f64();
            (self.start, self.rows) = (Instant::now(), 0);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::{DrainSettings, backoff};
    use crate::maria::{Limits, Settings};
    use std::time::Duration;

    #[test]
    fn tries_grow_rarer_and_stay_within_their_limits() {
        let maria = Settings {
            url: "mysql://u@localhost/d".parse().unwrap(),
            password: None,
            gateway: "g".to_owned(),
            limits: Limits::default(),
        };
        let settings = DrainSettings::new(maria);
        for (failures, base) in [(1, 0.2), (2, 0.4), (5, 3.2), (9, 30.0), (4_000_000_000, 30.0)] {
            let wait = backoff(&settings, failures);
            let (low, high) =
                (Duration::from_secs_f64(base * 0.5), Duration::from_secs_f64(base * 1.5));
            assert!((low..=high).contains(&wait), "{failures}: {wait:?}");
        }
    }
}
