//! The forwarding by TCP: a line of JSON for each reading, to everybody who connects.
//!
//! A client may say with one line what it wants (`lines.rs`); without one it gets everything from the moment
//! it connected. Nothing is left out: one that is slow, or comes again with `after`, gets what it lacks from the
//! history and then what comes, each once and in order. With `ack` no more than 1,000 lines are under way
//! that it has not acknowledged. A client whose socket takes nothing for [`Limits::stall`] is closed.

use crate::feed::{Feed, ReadingPages};
use crate::history::PageError;
use crate::lines::{self, ACK_EXAMPLE, EXAMPLE, LINE_LEN_MAX, Request};
use crate::recent::{Piece, Room};
use crate::server::{Limits, Present, accept, tune};
use futures_util::FutureExt;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client has to say what it wants.
const GREETING: Duration = Duration::from_secs(1);
/// One write to one client.
const PIECE_LEN_MAX: usize = 32 * 1024;
/// Lines in one write.
const LINES_MAX: usize = 500;
/// Lines under way that are not acknowledged, where acknowledging was asked for.
const UNACKED_MAX: usize = 1_000;
/// Beyond `viewers_max`, so many at a time are told so; further ones are closed without a word.
const TURNED_AWAY_MAX: usize = 64;

/// Serves until `stop`; what a client has not got by then it gets when it comes again.
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
    let places = Arc::new(Semaphore::new(limits.viewers_max.min(Semaphore::MAX_PERMITS)));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let clients = TaskTracker::new();
    let outcome = accept(&listener, &end, |tcp, peer| {
        let stop = end.child_token();
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let (feed, pages) = (feed.clone(), Arc::clone(&pages));
            clients.spawn(serve_one(tcp, peer, feed, pages, limits, stop, place));
        } else {
            feed.tally().refused.fetch_add(1, Ordering::Relaxed);
            if let Ok(permit) = Arc::clone(&turned_away).try_acquire_owned() {
                clients.spawn(turn_away(tcp, limits, stop, permit));
            }
        }
    })
    .await;
    drop(listener);
    end.cancel();
    clients.close();
    clients.wait().await;
    outcome
}

async fn serve_one(
    tcp: TcpStream,
    peer: SocketAddr,
    feed: Feed,
    pages: Arc<impl ReadingPages>,
    limits: Limits,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = tune(&tcp) {
        tracing::debug!(%peer, %error, "cannot tune the socket");
    }
    let tally = feed.tally();
    let mut client = Client::new(tcp, feed, pages, limits, stop);
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
    tokio::select! {
        () = stop.cancelled() => {}
        _ = timeout(limits.farewell, tcp.write_all(&line)) => {}
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
    feed: Feed,
    pages: Arc<P>,
    limits: Limits,
    stop: CancellationToken,
    bell: watch::Receiver<()>,
    request: Request,
    /// It has everything up to this id, or it is under way.
    until: u64,
    /// There may be more behind it.
    is_behind: bool,
    /// The lines that it has not acknowledged yet.
    unacked: VecDeque<u64>,
}

impl<P: ReadingPages> Client<P> {
    fn new(
        tcp: TcpStream,
        feed: Feed,
        pages: Arc<P>,
        limits: Limits,
        stop: CancellationToken,
    ) -> Self {
        let (read, write) = tcp.into_split();
        // The bell first: what comes from now on rings, or is behind `until`.
        let bell = feed.bell();
        let until = feed.newest();
        let said = Said { read, bytes: Vec::new(), is_closed: false };
        let (request, unacked) = (Request::default(), VecDeque::new());
        Self {
            said,
            write,
            feed,
            pages,
            limits,
            stop,
            bell,
            request,
            until,
            is_behind: true,
            unacked,
        }
    }

    async fn talk(&mut self) -> End {
        let greeted = tokio::select! {
            () = self.stop.cancelled() => return End::Stopped,
            greeted = timeout(GREETING, self.said.line()) => greeted,
        };
        if let Ok(line) = greeted
            && let Err(end) = line.and_then(|line| self.ask(&line))
        {
            return end;
        }
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    /// Takes what it says first.
    fn ask(&mut self, line: &[u8]) -> Result<(), End> {
        // Nothing more will be said: everything, live.
        if line.is_empty() && self.said.is_closed {
            return Ok(());
        }
        let request = Request::parse(line).map_err(|error| wrong(error, EXAMPLE))?;
        if let Some(after) = request.after {
            let newest = self.feed.newest();
            if after > newest {
                let error = format!("after {after} is ahead of the newest reading, {newest}");
                let next = "this is another history than that of before: ask without after";
                return Err(End::Wrong { error, next: next.to_owned() });
            }
            self.until = after;
        }
        self.request = request;
        Ok(())
    }

    /// Hears one line or writes one piece.
    async fn step(&mut self) -> Result<(), End> {
        let room = if self.request.ack { UNACKED_MAX - self.unacked.len() } else { LINES_MAX };
        if self.is_behind && room > 0 {
            // What it says is heard however much there is to write.
            if let Some(line) = self.said.line().now_or_never() {
                return self.hear(&line?);
            }
            return self.show(room.min(LINES_MAX)).await;
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(End::Stopped),
            rung = self.bell.changed() => {
                self.is_behind = true;
                rung.map_err(|_| End::Stopped)
            }
            line = self.said.line() => self.hear(&line?),
        }
    }

    /// After its first line a client says only what it has.
    fn hear(&mut self, line: &[u8]) -> Result<(), End> {
        if !self.request.ack {
            let error = "nothing more is to be said".to_owned();
            let next = format!("say all of it with the first line, within a second: {EXAMPLE}");
            return Err(End::Wrong { error, next });
        }
        let ack = lines::parse_ack(line).map_err(|error| wrong(error, ACK_EXAMPLE))?;
        if ack > self.until {
            let error = format!("ack {ack}: no reading with that id was sent yet");
            return Err(wrong(error, ACK_EXAMPLE));
        }
        let count = self.unacked.partition_point(|id| *id <= ack);
        self.unacked.drain(..count);
        Ok(())
    }

    /// Writes what comes next, at most so many lines.
    async fn show(&mut self, lines: usize) -> Result<(), End> {
        let room = Room { bytes: PIECE_LEN_MAX, lines };
        let Self { feed, request, pages, until, limits, stop, .. } = self;
        let piece = timeout(limits.page, feed.after(*until, request, room, &**pages));
        let piece = tokio::select! {
            () = stop.cancelled() => return Err(End::Stopped),
            piece = piece => piece,
        };
        let Piece { bytes, ids, until } = match piece {
            Ok(Ok(piece)) => piece,
            Ok(Err(PageError(cause))) => {
                tracing::error!(cause, "cannot read the history for a client of the TCP port");
                return Err(End::Unread);
            }
            Err(_) => return Err(End::Unread),
        };
        self.is_behind = until > self.until;
        self.until = until;
        if self.request.ack {
            self.unacked.extend(&ids);
        }
        self.write(&bytes).await?;
        self.feed.sent(ids.len());
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        let mut left = bytes;
        while !left.is_empty() {
            let written = tokio::select! {
                () = self.stop.cancelled() => return Err(End::Stopped),
                written = timeout(self.limits.stall, self.write.write(left)) => written,
            };
            match written {
                Err(_) => return Err(End::Stalled),
                Ok(Ok(0) | Err(_)) => return Err(End::Gone),
                Ok(Ok(count)) => left = &left[count..],
            }
        }
        Ok(())
    }

    async fn finish(mut self, end: End, peer: SocketAddr) {
        let line = match end {
            End::Gone | End::Stopped => return,
            End::Stalled => {
                self.feed.tally().closed_slow.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%peer, "closed a client of the TCP port that took nothing");
                return;
            }
            End::Wrong { error, next } => {
                tracing::debug!(%peer, error, "a client of the TCP port said something wrong");
                lines::error(&error, &next)
            }
            End::Unread => lines::error("the history cannot be read now", "connect again later"),
        };
        // Reads to the end, so that the line is not lost in a reset.
        let said = timeout(self.limits.farewell, async {
            self.write.write_all(&line).await?;
            self.write.shutdown().await?;
            self.said.until_closed().await
        });
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = said => {}
        }
    }
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
    /// was told it waits for ever, because one that says no more still listens.
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        if self.is_closed {
            return std::future::pending().await;
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

    async fn until_closed(&mut self) -> io::Result<()> {
        let mut rest = [0; 1_024];
        while self.read.read(&mut rest).await? > 0 {}
        Ok(())
    }
}
