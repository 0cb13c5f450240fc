//! What the drain does and tells when nothing is broken but the order of things.

use super::maria_server::{self, Server};
use super::{Memory, NOW, connect, reading, readings, reject, settings, soon};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_store::maria::drain::{self, DrainSettings, DrainState, Link};
use mtom_store::maria::{Limits, Settings, Source};
use sqlx::Row;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A drain at work, with the journal's side in the test's hand.
pub(crate) struct Running {
    pub(crate) memory: Arc<Memory>,
    pub(crate) newest: watch::Sender<u64>,
    pub(crate) state: watch::Receiver<DrainState>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    /// Starts one whose patience is short.
    pub(crate) fn start(url: &str, journal: Vec<StoredReading>) -> Self {
        let limits =
            Limits { connect: Duration::from_secs(2), statement: Duration::from_millis(1_500) };
        let mut settings = DrainSettings::new(Settings { limits, ..settings(url) });
        settings.retry_min = Duration::from_millis(10);
        settings.retry_max = Duration::from_millis(200);
        Self::start_with(settings, journal)
    }

    pub(crate) fn start_with(settings: DrainSettings, journal: Vec<StoredReading>) -> Self {
        let last = journal.last().map_or(0, |reading| reading.id);
        let memory = Memory::of(journal);
        let (newest, is_new) = watch::channel(last);
        let (told, state) = watch::channel(DrainState::new());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let source: Arc<dyn Source> = Arc::<Memory>::clone(&memory);
        let clock: drain::Clock = Arc::new(|| UnixMicros(NOW + 3_600_000_000));
        tasks.spawn(drain::run(source, is_new, settings, told, clock, stop.clone()));
        Self { memory, newest, state, stop, tasks }
    }

    /// Commits further readings.
    pub(crate) fn push(&self, more: Vec<StoredReading>) {
        let last = more.last().unwrap().id;
        self.memory.0.lock().unwrap().extend(more);
        self.newest.send_replace(last);
    }

    /// Waits for a state.
    pub(crate) async fn until(
        &self,
        what: &str,
        is_so: impl FnMut(&DrainState) -> bool,
    ) -> DrainState {
        let mut state = self.state.clone();
        match tokio::time::timeout(super::LIMIT, state.wait_for(is_so)).await {
            Ok(found) => found.unwrap().clone(),
            Err(_) => panic!("{what} never came: {:?}", self.state.borrow()),
        }
    }

    /// Waits until all is there.
    pub(crate) async fn all_drained(&self) -> DrainState {
        let newest = *self.newest.borrow();
        self.until("the end of the backlog", |state| {
            state.drained == Some(newest) && matches!(state.link, Link::Connected { .. })
        })
        .await
    }

    /// Ends it and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        soon("the drain's end", self.tasks.join_next()).await.unwrap().unwrap();
    }
}

/// The oracle: journal = table, each reading once, in all its content. It reads the tables by itself.
pub(crate) async fn accounts(
    server: &Server,
    database: &str,
    journal: &[StoredReading],
) -> Result<(), String> {
    let query = format!(
        "SELECT CONCAT_WS('|', r.number, r.at_micros, r.arrived_at_micros, r.taken_at_micros, r.suspect,
             CAST(r.value AS CHAR), t.name, s.device, s.quantity, s.unit, b.name, r.seq)
         FROM {database}.reading r JOIN {database}.gateway g ON g.id = r.gateway
         LEFT JOIN {database}.series s ON s.id = r.series LEFT JOIN {database}.topic t ON t.id = r.topic
         LEFT JOIN {database}.boot b ON b.id = r.boot WHERE g.name = 'home' ORDER BY r.number"
    );
    let found: Vec<String> = server.rows(&query).await.iter().map(|row| row.get(0)).collect();
    let expected: Vec<String> = journal.iter().map(shown).collect();
    let difference = expected.iter().zip(&found).find(|(expected, found)| expected != found);
    match difference {
        _ if expected == found => Ok(()),
        Some((expected, found)) => Err(format!(
            "{} rows of {}; expected {expected}, found {found}",
            found.len(),
            expected.len()
        )),
        None => Err(format!("{} rows, expected {}", found.len(), expected.len())),
    }
}

fn shown(stored: &StoredReading) -> String {
    let StoredReading { id, at, arrived_at, suspect, reading } = stored;
    let mut parts = vec![id.to_string(), at.0.to_string(), arrived_at.0.to_string()];
    parts.extend(reading.taken_at.map(|at| at.0.to_string()));
    parts.push(u8::from(*suspect).to_string());
    parts.push(reading.value.to_string());
    parts.extend([&reading.topic, &reading.device, &reading.quantity].map(ToString::to_string));
    parts.push(reading.unit.symbol().to_owned());
    parts.extend(reading.key.iter().flat_map(|key| [key.boot.to_string(), key.seq.to_string()]));
    parts.join("|")
}

pub(crate) fn database(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

#[tokio::test]
async fn rejects_are_drained_before_and_behind_readings() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let drain = Running::start(&url, Vec::new());
    drain.until("no reject", |state| state.rejects_drained == Some(0)).await;
    drain.memory.1.lock().unwrap().extend((1..=1_234).filter(|n| n % 50 != 0).map(reject));
    drain.push(readings(1..=10));
    drain.until("the last reject", |state| state.rejects_drained == Some(1_234)).await;
    drain.all_drained().await;
    drain.stop().await;
    let query = format!(
        "SELECT CAST(COUNT(*) AS SIGNED) FROM {}.reject WHERE payload_head = 0x00FF27",
        database(&url)
    );
    assert_eq!(server.number(&query).await, 1_210);
}

#[tokio::test]
async fn a_backlog_and_what_follows_it_is_drained() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let drain = Running::start(&url, readings((1..=12_345).filter(|n| n % 50 != 0)));
    drain.all_drained().await;
    for number in 12_346..=12_400 {
        drain.push(vec![reading(number)]);
        drain.all_drained().await;
    }
    let state = drain.all_drained().await;
    assert_eq!((state.newest, state.outages, state.oldest_arrived_at), (12_400, 0, None));
    let journal = drain.memory.0.lock().unwrap().clone();
    assert_eq!(state.rows, u64::try_from(journal.len()).unwrap());
    drain.stop().await;
    accounts(server, database(&url), &journal).await.unwrap();
    // The next run goes on where this one was.
    let drain = Running::start(&url, readings((1..=13_000).filter(|n| n % 50 != 0 || *n > 12_345)));
    assert_eq!(drain.all_drained().await.rows, 600);
    drain.stop().await;
}

#[tokio::test]
async fn the_backlog_s_age_is_known_while_nobody_has_ever_answered() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut settings = DrainSettings::new(settings(&format!("mysql://u@{address}/d")));
    settings.drained_before = Some(40);
    let drain = Running::start_with(settings, readings(1..=100));
    let state = drain.until("the outage", |state| matches!(state.link, Link::Away { .. })).await;
    let Link::Away { reason, .. } = &state.link else { unreachable!() };
    assert!(reason.contains("cannot be reached: "), "{reason}");
    assert_eq!((state.drained, state.newest), (Some(40), 100));
    assert_eq!(state.oldest_arrived_at, Some(reading(41).arrived_at));
    assert_eq!(state.age(UnixMicros(reading(41).arrived_at.0 + 7)), Duration::from_micros(7));
    drain.stop().await;
}

#[tokio::test]
async fn a_journal_that_is_not_the_one_of_the_database_is_not_drained() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    connect(&url).await.append(&readings(1..=100)).await.unwrap();
    // It begins again at 1.
    let drain = Running::start(&url, readings(1..=50));
    let state = drain.until("the refusal", |state| matches!(state.link, Link::Away { .. })).await;
    let Link::Away { reason, .. } = &state.link else { unreachable!() };
    assert!(reason.contains("up to number 100, the journal ends at 50"), "{reason}");
    drain.stop().await;
    // It has grown longer than what the database knows.
    let mut other = readings(1..=200);
    other[99].reading.value += 1.0;
    let drain = Running::start(&url, other);
    let state = drain.until("the refusal", |state| matches!(state.link, Link::Away { .. })).await;
    let Link::Away { reason, .. } = &state.link else { unreachable!() };
    assert!(reason.contains("reading 100 of gateway home"), "{reason}");
    drain.stop().await;
    accounts(server, database(&url), &readings(1..=100)).await.unwrap();
}

#[tokio::test]
async fn of_two_processes_one_drains_and_the_other_takes_over_when_it_ends() {
    let Some(server) = maria_server::shared() else { return };
    let url = server.url().await;
    let first = Running::start(&url, readings(1..=100));
    first.all_drained().await;
    let second = Running::start(&url, readings(1..=200));
    let state = second.until("the refusal", |state| matches!(state.link, Link::Away { .. })).await;
    let Link::Away { reason, .. } = &state.link else { unreachable!() };
    assert!(reason.contains("already being written by another process"), "{reason}");
    first.stop().await;
    second.all_drained().await;
    second.stop().await;
    accounts(server, database(&url), &readings(1..=200)).await.unwrap();
}
