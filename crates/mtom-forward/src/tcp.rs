//! The forwarding by TCP: a line of JSON for each reading, to everybody who connects.
//!
//! What is said on a connection is `follow.rs`; here are the places, and lines over a TCP socket.

use crate::feed::ReadingPages;
use crate::follow::{Desk, End, Wire};
use crate::lines::{self, LINE_LEN_MAX};
use crate::seldom::Seldom;
use crate::server::{LOG_PERIOD, Limits, SEND_BUFFER_LEN, TURNED_AWAY_MAX, accept, tune};
use crate::socket::until_closed;
use crate::tally::{Present, Tally};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves until `stop`; then each client gets what is in memory, and the rest when it comes again.
///
/// # Errors
/// When the listener is none. A lack of file descriptors is waited out.
pub async fn serve_tcp(
    listener: TcpListener,
    desk: Desk<impl ReadingPages>,
    stop: CancellationToken,
) -> io::Result<()> {
    let limits = desk.limits;
    // Of our own: the listener may fail while the rest of the process goes on.
    let end = stop.child_token();
    let places = Arc::new(Semaphore::new(limits.viewers_max.min(Semaphore::MAX_PERMITS)));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    let mut refusals = Seldom::new(LOG_PERIOD);
    let clients = TaskTracker::new();
    let served = async {
        let outcome = accept(&listener, &end, |tcp, peer| {
            if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                clients.spawn(serve_one(tcp, peer, desk.clone(), place, end.child_token()));
            } else {
                desk.feed.tally().refused();
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
    let (outcome, ()) = tokio::join!(served, desk.run(&end));
    drop(listener);
    clients.close();
    clients.wait().await;
    outcome
}

async fn serve_one(
    tcp: TcpStream,
    peer: SocketAddr,
    desk: Desk<impl ReadingPages>,
    place: OwnedSemaphorePermit,
    stop: CancellationToken,
) {
    if let Err(error) = tune(&tcp, desk.limits.gone, SEND_BUFFER_LEN) {
        tracing::debug!(%peer, %error, "cannot tune the socket");
    }
    let _present = Present::new(desk.feed.tally(), place);
    desk.follow(TcpWire::to_client(tcp, desk.feed.tally()), peer.ip(), None, stop).await;
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

/// Lines over a TCP socket.
pub(crate) struct TcpWire {
    tcp: TcpStream,
    /// What came behind the last line.
    bytes: Vec<u8>,
    /// The other side will say nothing more.
    is_closed: bool,
    /// It may have said everything and still listen.
    may_listen_on: bool,
    /// Counts it where it is slow.
    tally: Option<Arc<Tally>>,
}

impl TcpWire {
    /// To one who may say everything at once and then only listen.
    fn to_client(tcp: TcpStream, tally: Arc<Tally>) -> Self {
        let (bytes, tally) = (Vec::new(), Some(tally));
        Self { tcp, bytes, is_closed: false, may_listen_on: true, tally }
    }

    /// To one who is gone when it says no more; a line without its end was never said.
    pub(crate) const fn to_gateway(tcp: TcpStream) -> Self {
        Self { tcp, bytes: Vec::new(), is_closed: false, may_listen_on: false, tally: None }
    }
}

impl Wire for TcpWire {
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        if self.is_closed {
            loop {
                let ready = self.tcp.ready(Interest::ERROR).await.map_err(|_| End::Gone)?;
                if ready.is_error() {
                    return Err(End::Gone);
                }
            }
        }
        loop {
            let end = self.bytes.iter().position(|byte| *byte == b'\n');
            if end.unwrap_or(self.bytes.len()) > LINE_LEN_MAX {
                return Err(End::too_long(LINE_LEN_MAX));
            }
            if let Some(end) = end {
                let mut line: Vec<_> = self.bytes.drain(..=end).collect();
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
            match self.tcp.read_buf(&mut self.bytes).await {
                Ok(0) if !self.may_listen_on => return Err(End::Gone),
                Ok(0) => {
                    self.is_closed = true;
                    return Ok(std::mem::take(&mut self.bytes));
                }
                Ok(_) => {}
                Err(_) => return Err(End::Gone),
            }
        }
    }

    async fn write(&mut self, lines: &[u8], stall: Duration) -> Result<(), End> {
        let mut left = lines;
        while !left.is_empty() {
            // Nearly always there is room.
            let written = match self.tcp.try_write(left) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    timeout(stall, self.tcp.write(left)).await.map_err(|_| End::Stalled)?
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

    async fn close(mut self) {
        until_closed(&mut self.tcp).await;
    }

    fn abort(&mut self) {
        // Without this the system would keep the unsent bytes for long. A failure means that the socket is closed
        // already.
        let _ = self.tcp.set_zero_linger();
    }

    fn closed_slow(&self) {
        if let Some(tally) = &self.tally {
            tally.closed_slow();
        }
    }
}
