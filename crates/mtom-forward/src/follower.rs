//! The side that follows: hears every reading of another gateway, each once and in order, over whatever breaks.
//!
//! It asks behind the last reading that its own side has stored, and acknowledges what that stores. A connection that
//! is lost, or has said nothing for [`Patience::silence`] although the gateway speaks every five seconds, is made
//! again with a growing, jittered delay. What a reading's time is worth here, and whether it is too late to act on
//! it, is told by the gateway's own clock, which it says (`clocks.rs`): clocks of two computers differ.

use crate::client::{Retry, words};
pub use crate::lines::Forwarded;
use crate::owners::Claim;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

mod address;
mod clocks;
mod places;
mod session;
mod udp;
mod wires;

pub use address::{Address, BadAddress};
use places::Places;
use session::{Around, Lost, Quiet, Session};

/// A connection that lasted so long was not ended by another one of ours.
const CALM: Duration = Duration::from_secs(60);

/// Delays of the side that follows.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long connecting may take, the first answer included.
    pub connect: Duration,
    /// After so long without a word the gateway is taken for gone.
    pub silence: Duration,
    /// The first delay before a new connection; doubles with each failure.
    pub retry_min: Duration,
    /// The longest delay.
    pub retry_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(16),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// What it takes from its surroundings.
pub struct Means<J> {
    /// The clock.
    pub now: Arc<dyn Fn() -> UnixMicros + Send + Sync>,
    /// A number from 0 to 1 for each delay, so that many do not return at one moment.
    pub jitter: J,
    /// The delays.
    pub patience: Patience,
}

/// Everything up to a reading of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the history.
    pub history: Arc<str>,
    /// The reading's id there.
    pub id: u64,
}

/// What it wants of a gateway.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Topic filters; none: everything.
    pub subscribe: Vec<String>,
    /// Who it is and what it drives, where it drives something.
    pub controller: Option<Claim>,
    /// How far it is in the histories that it has followed, the last one first. In a history that is not among them it
    /// begins with what comes.
    pub known: Vec<Place>,
}

/// How far its own side is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Everything up to there is stored; `None`: nothing since the start.
    pub place: Option<Place>,
    /// How often something could not be stored: it is asked for again.
    pub failures: u64,
}

/// What happens, in its order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The gateway has answered.
    Connected {
        /// Behind which reading it begins.
        from: Place,
        /// It begins with what comes, whatever was known of that history, and from there on everything comes.
        is_anew: bool,
        /// How many microseconds its clock is ahead of ours, as well as can be told.
        ahead_micros: i64,
    },
    /// A reading came.
    Reading {
        /// Where it stands there.
        place: Place,
        /// With its time by our own clock, where the two differ by more than two seconds.
        forwarded: Forwarded,
        /// Ten seconds after it reached the gateway, by our own clock: later nothing is done because of it.
        fresh_until: UnixMicros,
        /// Everything before it came too: its place is one to go on from.
        is_complete: bool,
    },
    /// Nothing more was asked for up to there, which is far behind the last reading that came: a place to go on from.
    Looked {
        /// Everything up to there came.
        place: Place,
    },
    /// Readings on the way were lost: so many more, by their sequence numbers. Only by UDP.
    Missed(u64),
    /// The gateway said something that is no line of it. At most 400 characters from outside, control characters
    /// escaped.
    Complaint(String),
    /// There is no connection, or it has ended.
    Lost {
        /// Why, in words.
        reason: String,
        /// When the next try begins.
        retry_in: Duration,
    },
}

/// The gateway does not take this controller: a person must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {next}")]
pub struct Refused {
    error: String,
    next: String,
}

/// Follows until `stop`, or until nobody listens at `events` any more. When `events` is full nothing is read.
///
/// # Errors
/// [`Refused`]. Everything else is reported and tried again.
pub async fn follow(
    address: &Address,
    wish: Wish,
    events: mpsc::Sender<Event>,
    kept: watch::Receiver<Kept>,
    mut means: Means<impl FnMut() -> f64 + Send>,
    stop: CancellationToken,
) -> Result<(), Refused> {
    let patience = means.patience;
    let mut retry = Retry::new(patience.retry_min, patience.retry_max);
    let mut places = Places::new(wish.known.clone(), kept);
    let (mut quiet, mut again) = (Quiet::new(), 0);
    loop {
        let around = Around {
            wish: &wish,
            places: &mut places,
            events: &events,
            now: &*means.now,
            patience,
            quiet: &mut quiet,
        };
        let begun = Instant::now();
        let mut session = Session::new(around, address.is_lossless());
        let lost = Box::pin(session.run(address, &stop)).await;
        match lost {
            Lost::Unwanted => return Ok(()),
            Lost::Refused(refused) => return Err(refused),
            // The first time it may be an older connection of our own that was on its way for long.
            Lost::ConnectedAgain(refused) if again > 0 => return Err(refused),
            Lost::ConnectedAgain(_) => again += 1,
            _ if begun.elapsed() >= CALM => again = 0,
            _ => {}
        }
        // While nothing can be stored there is no hurry.
        if session.is_greeted() && !matches!(lost, Lost::Unstored) {
            retry.succeeded();
        }
        // It is asked something else then.
        let is_told = matches!(lost, Lost::AnotherHistory);
        let retry_in = if is_told { Duration::ZERO } else { retry.next((means.jitter)()) };
        let waited = async {
            let event = Event::Lost { reason: words(&lost.to_string()), retry_in };
            events.send(event).await.ok()?;
            sleep(retry_in).await;
            Some(())
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            waited = waited => if waited.is_none() { return Ok(()) },
        }
    }
}
