//! Serves the API and the page until it is told to stop.
//!
//! Connections have limits: how many, how long a head, a body and a write may take, how large a head may be. At the
//! end every viewer is told (close code 1001) and every task is awaited; a connection that does not end by itself
//! within the grace period is cut.

use crate::access::Access;
use crate::replay::Replay;
use crate::routes;
use crate::scan::Scan;
use crate::simulator::Simulator;
use crate::trial::Trial;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::tz::TimeZone;
use mtom_forward::doorstep::Doorstep;
use mtom_forward::server::tune;
use mtom_gateway::Clock;
use mtom_gateway::announce::Talk;
use mtom_gateway::control::Control;
use mtom_gateway::discovery::Discovered;
use mtom_gateway::guests::Guests;
use mtom_gateway::lines::Lines;
use mtom_gateway::pairing::Pairings;
use mtom_gateway::presence::Presence;
use mtom_gateway::view::View;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::History;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod place;
mod taken;
mod tallies;

use place::{Place, refused};
use taken::Taken;
pub(crate) use tallies::PageStats;
pub(crate) use tallies::Tallies;

/// What can be seen, and what there is to say about the installation.
pub struct Dashboard {
    /// The newest state, and each change.
    pub view: View,
    /// Everything that was kept.
    pub history: History,
    /// About the installation.
    pub info: Info,
    /// Tells the time of answers.
    pub clock: Clock,
    /// Takes what persons want; `None`: nothing can be changed.
    pub control: Option<Control>,
    /// Plays the history through other rules; `None`: it cannot be played.
    pub replay: Option<Replay>,
    /// Runs the cases beside rules; `None`: they cannot be run.
    pub trial: Option<Trial>,
    /// Searches for devices in reach; `None`: there is nothing to search with.
    pub scan: Option<Scan>,
    /// Pairs devices; `None`: none can be.
    pub pairings: Option<Pairings>,
    /// Whom the embedded broker knows; `None`: the broker is not ours.
    pub guests: Option<Guests>,
    /// Who speaks about itself at another broker; `None`: the broker is ours.
    pub presence: Option<Presence>,
    /// Devices that were found by what they tell Home Assistant; `None`: nobody looks.
    pub discovered: Option<Discovered>,
    /// How it stands between us and Home Assistant.
    pub talk: Talk,
    /// Readings as lines on `/live`, and which controllers follow them; `None`: nobody can.
    pub lines: Option<Lines>,
    /// The simulated sensor that can be held; `None`: there is none.
    pub simulator: Option<Simulator>,
}

/// About the installation. Addresses are `host:port`; empty where nothing listens.
#[derive(Clone, Debug)]
pub struct Info {
    /// Of the program.
    pub version: String,
    /// When the process started.
    pub started_at: UnixMicros,
    /// Of the computer's clock.
    pub zone: TimeZone,
    /// Where sensors publish.
    pub mqtt: String,
    /// The original's live port.
    pub live: String,
    /// The original's history port.
    pub history: String,
    /// The port of readings as lines.
    pub tcp: String,
    /// The port of readings as datagrams.
    pub udp: String,
    /// This page and API.
    pub dashboard: String,
    /// What is unsafe about it, in words: the page warns, and any `Host` is served. `None`: nothing.
    pub insecure: Option<String>,
    /// Simulated devices take part.
    pub simulated: bool,
}

/// What one server takes at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections that have said a request. Full: the next request waits until one of them ends.
    pub(crate) connections_max: usize,
    /// Connections that have said no whole request yet, or wait for a place. Full: the oldest from where most come
    /// is closed.
    pub(crate) visitors_max: usize,
    /// A request that has found no place after so long is refused with 503.
    pub(crate) wait: Duration,
    /// Viewers of `/live`. Full: the next is refused with 503.
    pub(crate) viewers_max: usize,
    /// Queries of the history at a time. Full: the next waits.
    pub(crate) readers_max: usize,
    /// A head that is not complete after this long ends its connection.
    pub(crate) head: Duration,
    /// A body that is not complete this long after its head is refused with 408.
    pub(crate) body: Duration,
    /// A connection whose socket takes nothing of an answer for this long is closed.
    pub(crate) stall: Duration,
    /// After so long a connection whose other machine has vanished is gone. Whole seconds, at least 4.
    pub(crate) gone: Duration,
    /// How long a connection may take to end once the server stops.
    pub(crate) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 512,
            visitors_max: 1_024,
            viewers_max: 256,
            wait: Duration::from_secs(5),
            readers_max: 4,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            stall: Duration::from_secs(15),
            gone: Duration::from_secs(45),
            grace: Duration::from_secs(2),
        }
    }
}

/// The largest request head. Ours are below 1 KiB; a browser's cookies of other ports may come along.
const HEAD_LEN_MAX: usize = 16 * 1024;
/// Bounds what the system keeps for a viewer that does not read: by itself it would be megabytes.
const SEND_BUFFER_LEN: usize = 128 * 1024;
/// After an error of `accept` that does not concern one connection alone (no file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What every request sees.
pub(crate) struct Shared {
    pub(crate) view: View,
    pub(crate) history: History,
    pub(crate) info: Info,
    pub(crate) clock: Clock,
    pub(crate) control: Option<Control>,
    pub(crate) replay: Option<Replay>,
    pub(crate) trial: Option<Trial>,
    pub(crate) scan: Option<Scan>,
    pub(crate) pairings: Option<Pairings>,
    pub(crate) guests: Option<Guests>,
    pub(crate) presence: Option<Presence>,
    pub(crate) discovered: Option<Discovered>,
    pub(crate) talk: Talk,
    pub(crate) lines: Option<Lines>,
    pub(crate) simulator: Option<Simulator>,
    pub(crate) limits: Limits,
    pub(crate) tallies: Tallies,
    /// One permit for each query of the history.
    pub(crate) readers: Semaphore,
    /// One permit: a replay keeps two threads busy. Taken: the next is refused with 429.
    pub(crate) replays: Arc<Semaphore>,
    /// One permit: an adapter searches once at a time. Taken: the next is refused with 429.
    pub(crate) scans: Semaphore,
    /// One permit for each viewer of `/live`.
    pub(crate) viewers: Arc<Semaphore>,
    /// The tasks of viewers: they outlive the connection that they came on.
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// Serves on `listener` until `stop`, and returns when the last connection has ended.
///
/// # Errors
/// When the listener's own address cannot be read.
pub async fn serve(
    listener: TcpListener,
    dashboard: Dashboard,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_within(listener, dashboard, Limits::default(), stop).await
}

pub(crate) async fn serve_within(
    listener: TcpListener,
    dashboard: Dashboard,
    limits: Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    let Dashboard {
        view,
        history,
        info,
        clock,
        control,
        replay,
        trial,
        scan,
        pairings,
        guests,
        presence,
        discovered,
        talk,
        lines,
        simulator,
    } = dashboard;
    let access = Access::new(listener.local_addr()?, info.insecure.is_some());
    // When this ends in whatever way, so does everything that it started.
    let end = stop.child_token();
    let _guard = end.clone().drop_guard();
    let shared = Arc::new(Shared {
        view,
        history,
        info,
        clock,
        control,
        replay,
        trial,
        scan,
        pairings,
        guests,
        presence,
        discovered,
        talk,
        lines,
        simulator,
        limits,
        tallies: Tallies::default(),
        readers: Semaphore::new(limits.readers_max),
        replays: Arc::new(Semaphore::new(1)),
        scans: Semaphore::new(1),
        viewers: Arc::new(Semaphore::new(limits.viewers_max)),
        tasks: TaskTracker::new(),
        stop: end.clone(),
    });
    let router = routes::router(Arc::clone(&shared), access);
    serve_connections(listener, router, &shared).await;
    shared.tasks.close();
    shared.tasks.wait().await;
    Ok(())
}

async fn serve_connections(listener: TcpListener, router: Router, shared: &Shared) {
    let Shared { limits, tallies, stop, .. } = shared;
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let doorstep = Doorstep::new(limits.visitors_max);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (stream, peer) = next(&listener) => {
                let tally = Arc::clone(&tallies.connections);
                let visitor = doorstep.enter(peer.ip());
                let place = Place::new(visitor, Arc::clone(&places), tally);
                let (peer, router) = (Peer(peer.ip()), router.clone());
                connections.spawn(connection(stream, peer, place, router, *limits, stop.clone()));
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The next connection.
async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(cause) => {
                tracing::warn!(%cause, "cannot accept a connection to the page; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    place: Place,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    if let Err(error) = tune(&stream, limits.gone, SEND_BUFFER_LEN) {
        tracing::debug!(%error, "cannot tune a socket of the page");
    }
    let router = TowerToHyperService::new(router);
    let place = Arc::new(place);
    let taken = Taken::new(stream, limits.stall, place.heard());
    let asked = Arc::clone(&place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let (place, router) = (Arc::clone(&asked), router.clone());
        async move {
            place.asks();
            let response = match place.take(limits).await {
                Ok(()) => router.call(request).await,
                Err(problem) => Ok(refused(problem)),
            };
            place.is_answered();
            response
        }
    });
    // By hyper's own measure a head may take as long again when a byte comes.
    let late = {
        let place = Arc::clone(&place);
        async move {
            tokio::time::sleep(limits.head).await;
            if place.has_asked() {
                std::future::pending::<()>().await;
            }
        }
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_LEN_MAX)
        .serve_connection(TokioIo::new(taken), service)
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = place.must_go_unasked() => {
            tracing::debug!("closed a connection to the page that has no place yet: there are too many");
            return place.tally().crowded();
        }
        () = late => return place.tally().late(),
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            match timeout(limits.grace, served).await {
                Ok(ended) => ended,
                // What was begun and not finished is cut by dropping it.
                Err(_) => return,
            }
        }
    };
    if let Err(cause) = ended {
        if taken::has_stalled(&cause) {
            place.tally().closed_slow();
        } else if cause.is_timeout() && place.is_asking() {
            place.tally().late();
        } else if cause.is_parse() {
            place.tally().malformed();
        }
        tracing::debug!(%cause, "a connection to the page ended early");
    }
}

#[cfg(test)]
mod tests;
