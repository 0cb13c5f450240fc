//! Readings that another gateway forwards: what a controller lives on.
//!
//! From one of ours each reading comes once, with its own time, and what was missed comes later (`lines.rs`). From the
//! original server, or its port of ours, comes what is new (`original.rs`).

use crate::Clock;
use crate::view::View;
use jiff::tz::TimeZone;
use lines::Forwarding;
use mtom_broker::intake::Intake;
use mtom_forward::follower::{Address, Refused, Wish};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub(crate) mod lines;
mod original;

/// Who forwards readings.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    /// The live port of the original, `ws://host:8765`.
    Original(String),
    /// A gateway of ours, by lines.
    Gateway(Address),
}

impl Upstream {
    /// # Errors
    /// What is expected, in words.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        match url.parse() {
            Ok(address) => Ok(Self::Gateway(address)),
            Err(error) => match mtom_forward::client::check(url) {
                Ok(()) => Ok(Self::Original(url.to_owned())),
                Err(_) => Err(format!("{error}")),
            },
        }
    }
}

/// What following takes.
pub(crate) struct Following {
    pub(crate) upstream: Upstream,
    pub(crate) wish: Wish,
    /// To the relay.
    pub(crate) forwardings: mpsc::Sender<Forwarding>,
    /// Told when the upstream has taken us: from then on the actuators are ours.
    pub(crate) granted: Option<oneshot::Sender<()>>,
}

/// Receives until `stop`, or until the relay is gone.
///
/// # Errors
/// [`Refused`]: another controller drives one of the actuators.
pub(crate) async fn run(
    following: Following,
    intake: Intake,
    view: View,
    clock: Clock,
    zone: TimeZone,
    stop: CancellationToken,
) -> Result<(), Refused> {
    let Following { upstream, wish, forwardings, granted } = following;
    match upstream {
        Upstream::Original(url) => {
            // Nobody to ask: whoever has the original's format has no names.
            let _ = granted.map(|granted| granted.send(()));
            original::run(url, intake, view, clock, zone, stop).await;
            Ok(())
        }
        Upstream::Gateway(address) => {
            let receiver = lines::Receiver { address, forwardings, granted, view, clock };
            let outcome = receiver.run(wish, stop).await;
            // Held until here: when it goes the relay ends.
            drop(intake);
            outcome
        }
    }
}
