//! The live port: every viewer gets every temperature once, in order (`wire.md` §1.2).
//!
//! A frame is encoded once and its bytes are shared by all viewers, to whom two tasks write (`sweep.rs`).
//! Offering never waits for a viewer: one that is too slow skips ahead to the newest frame of each series,
//! and one whose socket takes nothing for [`Limits::stall`] is closed.

use crate::access::Access;
use crate::replay::{Player, ReplayPages};
use crate::ring::{Batch, Frame, Place, Ring};
use crate::server::{Limits, serve};
use crate::socket::{Connection, End, Heard, Show};
use crate::sweep::{Entry, Sweep};
use crate::tally::{PortStats, Tally};
use futures_util::FutureExt;
use jiff::tz::TimeZone;
use mtom_protocol::original::{self, HELLO, LiveRequest, Malformed};
use mtom_protocol::reading::{Reading, StoredReading};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use std::{array, io};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as WebSocketFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_util::sync::CancellationToken;

/// Frames that a viewer may be behind before it skips ahead: about 0.4 MB, shared by all.
const FRAMES_MAX: usize = 4_096;
/// Series whose newest frame is kept for those who skip ahead: at most about 5 MB.
const SERIES_MAX: usize = 16_384;
/// Tasks that write to the viewers, each to its part of them: each keeps a processor busy while it does.
const SWEEPS: usize = 2;
/// One write to one viewer. Also what a viewer may cost that takes only part of a write.
const BATCH_LEN_MAX: usize = 8 * 1024;

/// Takes readings and fans them out to all viewers. A clone is the same hub.
#[derive(Clone)]
pub struct LiveHub {
    shared: Arc<Shared>,
}

struct Shared {
    zone: TimeZone,
    // `std`: held for a push or for copying one batch, never across an await.
    ring: RwLock<Ring>,
    /// Rung after each push. Few listen: one for each port, which writes to its viewers.
    bell: watch::Sender<()>,
    tally: Arc<Tally>,
    offered: AtomicU64,
    sent: AtomicU64,
    skipped: AtomicU64,
}

/// Counts since the hub was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveStats {
    /// Who watches, and who was closed or refused.
    pub port: PortStats,
    /// Temperatures that were offered.
    pub offered: u64,
    /// Frames that were handed to sockets, over all viewers.
    pub sent: u64,
    /// Frames that slow viewers missed, over all viewers.
    pub skipped: u64,
}

impl LiveHub {
    /// Times are shown in `zone`. `last_known` is what the first viewer gets before anything is
    /// offered; it is passed over when it is no temperature.
    #[must_use]
    pub fn new(zone: TimeZone, last_known: Option<&StoredReading>) -> Self {
        Self::with_room(zone, last_known, FRAMES_MAX)
    }

    /// As [`LiveHub::new`], with room for `frames_max` frames that a viewer may be behind.
    #[must_use]
    pub fn with_room(
        zone: TimeZone,
        last_known: Option<&StoredReading>,
        frames_max: usize,
    ) -> Self {
        let mut ring = Ring::new(frames_max, SERIES_MAX);
        if let Some(last) = last_known
            && let Some(frame) = encode(&zone, last)
        {
            ring.push(series(&last.reading), frame);
        }
        Self {
            shared: Arc::new(Shared {
                zone,
                ring: RwLock::new(ring),
                bell: watch::Sender::new(()),
                tally: Arc::default(),
                offered: AtomicU64::new(0),
                sent: AtomicU64::new(0),
                skipped: AtomicU64::new(0),
            }),
        }
    }

    /// Shows a reading to all viewers. Never waits for one. What is no temperature is passed over:
    /// the original's format has no place for it.
    pub fn offer(&self, reading: &StoredReading) {
        let Some(frame) = encode(&self.shared.zone, reading) else { return };
        let series = series(&reading.reading);
        self.shared.ring.write().unwrap_or_else(PoisonError::into_inner).push(series, frame);
        self.shared.offered.fetch_add(1, Ordering::Relaxed);
        self.shared.bell.send_replace(());
    }

    /// The counts up to now.
    #[must_use]
    pub fn stats(&self) -> LiveStats {
        let Shared { tally, offered, sent, skipped, .. } = &*self.shared;
        LiveStats {
            port: tally.stats(),
            offered: offered.load(Ordering::Relaxed),
            sent: sent.load(Ordering::Relaxed),
            skipped: skipped.load(Ordering::Relaxed),
        }
    }

    /// How many connections are open, and each change of it.
    #[must_use]
    pub fn viewers(&self) -> watch::Receiver<u64> {
        self.shared.tally.open.subscribe()
    }

    fn join(&self) -> Place {
        self.shared.ring.read().unwrap_or_else(PoisonError::into_inner).join()
    }

    fn next(&self, place: Place) -> Batch {
        let ring = self.shared.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.next(place, BATCH_LEN_MAX)
    }
}

/// What comes next, for all who are at one place, and what has been written of it.
struct Showing {
    hub: LiveHub,
    place: Option<Place>,
    batch: Batch,
    sent: u64,
    skipped: u64,
}

impl Showing {
    fn of(hub: &LiveHub) -> Self {
        Self { hub: hub.clone(), place: None, batch: Batch::default(), sent: 0, skipped: 0 }
    }
}

impl Show for Showing {
    fn next(&mut self, place: Place) -> &Batch {
        if self.place.replace(place) != Some(place) {
            self.batch = self.hub.next(place);
        }
        &self.batch
    }

    fn written(&mut self) {
        self.sent += self.batch.frames;
        self.skipped += self.batch.skipped;
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        let Shared { sent, skipped, .. } = &*self.hub.shared;
        sent.fetch_add(self.sent, Ordering::Relaxed);
        skipped.fetch_add(self.skipped, Ordering::Relaxed);
    }
}

/// Serves viewers until `stop`; then each that keeps up gets what was offered before, and the close frame 1001. Replays are played from `history`.
///
/// # Errors
/// When the listener is none. A lack of file descriptors is waited out.
pub async fn serve_live(
    listener: TcpListener,
    hub: LiveHub,
    history: Arc<impl ReplayPages>,
    access: Access,
    limits: Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    let player = Arc::new(Player::new(history, hub.shared.zone.clone(), limits.page));
    let sweeps: [Arc<Sweep>; SWEEPS] = array::from_fn(|_| Arc::new(Sweep::new(limits.turn_len)));
    let tally = hub.shared.tally.clone();
    let talk = {
        let (hub, sweeps, next) = (hub.clone(), sweeps.clone(), Arc::<AtomicUsize>::default());
        move |connection| {
            let sweep = &sweeps[next.fetch_add(1, Ordering::Relaxed) % SWEEPS];
            Viewer::new(connection, hub.clone(), Arc::clone(&player), Arc::clone(sweep)).talk()
        }
    };
    let stop = stop.child_token();
    let end = CancellationToken::new();
    let mut swept = JoinSet::new();
    for sweep in sweeps {
        let (hub, stop) = (hub.clone(), stop.clone());
        swept.spawn(async move { show_all(&hub, &sweep, limits.farewell, &stop).await });
    }
    let shown = async {
        let mut outcome = Ok(());
        while let Some(ended) = swept.join_next().await {
            if let Err(failed) = ended {
                outcome = Err(io::Error::other(failed));
                stop.cancel();
            }
        }
        // Viewers are told to go when they have been shown what was there.
        end.cancel();
        outcome
    };
    let served = async {
        let outcome = serve(listener, access, limits, tally, end.clone(), talk).await;
        // The listener may have failed.
        stop.cancel();
        outcome
    };
    let (shown, served) = tokio::join!(shown, served);
    shown.and(served)
}

/// Shows all viewers what comes until `stop`, and then for at most `farewell` what has come until then.
async fn show_all(hub: &LiveHub, sweep: &Sweep, farewell: Duration, stop: &CancellationToken) {
    let mut bell = hub.shared.bell.subscribe();
    let rounds = async {
        while bell.changed().await.is_ok() {
            sweep.round(|| Showing::of(hub)).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
    let _ = timeout(farewell, sweep.round(|| Showing::of(hub))).await;
}

/// After so many batches in a row a viewer is listened to, whatever there is to show.
const SHOWN_MAX: u32 = 16;

/// One connection to the live port.
struct Viewer<P> {
    connection: Connection,
    hub: LiveHub,
    player: Arc<Player<P>>,
    sweep: Arc<Sweep>,
    /// `None` until it has asked for `realtime`.
    entry: Option<Entry>,
    /// There may be something that it has to write itself.
    behind: bool,
    /// Batches since it was last listened to.
    shown: u32,
}

impl<P: ReplayPages> Viewer<P> {
    const fn new(
        connection: Connection,
        hub: LiveHub,
        player: Arc<Player<P>>,
        sweep: Arc<Sweep>,
    ) -> Self {
        Self { connection, hub, player, sweep, entry: None, behind: false, shown: 0 }
    }

    async fn talk(mut self) -> (Connection, End) {
        loop {
            if let Err(end) = self.step().await {
                return (self.connection, end);
            }
        }
    }

    /// Answers one request or writes one batch.
    async fn step(&mut self) -> Result<(), End> {
        let heard = if !self.behind {
            self.connection.hear_or_share().await?
        } else if self.shown < SHOWN_MAX {
            self.shown += 1;
            None
        } else {
            self.shown = 0;
            self.connection.hear().now_or_never().transpose()?
        };
        match heard {
            Some(heard) => self.answer(heard).await?,
            None => self.behind = self.connection.share(|| Showing::of(&self.hub)).await?,
        }
        Ok(())
    }

    async fn answer(&mut self, heard: Heard) -> Result<(), End> {
        // A replay is not mixed with what comes.
        self.connection.take_turn();
        self.behind = self.entry.is_some();
        let mut next = Some(heard);
        while let Some(heard) = next {
            next = self.answer_one(heard).await?;
        }
        Ok(())
    }

    /// Answers one request; what a replay was ended by comes back.
    async fn answer_one(&mut self, heard: Heard) -> Result<Option<Heard>, End> {
        let request = match heard {
            Heard::Text(text) => LiveRequest::parse(&text, self.player.zone()),
            Heard::Binary => Err(Malformed::Binary),
            Heard::Sign => return self.connection.flush().await.map(|()| None),
        };
        match request {
            Ok(LiveRequest::Replay(replay)) => {
                return Box::pin(self.player.play(&mut self.connection, replay)).await;
            }
            Ok(LiveRequest::Hello) => self.connection.say(HELLO).await,
            Ok(LiveRequest::Realtime) => {
                // Asked again, it goes on: a second stream would show everything twice.
                if self.entry.is_none() {
                    let seat = self.connection.sit_down(self.hub.join());
                    self.entry = Some(self.sweep.enter(seat));
                    self.behind = true;
                }
                Ok(())
            }
            Err(malformed) => self.connection.say([original::error(&malformed.to_string())]).await,
        }
        .map(|()| None)
    }
}

fn series(reading: &Reading) -> (Arc<str>, Arc<str>) {
    (reading.device.clone(), reading.quantity.clone())
}

fn encode(zone: &TimeZone, stored: &StoredReading) -> Option<Frame> {
    let celsius = stored.reading.celsius()?;
    let text = original::new_data(&stored.at.original(zone), celsius);
    let frame = WebSocketFrame::message(text, OpCode::Data(Data::Text), true);
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing into memory does not fail.
    frame.format(&mut bytes).ok()?;
    Some(bytes.into())
}

#[cfg(test)]
mod tests;
