//! The forwarding by UDP: a datagram of JSON for each reading, to whoever asks and proves its address.
//!
//! A request comes again with the cookie that it was answered with (`udp/words.rs`); then its sender gets readings
//! for [`LEASE`], as often as it asks. Targets get them unasked, by configuration alone. Nothing is sent again:
//! datagrams are numbered for each receiver, so that it can count what it lost, here or on the way. Only what is in
//! memory is sent; who is further behind is brought to the newest.

use crate::feed::Feed;
use crate::seldom::Seldom;
use crate::server::LOG_PERIOD;
use receivers::{Fate, Outgoing, Receivers};
use socket2::SockRef;
use std::future::{pending, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

mod cookie;
mod receivers;
mod targets;
mod words;

pub use cookie::Secret;
pub use targets::{TTL, Targets};

/// How long readings come without being asked for again.
pub const LEASE: Duration = Duration::from_secs(60);
/// Each reading is as many datagrams as there are subscribers: beyond this one task could not send them in time.
pub const SUBSCRIBERS_MAX: usize = 1_000;
/// So many of them may be of one address, so that nobody takes all places.
const HOST_MAX: usize = 64;
/// Addresses that have proved nothing and are answered within a second. Full: it asks again.
const STRANGERS_MAX: u32 = 100;
/// A datagram may be longer than a request; how long, a system may want to know.
const DATAGRAM_LEN_MAX: usize = 65_536;
/// Requests that are heard, and datagrams that are sent, before it is the other's turn.
const STEP: usize = 64;
/// A burst of readings fits into it. The system may give less.
const SEND_BUFFER_LEN: usize = 1024 * 1024;
/// The socket was full: for so long nothing is sent to those who may be gone. The system looks for one that is gone
/// again and again, and each time keeps what was sent to it for seconds, out of the buffer that all share.
const STRAIN: Duration = LEASE;
/// Who was not heard of for so long may be gone. Who asks three times in a lease is heard of sooner.
const SILENCE: Duration = Duration::from_secs(25);
/// How long nothing is heard after a socket could not be read.
const DEAF: Duration = Duration::from_millis(100);
/// How long sending what is left may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Counts since the feed was made. `subscribers` is of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpStats {
    /// Who has asked, and whose lease has not ended.
    pub subscribers: u64,
    /// Readings that were handed to sockets, over all receivers.
    pub sent: u64,
    /// Readings that a socket did not take at once: they are lost.
    pub dropped: u64,
    /// Readings that were passed over because they were in memory no longer, wanted or not.
    pub passed_over: u64,
    /// Datagrams that were no request, or too short to be answered.
    pub unanswered: u64,
    /// Requests that were refused: no place.
    pub refused: u64,
}

/// What happens by UDP, counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) subscribers: watch::Sender<u64>,
    sent: AtomicU64,
    dropped: AtomicU64,
    passed_over: AtomicU64,
    unanswered: AtomicU64,
    refused: AtomicU64,
}

impl Tally {
    pub(crate) fn stats(&self) -> UdpStats {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        UdpStats {
            subscribers: *self.subscribers.borrow(),
            sent: count(&self.sent),
            dropped: count(&self.dropped),
            passed_over: count(&self.passed_over),
            unanswered: count(&self.unanswered),
            refused: count(&self.refused),
        }
    }
}

/// Serves those who ask at `listen`, and `targets`, until `stop`; then what is in memory is still sent. No error of a
/// socket ends it. Targets get what comes from this call on.
pub fn serve_udp(
    listen: Option<UdpSocket>,
    targets: Targets,
    feed: Feed,
    secret: Secret,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send {
    let (bell, now) = (feed.bell(), Instant::now());
    let receivers = Receivers::new(feed, secret, &targets.addresses(), SUBSCRIBERS_MAX, now);
    let sockets = Sockets { listen, targets, failures: Seldom::new(LOG_PERIOD), is_full: false };
    let heard = vec![0; DATAGRAM_LEN_MAX];
    serve(Port { receivers, sockets, heard, deaf_until: now }, bell, stop)
}

async fn serve(mut port: Port, mut bell: watch::Receiver<()>, stop: CancellationToken) {
    port.sockets.open().await;
    port.receivers.rung();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = until(port.receivers.lease_end()) => port.receivers.expire(Instant::now()),
            readable = port.sockets.readable(port.deaf_until) => port.hear(readable),
            _ = bell.changed() => port.receivers.rung(),
            () = ready(()), if !port.receivers.is_content() => {}
        }
        // However many ask, readings go out.
        if bell.has_changed().is_ok_and(|is_rung| is_rung) {
            bell.mark_unchanged();
            port.receivers.rung();
        }
        port.send();
        // The others on this thread, and the driver of the sockets, have their turn too.
        yield_now().await;
    }
    port.receivers.rung();
    let rest = timeout(FAREWELL, async {
        while !port.receivers.is_content() {
            port.send();
            yield_now().await;
        }
    });
    if rest.await.is_err() {
        tracing::warn!("not everything that was left could be sent by UDP");
    }
    let Port { receivers, sockets, .. } = &mut port;
    receivers.farewell(|outgoing| sockets.send(outgoing));
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

struct Port {
    receivers: Receivers,
    sockets: Sockets,
    heard: Vec<u8>,
    deaf_until: Instant,
}

impl Port {
    /// Answers some of what came.
    fn hear(&mut self, readable: io::Result<()>) {
        let mut outcome = readable;
        for _ in 0..STEP {
            let received = outcome.and_then(|()| self.sockets.receive(&mut self.heard));
            match received {
                Ok((datagram, from)) => {
                    if let Some(answer) = self.receivers.hear(datagram, from, Instant::now()) {
                        self.sockets.send(Outgoing { to: from, is_target: false, bytes: &answer });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Somebody whom something was sent to is not there: its lease will end.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionReset
                            | io::ErrorKind::ConnectionRefused
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    self.sockets.failed("cannot receive by UDP", &error);
                    self.deaf_until = Instant::now() + DEAF;
                    return;
                }
            }
            outcome = Ok(());
        }
    }

    /// Sends some of what is to be sent.
    fn send(&mut self) {
        let (mut count, sockets) = (0, &mut self.sockets);
        sockets.is_full = false;
        while count < STEP && !sockets.is_full && !self.receivers.is_content() {
            let now = Instant::now();
            // A turn without a datagram takes its time too.
            count += self.receivers.serve_next(now, |outgoing| sockets.send(outgoing)).max(1);
        }
    }
}

struct Sockets {
    listen: Option<UdpSocket>,
    targets: Targets,
    failures: Seldom,
    /// One of them took nothing more: let the system send first.
    is_full: bool,
}

impl Sockets {
    /// Nothing is taken before the driver has said so for the first time.
    async fn open(&mut self) {
        for socket in self.listen.iter().chain(self.targets.sockets()) {
            if let Err(error) = SockRef::from(socket).set_send_buffer_size(SEND_BUFFER_LEN) {
                tracing::debug!(%error, "cannot tune the socket");
            }
            let _ = socket.writable().await;
        }
    }

    async fn readable(&self, deaf_until: Instant) -> io::Result<()> {
        match &self.listen {
            Some(listen) => {
                sleep_until(deaf_until).await;
                listen.readable().await
            }
            None => pending().await,
        }
    }

    fn receive<'a>(&self, heard: &'a mut [u8]) -> io::Result<(&'a [u8], SocketAddr)> {
        let listen = self.listen.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
        let (len, from) = listen.try_recv_from(heard)?;
        Ok((heard.get(..len).unwrap_or_default(), from))
    }

    fn send(&mut self, Outgoing { to, is_target, bytes }: Outgoing<'_>) -> Fate {
        let sent = match &self.listen {
            _ if is_target => self.targets.try_send(bytes, to),
            Some(listen) => listen.try_send_to(bytes, to),
            None => Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        match sent {
            Ok(_) => Fate::Sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_full = true;
                Fate::NoRoom
            }
            Err(error) => {
                self.failed(&format!("cannot send by UDP to {to}"), &error);
                Fate::Failed
            }
        }
    }

    fn failed(&mut self, what: &str, error: &io::Error) {
        if let Some(held_back) = self.failures.admit(Instant::now()) {
            tracing::warn!(%error, held_back, "{what}");
        }
    }
}
