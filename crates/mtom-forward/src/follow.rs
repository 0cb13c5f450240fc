//! The conversation with one who follows: what it asks for, every reading as a line, what it acknowledges.
//!
//! It may say with one line what it wants (`lines.rs`), until the first reading is sent; without one it gets
//! everything from the moment it connected. Nothing is left out: one that is slow, or comes again with `after`, gets
//! what it lacks from the history and then what comes, each once and in order. With `ack` no more than 1,000 lines
//! are under way that it has not acknowledged. It goes over any [`Wire`]; one that takes nothing for
//! [`Limits::stall`] is closed.

use crate::bell::{Bell, pass_on};
use crate::feed::{Feed, ReadingPages};
use crate::history::PageError;
use crate::lines::{self, ACK_EXAMPLE, EXAMPLE, Request, Status, WrongCode};
pub use crate::lines::{LINE_LEN_MAX, Wrong};
use crate::origin::Origin;
use crate::owners::Hold;
use crate::recent::{Piece, Room};
use crate::server::Limits;
use futures_util::FutureExt;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How long a client that has said nothing is waited for.
const GREETING: Duration = Duration::from_secs(1);
/// One write to one client. Also what a client may cost that takes only part of a write.
const PIECE_LEN_MAX: usize = 8 * 1024;
/// Readings that are looked at for one piece: as many as fill it, and more where few of them are wanted.
const LOOKS_MIN: usize = 64;
const LOOKS_MAX: usize = 512;
/// Lines under way that are not acknowledged, where acknowledging was asked for.
const UNACKED_MAX: usize = 1_000;

/// What lines go over.
pub trait Wire: Send {
    /// The next line that the other side says, without its end; empty: it has said everything. Losing this future
    /// loses nothing. Once that was told it waits until the connection breaks, because one that says no more still
    /// listens.
    fn line(&mut self) -> impl Future<Output = Result<Vec<u8>, End>> + Send;

    /// Writes whole lines, as long as some of them go out in each `stall`.
    fn write(
        &mut self,
        lines: &[u8],
        stall: Duration,
    ) -> impl Future<Output = Result<(), End>> + Send;

    /// Waits until the other side has closed too, so that nothing is lost that was said last.
    fn close(self) -> impl Future<Output = ()> + Send;

    /// Throws away what the system still keeps for the other side.
    fn abort(&mut self);

    /// The conversation is over because it took nothing: counts it at the port that it came to.
    fn closed_slow(&self) {}
}

/// Why a conversation is over.
#[derive(Debug)]
pub enum End {
    /// The connection is gone.
    Gone,
    /// A write made no progress for as long as it may.
    Stalled,
    /// The client has said something that is no such line: it is told.
    Wrong(Wrong),
    /// The history cannot be read: it is told.
    Unread,
    /// We are ending.
    Stopped,
    /// We are ending, and a write that was begun found no end.
    Cut,
}

impl End {
    /// A line is longer than `len`.
    pub(crate) fn too_long(len: usize) -> Self {
        wrong(format!("a line of more than {len} bytes"), EXAMPLE)
    }
}

/// Where many follow: one bell for all of them. A clone is the same.
pub struct Desk<P> {
    pub(crate) feed: Feed,
    pages: Arc<P>,
    pub(crate) limits: Limits,
    bell: watch::Sender<Bell>,
}

impl<P> Clone for Desk<P> {
    fn clone(&self) -> Self {
        let Self { feed, pages, limits, bell } = self;
        let (feed, pages, bell) = (feed.clone(), Arc::clone(pages), bell.clone());
        Self { feed, pages, limits: *limits, bell }
    }
}

impl<P: ReadingPages> Desk<P> {
    /// Readings of `feed`; those that it no longer has in memory are in `pages`.
    #[must_use]
    pub fn new(feed: Feed, pages: Arc<P>, limits: Limits) -> Self {
        Self { feed, pages, limits, bell: watch::Sender::new(Bell::More) }
    }

    /// Tells all who follow that there is more, until `stop`. Without it nobody hears what comes.
    pub async fn run(&self, stop: &CancellationToken) {
        pass_on(self.feed.bell(), self.bell.clone(), stop).await;
    }

    /// Everything from here on for `wire`, until it ends or `stop`.
    pub async fn follow(
        &self,
        wire: impl Wire,
        peer: IpAddr,
        said: Option<Vec<u8>>,
        stop: CancellationToken,
    ) {
        let mut client = Client::new(wire, self.clone(), peer, stop);
        let end = client.talk(said).await;
        client.finish(end).await;
    }
}

struct Client<W, P> {
    wire: W,
    desk: Desk<P>,
    peer: IpAddr,
    stop: CancellationToken,
    bell: watch::Receiver<Bell>,
    request: Request,
    /// It has said what it wants, or has got a reading without.
    is_greeted: bool,
    /// It has everything up to this id, or it is under way.
    until: u64,
    /// There may be more behind it.
    is_behind: bool,
    /// How many readings are looked at for the next piece.
    looks: usize,
    /// The lines that it has not acknowledged yet.
    unacked: VecDeque<u64>,
    /// It has as many of them as it may have: there is no more until it has acknowledged half of them, so that each
    /// look into the history is worth it.
    is_full: bool,
    /// When it is told next how the gateway is, where it asked for it.
    status_at: Option<Instant>,
    /// It is a controller.
    hold: Option<Hold>,
}

impl<W: Wire, P: ReadingPages> Client<W, P> {
    /// It follows from here on: what comes now rings, or is behind `until`.
    fn new(wire: W, desk: Desk<P>, peer: IpAddr, stop: CancellationToken) -> Self {
        let mut bell = desk.bell.subscribe();
        // Also where it has rung for the last time already.
        bell.mark_changed();
        let until = desk.feed.newest();
        Self {
            wire,
            desk,
            peer,
            stop,
            bell,
            request: Request::default(),
            is_greeted: false,
            until,
            is_behind: true,
            looks: LOOKS_MIN,
            unacked: VecDeque::new(),
            is_full: false,
            status_at: None,
            hold: None,
        }
    }

    async fn talk(&mut self, said: Option<Vec<u8>>) -> End {
        let greeted = tokio::select! {
            () = self.stop.cancelled() => return End::Stopped,
            greeted = timeout(GREETING, async {
                match said {
                    Some(said) => Ok(said),
                    None => self.wire.line().await,
                }
            }) => greeted,
        };
        if let Ok(line) = greeted {
            let heard = match line {
                Ok(line) => self.hear(&line).await,
                Err(end) => Err(end),
            };
            if let Err(end) = heard {
                return end;
            }
        }
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    /// Hears one line or writes one piece.
    async fn step(&mut self) -> Result<(), End> {
        if self.is_behind && !self.is_full {
            // What it says is heard however much there is to write.
            if let Some(line) = self.wire.line().now_or_never() {
                let line = line?;
                return self.hear(&line).await;
            }
            if self.status_at.is_some_and(|at| at <= Instant::now()) {
                self.tell_status().await?;
            }
            return self.show().await;
        }
        let (hold, status_at) = (&self.hold, self.status_at);
        tokio::select! {
            biased;
            rung = self.bell.changed(), if !self.is_behind => {
                self.is_behind = true;
                match rung {
                    Ok(()) if *self.bell.borrow_and_update() == Bell::More => Ok(()),
                    _ => Err(End::Stopped),
                }
            }
            () = self.stop.cancelled() => Err(End::Stopped),
            () = async { hold.as_ref().expect("looked at before").replaced().await },
                if hold.is_some() => Err(End::Wrong(connected_again())),
            () = sleep_until(status_at.unwrap_or_else(Instant::now)), if status_at.is_some() => {
                self.tell_status().await
            }
            line = self.wire.line() => {
                let line = line?;
                self.hear(&line).await
            }
        }
    }

    async fn hear(&mut self, line: &[u8]) -> Result<(), End> {
        if line.is_empty() {
            // It says nothing, or nothing more; it still listens.
            return Ok(());
        }
        if !self.is_greeted {
            return self.ask(line).await;
        }
        if !self.request.ack {
            let next = format!("say all of it before the first reading comes: {EXAMPLE}");
            return Err(End::Wrong(Wrong::new("nothing more is to be said", next)));
        }
        let ack = lines::parse_ack(line).map_err(|error| wrong(error, ACK_EXAMPLE))?;
        if ack > self.until {
            let error = format!("ack {ack}: no reading with that id was sent yet");
            return Err(wrong(error, ACK_EXAMPLE));
        }
        let count = self.unacked.partition_point(|id| *id <= ack);
        self.unacked.drain(..count);
        self.is_full &= self.unacked.len() > UNACKED_MAX / 2;
        Ok(())
    }

    /// Takes what it says first.
    async fn ask(&mut self, line: &[u8]) -> Result<(), End> {
        let request = Request::parse(line).map_err(|error| wrong(error, EXAMPLE))?;
        if let Some(after) = self.begin(&request).map_err(End::Wrong)? {
            self.until = after;
            self.is_behind = true;
        }
        if let Some(claim) = &request.controller {
            let hold = self.desk.feed.claim(claim, self.peer, Instant::now());
            self.hold = Some(hold.map_err(End::Wrong)?);
        }
        self.request = request;
        self.is_greeted = true;
        if self.request.status {
            let status = Status { after: Some(self.until), ..self.desk.feed.status() };
            self.write_status(&status).await?;
        }
        Ok(())
    }

    /// Behind which id it begins; `None`: with what comes.
    fn begin(&self, request: &Request) -> Result<Option<u64>, Wrong> {
        let Some(after) = request.after else { return Ok(None) };
        let newest = self.desk.feed.newest();
        let Origin { history, here, .. } = self.desk.feed.origin();
        let other = |error: String| {
            let next = "this is another history than that of before: ask with after 0 for all \
                        of it, or without after for what comes";
            let wrong = Wrong::new(error, next).coded(WrongCode::AnotherHistory);
            Wrong { history: Some(history.to_string()), ..wrong }
        };
        let after = match &request.history {
            Some(name) => here(name, after)
                .ok_or_else(|| other(format!("the history {name:?} never was here")))?,
            None => after,
        };
        if after > newest {
            return Err(other(format!("after {after} is ahead of the newest reading, {newest}")));
        }
        Ok(Some(after))
    }

    async fn tell_status(&mut self) -> Result<(), End> {
        let status = Status { until: Some(self.until), ..self.desk.feed.status() };
        self.write_status(&status).await
    }

    async fn write_status(&mut self, status: &Status) -> Result<(), End> {
        self.status_at = Some(Instant::now() + self.desk.limits.status);
        self.write(&lines::status(status)).await
    }

    /// Writes what comes next.
    async fn show(&mut self) -> Result<(), End> {
        let room = self.room();
        let (recent, newest) = self.desk.feed.recent(self.until, &self.request, room);
        let piece = match recent {
            Some(piece) => piece,
            None => {
                let Self { desk, request, stop, until, .. } = self;
                look_back(desk, (*until, newest), request, room, stop).await?
            }
        };
        let is_filled = piece.ids.len() == room.lines || piece.bytes.len() * 2 > PIECE_LEN_MAX;
        self.looks = if is_filled { LOOKS_MIN } else { (self.looks * 2).min(LOOKS_MAX) };
        self.is_behind = piece.until > self.until;
        self.send(piece).await
    }

    fn room(&self) -> Room {
        let lines = if self.request.ack { UNACKED_MAX - self.unacked.len() } else { LOOKS_MAX };
        Room { bytes: PIECE_LEN_MAX, lines, looks: self.looks }
    }

    async fn send(&mut self, Piece { bytes, ids, until }: Piece) -> Result<(), End> {
        self.until = until;
        if ids.is_empty() {
            return Ok(());
        }
        self.is_greeted = true;
        if self.request.ack {
            self.unacked.extend(&ids);
            self.is_full = self.unacked.len() >= UNACKED_MAX;
        }
        self.write(&bytes).await?;
        self.desk.feed.sent(ids.len());
        Ok(())
    }

    /// What was begun is ended, also where we are ending.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        let Limits { stall, farewell, .. } = self.desk.limits;
        let mut written = pin!(self.wire.write(bytes, stall));
        let written = tokio::select! {
            biased;
            written = &mut written => Ok(written),
            () = self.stop.cancelled() => timeout(farewell, written).await,
        };
        written.unwrap_or(Err(End::Cut))
    }

    async fn finish(mut self, end: End) {
        if let Some(hold) = self.hold.take() {
            hold.leave((self.desk.feed.origin().now)(), Instant::now());
        }
        let (farewell, peer) = (self.desk.limits.farewell, self.peer);
        let wrong = match end {
            End::Gone => return,
            End::Stopped => {
                // Nothing new comes any more. What is in memory it still gets.
                let _ = timeout(farewell, self.let_go()).await;
                return;
            }
            End::Stalled => {
                self.wire.closed_slow();
                tracing::info!(%peer, "closed one who follows and took nothing");
                self.wire.abort();
                return;
            }
            End::Cut => return self.wire.abort(),
            End::Wrong(wrong) => {
                let error = &*wrong.error;
                tracing::debug!(%peer, error, "one who follows said something wrong");
                wrong
            }
            End::Unread => Wrong::new("the history cannot be read now", "connect again later"),
        };
        let stop = self.stop.clone();
        let told = timeout(farewell, async {
            if self.wire.write(&wrong.line(), farewell).await.is_ok() {
                self.wire.close().await;
            }
        });
        tokio::select! {
            () = stop.cancelled() => {}
            _ = told => {}
        }
    }

    async fn let_go(mut self) {
        while !self.is_full {
            let room = self.room();
            let (Some(piece), _) = self.desk.feed.recent(self.until, &self.request, room) else {
                break;
            };
            if piece.until == self.until || self.send(piece).await.is_err() {
                break;
            }
        }
        self.wire.close().await;
    }
}

/// What comes behind the first id in the history, up to the second.
async fn look_back<P: ReadingPages>(
    desk: &Desk<P>,
    (until, newest): (u64, u64),
    request: &Request,
    room: Room,
    stop: &CancellationToken,
) -> Result<Piece, End> {
    let Desk { feed, pages, limits, .. } = desk;
    let _turn = tokio::select! {
        () = stop.cancelled() => return Err(End::Stopped),
        turn = feed.turn() => turn,
    };
    let piece = feed.stored(until, newest, request, room, &**pages);
    let piece = tokio::select! {
        () = stop.cancelled() => return Err(End::Stopped),
        piece = timeout(limits.page, piece) => piece,
    };
    match piece {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(PageError(cause))) => {
            tracing::error!(cause, "cannot read the history for one who follows");
            Err(End::Unread)
        }
        Err(_) => {
            tracing::error!("the history took too long for one who follows");
            Err(End::Unread)
        }
    }
}

fn wrong(error: String, example: &str) -> End {
    End::Wrong(Wrong::new(error, format!("say one line as in {example}")))
}

pub(crate) fn connected_again() -> Wrong {
    let next = "a controller has one connection: end the older one; a second controller needs a data \
                folder of its own";
    Wrong::new("the same controller has connected again", next).coded(WrongCode::ConnectedAgain)
}
