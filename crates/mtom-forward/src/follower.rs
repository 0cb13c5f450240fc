//! The side that follows: hears every reading of another gateway, each once and in order, over whatever breaks.
//!
//! It asks behind the last reading that its own side has stored, and acknowledges what that stores. A connection that
//! is lost, or has said nothing for [`Patience::silence`] although the gateway speaks every five seconds, is made
//! again with a growing, jittered delay. What a reading's time is worth here, and whether it is too late to act on
//! it, is told by the gateway's own clock, which it says (`clocks.rs`): clocks of two computers differ.

use crate::client::{Retry, words};
use crate::follow::{End, Wire};
pub use crate::lines::Forwarded;
use crate::lines::{self, Request, Said, Status, Wrong, WrongCode};
use crate::owners::Claim;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

mod address;
mod clocks;
mod udp;
mod wires;

pub use address::{Address, BadAddress};
use clocks::Clocks;
use wires::Connected;

/// Delays of the side that follows.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long connecting may take, the first answer included.
    pub connect: Duration,
    /// After so long without a word the gateway is taken for gone.
    pub silence: Duration,
    /// The first delay before a new connection; doubles with each failure.
    pub retry_min: Duration,
    /// The longest delay.
    pub retry_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(16),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// What it takes from its surroundings.
pub struct Means<J> {
    /// The clock.
    pub now: Arc<dyn Fn() -> UnixMicros + Send + Sync>,
    /// A number from 0 to 1 for each delay, so that many do not return at one moment.
    pub jitter: J,
    /// The delays.
    pub patience: Patience,
}

/// Everything up to a reading of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the history.
    pub history: Arc<str>,
    /// The reading's id there.
    pub id: u64,
}

/// What it wants of a gateway.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Topic filters; none: everything.
    pub subscribe: Vec<String>,
    /// Who it is and what it drives, where it drives something.
    pub controller: Option<Claim>,
    /// How far it is in the histories that it has followed, the last one first. In a history that is not among them it
    /// begins with what comes.
    pub known: Vec<Place>,
}

/// How far its own side is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Everything up to there is stored; `None`: nothing since the start.
    pub place: Option<Place>,
    /// How often something could not be stored: it is asked for again.
    pub failures: u64,
}

/// What happens, in its order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The gateway has answered.
    Connected {
        /// Behind which reading it begins.
        from: Place,
        /// How many microseconds its clock is ahead of ours, as well as can be told.
        ahead_micros: i64,
    },
    /// A reading came.
    Reading {
        /// Where it stands there.
        place: Place,
        /// With its time by our own clock, where the two differ by more than two seconds.
        forwarded: Forwarded,
        /// It reached the gateway more than ten seconds ago: nothing is done because of it.
        is_late: bool,
    },
    /// Readings on the way were lost: so many more, by their sequence numbers. Only by UDP.
    Missed(u64),
    /// The gateway said something that is no line of it. At most 200 characters from outside, control characters
    /// escaped.
    Complaint(String),
    /// There is no connection, or it has ended.
    Lost {
        /// Why, in words.
        reason: String,
        /// When the next try begins.
        retry_in: Duration,
    },
}

/// The gateway does not take this controller: a person must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {next}")]
pub struct Refused {
    error: String,
    next: String,
}

/// Follows until `stop`, or until nobody listens at `events` any more. When `events` is full nothing is read.
///
/// # Errors
/// [`Refused`]. Everything else is reported and tried again.
pub async fn follow(
    address: &Address,
    wish: Wish,
    events: mpsc::Sender<Event>,
    kept: watch::Receiver<Kept>,
    mut means: Means<impl FnMut() -> f64 + Send>,
    stop: CancellationToken,
) -> Result<(), Refused> {
    let patience = means.patience;
    let mut retry = Retry::new(patience.retry_min, patience.retry_max);
    let mut places = Places { known: wish.known.clone(), kept };
    loop {
        let mut session = Session {
            wish: &wish,
            places: &mut places,
            events: &events,
            now: &*means.now,
            patience,
            clocks: Clocks::default(),
            history: None,
            datagrams: 0,
            missed: 0,
        };
        let lost = Box::pin(session.run(address, &stop)).await;
        let is_greeted = session.history.is_some();
        let lost = match lost {
            Lost::Unwanted => return Ok(()),
            Lost::Refused(refused) => return Err(refused),
            lost => lost,
        };
        if is_greeted {
            retry.succeeded();
        }
        // Where it was told which history is there, there is no reason to wait.
        let is_told = matches!(lost, Lost::AnotherHistory);
        let retry_in = if is_told { Duration::ZERO } else { retry.next((means.jitter)()) };
        let waited = async {
            let event = Event::Lost { reason: words(&lost.to_string()), retry_in };
            events.send(event).await.ok()?;
            sleep(retry_in).await;
            Some(())
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            waited = waited => if waited.is_none() { return Ok(()) },
        }
    }
}

/// How far it is in each history.
struct Places {
    /// The last one first.
    known: Vec<Place>,
    kept: watch::Receiver<Kept>,
}

impl Places {
    /// How many histories are remembered. Full: the one that was followed the longest ago is forgotten.
    const LEN_MAX: usize = 16;

    /// Where to go on; `None`: nowhere was it yet.
    fn last(&mut self) -> Option<&Place> {
        let kept = self.kept.borrow_and_update().place.clone();
        if let Some(kept) = kept {
            match self.known.iter_mut().find(|known| known.history == kept.history) {
                Some(known) => known.id = known.id.max(kept.id),
                None => self.set_last(kept),
            }
        }
        self.known.first()
    }

    fn set_last(&mut self, place: Place) {
        self.known.retain(|known| known.history != place.history);
        self.known.insert(0, place);
        self.known.truncate(Self::LEN_MAX);
    }

    /// The gateway has the history with this name now: goes on there where it was, if it ever was.
    fn turn_to(&mut self, history: &str) {
        match self.known.iter().position(|known| &*known.history == history) {
            Some(place) => {
                let known = self.known.remove(place);
                self.known.insert(0, known);
            }
            None => self.known.clear(),
        }
    }
}

/// Why a connection is over. Goes to people as one line.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("no answer within {} s", .0.as_secs_f64())]
    ConnectTimeout(Duration),
    #[error("the gateway has closed the connection, or is gone")]
    Closed,
    #[error("nothing was heard for {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("the gateway says: {error}{}{next}", if next.is_empty() { "" } else { ": " })]
    Told { error: String, next: String },
    #[error(
        "the gateway has another history than before: its readings are taken from where that was left, or from now on"
    )]
    AnotherHistory,
    #[error("expected a line of a gateway: {0}")]
    NoGateway(String),
    #[error("a reading could not be stored: it is asked for again")]
    Unstored,
    #[error("refused: {0}")]
    Refused(Refused),
    /// Nobody listens any more.
    #[error("not wanted any more")]
    Unwanted,
}

enum Never {}

/// One connection.
struct Session<'a> {
    wish: &'a Wish,
    places: &'a mut Places,
    events: &'a mpsc::Sender<Event>,
    now: &'a (dyn Fn() -> UnixMicros + Send + Sync),
    patience: Patience,
    clocks: Clocks,
    /// The gateway has said which it is.
    history: Option<Arc<str>>,
    /// Datagrams with a reading that came.
    datagrams: u64,
    /// How many that were sent did not.
    missed: u64,
}

impl Session<'_> {
    async fn run(&mut self, address: &Address, stop: &CancellationToken) -> Lost {
        let limit = self.patience.connect;
        let request = self.request(address.is_lossless());
        let connected = tokio::select! {
            () = stop.cancelled() => return Lost::Unwanted,
            connected = timeout(limit, address.connect(&request)) => connected,
        };
        let connected = match connected {
            Ok(Ok(connected)) => connected,
            Ok(Err(reason)) => return Lost::Connect(reason),
            Err(_) => return Lost::ConnectTimeout(limit),
        };
        let outcome = match connected {
            Connected::Tcp(wire) => self.converse(wire, &request, stop).await,
            Connected::Live(wire) => self.converse(*wire, &request, stop).await,
            Connected::Udp(wire) => self.converse(*wire, &request, stop).await,
        };
        match outcome {
            Err(lost) => lost,
            Ok(never) => match never {},
        }
    }

    /// What it says first.
    fn request(&mut self, is_lossless: bool) -> Request {
        let mut request = Request { status: true, ack: is_lossless, ..Request::default() };
        if !self.wish.subscribe.is_empty() {
            request.subscribe.clone_from(&self.wish.subscribe);
        }
        request.controller.clone_from(&self.wish.controller);
        if let Some(Place { history, id }) = self.places.last().filter(|_| is_lossless) {
            request.after = Some(*id);
            request.history = Some(history.to_string());
        }
        request
    }

    async fn converse(
        &mut self,
        mut wire: impl Wire,
        request: &Request,
        stop: &CancellationToken,
    ) -> Result<Never, Lost> {
        let ended = tokio::select! {
            () = stop.cancelled() => Err(Lost::Unwanted),
            ended = self.greet_and_listen(&mut wire, request) => ended,
        };
        if matches!(ended, Err(Lost::Unwanted)) {
            // Says goodbye, so that the gateway need not find out.
            let _ = timeout(Duration::from_secs(1), wire.close()).await;
        }
        ended
    }

    async fn greet_and_listen(
        &mut self,
        wire: &mut impl Wire,
        request: &Request,
    ) -> Result<Never, Lost> {
        let limit = self.patience.connect;
        wire.write(&lines::ask(request), limit).await.map_err(|_| Lost::Closed)?;
        let first = timeout(limit, wire.line()).await.map_err(|_| Lost::ConnectTimeout(limit))?;
        self.hear(first).await?;
        self.listen(wire, request.ack).await
    }

    async fn listen(&mut self, wire: &mut impl Wire, acks: bool) -> Result<Never, Lost> {
        let silence = self.patience.silence;
        let failures = self.places.kept.borrow_and_update().failures;
        let mut acked = 0;
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                line = wire.line() => {
                    heard_at = Instant::now();
                    self.hear(line).await?;
                }
                changed = self.places.kept.changed() => {
                    changed.map_err(|_| Lost::Unwanted)?;
                    let kept = self.places.kept.borrow_and_update().clone();
                    if kept.failures != failures {
                        return Err(Lost::Unstored);
                    }
                    let here = kept.place.filter(|place| Some(&place.history) == self.history.as_ref());
                    if let Some(Place { id, .. }) = here.filter(|place| acks && place.id > acked) {
                        acked = id;
                        wire.write(&lines::ack(id), silence).await.map_err(|_| Lost::Closed)?;
                    }
                }
                () = sleep_until(heard_at + silence) => return Err(Lost::Silent(silence)),
            }
        }
    }

    async fn hear(&mut self, line: Result<Vec<u8>, End>) -> Result<(), Lost> {
        let line = match line {
            Ok(line) if !line.is_empty() => line,
            Ok(_) | Err(End::Gone | End::Stopped | End::Stalled | End::Unread) => {
                return Err(Lost::Closed);
            }
            Err(End::Wrong(Wrong { error, .. })) => return Err(Lost::NoGateway(error)),
        };
        match lines::parse(&line) {
            Ok(Said::Gateway(status, sent)) => {
                self.greet(status).await?;
                self.count(sent).await
            }
            Ok(Said::Reading(forwarded)) => self.take(forwarded).await,
            Ok(Said::Wrong(wrong)) => Err(self.told(wrong)),
            Ok(Said::Other) if self.history.is_some() => Ok(()),
            Ok(Said::Other) => Err(Lost::NoGateway(words(&String::from_utf8_lossy(&line)))),
            Err(error) => {
                let said = words(&String::from_utf8_lossy(&line));
                if self.history.is_none() {
                    return Err(Lost::NoGateway(said));
                }
                self.report(Event::Complaint(words(&format!("{error}: {said}")))).await
            }
        }
    }

    async fn greet(&mut self, status: Status) -> Result<(), Lost> {
        let now = (self.now)();
        let Some(theirs) = UnixMicros::parse_rfc3339(&status.now) else {
            return self.report(Event::Complaint("its time is no time".to_owned())).await;
        };
        self.clocks.note(theirs, now);
        if self.history.is_some() {
            return Ok(());
        }
        let from = Place {
            history: status.history.as_str().into(),
            id: status.after.unwrap_or(status.newest),
        };
        self.history = Some(Arc::clone(&from.history));
        self.places.set_last(from.clone());
        self.report(Event::Connected { from, ahead_micros: self.clocks.ahead_micros() }).await
    }

    async fn take(&mut self, mut forwarded: Forwarded) -> Result<(), Lost> {
        let Some(history) = self.history.clone() else {
            let reason = "a reading before anything about the gateway";
            return Err(Lost::NoGateway(reason.to_owned()));
        };
        self.datagrams += u64::from(forwarded.seq.is_some());
        let is_late = self.clocks.is_late(forwarded.arrived_at, (self.now)());
        forwarded.reading.taken_at = forwarded.reading.taken_at.map(|at| self.clocks.by_ours(at));
        let place = Place { history, id: forwarded.id };
        self.report(Event::Reading { place, forwarded, is_late }).await
    }

    /// Says how many datagrams were lost. What is still on its way, behind the answer, is not: it is counted with the
    /// next one.
    async fn count(&mut self, sent: Option<u64>) -> Result<(), Lost> {
        let Some(sent) = sent else { return Ok(()) };
        // Where it comes before a datagram that was sent before it, that one is taken back.
        let missed = sent.saturating_sub(self.datagrams);
        let more = missed.saturating_sub(self.missed);
        self.missed = missed;
        if more == 0 { Ok(()) } else { self.report(Event::Missed(more)).await }
    }

    fn told(&mut self, Wrong { error, next, code, history }: Wrong) -> Lost {
        let (error, next) = (words(&error), words(&next));
        match (code, history) {
            (Some(WrongCode::AnotherHistory), Some(history)) => {
                self.places.turn_to(&history);
                Lost::AnotherHistory
            }
            (Some(WrongCode::ControllerRefused | WrongCode::ConnectedAgain), _) => {
                Lost::Refused(Refused { error, next })
            }
            _ => Lost::Told { error, next },
        }
    }

    async fn report(&self, event: Event) -> Result<(), Lost> {
        self.events.send(event).await.map_err(|_| Lost::Unwanted)
    }
}
