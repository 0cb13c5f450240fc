//! The forwarding by TCP: a line of JSON for each reading, to everybody who connects.
//!
//! A client may say with one line what it wants (`lines.rs`), until the first reading is sent; without one it gets
//! everything from the moment it connected. Nothing is left out: one that is slow, or comes again with `after`, gets
//! what it lacks from the history and then what comes, each once and in order. With `ack` no more than 1,000 lines
//! are under way that it has not acknowledged. A client whose socket takes nothing for [`Limits::stall`] is closed.

use crate::bell::{Bell, pass_on};
use crate::feed::{Feed, ReadingPages};
use crate::history::PageError;
use crate::lines::{self, ACK_EXAMPLE, EXAMPLE, LINE_LEN_MAX, Request};
use crate::recent::{Piece, Room};
use crate::seldom::Seldom;
use crate::server::{LOG_PERIOD, Limits, Present, TURNED_AWAY_MAX, accept, tune};
use crate::socket::until_closed;
use futures_util::FutureExt;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client that has said nothing is waited for.
const GREETING: Duration = Duration::from_secs(1);
/// One write to one client. Also what a client may cost that takes only part of a write.
const PIECE_LEN_MAX: usize = 8 * 1024;
/// Readings that are looked at for one piece: as many as fill it, and more where few of them are wanted.
const LOOKS_MIN: usize = 64;
const LOOKS_MAX: usize = 512;
/// Lines under way that are not acknowledged, where acknowledging was asked for.
const UNACKED_MAX: usize = 1_000;

/// Serves until `stop`; then each client gets what is in memory, and the rest when it comes again.
///
/// # Errors
/// When the listener is none. A lack of file descriptors is waited out.
pub async fn serve_tcp(
    listener: TcpListener,
    feed: Feed,
    pages: Arc<impl ReadingPages>,
    limits: Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    // Of our own: the listener may fail while the rest of the process goes on.
    let end = stop.child_token();
    let (bell, _) = watch::channel(Bell::More);
    let places = Arc::new(Semaphore::new(limits.viewers_max.min(Semaphore::MAX_PERMITS)));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let mut refusals = Seldom::new(LOG_PERIOD);
    let clients = TaskTracker::new();
    let served = async {
        let outcome = accept(&listener, &end, |tcp, peer| {
            if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                let means = Means {
                    feed: feed.clone(),
                    pages: Arc::clone(&pages),
                    limits,
                    stop: end.child_token(),
                };
                clients.spawn(serve_one(tcp, peer, means, bell.subscribe(), place));
            } else {
                feed.tally().refused.fetch_add(1, Ordering::Relaxed);
                if let Some(held_back) = refusals.admit(Instant::now()) {
                    tracing::warn!(%peer, held_back, "every place at the TCP port is taken");
                }
                if let Ok(permit) = Arc::clone(&turned_away).try_acquire_owned() {
                    clients.spawn(turn_away(tcp, limits, end.child_token(), permit));
                }
            }
        })
        .await;
        end.cancel();
        outcome
    };
    let (outcome, ()) = tokio::join!(served, pass_on(feed.bell(), bell.clone(), &end));
    drop(listener);
    clients.close();
    clients.wait().await;
    outcome
}

/// What serving one client takes.
struct Means<P> {
    feed: Feed,
    pages: Arc<P>,
    limits: Limits,
    stop: CancellationToken,
}

async fn serve_one(
    tcp: TcpStream,
    peer: SocketAddr,
    means: Means<impl ReadingPages>,
    bell: watch::Receiver<Bell>,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = tune(&tcp, means.limits.gone) {
        tracing::debug!(%peer, %error, "cannot tune the socket");
    }
    let tally = means.feed.tally();
    let mut client = Client::new(tcp, means, bell);
    let _present = Present::new(tally, place);
    let end = client.talk().await;
    client.finish(end, peer).await;
}

async fn turn_away(
    mut tcp: TcpStream,
    limits: Limits,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
) {
    let line = lines::error("every place is taken", "close another connection, then try again");
    // Reads to the end, so that the line is not lost in a reset.
    let told = timeout(limits.farewell, async {
        if tcp.write_all(&line).await.is_ok() {
            until_closed(&mut tcp).await;
        }
    });
    tokio::select! {
        () = stop.cancelled() => {}
        _ = told => {}
    }
}

/// Why a conversation is over.
#[derive(Debug)]
enum End {
    /// The connection is gone.
    Gone,
    /// A write made no progress for [`Limits::stall`].
    Stalled,
    /// The client has said something that is no such line: it is told.
    Wrong { error: String, next: String },
    /// The history cannot be read: it is told.
    Unread,
    /// We are ending.
    Stopped,
}

struct Client<P> {
    said: Said,
    write: OwnedWriteHalf,
    means: Means<P>,
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
}

impl<P: ReadingPages> Client<P> {
    /// It follows from here on: what comes now rings, or is behind `until`.
    fn new(tcp: TcpStream, means: Means<P>, bell: watch::Receiver<Bell>) -> Self {
        let (read, write) = tcp.into_split();
        let until = means.feed.newest();
        Self {
            said: Said { read, bytes: Vec::new(), is_closed: false },
            write,
            means,
            bell,
            request: Request::default(),
            is_greeted: false,
            until,
            is_behind: true,
            looks: LOOKS_MIN,
            unacked: VecDeque::new(),
            is_full: false,
        }
    }

    async fn talk(&mut self) -> End {
        let greeted = tokio::select! {
            () = self.means.stop.cancelled() => return End::Stopped,
            greeted = timeout(GREETING, self.said.line()) => greeted,
        };
        if let Ok(line) = greeted
            && let Err(end) = line.and_then(|line| self.hear(&line))
        {
            return end;
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
            if let Some(line) = self.said.line().now_or_never() {
                return self.hear(&line?);
            }
            return self.show().await;
        }
        tokio::select! {
            biased;
            rung = self.bell.changed(), if !self.is_behind => {
                self.is_behind = true;
                match rung {
                    Ok(()) if *self.bell.borrow_and_update() == Bell::More => Ok(()),
                    _ => Err(End::Stopped),
                }
            }
            () = self.means.stop.cancelled(), if self.is_behind => Err(End::Stopped),
            line = self.said.line() => self.hear(&line?),
        }
    }

    fn hear(&mut self, line: &[u8]) -> Result<(), End> {
        if line.is_empty() {
            // It says nothing, or nothing more; it still listens.
            return Ok(());
        }
        if !self.is_greeted {
            return self.ask(line);
        }
        if !self.request.ack {
            let error = "nothing more is to be said".to_owned();
            let next = format!("say all of it before the first reading comes: {EXAMPLE}");
            return Err(End::Wrong { error, next });
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
    fn ask(&mut self, line: &[u8]) -> Result<(), End> {
        let request = Request::parse(line).map_err(|error| wrong(error, EXAMPLE))?;
        if let Some(after) = request.after {
            let newest = self.means.feed.newest();
            if after > newest {
                let error = format!("after {after} is ahead of the newest reading, {newest}");
                let next = "this is another history than that of before: ask with after 0 for all \
                            of it, or without after for what comes";
                return Err(End::Wrong { error, next: next.to_owned() });
            }
            self.until = after;
            self.is_behind = true;
        }
        self.request = request;
        self.is_greeted = true;
        Ok(())
    }

    /// Writes what comes next.
    async fn show(&mut self) -> Result<(), End> {
        let room = self.room();
        let (recent, newest) = self.means.feed.recent(self.until, &self.request, room);
        let piece = match recent {
            Some(piece) => piece,
            None => self.look_back(newest, room).await?,
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

    async fn look_back(&self, newest: u64, room: Room) -> Result<Piece, End> {
        let Means { feed, pages, limits, stop } = &self.means;
        let _turn = tokio::select! {
            () = stop.cancelled() => return Err(End::Stopped),
            turn = feed.turn() => turn,
        };
        let piece = feed.stored(self.until, newest, &self.request, room, &**pages);
        let piece = tokio::select! {
            () = stop.cancelled() => return Err(End::Stopped),
            piece = timeout(limits.page, piece) => piece,
        };
        match piece {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(PageError(cause))) => {
                tracing::error!(cause, "cannot read the history for a client of the TCP port");
                Err(End::Unread)
            }
            Err(_) => {
                tracing::error!("the history took too long for a client of the TCP port");
                Err(End::Unread)
            }
        }
    }

    /// A piece that was begun is ended, also where we are ending.
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
        let Means { feed, limits, stop, .. } = &self.means;
        let mut written = pin!(write(&mut self.write, &bytes, limits.stall));
        let written = tokio::select! {
            biased;
            written = &mut written => Ok(written),
            () = stop.cancelled() => timeout(limits.farewell, written).await,
        };
        written.unwrap_or(Err(End::Stalled))?;
        feed.sent(ids.len());
        Ok(())
    }

    async fn finish(mut self, end: End, peer: SocketAddr) {
        let farewell = self.means.limits.farewell;
        let line = match end {
            End::Gone => return,
            End::Stopped => {
                // Nothing new comes any more. What is in memory it still gets.
                let _ = timeout(farewell, self.let_go()).await;
                return;
            }
            End::Stalled => {
                self.means.feed.tally().closed_slow.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%peer, "closed a client of the TCP port that took nothing");
                // Without this the system would keep the unsent bytes for long. A failure means that the socket
                // is closed already.
                let _ = self.write.as_ref().set_zero_linger();
                return;
            }
            End::Wrong { error, next } => {
                tracing::debug!(%peer, error, "a client of the TCP port said something wrong");
                lines::error(&error, &next)
            }
            End::Unread => lines::error("the history cannot be read now", "connect again later"),
        };
        let stop = self.means.stop.clone();
        let told = timeout(farewell, async {
            if self.write.write_all(&line).await.is_ok() {
                self.close().await;
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
            let (Some(piece), _) = self.means.feed.recent(self.until, &self.request, room) else {
                break;
            };
            if piece.until == self.until || self.send(piece).await.is_err() {
                break;
            }
        }
        self.close().await;
    }

    /// Nothing of what was said is lost in a reset.
    async fn close(self) {
        if let Ok(mut tcp) = self.said.read.reunite(self.write) {
            until_closed(&mut tcp).await;
        }
    }
}

/// Writes all of it, as long as the socket takes some of it in each `stall`.
async fn write(write: &mut OwnedWriteHalf, bytes: &[u8], stall: Duration) -> Result<(), End> {
    let mut left = bytes;
    while !left.is_empty() {
        // Nearly always there is room.
        let written = match write.try_write(left) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout(stall, write.write(left)).await.map_err(|_| End::Stalled)?
            }
            written => written,
        };
        match written {
            Ok(0) | Err(_) => return Err(End::Gone),
            Ok(count) => left = &left[count..],
        }
    }
    Ok(())
}

fn wrong(error: String, example: &str) -> End {
    End::Wrong { error, next: format!("say one line as in {example}") }
}

/// What a client says, line by line.
struct Said {
    read: OwnedReadHalf,
    /// What came behind the last line.
    bytes: Vec<u8>,
    /// It will say nothing more.
    is_closed: bool,
}

impl Said {
    /// The next line without its end; empty: it has said everything. Losing this future loses nothing. Once that
    /// was told it waits until the connection breaks, because one that says no more still listens.
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        if self.is_closed {
            loop {
                let ready = self.read.ready(Interest::ERROR).await.map_err(|_| End::Gone)?;
                if ready.is_error() {
                    return Err(End::Gone);
                }
            }
        }
        loop {
            let end = self.bytes.iter().position(|byte| *byte == b'\n');
            if end.unwrap_or(self.bytes.len()) > LINE_LEN_MAX {
                let error = format!("a line of more than {LINE_LEN_MAX} bytes");
                return Err(wrong(error, EXAMPLE));
            }
            if let Some(end) = end {
                let mut line: Vec<_> = self.bytes.drain(..=end).collect();
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
            match self.read.read_buf(&mut self.bytes).await {
                Ok(0) => {
                    self.is_closed = true;
                    return Ok(std::mem::take(&mut self.bytes));
                }
                Ok(_) => {}
                Err(_) => return Err(End::Gone),
            }
        }
    }
}
