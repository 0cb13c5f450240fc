//! The ports that readings leave by: bound before anything starts, served until the relay has ended.

use super::{Addresses, bind, local};
use crate::Clock;
use crate::gateway::StartError;
use crate::history::Pages;
use crate::lines::Lines;
use crate::settings::{Ports, Udp};
use crate::view::{Hop, LogEvent, View};
use jiff::tz::TimeZone;
use mtom_forward::access::Access;
use mtom_forward::feed::Feed;
use mtom_forward::follow::Desk;
use mtom_forward::history::serve_history;
use mtom_forward::live::{LiveHub, serve_live};
use mtom_forward::origin::Origin;
use mtom_forward::owners::Owners;
use mtom_forward::server::Limits;
use mtom_forward::tally::Tally;
use mtom_forward::tcp::serve_tcp;
use mtom_forward::udp::{Secret, Targets, serve_udp};
use mtom_protocol::reading::StoredReading;
use mtom_store::error::StoreError;
use mtom_store::history::{History, IdQuery, PAGE_LEN_MAX as KNOWN_LEN};
use mtom_store::record::Order;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long after a change of the number of viewers the next is told.
const VIEWERS_PERIOD: Duration = Duration::from_secs(1);

/// Those who hear each reading. A clone is of the same.
#[derive(Clone)]
pub(crate) struct Followers {
    /// Those who look; also while the disk takes nothing.
    pub(crate) live: LiveHub,
    /// Who reads the original's history.
    history: Arc<Tally>,
    feed: Feed,
}

impl Followers {
    /// `newest` is the number of the last reading that is stored. With those who follow lines elsewhere.
    pub(crate) fn new(
        zone: &TimeZone,
        history: &History,
        newest: u64,
        clock: &Clock,
        owners: Owners,
    ) -> Result<(Self, Lines), StoreError> {
        let live = LiveHub::new(zone.clone(), history.latest_temperature()?.as_ref());
        // Those who were away for a restart need no look into the history.
        let query = IdQuery { order: Order::Descending, after: None, limit: KNOWN_LEN };
        let mut known = history.page_by_id(query)?;
        known.reverse();
        let lineage = history.lineage()?;
        let origin = Origin {
            history: lineage.name().into(),
            here: Arc::new(move |name, id| lineage.here(name, id)),
            now: Arc::clone(clock),
            owners: owners.clone(),
        };
        let feed = Feed::new(origin, newest, known);
        let pages = Arc::new(Pages(history.clone()));
        let lines = Lines::new(Desk::new(feed.clone(), pages, Limits::default()), owners);
        Ok((Self { live, history: Arc::default(), feed }, lines))
    }

    /// Tells all of them of readings that are safe.
    pub(crate) fn offer(&self, batch: &[Arc<StoredReading>]) {
        for stored in batch {
            self.live.offer(stored);
        }
        self.feed.offer(batch);
    }

    /// Has the log say how many are at each port where they stay, and the view show what they get.
    pub(super) fn tell_numbers(
        &self,
        tasks: &mut JoinSet<()>,
        (view, clock): (&View, &Clock),
        stop: &CancellationToken,
    ) {
        view.forwarding(self.live.clone(), Arc::clone(&self.history), self.feed.clone());
        for (port, count) in [
            ("live", self.live.viewers()),
            ("tcp", self.feed.open()),
            ("udp", self.feed.udp_subscribers()),
        ] {
            let telling = tell_viewers(port, count, view.clone(), Arc::clone(clock));
            let until = stop.clone();
            tasks.spawn(async move {
                // It never ends by itself.
                let _ = until.run_until_cancelled(telling).await;
            });
        }
    }
}

/// They listen, and nobody is accepted yet.
pub(super) struct BoundPorts {
    live: TcpListener,
    history: TcpListener,
    tcp: TcpListener,
    udp: BoundUdp,
    settings: Ports,
}

/// Who asks by UDP, and who gets readings unasked; either may be nobody.
struct BoundUdp {
    listen: Option<UdpSocket>,
    targets: Targets,
    secret: Secret,
}

impl BoundPorts {
    /// None where nobody is served.
    pub(super) async fn bind(
        settings: Option<Ports>,
        addresses: &mut Addresses,
    ) -> Result<Option<Self>, StartError> {
        let Some(settings) = settings else { return Ok(None) };
        let live = bind("live viewers", "live.listen", settings.live).await?;
        let history = bind("history viewers", "history.listen", settings.history).await?;
        let tcp = bind("clients by TCP", "forward.tcp.listen", settings.tcp).await?;
        let udp = BoundUdp::bind(&settings.udp)?;
        addresses.udp = udp.address();
        addresses.live = local(&live).to_string();
        addresses.history = local(&history).to_string();
        addresses.tcp = local(&tcp).to_string();
        Ok(Some(Self { live, history, tcp, udp, settings }))
    }

    pub(super) fn serve(
        self,
        tasks: &mut JoinSet<(&'static str, io::Result<()>)>,
        followers: Followers,
        history: History,
        zone: TimeZone,
        stop: &CancellationToken,
    ) {
        let Self { live, history: pages, tcp, udp, settings } = self;
        let limits = Limits { viewers_max: settings.viewers_max, ..Limits::default() };
        let access = |address: SocketAddr| {
            let access = Access::new(address).any_host(settings.insecure);
            match settings.dashboard {
                Some(port) => access.with_page(SocketAddr::new(address.ip(), port)),
                None => access,
            }
        };
        let Followers { live: hub, history: tally, feed } = followers;
        if let Some(served) = udp.serve(&feed, stop) {
            tasks.spawn(async move {
                served.await;
                ("udp", Ok(()))
            });
        }
        let source = Arc::new(Pages(history));
        let desk = Desk::new(feed, Arc::clone(&source), limits);
        let served = serve_tcp(tcp, desk, stop.clone());
        tasks.spawn(async move { ("tcp", served.await) });
        let (replays, may_open) = (Arc::clone(&source), access(settings.live));
        let served = serve_live(live, hub, replays, may_open, limits, stop.clone());
        tasks.spawn(async move { ("live", served.await) });
        let may_open = access(settings.history);
        let served = serve_history(pages, source, zone, may_open, limits, tally, stop.clone());
        tasks.spawn(async move { ("history", served.await) });
    }
}

impl BoundUdp {
    fn bind(settings: &Udp) -> Result<Self, StartError> {
        let &Udp { listen, ref targets, from, ttl } = settings;
        let listen = listen.map(|address| {
            let socket = std::net::UdpSocket::bind(address).and_then(|socket| {
                socket.set_nonblocking(true)?;
                UdpSocket::from_std(socket)
            });
            let (what, key) = ("receivers by UDP", "forward.udp.listen");
            socket.map_err(|cause| StartError::Listen { what, key, address, cause })
        });
        let targets = Targets::bind(targets, from, ttl)
            .map_err(|cause| StartError::Targets { from, cause })?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|cause| StartError::Random(cause.into()))?;
        Ok(Self { listen: listen.transpose()?, targets, secret: Secret::new(secret) })
    }

    fn address(&self) -> String {
        let address = self.listen.as_ref().map(UdpSocket::local_addr);
        address.map_or_else(String::new, |address| {
            address.expect("a bound socket has an address").to_string()
        })
    }

    /// `None`: to nobody.
    fn serve(
        self,
        feed: &Feed,
        stop: &CancellationToken,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let Self { listen, targets, secret } = self;
        let is_off = listen.is_none() && targets.is_empty();
        (!is_off).then(|| serve_udp(listen, targets, feed.clone(), secret, stop.clone()))
    }
}

/// Says in the log how many viewers the port has, at most once a second.
async fn tell_viewers(
    port: &'static str,
    mut viewers: watch::Receiver<u64>,
    view: View,
    clock: Clock,
) {
    let mut told = 0;
    while viewers.changed().await.is_ok() {
        let count = *viewers.borrow_and_update();
        if count != told {
            told = count;
            view.log(clock(), Hop::Forward, LogEvent::Viewers { port, count });
        }
        tokio::time::sleep(VIEWERS_PERIOD).await;
    }
}
