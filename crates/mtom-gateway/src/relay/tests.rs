use super::quiet::{LOG_LINES_PER_SECOND, Quiet};
use super::{Audience, INTAKE_LEN, Inbox, Relay, Upkeep, Work, decoded};
use crate::Clock;
use crate::board::{Board, Outcome};
use crate::discovery::Discovered;
use crate::gateway::Followers;
use crate::settings::Actuator;
use crate::sparkplug::Sparkplug;
use crate::view::{LogEvent, Update, View};
use jiff::tz::TimeZone;
use mtom_actuator::{Desired, Protocol};
use mtom_broker::intake::{Delivery, Message, Receipt, Tally};
use mtom_forward::owners::Owners;
use mtom_protocol::link::Led;
use mtom_protocol::payload::sparkplug::{Metric, Payload, Value};
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Engine, RuleSpec};
use mtom_store::journal::Journal;
use mtom_store::retention::Keep;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const START: i64 = 1_795_421_190_000_000;

/// A folder with a journal that relays can work on one after the other.
pub(super) struct House {
    dir: tempfile::TempDir,
    now: Arc<AtomicI64>,
}

/// A relay, and what can be seen of it from outside.
pub(super) struct Begun {
    pub(super) relay: Relay,
    pub(super) view: View,
    pub(super) mailbox: watch::Receiver<Option<Desired>>,
    outcomes: mpsc::Receiver<Outcome>,
    pub(super) history: mtom_store::history::History,
}

/// What one relay left behind.
struct Left {
    view: View,
    mailbox: watch::Receiver<Option<Desired>>,
    acknowledged: Vec<bool>,
    history: mtom_store::history::History,
}

impl House {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), now: Arc::new(AtomicI64::new(START)) }
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Arc::new(move || UnixMicros(now.load(Ordering::SeqCst)))
    }

    /// One process: takes the messages in one batch, then ends.
    async fn relay(&self, messages: &[(&str, &str)]) -> Left {
        let messages = messages.iter().map(|(topic, payload)| message(topic, payload, false));
        self.relay_messages(messages.collect()).await
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.dir.path().join("mtom.db")
    }

    /// One process that has not begun to work.
    pub(super) fn begin(&self) -> Begun {
        let (view, clock) = (View::default(), self.clock());
        let (board, outcomes) = Board::new(view.clone(), clock.clone());
        let mailbox = board.add(&Actuator {
            name: "TEMP_LED".into(),
            link: "tcp:127.0.0.1:1".parse().unwrap(),
            refresh: Duration::from_secs(60),
            protocol: Protocol::Auto,
            key: None,
            drift: mtom_actuator::Drift::Correct,
            simulated: true,
        });
        let journal = Journal::open(&self.journal(), clock()).unwrap();
        let history = journal.history();
        let rules = RuleSpec { dwell: Duration::ZERO, ..RuleSpec::original("TEMP_LED") };
        let engine = Engine::compile(&[rules]).unwrap();
        let (newest, owners) = (journal.last_id(), Owners::default());
        let (followers, _) =
            Followers::new(&TimeZone::UTC, &history, newest, &clock, owners).unwrap();
        let board = Arc::new(board);
        let tally = Tally::default();
        view.tally(tally.clone());
        let (audience, _) =
            Audience::new(&followers, &view, watch::Sender::new(0), &Arc::default());
        let upkeep = Upkeep::new(Keep::default(), self.dir.path().to_owned(), None);
        let relay = Relay::new(
            journal,
            engine,
            board,
            audience,
            (tally, Discovered::none()),
            upkeep,
            clock,
        )
        .unwrap();
        Begun { relay, view, mailbox, outcomes, history }
    }

    async fn relay_messages(&self, messages: Vec<Message>) -> Left {
        let Begun { relay, view, mailbox, outcomes, history } = self.begin();
        let (sender, deliveries) = mpsc::channel(INTAKE_LEN);
        let mut receipts: Vec<Receipt> = Vec::new();
        for message in messages {
            let (delivery, receipt) = Delivery::awaited(message);
            sender.send(delivery).await.unwrap();
            receipts.push(receipt);
        }
        drop(sender);
        let (runtime, end) = (Handle::current(), CancellationToken::new());
        end.cancel();
        let ((_, requests), (_, notes)) = (mpsc::channel(1), mpsc::channel(1));
        let (_, forwarded) = mpsc::channel(1);
        let inbox = Inbox { deliveries, forwarded, outcomes, requests, notes };
        let running = tokio::task::spawn_blocking(move || relay.run(inbox, &end, &runtime));
        running.await.unwrap().unwrap();
        let mut acknowledged = Vec::new();
        for receipt in receipts {
            acknowledged.push(receipt.is_safe().await);
        }
        Left { view, mailbox, acknowledged, history }
    }
}

impl Left {
    fn led(&self) -> Option<Led> {
        self.mailbox.borrow().map(|desired| desired.led)
    }

    fn number(&self) -> Option<u64> {
        self.mailbox.borrow().map(|desired| desired.number)
    }
}

pub(super) fn message(topic: &str, payload: &str, retained_copy: bool) -> Message {
    Message {
        topic: Arc::from(topic),
        payload: payload.to_owned().into(),
        retained_copy,
        properties: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_stored_acknowledged_shown_and_drives_the_led() {
    let house = House::new();
    let left = house.relay(&[("Environ/Temperature", "26 °C")]).await;
    assert_eq!(left.acknowledged, [true]);
    assert_eq!(left.led(), Some(Led::On));
    assert_eq!(left.history.counts().unwrap().stored, 1);
    let snapshot = left.view.snapshot();
    assert_eq!(snapshot.latest[0].reading.value, 26.0);
    let counts = snapshot.counts;
    assert_eq!((counts.received, counts.stored, counts.rejected), (1, 1, 0));
    let commands = left.history.commands(10).unwrap();
    assert_eq!(
        (commands.len(), commands[0].command.on, commands[0].command.reading),
        (1, true, Some(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_reading_is_kept_with_its_reason_and_acknowledged() {
    let house = House::new();
    let left = house.relay(&[("Environ/Temperature", "23,4 °C"), ("Environ/x", "1")]).await;
    assert_eq!(left.acknowledged, [true, true]);
    let rejects = left.history.rejects(None, 10).unwrap();
    assert_eq!((rejects.len(), rejects[0].code.as_str()), (1, "decimal_comma"));
    assert_eq!(left.view.snapshot().counts.received, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_reading_is_a_duplicate_and_decides_nothing() {
    let house = House::new();
    let hot = r#"{"temperature":26,"boot":"b","seq":1}"#;
    let cold = r#"{"temperature":20,"boot":"b","seq":2}"#;
    let topic = "Environ/Temperature";
    let left = house.relay(&[(topic, hot), (topic, cold), (topic, hot)]).await;
    assert_eq!(left.acknowledged, [true; 3]);
    assert_eq!(left.led(), Some(Led::Off));
    let counts = left.history.counts().unwrap();
    assert_eq!((counts.stored, counts.duplicate), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_copy_is_a_reading_only_with_a_time_of_its_own() {
    let house = House::new();
    let timed = r#"{"temperature":26,"time":"2026-11-23T08:06:00Z"}"#;
    let left = house
        .relay_messages(vec![
            message("Environ/Temperature", "26 °C", true),
            message("Environ/Temperature", timed, true),
        ])
        .await;
    let counts = left.history.counts().unwrap();
    assert_eq!((counts.stored, counts.rejected), (1, 1));
    // Half a minute old: it is late, and decides nothing.
    assert_eq!(left.led(), None);
}

#[test]
fn a_key_beside_the_payload_is_the_first_readings_of_each_series() {
    let lines = "m,device=a temp=1 1000000\nm,device=a temp=2 2000000\nm,device=a,unit=°F temp=3\nm,device=b temp=4";
    let mut message = message("any/line", lines, false);
    let properties = [("mtom-boot", "b1"), ("mtom-seq", "7")];
    message.properties = properties.map(|(name, value)| (name.into(), value.into())).into();
    let (delivery, _receipt) = Delivery::awaited(message);
    let found =
        decoded(&delivery, 0, (&mut Sparkplug::default(), &Discovered::none()), UnixMicros(START));
    let told = found.outcomes.into_iter().map(|outcome| {
        let reading = outcome.unwrap();
        let key = reading.key.map(|key| format!(" {}#{}", key.boot, key.seq)).unwrap_or_default();
        format!("{} {} {}{key}", reading.device, reading.value, reading.unit.symbol())
    });
    let expected = ["a 1 °C b1#7", "a 2 °C", "a 3 °F b1#7", "b 4 °C b1#7"];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// The message of a node, with one metric that says what it is.
fn from_node(celsius: f64, is_historical: bool, at: i64) -> Message {
    let timestamp = u64::try_from(at / 1_000).ok();
    let metric = Metric {
        name: Some("Temperature".into()),
        timestamp,
        datatype: Some(10),
        is_historical: Some(is_historical),
        value: Some(Value::Double(celsius)),
        ..Metric::default()
    };
    let payload = Payload { timestamp, metrics: vec![metric], seq: None };
    let properties = Vec::new();
    let topic = "spBv1.0/G/NDATA/E".into();
    Message { topic, payload: payload.bytes().into(), retained_copy: false, properties }
}

#[tokio::test]
async fn what_a_node_says_of_the_past_is_stored_and_decides_nothing() {
    let house = House::new();
    let mut begun = house.begin();
    let spec = RuleSpec { when: "spBv1.0/#".into(), ..RuleSpec::original("TEMP_LED") };
    let rules = RuleSpec { dwell: Duration::ZERO, ..spec };
    begun.apply(vec![rules]).unwrap();
    let before = begun.led();
    let turn = |begun: &mut Begun, message| {
        let delivery = Delivery::unawaited(message);
        begun.relay.turn(&mut Work { batch: vec![delivery], ..Work::default() }).unwrap();
    };
    turn(&mut begun, from_node(30.0, true, START - 60_000_000));
    turn(&mut begun, from_node(31.0, true, START));
    assert_eq!((begun.history.counts().unwrap().stored, begun.led()), (2, before));
    // Nor does it without a disk.
    let work = |message| Work { batch: vec![Delivery::unawaited(message)], ..Work::default() };
    begun.relay.go_on_without_disk(&work(from_node(32.0, true, START)), UnixMicros(START));
    assert_eq!(begun.led(), before);
    turn(&mut begun, from_node(33.0, false, START));
    assert_eq!((begun.history.counts().unwrap().stored, begun.led()), (3, Some(Led::On)));
}

#[tokio::test]
async fn what_a_node_says_of_the_past_is_shown_late_and_never_as_how_things_are() {
    let house = House::new();
    let mut begun = house.begin();
    let turn = |begun: &mut Begun, messages: Vec<Message>| {
        let batch = messages.into_iter().map(Delivery::unawaited).collect();
        begun.relay.turn(&mut Work { batch, ..Work::default() }).unwrap();
    };
    let shown = |begun: &Begun| {
        let latest = begun.relay.view.latest();
        latest.iter().map(|stored| stored.reading.value).collect::<Vec<_>>()
    };
    turn(&mut begun, vec![from_node(30.0, true, START - 60_000_000)]);
    assert_eq!(shown(&begun), [0.0; 0], "nobody knows how it is");
    let (_, mut feed) = begun.relay.view.watch();
    let (older, newer) = (START - 30_000_000, START - 1_000_000);
    let messages = [
        from_node(32.0, true, newer),
        from_node(31.0, true, older),
        from_node(20.0, false, START - 2_000_000),
    ];
    turn(&mut begun, messages.into());
    assert_eq!(shown(&begun), [20.0]);
    let mut told = Vec::new();
    while told.len() < 2 {
        if let Update::Reading(stored) = &*feed.next().await.unwrap().unwrap() {
            told.push(stored.reading.value);
        }
    }
    assert_eq!(told, [20.0, 31.0], "the one that is newer is for the history");
    assert_eq!(begun.history.counts().unwrap().stored, 4);
    turn(&mut begun, vec![from_node(21.0, false, START)]);
    assert_eq!(shown(&begun), [21.0]);
    // Had the newer one been told it would stand before this.
    loop {
        if let Update::Reading(stored) = &*feed.next().await.unwrap().unwrap() {
            break assert_eq!(stored.reading.value, 21.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_reading_by_design_is_acknowledged_and_ignored() {
    let house = House::new();
    let left = house
        .relay(&[
            ("tele/plug/LWT", "Online"),
            ("livingroom/status", "offline"),
            ("tele/plug/SENSOR", r#"{"DS18B20":{"Temperature":26},"TempUnit":"C"}"#),
        ])
        .await;
    assert_eq!(left.acknowledged, [true, true, true]);
    let counts = left.view.account();
    assert_eq!((counts.received, counts.stored, counts.rejected, counts.ignored), (1, 1, 0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_led_is_told_again_with_a_higher_number() {
    let house = House::new();
    let before = house.relay(&[("Environ/Temperature", "26 °C")]).await;
    house.now.fetch_add(1_000_000, Ordering::SeqCst);
    let after = house.relay(&[]).await;
    assert_eq!(after.led(), Some(Led::On));
    assert!(after.number() > before.number());
}

#[test]
fn the_log_lets_some_lines_through_each_second_and_counts_the_rest() {
    let mut quiet = Quiet::default();
    let lines = |count| (0..count).map(|count| LogEvent::Skipped { count });
    let many = u64::from(LOG_LINES_PER_SECOND) + 7;
    let (first, skipped) = quiet.pass(lines(many), UnixMicros(START));
    assert_eq!((first.len() as u64, skipped), (many - 7, 0));
    let (next, skipped) = quiet.pass(lines(1), UnixMicros(START + 1_000_000));
    assert_eq!((next.len(), skipped), (1, 7));
}
