//! From a gateway of ours: every reading once, whatever breaks on the way.
//!
//! A reading is acknowledged when the relay has stored it, together with how far that history was taken over. When one
//! could not be stored, none that came after it on that connection is: what was asked for again would be taken for
//! known else.

use crate::Clock;
use crate::view::{Hop, LogEvent, View};
use mtom_forward::follower::{
    Address, Event, Forwarded, Kept, Means, Patience, Place, Refused, Wish, follow,
};
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Full: the socket is not read, so the gateway waits.
const EVENTS_LEN: usize = 64;
/// Readings on their way to the relay. Full: as above.
pub(crate) const FORWARDINGS_LEN: usize = 1_024;
/// Clocks that differ by more are worth a word.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// What came of another gateway's history, and the duty to say when it is safe. Dropped without [`Forwarding::safe`] it
/// is asked for again.
#[derive(Debug)]
pub(crate) struct Forwarding {
    /// Where it stands there.
    pub(crate) place: Place,
    pub(crate) what: What,
    /// Which connection it came on, counted.
    pub(crate) connection: u64,
    safe: oneshot::Sender<()>,
}

/// What came.
#[derive(Debug)]
pub(crate) enum What {
    /// It is followed from there on, whatever was known of that history.
    Begins,
    /// There is nothing else up to there.
    Looked,
    /// A reading.
    Reading {
        reading: Reading,
        /// Later nothing is done because of it.
        fresh_until: UnixMicros,
        /// Everything before it came too.
        is_complete: bool,
    },
}

impl Forwarding {
    /// With what tells whether it is safe: dropped means that it is not.
    pub(crate) fn new(place: Place, what: What, connection: u64) -> (Self, oneshot::Receiver<()>) {
        let (safe, receipt) = oneshot::channel();
        (Self { place, what, connection, safe }, receipt)
    }

    /// It will survive anything.
    pub(crate) fn safe(self) {
        // Whoever does not wait any more asks for it again, and it is known.
        let _ = self.safe.send(());
    }
}

/// What receives.
pub(super) struct Receiver {
    pub(super) address: Address,
    pub(super) forwardings: mpsc::Sender<Forwarding>,
    pub(super) granted: Option<oneshot::Sender<()>>,
    pub(super) view: View,
    pub(super) clock: Clock,
}

impl Receiver {
    pub(super) async fn run(self, wish: Wish, stop: CancellationToken) -> Result<(), Refused> {
        let Self { address, forwardings, granted, view, clock } = self;
        let (sender, mut events) = mpsc::channel(EVENTS_LEN);
        let (kept, stored) = watch::channel(Kept::default());
        let means =
            Means { now: Arc::clone(&clock), jitter: fastrand::f64, patience: Patience::default() };
        let mut passing = Passing { forwardings, granted, connection: 0 };
        let log = Log { view, clock, url: address.to_string() };
        let passing = async {
            let mut on_the_way = OnTheWay::default();
            loop {
                tokio::select! {
                    (place, is_safe) = on_the_way.next() => kept.send_modify(|kept| if is_safe {
                        kept.place = Some(place);
                    } else {
                        kept.failures += 1;
                    }),
                    event = events.recv() => {
                        let Some(event) = event else { return };
                        log.tell(&event);
                        match passing.take(event).await {
                            Ok(sent) => on_the_way.0.extend(sent),
                            Err(RelayGone) => return,
                        }
                    }
                }
            }
        };
        let following = follow(&address, wish, sender, stored, means, stop);
        let (outcome, ()) = tokio::join!(following, passing);
        outcome
    }
}

/// Readings that the relay has and that are not safe yet. The gateway's window bounds them.
#[derive(Default)]
struct OnTheWay(VecDeque<(Place, oneshot::Receiver<()>)>);

impl OnTheWay {
    /// What became of the first. When it is lost all others are taken for lost too. Losing this future loses nothing.
    async fn next(&mut self) -> (Place, bool) {
        let Some((_, receipt)) = self.0.front_mut() else { return std::future::pending().await };
        let is_safe = receipt.await.is_ok();
        let (place, _) = self.0.pop_front().expect("it was looked at");
        if !is_safe {
            self.0.clear();
        }
        (place, is_safe)
    }
}

struct RelayGone;

/// Hands readings over.
struct Passing {
    forwardings: mpsc::Sender<Forwarding>,
    granted: Option<oneshot::Sender<()>>,
    connection: u64,
}

impl Passing {
    async fn take(
        &mut self,
        event: Event,
    ) -> Result<Option<(Place, oneshot::Receiver<()>)>, RelayGone> {
        match event {
            Event::Connected { from, is_anew, .. } => {
                self.connection += 1;
                if let Some(granted) = self.granted.take() {
                    // Whoever waits for it may be ending.
                    let _ = granted.send(());
                }
                // What comes between now and the first reading that is stored must not be missed when this dies.
                if is_anew { self.pass(from, What::Begins).await.map(Some) } else { Ok(None) }
            }
            Event::Reading { place, forwarded, fresh_until, is_complete } => {
                let Forwarded { reading, .. } = forwarded;
                let what = What::Reading { reading, fresh_until, is_complete };
                self.pass(place, what).await.map(Some)
            }
            Event::Looked { place } => self.pass(place, What::Looked).await.map(Some),
            Event::Missed(_) | Event::Complaint(_) | Event::Lost { .. } => Ok(None),
        }
    }

    async fn pass(
        &self,
        place: Place,
        what: What,
    ) -> Result<(Place, oneshot::Receiver<()>), RelayGone> {
        let own = place.clone();
        let (forwarding, receipt) = Forwarding::new(place, what, self.connection);
        self.forwardings.send(forwarding).await.map_err(|_| RelayGone)?;
        Ok((own, receipt))
    }
}

/// Says what happens to the connection.
struct Log {
    view: View,
    clock: Clock,
    url: String,
}

impl Log {
    fn tell(&self, event: &Event) {
        let url = self.url.clone();
        let said = match event {
            Event::Reading { .. } | Event::Looked { .. } => return,
            Event::Complaint(reason) => {
                tracing::warn!(url, reason, "the gateway says what it should not");
                return;
            }
            Event::Missed(count) => {
                tracing::warn!(url, count, "readings were lost on the way");
                return;
            }
            Event::Connected { ahead_micros, .. } => {
                let apart = Duration::from_micros(ahead_micros.unsigned_abs());
                if apart > CLOCKS_DIFFER {
                    let seconds = apart.as_secs_f64().round();
                    let direction = if *ahead_micros > 0 { "behind" } else { "ahead of" };
                    tracing::warn!(
                        "the clock here is {seconds} s {direction} that of {url}: times are taken by the clock \
                         here; set it (timedatectl), schedules of rules go by it"
                    );
                }
                LogEvent::BrokerConnected { url }
            }
            Event::Lost { reason, .. } => LogEvent::BrokerLost { url, reason: reason.clone() },
        };
        self.view.log((self.clock)(), Hop::Broker, said);
    }
}
