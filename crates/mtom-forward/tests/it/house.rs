//! A gateway as far as those who follow it see it: what it has stored, and the TCP port.

use crate::support::{listen_on, reading_of};
use crate::viewer::LIMIT;
use mtom_forward::feed::{Feed, ReadingPages};
use mtom_forward::follow::Desk;
use mtom_forward::history::PageError;
use mtom_forward::origin::Origin;
use mtom_forward::server::Limits;
use mtom_forward::tcp::serve_tcp;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) const HISTORY: &str = "0123456789abcdef";
/// 2026-11-23T08:06:30Z.
pub(crate) const NOW: UnixMicros = UnixMicros(1_795_421_190_000_000);

/// What is on the disk.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    pub(crate) rows: Arc<Mutex<Vec<StoredReading>>>,
    pub(crate) is_broken: Arc<AtomicBool>,
}

impl ReadingPages for Archive {
    async fn after(&self, after: u64, limit: usize) -> Result<Vec<StoredReading>, PageError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(PageError::new("the disk is on fire"));
        }
        let rows = self.rows.lock().unwrap();
        Ok(rows.iter().filter(|row| row.id > after).take(limit).cloned().collect())
    }
}

/// A gateway as far as this port sees it.
pub(crate) struct House {
    pub(crate) archive: Archive,
    pub(crate) feed: Feed,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    served: JoinSet<io::Result<()>>,
}

impl House {
    /// `before` readings are in the history; memory has room for `recent_max`.
    pub(crate) async fn start(before: u64, recent_max: usize, limits: Limits) -> Self {
        Self::start_as(Origin::named(HISTORY, || NOW), before, recent_max, limits).await
    }

    /// As one that says that of itself.
    pub(crate) async fn start_as(
        origin: Origin,
        before: u64,
        recent_max: usize,
        limits: Limits,
    ) -> Self {
        Self::start_at("0.0.0.0:0", origin, before, recent_max, limits).await
    }

    /// At that address.
    pub(crate) async fn start_at(
        address: &str,
        origin: Origin,
        before: u64,
        recent_max: usize,
        limits: Limits,
    ) -> Self {
        let (archive, stop) = (Archive::default(), CancellationToken::new());
        archive.rows.lock().unwrap().extend((1..=before).map(stored));
        let feed = Feed::with_room(origin, before, vec![], recent_max);
        let (listener, address) = listen_on(address).await;
        let address = SocketAddr::new([127, 0, 0, 1].into(), address.port());
        let mut served = JoinSet::new();
        let pages = Arc::new(archive.clone());
        let desk = Desk::new(feed.clone(), pages, limits);
        served.spawn(serve_tcp(listener, desk, stop.clone()));
        Self { archive, feed, address, stop, served }
    }

    /// Stores the reading `id`, so that it is safe.
    pub(crate) fn store(&self, id: u64) {
        self.write(id);
        self.feed.offer(&[Arc::new(stored(id))]);
    }

    /// Writes it, so that it is not safe yet.
    pub(crate) fn write(&self, id: u64) {
        self.archive.rows.lock().unwrap().push(stored(id));
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        let ended = timeout(LIMIT, self.served.join_next()).await;
        ended.expect("ends within the limit").unwrap().unwrap().unwrap();
        assert_eq!(self.feed.stats().port.open, 0);
    }
}

pub(crate) fn stored(id: u64) -> StoredReading {
    let device = if id.is_multiple_of(3) { "attic" } else { "cellar" };
    reading_of(device, i64::try_from(id).unwrap(), 20.5)
}
