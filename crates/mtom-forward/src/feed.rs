//! Every reading in the order of its id, for those who may lose none: the newest from memory, all others from the
//! history.
//!
//! Only what is safe on the disk is told: an id that somebody has heard never names another reading.

use crate::history::PageError;
use crate::lines::{Request, Status, Wrong, WrongCode, line};
use crate::origin::Origin;
use crate::owners::{Claim, Hold};
use crate::recent::{Piece, Recent, Room};
use crate::tally::{PortStats, Tally};
use crate::udp::{self, UdpStats};
use mtom_protocol::reading::StoredReading;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

/// Readings that are kept in memory: about 2 MB with their lines.
const RECENT_MAX: usize = 4_096;
/// Reads of the history at a time, for all who follow. Full: the others wait in turn and are counted; the page and
/// the other database read the same file.
const READS_MAX: usize = 2;

/// Where readings are that memory no longer has.
pub trait ReadingPages: Send + Sync + 'static {
    /// The readings behind the id `after`, by ascending id, at most `limit`; none: there are no more.
    fn after(
        &self,
        after: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<StoredReading>, PageError>> + Send;
}

/// Takes readings that are safe on the disk and has them for all who follow. A clone is the same feed.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

struct Shared {
    // `std`: held for a push, or for looking at a few hundred readings; never across an await.
    recent: RwLock<Recent>,
    reads: Semaphore,
    waiting: AtomicU64,
    /// Rung after each batch.
    bell: watch::Sender<()>,
    tally: Arc<Tally>,
    sent: AtomicU64,
    origin: Origin,
    udp: Arc<udp::Tally>,
}

/// Counts since the feed was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedStats {
    /// Who is connected by TCP, and who was closed or refused there.
    pub port: PortStats,
    /// Connections that wait for their turn to read the history.
    pub waiting: u64,
    /// Lines that were handed to sockets, over all connections.
    pub sent: u64,
}

impl Feed {
    /// The feed of a gateway behind the reading `newest`, the last one that is stored; 0: none is. `known` are the last ones, by
    /// ascending id and without a gap; those who were away for a short while need no history then.
    #[must_use]
    pub fn new(origin: Origin, newest: u64, known: Vec<StoredReading>) -> Self {
        Self::with_room(origin, newest, known, RECENT_MAX)
    }

    /// As [`Feed::new`], with room for `recent_max` readings in memory.
    #[must_use]
    pub fn with_room(
        origin: Origin,
        newest: u64,
        known: Vec<StoredReading>,
        recent_max: usize,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                recent: RwLock::new(Recent::new(recent_max, newest, known)),
                reads: Semaphore::new(READS_MAX),
                waiting: AtomicU64::new(0),
                bell: watch::Sender::new(()),
                tally: Arc::default(),
                sent: AtomicU64::new(0),
                origin,
                udp: Arc::default(),
            }),
        }
    }

    /// Takes the next readings. Never waits for anybody.
    pub fn offer(&self, batch: &[Arc<StoredReading>]) {
        let mut recent = self.shared.recent.write().unwrap_or_else(PoisonError::into_inner);
        for stored in batch {
            recent.push(Arc::clone(stored));
        }
        drop(recent);
        self.shared.bell.send_replace(());
    }

    /// The counts up to now.
    #[must_use]
    pub fn stats(&self) -> FeedStats {
        let Shared { tally, sent, waiting, .. } = &*self.shared;
        FeedStats {
            port: tally.stats(),
            waiting: waiting.load(Ordering::Relaxed),
            sent: sent.load(Ordering::Relaxed),
        }
    }

    /// What happened by UDP up to now.
    #[must_use]
    pub fn udp_stats(&self) -> UdpStats {
        self.shared.udp.stats()
    }

    /// How many have subscribed by UDP, and each change of it.
    #[must_use]
    pub fn udp_subscribers(&self) -> watch::Receiver<u64> {
        self.shared.udp.subscribers.subscribe()
    }

    /// How many connections are open, and each change of it.
    #[must_use]
    pub fn open(&self) -> watch::Receiver<u64> {
        self.shared.tally.open.subscribe()
    }

    /// The id of the newest reading.
    pub(crate) fn newest(&self) -> u64 {
        self.shared.recent.read().unwrap_or_else(PoisonError::into_inner).newest()
    }

    /// What the gateway says of itself.
    pub(crate) fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// How the gateway is.
    pub(crate) fn status(&self) -> Status {
        let Origin { history, now, .. } = self.origin();
        let (history, now) = (history.to_string(), now().rfc3339());
        Status { history, newest: self.newest(), now, after: None, until: None }
    }

    /// Takes a controller in that speaks from `peer`.
    pub(crate) fn claim(&self, claim: &Claim, peer: IpAddr, now: Instant) -> Result<Hold, Wrong> {
        let Origin { now: clock, owners, .. } = self.origin();
        owners.claim(claim, peer.to_string(), clock(), now).map_err(|refused| {
            let wrong = Wrong::new(refused.to_string(), refused.next());
            wrong.coded(WrongCode::ControllerRefused)
        })
    }

    pub(crate) fn bell(&self) -> watch::Receiver<()> {
        self.shared.bell.subscribe()
    }

    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.shared.tally)
    }

    pub(crate) fn udp_tally(&self) -> Arc<udp::Tally> {
        Arc::clone(&self.shared.udp)
    }

    pub(crate) fn sent(&self, lines: usize) {
        self.shared.sent.fetch_add(lines as u64, Ordering::Relaxed);
    }

    /// What comes behind `id`, and the newest id; `None`: not all of it is in memory.
    pub(crate) fn recent(&self, id: u64, request: &Request, room: Room) -> (Option<Piece>, u64) {
        let recent = self.shared.recent.read().unwrap_or_else(PoisonError::into_inner);
        (recent.after(id, request, room), recent.newest())
    }

    /// A turn to read the history. Losing this future loses the turn alone.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        let _waits = Waits::new(&self.shared.waiting);
        self.shared.reads.acquire().await.expect("it is never closed")
    }

    /// What comes behind `id` up to `newest` in the history. As far as before: there is no more.
    pub(crate) async fn stored(
        &self,
        id: u64,
        newest: u64,
        request: &Request,
        room: Room,
        pages: &impl ReadingPages,
    ) -> Result<Piece, PageError> {
        let page = pages.after(id, room.looks).await?;
        let mut piece = Piece::behind(id);
        for stored in &page {
            // Behind it is what is written and not yet safe.
            let is_safe = stored.id <= newest;
            if !is_safe || !piece.add(stored, request, room, || Cow::Owned(line(stored))) {
                return Ok(piece);
            }
        }
        if page.len() < room.looks {
            // What is missing up to there is kept no longer.
            piece.until = piece.until.max(newest);
        }
        Ok(piece)
    }
}

/// Counts one that waits, as long as it does.
struct Waits<'a>(&'a AtomicU64);

impl<'a> Waits<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
