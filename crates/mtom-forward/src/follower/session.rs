//! One connection to a gateway, from asking to its end.

use super::address::Address;
use super::clocks::Clocks;
use super::places::Places;
use super::wires::Connected;
use super::{Event, Patience, Place, Refused, Wish};
use crate::client::words;
use crate::follow::{End, Wire};
use crate::lines::{self, Forwarded, Request, Said, Status, Wrong, WrongCode};
use crate::seldom::Seldom;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How often it is said that a line was none.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(10);
/// How often it is said that datagrams were lost.
const MISSED_PERIOD: Duration = Duration::from_secs(1);
/// So many readings that were not asked for are worth a note of how far it is.
const LOOKED_MIN: u64 = 1_000;
/// The longest name of a history.
const HISTORY_LEN_MAX: usize = 64;

/// Limits what a gateway that says nonsense can have said in a log.
pub(super) struct Quiet {
    complaints: Seldom,
    missed: Seldom,
}

impl Quiet {
    pub(super) const fn new() -> Self {
        Self { complaints: Seldom::new(COMPLAINT_PERIOD), missed: Seldom::new(MISSED_PERIOD) }
    }
}

/// Why a connection is over. Goes to people as one line.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
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
    /// Another connection of this very controller has taken its place.
    #[error("the gateway says: {0}")]
    ConnectedAgain(Refused),
    #[error("refused: {0}")]
    Refused(Refused),
    /// Nobody listens any more.
    #[error("not wanted any more")]
    Unwanted,
}

pub(super) enum Never {}

/// One connection.
pub(super) struct Session<'a> {
    wish: &'a Wish,
    places: &'a mut Places,
    events: &'a mpsc::Sender<Event>,
    now: &'a (dyn Fn() -> UnixMicros + Send + Sync),
    patience: Patience,
    /// Limits what is said of lines that are none, and of datagrams that are lost.
    quiet: &'a mut Quiet,
    clocks: Clocks,
    /// What was missed can be asked for.
    is_lossless: bool,
    /// The last id that came.
    heard_id: u64,
    /// It begins with what comes, and everything from there on.
    is_anew: bool,
    /// The gateway has said which it is.
    history: Option<Arc<str>>,
    /// Datagrams with a reading that came, in their order.
    datagrams: u64,
    /// The number of the last of them.
    seq: u64,
    /// How many that were sent did not.
    missed: u64,
    /// How many of them were not told yet.
    missed_untold: u64,
}

/// What a session takes from its surroundings.
pub(super) struct Around<'a> {
    pub(super) wish: &'a Wish,
    pub(super) places: &'a mut Places,
    pub(super) events: &'a mpsc::Sender<Event>,
    pub(super) now: &'a (dyn Fn() -> UnixMicros + Send + Sync),
    pub(super) patience: Patience,
    pub(super) quiet: &'a mut Quiet,
}

impl<'a> Session<'a> {
    pub(super) fn new(around: Around<'a>, is_lossless: bool) -> Self {
        let Around { wish, places, events, now, patience, quiet } = around;
        Self {
            wish,
            places,
            events,
            now,
            patience,
            quiet,
            clocks: Clocks::default(),
            is_lossless,
            heard_id: 0,
            is_anew: false,
            history: None,
            datagrams: 0,
            seq: 0,
            missed: 0,
            missed_untold: 0,
        }
    }

    /// The gateway has said which it is.
    pub(super) const fn is_greeted(&self) -> bool {
        self.history.is_some()
    }

    pub(super) async fn run(&mut self, address: &Address, stop: &CancellationToken) -> Lost {
        let limit = self.patience.connect;
        let request = self.request();
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
    fn request(&mut self) -> Request {
        let mut request = Request { status: true, ack: self.is_lossless, ..Request::default() };
        if !self.wish.subscribe.is_empty() {
            request.subscribe.clone_from(&self.wish.subscribe);
        }
        request.controller.clone_from(&self.wish.controller);
        if let Some(Place { history, id }) = self.places.offered().filter(|_| self.is_lossless) {
            request.after = Some(id);
            request.history = Some(history.to_string());
        }
        self.is_anew = self.is_lossless && request.after.is_none();
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
        } else {
            // What the system still tries to bring there must not come after the next connection.
            wire.abort();
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
        let failures = self.places.kept().borrow_and_update().failures;
        let mut acked = 0;
        let mut heard_at = Instant::now();
        loop {
            let kept = self.places.kept();
            tokio::select! {
                biased;
                // First: when this process was held up, what has gathered meanwhile is of the past, and so is the
                // time in it.
                () = sleep_until(heard_at + silence) => return Err(Lost::Silent(silence)),
                changed = kept.changed() => {
                    changed.map_err(|_| Lost::Unwanted)?;
                    let kept = kept.borrow_and_update().clone();
                    if kept.failures != failures {
                        return Err(Lost::Unstored);
                    }
                    let here = kept.place.filter(|place| Some(&place.history) == self.history.as_ref());
                    // What came on the connection before is known there, or is not on its way here yet.
                    let id = here.map_or(0, |place| place.id).min(self.heard_id);
                    if acks && id > acked {
                        acked = id;
                        wire.write(&lines::ack(id), silence).await.map_err(|_| Lost::Closed)?;
                    }
                }
                line = wire.line() => {
                    heard_at = Instant::now();
                    self.hear(line).await?;
                }
            }
        }
    }

    async fn hear(&mut self, line: Result<Vec<u8>, End>) -> Result<(), Lost> {
        let line = match line {
            Ok(line) if !line.is_empty() => line,
            Ok(_) | Err(End::Gone | End::Stopped | End::Stalled | End::Cut | End::Unread) => {
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
                self.complain(words(&format!("{error}: {said}"))).await
            }
        }
    }

    async fn greet(&mut self, status: Status) -> Result<(), Lost> {
        let now = (self.now)();
        let Some(theirs) = UnixMicros::parse_rfc3339(&status.now) else {
            return Err(Lost::NoGateway(format!("its time is no time: {}", words(&status.now))));
        };
        self.clocks.note(theirs, now);
        if self.history.is_some() {
            return self.look(&status).await;
        }
        let history = &*status.history;
        if !(1..=HISTORY_LEN_MAX).contains(&history.len()) || history.chars().any(char::is_control)
        {
            let reason = format!("its history's name has not 1 to {HISTORY_LEN_MAX} plain letters");
            return Err(Lost::NoGateway(reason));
        }
        let from = Place { history: history.into(), id: status.after.unwrap_or(status.newest) };
        self.history = Some(Arc::clone(&from.history));
        self.heard_id = from.id;
        self.places.set(from.clone());
        let (is_anew, ahead_micros) = (self.is_anew, self.clocks.ahead_micros());
        self.report(Event::Connected { from, is_anew, ahead_micros }).await
    }

    /// Where little is asked for of much, the place moves on without a reading: the next connection need not look
    /// through all of it again.
    async fn look(&mut self, status: &Status) -> Result<(), Lost> {
        let Some(history) = self.history.clone().filter(|name| **name == *status.history) else {
            return Ok(());
        };
        let Some(until) = status.until.filter(|_| self.is_lossless) else { return Ok(()) };
        if until < self.heard_id.saturating_add(LOOKED_MIN) {
            return Ok(());
        }
        self.heard_id = until;
        self.report(Event::Looked { place: Place { history, id: until } }).await
    }

    async fn take(&mut self, mut forwarded: Forwarded) -> Result<(), Lost> {
        let Some(history) = self.history.clone() else {
            let reason = "a reading before anything about the gateway";
            return Err(Lost::NoGateway(reason.to_owned()));
        };
        if let Some(seq) = forwarded.seq {
            // One that was overtaken, or comes twice, is passed over: then it counts as lost, or as one.
            if seq <= self.seq {
                return Ok(());
            }
            self.seq = seq;
            self.datagrams += 1;
        }
        let fresh_until = self.clocks.fresh_until(forwarded.arrived_at);
        forwarded.reading.taken_at = forwarded.reading.taken_at.map(|at| self.clocks.by_ours(at));
        self.heard_id = self.heard_id.max(forwarded.id);
        let place = Place { history, id: forwarded.id };
        let is_complete = self.is_lossless;
        self.report(Event::Reading { place, forwarded, fresh_until, is_complete }).await
    }

    /// Says how many datagrams were lost. What is still on its way, behind the answer, is not: it is counted with the
    /// next one.
    async fn count(&mut self, sent: Option<u64>) -> Result<(), Lost> {
        let Some(sent) = sent else { return Ok(()) };
        // Where the answer has overtaken a datagram that was sent before it, that one counts as lost and is made up
        // for by a later one.
        let missed = sent.saturating_sub(self.datagrams);
        let more = missed.saturating_sub(self.missed);
        self.missed = self.missed.max(missed);
        self.missed_untold += more;
        if self.missed_untold == 0 || self.quiet.missed.admit(Instant::now()).is_none() {
            return Ok(());
        }
        let count = std::mem::take(&mut self.missed_untold);
        self.report(Event::Missed(count)).await
    }

    async fn complain(&mut self, reason: String) -> Result<(), Lost> {
        match self.quiet.complaints.admit(Instant::now()) {
            Some(0) => self.report(Event::Complaint(reason)).await,
            Some(more) => {
                self.report(Event::Complaint(format!("{reason} (and {more} more)"))).await
            }
            None => Ok(()),
        }
    }

    fn told(&mut self, Wrong { error, next, code, .. }: Wrong) -> Lost {
        let (error, next) = (words(&error), words(&next));
        match code {
            Some(WrongCode::AnotherHistory) if self.places.is_unknown() => Lost::AnotherHistory,
            Some(WrongCode::ConnectedAgain) => Lost::ConnectedAgain(Refused { error, next }),
            Some(WrongCode::ControllerRefused) => Lost::Refused(Refused { error, next }),
            _ => Lost::Told { error, next },
        }
    }

    async fn report(&self, event: Event) -> Result<(), Lost> {
        self.events.send(event).await.map_err(|_| Lost::Unwanted)
    }
}
