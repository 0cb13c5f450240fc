//! Servers on free ports, and readings to show on them.

use crate::viewer::LIMIT;
use jiff::tz::TimeZone;
use mtom_forward::access::Access;
use mtom_forward::history::{HistoryPages, serve_history};
use mtom_forward::live::{LiveHub, serve_live};
use mtom_forward::replay::{NoHistory, ReplayPages};
use mtom_forward::server::Limits;
use mtom_forward::tally::Tally;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// 2026-11-23 08:06:30 UTC.
pub(crate) const MORNING: i64 = 1_795_421_190_000_000;

/// One running port.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: JoinSet<io::Result<()>>,
}

impl Port {
    pub(crate) async fn live(hub: &LiveHub) -> Self {
        Self::live_with(hub, Limits::default()).await
    }

    pub(crate) async fn live_with(hub: &LiveHub, limits: Limits) -> Self {
        Self::live_of(hub, NoHistory, limits).await
    }

    /// A live port that plays from `history`.
    pub(crate) async fn live_of(hub: &LiveHub, history: impl ReplayPages, limits: Limits) -> Self {
        let (listener, address) = listen().await;
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let (history, access) = (Arc::new(history), access(address));
        task.spawn(serve_live(listener, hub.clone(), history, access, limits, stop.clone()));
        Self { address, stop, task }
    }

    pub(crate) async fn history(pages: impl HistoryPages, limits: Limits) -> Self {
        Self::history_counted(pages, limits, &Arc::default()).await
    }

    pub(crate) async fn history_counted(
        pages: impl HistoryPages,
        limits: Limits,
        tally: &Arc<Tally>,
    ) -> Self {
        let (listener, address) = listen().await;
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let pages = Arc::new(pages);
        let (tally, access, end) = (Arc::clone(tally), access(address), stop.clone());
        let served = serve_history(listener, pages, TimeZone::UTC, access, limits, tally, end);
        task.spawn(served);
        Self { address, stop, task }
    }

    /// Asks it to end, and returns at once.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until every task of it has ended.
    pub(crate) async fn ended(mut self) {
        self.stop.cancel();
        let ended = timeout(LIMIT, self.task.join_next()).await;
        ended.expect("ends within the limit").unwrap().unwrap().unwrap();
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    listen_on("127.0.0.1:0").await
}

pub(crate) async fn listen_on(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn access(address: SocketAddr) -> Access {
    Access::new(address).with_page("127.0.0.1:8080".parse().unwrap())
}

pub(crate) fn hub() -> LiveHub {
    LiveHub::new(TimeZone::UTC, None)
}

/// `second` seconds into the morning.
pub(crate) fn reading(second: i64, celsius: f64) -> StoredReading {
    reading_of("Environ", second, celsius)
}

pub(crate) fn reading_of(device: &str, second: i64, celsius: f64) -> StoredReading {
    let at = UnixMicros(MORNING + second * 1_000_000);
    StoredReading {
        id: second.unsigned_abs(),
        at,
        arrived_at: at,
        suspect: false,
        reading: Reading {
            topic: format!("{device}/Temperature").into(),
            device: device.into(),
            quantity: "Temperature".into(),
            value: celsius,
            unit: Unit::Celsius,
            taken_at: None,
            key: None,
        },
    }
}

pub(crate) fn new_data(time: &str, celsius: &str) -> String {
    format!(
        r#"{{"state":"OK","type":"new_data","response":{{"time":"2026-11-23 {time}","temp":{celsius}}}}}"#
    )
}

/// Waits until `fact` is so, by letting the others work.
pub(crate) async fn until(what: &str, mut fact: impl FnMut() -> bool) {
    timeout(LIMIT, async {
        while !fact() {
            yield_now().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
