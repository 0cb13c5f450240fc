//! The one door through which messages reach the gateway, and the receipt that lets them be
//! acknowledged.
//!
//! A [`Delivery`] that is dropped without [`Delivery::safe`] is not acknowledged: the sender keeps
//! the message and sends it again.

use bytes::Bytes;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

/// User properties that are handed on with a message, and the longest name or value, in bytes.
const PROPERTIES_LEN_MAX: usize = 8;
const PROPERTY_LEN_MAX: usize = 128;

/// The first few user properties that are not too long.
pub(crate) fn kept<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(Box<str>, Box<str>)> {
    let short = all.filter(|(name, value)| name.len().max(value.len()) <= PROPERTY_LEN_MAX);
    short.take(PROPERTIES_LEN_MAX).map(|(name, value)| (name.into(), value.into())).collect()
}

/// A message as a broker has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic it was published on.
    pub topic: Arc<str>,
    /// The payload, whatever it is.
    pub payload: Bytes,
    /// A copy that the broker had kept (retain flag of a delivery): when it was sent is unknown.
    pub retained_copy: bool,
    /// User properties of MQTT 5, names and values; what is too much of them is left out.
    pub properties: Vec<(Box<str>, Box<str>)>,
}

/// How a message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It was said just now.
    Now,
    /// Just now, and the broker is to keep it (only the embedded broker sees that).
    ToKeep,
    /// A copy that the broker had kept: when it was said is unknown.
    Copy,
    /// The last will of one that is gone.
    Will,
}

/// What whoever wanted a message has noted of it when it came: how it is to be read. Nothing to a broker.
pub type Note = Arc<dyn Any + Send + Sync>;

/// A message and the duty to say when it is safe.
#[derive(Debug)]
pub struct Delivery {
    /// What arrived.
    pub message: Message,
    /// What was noted when it was wanted.
    pub note: Option<Note>,
    receipt: Option<oneshot::Sender<()>>,
    // Held for its drop: however a delivery ends, it waits no longer.
    waiting: Option<Waiting>,
}

impl Delivery {
    /// A delivery whose sender waits for the receipt (QoS 1 and 2).
    #[must_use]
    pub fn awaited(message: Message) -> (Self, Receipt) {
        let (sender, receipt) = oneshot::channel();
        (
            Self { message, note: None, receipt: Some(sender), waiting: None },
            Receipt(Until::Safe(receipt)),
        )
    }

    /// A delivery that nobody waits for (QoS 0).
    #[must_use]
    pub fn unawaited(message: Message) -> Self {
        Self { message, note: None, receipt: None, waiting: None }
    }

    /// With what was noted when it was wanted.
    #[must_use]
    pub fn with(self, note: Option<Note>) -> Self {
        Self { note, ..self }
    }

    /// Its sender waits, and sends it again unless it is safe.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.receipt.is_some()
    }

    /// Says that the message will survive anything; its sender is acknowledged.
    pub fn safe(self) {
        if let Some(receipt) = self.receipt {
            // The connection may be gone; then the sender asks again and is recognised or not.
            let _ = receipt.send(());
        }
    }
}

/// Resolves when the message is safe, or is given up.
#[derive(Debug)]
pub struct Receipt(Until);

#[derive(Debug)]
enum Until {
    /// A delivery is safe.
    Safe(oneshot::Receiver<()>),
    /// So much is written down.
    Written(watch::Receiver<u64>, u64),
}

impl Receipt {
    /// Of a message that is safe once `written` says that number or more.
    #[must_use]
    pub fn written(written: watch::Receiver<u64>, number: u64) -> Self {
        Self(Until::Written(written, number))
    }

    /// True when the message is safe; false when it must not be acknowledged.
    pub async fn is_safe(self) -> bool {
        match self.0 {
            Until::Safe(receipt) => receipt.await.is_ok(),
            Until::Written(mut written, number) => {
                written.wait_for(|written| *written >= number).await.is_ok()
            }
        }
    }
}

/// The gateway's queue as the brokers see it. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    // Full: the sender waits, so its socket is not read and its messages stay unacknowledged.
    queue: mpsc::Sender<Delivery>,
    wanted: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    noting: Arc<Noting>,
    also: Arc<Also>,
    ignored: Arc<dyn Fn(&str) + Send + Sync>,
    aside: Arc<Aside>,
    keeping: Arc<Keeping>,
    tally: Tally,
}

/// What is noted of a message on that topic, which is wanted then.
type Noting = dyn Fn(&str) -> Option<Note> + Send + Sync;

/// A message is wanted, with what is noted of it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted(Option<Note>);

/// Whether a message on that topic with that payload is wanted, too.
type Also = dyn Fn(&str, &[u8]) -> bool + Send + Sync;

/// Whether a message on that topic goes no further; told its payload, and how it comes.
type Aside = dyn Fn(&str, &[u8], Manner) -> bool + Send + Sync;

/// When a message that went no further is safe; `None`: it is.
type Keeping = dyn Fn(&str) -> Option<Receipt> + Send + Sync;

/// What an [`Intake`] has counted, without the right to hand anything over. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    waiting: AtomicU64,
    ignored: AtomicU64,
}

impl Tally {
    /// How many messages were handed over and are neither safe nor given up.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.counters.waiting.load(Ordering::Relaxed)
    }

    /// How many messages came on topics that nobody listens to, or were nothing to who did.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.counters.ignored.load(Ordering::Relaxed)
    }

    /// Counts messages that are nothing to who listens to their topics.
    pub fn ignore(&self, count: u64) {
        self.counters.ignored.fetch_add(count, Ordering::Relaxed);
    }
}

/// Counts one message as waiting for as long as it lives.
#[derive(Debug)]
struct Waiting(Tally);

impl Waiting {
    fn new(tally: &Tally) -> Self {
        tally.counters.waiting.fetch_add(1, Ordering::Relaxed);
        Self(tally.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.counters.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Intake {
    /// An intake that holds at most `len` deliveries, for the topics that are `wanted`.
    pub fn new(
        len: usize,
        wanted: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> (Self, mpsc::Receiver<Delivery>) {
        let (queue, deliveries) = mpsc::channel(len);
        let (wanted, ignored) = (Arc::new(wanted), Arc::new(|_: &str| ()));
        let noting = Arc::new(|_: &str| None);
        let also = Arc::new(|_: &str, _: &[u8]| false);
        let aside = Arc::new(|_: &str, _: &[u8], _: Manner| false);
        let keeping = Arc::new(|_: &str| None);
        let tally = Tally::default();
        (Self { queue, wanted, noting, also, ignored, aside, keeping, tally }, deliveries)
    }

    /// Asks `noting` first for each topic: where it has a note the message is wanted, and the note comes with it, so
    /// that whether and how a message is read is decided once.
    #[must_use]
    pub fn noting(self, noting: impl Fn(&str) -> Option<Note> + Send + Sync + 'static) -> Self {
        Self { noting: Arc::new(noting), ..self }
    }

    /// Wants further messages, told their topic and their payload.
    #[must_use]
    pub fn also(self, also: impl Fn(&str, &[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { also: Arc::new(also), ..self }
    }

    /// Tells `ignored` the topic of each message that nobody listens to.
    #[must_use]
    pub fn telling(self, ignored: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { ignored: Arc::new(ignored), ..self }
    }

    /// Shows `aside` each message first, where nobody before it has said true: its topic, its payload, and how it
    /// comes. Where that says true the message goes no further.
    #[must_use]
    pub fn showing(
        self,
        aside: impl Fn(&str, &[u8], Manner) -> bool + Send + Sync + 'static,
    ) -> Self {
        let before = Arc::clone(&self.aside);
        let aside = move |topic: &str, payload: &[u8], manner| {
            before(topic, payload, manner) || aside(topic, payload, manner)
        };
        Self { aside: Arc::new(aside), ..self }
    }

    /// Asks `keeping` by its topic when a message that goes no further is safe; before, another broker is not told that
    /// we have it.
    #[must_use]
    pub fn keeping(
        self,
        keeping: impl Fn(&str) -> Option<Receipt> + Send + Sync + 'static,
    ) -> Self {
        Self { keeping: Arc::new(keeping), ..self }
    }

    /// When a message on that topic is safe that went no further; `None`: it is.
    pub(crate) fn kept(&self, topic: &str) -> Option<Receipt> {
        (self.keeping)(topic)
    }

    /// Whether the message goes no further.
    pub(crate) fn is_aside(&self, topic: &str, payload: &[u8], manner: Manner) -> bool {
        (self.aside)(topic, payload, manner)
    }

    /// Says whether anybody listens to that message, and counts it if nobody does.
    pub(crate) fn wants(&self, topic: &str, payload: &[u8]) -> Option<Wanted> {
        let wanted =
            self.wanted(topic).or_else(|| (self.also)(topic, payload).then_some(Wanted(None)));
        if wanted.is_none() {
            self.tally.counters.ignored.fetch_add(1, Ordering::Relaxed);
            (self.ignored)(topic);
        }
        wanted
    }

    /// Says whether anybody listens to `topic`, and what he notes of it.
    pub(crate) fn wanted(&self, topic: &str) -> Option<Wanted> {
        match (self.noting)(topic) {
            Some(note) => Some(Wanted(Some(note))),
            None => (self.wanted)(topic).then_some(Wanted(None)),
        }
    }

    /// Hands over a message of our own as one of QoS 0; waits while the queue is full. False: the gateway has ended.
    pub async fn offer(&self, message: Message) -> bool {
        self.offer_wanted(message, Wanted(None)).await
    }

    /// Hands over a QoS 0 message; waits while the queue is full. False: the gateway has ended.
    pub(crate) async fn offer_wanted(&self, message: Message, Wanted(note): Wanted) -> bool {
        self.hand_over(Delivery::unawaited(message).with(note)).await
    }

    /// Hands over a QoS 1 or 2 message; waits while the queue is full. `None`: the gateway has ended.
    pub(crate) async fn offer_awaited(
        &self,
        message: Message,
        Wanted(note): Wanted,
    ) -> Option<Receipt> {
        let (delivery, receipt) = Delivery::awaited(message);
        self.hand_over(delivery.with(note)).await.then_some(receipt)
    }

    /// What it has counted.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }

    async fn hand_over(&self, mut delivery: Delivery) -> bool {
        delivery.waiting = Some(Waiting::new(&self.tally));
        self.queue.send(delivery).await.is_ok()
    }
}
