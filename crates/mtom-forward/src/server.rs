//! What the ports share: accepting, the handshake of the WebSockets, the number of places, the end.

use crate::access::Access;
use crate::doorstep::{Doorstep, Visitor};
use crate::handshake::{self, Refusal, Unopened};
use crate::seldom::Seldom;
pub use crate::socket::until_closed;
use crate::socket::{Connection, End};
use crate::tally::{Present, Tally};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Beyond `viewers_max`, so many at a time are told so over TCP; further ones are closed without a word.
pub(crate) const TURNED_AWAY_MAX: usize = 64;
/// Bounds what the system keeps for a viewer that does not read, and how old that can be. A write
/// makes progress only when a third of it is free, so a small one also tells slow from stuck.
pub(crate) const SEND_BUFFER_LEN: usize = 32 * 1024;
/// So often one that is silent is asked whether it is there, before it is taken for gone.
const KEEP_ALIVE_RETRIES: u32 = 3;
pub(crate) const LOG_PERIOD: Duration = Duration::from_secs(10);
const ACCEPT_DELAY_MIN: Duration = Duration::from_millis(10);
const ACCEPT_DELAY_MAX: Duration = Duration::from_secs(1);

/// The limits of one listening socket.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections may be open; one more is refused with 503.
    pub viewers_max: usize,
    /// How many connections may be there that have not finished their opening request. One more: the oldest
    /// from where most of them come is closed.
    pub visitors_max: usize,
    /// How long the opening request may take.
    pub handshake: Duration,
    /// How long a write may make no progress before the connection is closed.
    pub stall: Duration,
    /// After so long one whose machine has vanished without a word is gone, and its place is free. In whole seconds,
    /// and at least 4.
    pub gone: Duration,
    /// How often the gateway tells those who asked for it how it is: less than a third of the patience of
    /// `follower.rs`.
    pub status: Duration,
    /// How long a client may take to answer our close frame. Bounds the shutdown.
    pub farewell: Duration,
    /// How long a page of the history may take.
    pub page: Duration,
    /// So many viewers of the live port are written to, then others have their turn on the processor.
    pub turn_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            viewers_max: 12_000,
            visitors_max: 4_096,
            handshake: Duration::from_secs(10),
            stall: Duration::from_secs(15),
            gone: Duration::from_secs(45),
            status: Duration::from_secs(5),
            farewell: Duration::from_secs(1),
            page: Duration::from_secs(10),
            turn_len: 128,
        }
    }
}

/// Accepts until `end`, and lets `talk` have each connection until it gives it back with the reason to end it.
/// Returns when all of them have ended; when the listener fails it cancels `end` itself.
pub(crate) async fn serve<F, T>(
    listener: TcpListener,
    access: Access,
    limits: Limits,
    tally: Arc<Tally>,
    end: CancellationToken,
    talk: F,
) -> io::Result<()>
where
    F: Fn(Connection) -> T + Clone + Send + 'static,
    T: Future<Output = (Connection, End)> + Send,
{
    let door = Door {
        access: Arc::new(access),
        limits,
        tally,
        places: Arc::new(Semaphore::new(limits.viewers_max.min(Semaphore::MAX_PERMITS))),
        doorstep: Doorstep::new(limits.visitors_max),
        refusals: Arc::new(Mutex::new(Seldom::new(LOG_PERIOD))),
    };
    let viewers = TaskTracker::new();
    let outcome = accept(&listener, &end, |tcp, peer| {
        // Each has a token of its own: all of them waiting at one lock would be slow.
        door.admit(tcp, peer, end.child_token(), &viewers, talk.clone());
    })
    .await;
    drop(listener);
    end.cancel();
    viewers.close();
    viewers.wait().await;
    outcome
}

/// Lets `admit` have each connection until `end`.
pub(crate) async fn accept(
    listener: &TcpListener,
    end: &CancellationToken,
    mut admit: impl FnMut(TcpStream, SocketAddr),
) -> io::Result<()> {
    let mut trouble = AcceptTrouble::new();
    loop {
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    trouble.over();
                    admit(tcp, peer);
                }
                Err(error) => match trouble.react(&error, Instant::now()) {
                    None => return Err(error),
                    Some(delay) => tokio::select! {
                        () = end.cancelled() => return Ok(()),
                        () = tokio::time::sleep(delay) => {}
                    },
                },
            },
        }
    }
}

#[derive(Clone)]
struct Door {
    access: Arc<Access>,
    limits: Limits,
    tally: Arc<Tally>,
    places: Arc<Semaphore>,
    doorstep: Doorstep,
    refusals: Arc<Mutex<Seldom>>,
}

impl Door {
    fn admit<F, T>(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        stop: CancellationToken,
        viewers: &TaskTracker,
        talk: F,
    ) where
        F: Fn(Connection) -> T + Send + 'static,
        T: Future<Output = (Connection, End)> + Send,
    {
        let visitor = self.doorstep.enter(peer.ip());
        let door = self.clone();
        viewers.spawn(async move {
            // Boxed, so that its memory is free again while the conversation lasts.
            if let Some((connection, place)) = Box::pin(door.open(tcp, peer, stop, visitor)).await {
                let tally = door.into_tally();
                let _present = Present::new(Arc::clone(&tally), place);
                let (connection, end) = talk(connection).await;
                if matches!(end, End::Stalled) {
                    tally.closed_slow();
                }
                Box::pin(connection.finish(end)).await;
            }
        });
    }

    async fn open(
        &self,
        mut tcp: TcpStream,
        peer: SocketAddr,
        stop: CancellationToken,
        visitor: Visitor,
    ) -> Option<(Connection, OwnedSemaphorePermit)> {
        if let Err(error) = tune(&tcp, self.limits.gone, SEND_BUFFER_LEN) {
            tracing::debug!(%peer, %error, "cannot tune the socket");
        }
        let must_go = visitor.end();
        let place = || self.places.clone().try_acquire_owned().ok();
        let opening = handshake::open(&mut tcp, &self.access, place);
        let opened = tokio::select! {
            () = stop.cancelled() => return None,
            () = must_go.cancelled() => {
                self.tally.crowded();
                tracing::debug!(%peer, "closed one that has not asked for anything: there are too many");
                return None;
            }
            opened = timeout(self.limits.handshake, opening) => opened,
        };
        match opened {
            Ok(Ok((place, early))) => {
                drop(visitor);
                Some((Connection::new(tcp, early, self.limits, stop).await, place))
            }
            Ok(Err(Unopened::Refused(refusal))) => {
                self.refused(refusal, peer);
                tokio::select! {
                    () = must_go.cancelled() => {}
                    _ = timeout(self.limits.farewell, until_closed(&mut tcp)) => {}
                }
                None
            }
            Ok(Err(Unopened::Gone)) => {
                tracing::debug!(%peer, "gone without a handshake");
                None
            }
            Err(_) => {
                self.tally.late();
                tracing::debug!(%peer, "no handshake in time");
                None
            }
        }
    }

    fn refused(&self, refusal: Refusal, peer: SocketAddr) {
        if refusal.is_malformed() {
            self.tally.malformed();
        } else {
            self.tally.refused();
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held_back) = refusals.admit(Instant::now()) {
            tracing::warn!(%peer, held_back, "refused a connection: {refusal}");
        }
    }

    fn into_tally(self) -> Arc<Tally> {
        self.tally
    }
}

/// Has a socket send at once, keep at most about twice `send_buffer_len` bytes that are not sent, and find out within
/// `gone` (whole seconds, at least 4) that the other machine has vanished.
///
/// # Errors
/// When the system refuses one of them; those before it are in force.
pub fn tune(tcp: &TcpStream, gone: Duration, send_buffer_len: usize) -> io::Result<()> {
    // A reading is one small write; waiting for more would only delay it.
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    socket.set_send_buffer_size(send_buffer_len)?;
    // While something is under way to it, it is not asked: what is not confirmed in time tells the same. It may be said
    // something just before the silence has told, so both together have to fit.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(gone * 2 / 5))?;
    // Systems take whole seconds, and no zero. Linux gives up with the first question after the time above.
    let seconds = gone.as_secs();
    let idle = (seconds / 5).max(1);
    let interval = (seconds / 15).max(1);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(Duration::from_secs(idle))
            .with_interval(Duration::from_secs(interval))
            .with_retries(KEEP_ALIVE_RETRIES),
    )
}

/// What to do when no connection can be accepted.
struct AcceptTrouble {
    delay: Duration,
    log: Seldom,
}

impl AcceptTrouble {
    const fn new() -> Self {
        Self { delay: ACCEPT_DELAY_MIN, log: Seldom::new(LOG_PERIOD) }
    }

    const fn over(&mut self) {
        self.delay = ACCEPT_DELAY_MIN;
    }

    /// How long to wait before the next try; `None` when there is no use in one.
    fn react(&mut self, error: &io::Error, now: Instant) -> Option<Duration> {
        match error.kind() {
            // That one connection was broken off before we took it.
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted => Some(Duration::ZERO),
            // The socket does not listen.
            io::ErrorKind::InvalidInput => None,
            // Above all: no file descriptors left. Viewers that leave give theirs back.
            _ => {
                if let Some(held_back) = self.log.admit(now) {
                    tracing::error!(%error, held_back, "cannot accept connections, trying again");
                }
                let delay = self.delay;
                self.delay = (delay * 2).min(ACCEPT_DELAY_MAX);
                Some(delay)
            }
        }
    }
}

#[cfg(test)]
mod tests;
