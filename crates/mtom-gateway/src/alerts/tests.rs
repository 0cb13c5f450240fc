use super::webhook::Webhooks;
use super::{AGE_MAX, Alerts, LINE_LEN_MAX, NOTES_LEN, Note, TRY_MAX};
use crate::Clock;
use crate::view::{AlertCounts, LogEvent, View};
use mtom_protocol::time::UnixMicros;
use mtom_store::history::History;
use mtom_store::journal::Journal;
use mtom_store::record::{AlertRecord, AlertRow, AlertTarget};
use server::{Answer, Server};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod gateway;
pub(super) mod server;

const START: UnixMicros = UnixMicros(1_795_421_190_000_000);
/// The limit for an event that must come.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits for what must come.
async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}

/// A journal that processes can work on one after the other.
struct House {
    dir: tempfile::TempDir,
    journal: Arc<Mutex<Journal>>,
    clock: Clock,
}

/// One process, whose relay only writes notes.
struct Running {
    view: View,
    history: History,
    raised: Arc<Notify>,
    stop: CancellationToken,
    noted: mpsc::Receiver<u64>,
    tasks: JoinSet<()>,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("mtom.db"), START).unwrap();
        let begin = Instant::now();
        let clock: Clock = Arc::new(move || START.saturating_add(begin.elapsed()));
        Self { dir, journal: Arc::new(Mutex::new(journal)), clock }
    }

    fn raise(&self, target: AlertTarget) -> u64 {
        self.raise_at(target, START)
    }

    fn raise_at(&self, target: AlertTarget, raised_at: UnixMicros) -> u64 {
        self.raise_many(target, raised_at, 1)
    }

    /// So many in one batch; the number of the last.
    fn raise_many(&self, target: AlertTarget, raised_at: UnixMicros, count: usize) -> u64 {
        let alert = AlertRecord {
            rule: "heat".into(),
            rule_version: "00000000000000ff".into(),
            target,
            body: "{\"state\":\"on\"}".into(),
            begins: true,
            reading: Some(7),
            cause: "reading 7: t 26.5 °C".into(),
            raised_at,
        };
        let mut journal = self.journal.lock().unwrap();
        let mut batch = journal.begin().unwrap();
        let last = (0..count).map(|_| batch.alert(&alert).unwrap()).last();
        batch.commit().unwrap();
        last.unwrap()
    }

    fn start(&self) -> Running {
        self.start_with(TRY_MAX, true)
    }

    /// `writes`: notes reach the journal; otherwise the disk takes nothing.
    fn start_with(&self, try_max: Duration, writes: bool) -> Running {
        let (view, stop, raised) =
            (View::default(), CancellationToken::new(), Arc::new(Notify::new()));
        let history = self.journal.lock().unwrap().history();
        let (notes, mut receiver) = mpsc::channel(NOTES_LEN);
        let told = (view.clone(), Arc::clone(&self.clock));
        let mut alerts =
            Alerts::new(history.clone(), None, Arc::clone(&raised), notes, told, stop.clone());
        alerts.courier.try_max = try_max;
        alerts.courier.webhooks = Webhooks::new(try_max);
        alerts.courier.chance = || 0.0;
        let (tell, noted) = mpsc::channel(1_000);
        let journal = Arc::clone(&self.journal);
        let mut tasks = JoinSet::new();
        tasks.spawn(alerts.run());
        tasks.spawn(async move {
            let mut unwritten = Vec::new();
            while let Some(Note { id, outcome, at, written }) = receiver.recv().await {
                if writes {
                    let mut journal = journal.lock().unwrap();
                    let mut batch = journal.begin().unwrap();
                    batch.alert_outcome(id, &outcome, at).unwrap();
                    batch.commit().unwrap();
                    let _ = written.send(());
                } else {
                    unwritten.push(written);
                }
                tell.try_send(id).unwrap();
            }
        });
        Running { view, history, raised, stop, noted, tasks }
    }
}

impl Running {
    /// Waits for the notes of so many tries.
    async fn tries(&mut self, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(soon("a note", self.noted.recv()).await.unwrap());
        }
        ids
    }

    fn row(&self, id: u64) -> AlertRow {
        self.history.alert(id).unwrap().unwrap()
    }

    /// The ends of the lines in the log.
    fn said(&self) -> Vec<LogEvent> {
        self.view.snapshot().log.into_iter().map(|entry| entry.event).collect()
    }

    async fn end(mut self) -> AlertCounts {
        self.stop.cancel();
        soon("the end", async { while self.tasks.join_next().await.is_some() {} }).await;
        self.view.snapshot().alerts
    }
}

fn to(server: &Server) -> AlertTarget {
    AlertTarget::Url(server.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_alert_is_tried_again_until_it_is_taken() {
    const AWAY: Answer = Answer::Status("503 Service Unavailable");
    let mut server = Server::start(&[AWAY, AWAY, Answer::Status("200 OK")]).await;
    let house = House::new();
    let id = house.raise(to(&server));
    let mut running = house.start();
    assert_eq!(running.tries(3).await, [id; 3]);
    let row = running.row(id);
    assert_eq!((row.tries, row.given_up_at), (3, None));
    assert!(row.delivered_at.is_some());
    assert_eq!(row.last_error.as_deref(), Some("answered 503 Service Unavailable"));
    for _ in 0..3 {
        let asked = server.asked.recv().await.unwrap();
        assert_eq!(asked.header("x-mtom-alert"), Some(&*id.to_string()));
        assert_eq!(asked.body, "{\"state\":\"on\"}");
    }
    let said = running.said();
    assert_eq!(said.len(), 2, "the first failure and the delivery: {said:?}");
    assert!(matches!(&said[0], LogEvent::AlertFailed { id: 1, .. }), "{said:?}");
    assert!(matches!(&said[1], LogEvent::AlertDelivered { id: 1, .. }), "{said:?}");
    let lines: Vec<_> = said.iter().map(ToString::to_string).collect();
    assert!(!lines.concat().contains("secret"), "{lines:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_good_is_given_up_at_once() {
    let mut server = Server::start(&[Answer::Status("410 Gone")]).await;
    let house = House::new();
    let id = house.raise(to(&server));
    let mut running = house.start();
    running.tries(1).await;
    let row = running.row(id);
    assert!(row.given_up_at.is_some());
    assert_eq!((row.tries, row.last_error.as_deref()), (1, Some("answered 410 Gone")));
    assert!(matches!(running.said()[..], [LogEvent::AlertGivenUp { .. }]));
    running.end().await;
    server.asked.recv().await.unwrap();
    assert!(server.asked.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_and_not_noted_is_delivered_again_under_its_number() {
    let mut server = Server::start(&[Answer::Status("200 OK")]).await;
    let house = House::new();
    let id = house.raise(to(&server));
    let mut killed = house.start_with(TRY_MAX, false);
    killed.tries(1).await;
    assert_eq!(killed.row(id).delivered_at, None);
    killed.tasks.shutdown().await;
    let mut running = house.start();
    running.tries(1).await;
    assert!(running.row(id).delivered_at.is_some());
    let counts = running.end().await;
    assert_eq!((counts.waiting, counts.delivered), (0, 1));
    for _ in 0..2 {
        let asked = server.asked.recv().await.unwrap();
        assert_eq!(asked.header("x-mtom-alert"), Some(&*id.to_string()));
    }
    assert!(server.asked.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_target_holds_up_nobody_else() {
    let mut dead = Server::start(&[Answer::Silence]).await;
    let mut alive = Server::start(&[Answer::Status("200 OK")]).await;
    let house = House::new();
    house.raise_many(to(&dead), START, 30);
    let mut running = house.start();
    let late = house.raise(to(&alive));
    running.raised.notify_one();
    assert_eq!(running.tries(1).await, [late]);
    assert_eq!(
        soon("a request", alive.asked.recv()).await.unwrap().header("x-mtom-alert"),
        Some("31")
    );
    soon("a request", dead.asked.recv()).await.unwrap();
    assert!(dead.asked.is_empty(), "one at a time");
    let begin = Instant::now();
    let counts = running.end().await;
    assert!(begin.elapsed() < TRY_MAX, "the end does not wait for the dead");
    assert_eq!(counts.delivered, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_is_given_up_when_too_many_wait_for_one_target() {
    let dead = Server::start(&[Answer::Silence]).await;
    let house = House::new();
    let last = house.raise_many(to(&dead), START, LINE_LEN_MAX + 1);
    let mut running = house.start();
    assert_eq!(running.tries(1).await, [last]);
    let row = running.row(last);
    assert!(row.given_up_at.is_some());
    assert_eq!(row.last_error.as_deref(), Some("1000 alerts wait for this target already"));
    let counts = running.end().await;
    assert_eq!((counts.waiting, counts.given_up), (LINE_LEN_MAX as u64, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_left_after_the_limit_and_tried_again() {
    let server = Server::start(&[Answer::Silence]).await;
    let house = House::new();
    let id = house.raise(to(&server));
    let mut running = house.start_with(Duration::from_millis(50), true);
    running.tries(2).await;
    let row = running.row(id);
    assert_eq!((row.tries, row.last_error.as_deref()), (2, Some("no answer in time")));
    assert!(row.next_try_at > START && row.delivered_at.is_none() && row.given_up_at.is_none());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_alert_is_tried_once_before_it_is_given_up() {
    let mut server = Server::start(&[Answer::Status("500 Internal Server Error")]).await;
    let house = House::new();
    let age = i64::try_from(AGE_MAX.as_micros()).unwrap();
    let id = house.raise_at(to(&server), UnixMicros(START.0 - age));
    let mut running = house.start();
    running.tries(1).await;
    let row = running.row(id);
    assert!(row.given_up_at.is_some());
    let error = row.last_error.unwrap();
    assert_eq!(error, "not taken within 24 hours; answered 500 Internal Server Error");
    assert!(soon("a request", server.asked.recv()).await.is_some());
    assert_eq!(running.end().await.given_up, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_a_message_is_given_up_with_the_reason() {
    let house = House::new();
    let topic = AlertTarget::Topic { topic: "alarm/heat".into(), qos: 0, retain: false };
    let id = house.raise(topic);
    let mut running = house.start();
    running.tries(1).await;
    let row = running.row(id);
    assert!(row.given_up_at.is_some());
    assert!(row.last_error.unwrap().ends_with("has no broker"));
    running.end().await;
    assert!(house.dir.path().exists());
}
