//! The talk with Home Assistant at another broker, on a connection of its own.
//!
//! Its session is forgotten with it, so that no word waits at the broker until we are back: whoever switches a light
//! means now. What it hears is no reading, and what of it comes on the connection of readings is nothing.

use super::house::Hearing;
use super::rivals::{Rivals, Side};
use crate::announce::Ears;
use mtom_broker::client::{self, Change, Settings, Wishes};
use mtom_broker::intake::Intake;
use mtom_broker::outlet::{Outgoings, Outlet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Behind our name at the broker.
const NAME: &str = "-ha";
/// Messages that are not answered yet. Each is, at once.
const RECEIVE_MAX: u16 = 100;

/// Why it is given up.
const RIVALS: &str = "the broker takes the connection with -ha behind its client id for the one of the readings and ends \
                      each for the other, which costs readings: let it take client ids as they are (mosquitto: \
                      use_username_as_clientid false), or turn announce off";

/// The connection, ready to be made.
pub(super) struct HouseLine {
    settings: Settings,
    outgoings: Outgoings,
    ears: Ears,
    rivals: Rivals,
}

impl HouseLine {
    /// To the broker of readings, with the way for what is said; `None`: nothing is.
    pub(super) fn new(readings: &Settings, house: &Hearing) -> Option<(Self, Outlet)> {
        if !house.is_apart {
            return None;
        }
        if readings.filters.iter().any(|filter| filter.starts_with("$share/")) {
            tracing::warn!(
                "ingest.topics are shared: Home Assistant is told of the readings that come to this gateway; let one \
                 of those that share them announce"
            );
        }
        let ears = house.ears.clone();
        ears.talk().has_line();
        let (outlet, outgoings) = Outlet::external();
        let settings = Settings {
            target: readings.target.clone(),
            client_id: format!("{}{NAME}", readings.client_id),
            is_kept: false,
            filters: Vec::new(),
            filters_wished: ears.filters(),
            filters_again: Vec::new(),
            filters_given_up: Vec::new(),
            receive_max: RECEIVE_MAX,
            is_known: false,
            will: ears.will(),
        };
        Some((Self { settings, outgoings, ears, rivals: Rivals::default() }, outlet))
    }

    /// Looks whether the broker takes it and the connection of readings for one.
    pub(super) fn rivals(&self) -> Rivals {
        self.rivals.clone()
    }

    /// Hears and says until `stop`, or until it is clear that it costs the readings their session.
    pub(super) async fn run(self, stop: CancellationToken) {
        let Self { settings, outgoings, ears, rivals } = self;
        let ending = stop.child_token();
        // Nothing comes through it: all that is heard is put aside.
        let (intake, _) = Intake::new(1, |_| false);
        let hearing = ears.clone();
        let intake =
            intake.showing(move |topic, payload, manner| hearing.heard(topic, payload, manner));
        let end = ending.clone();
        let changed = move |change| {
            let (now, side) = (Instant::now(), Side::House);
            let is_over = match &change {
                Change::Connected { .. } => rivals.connected(side, now),
                Change::Lost { .. } => rivals.lost(side, now),
                Change::Refused { .. } => false,
            };
            if !end.is_cancelled() {
                tell(&ears, change);
            }
            if is_over && !end.is_cancelled() {
                end.cancel();
                tracing::error!("homeassistant.announce stops: {RIVALS}");
                ears.talk().down(RIVALS.into());
            }
        };
        client::run(settings, intake, outgoings, Wishes::none(), changed, fastrand::f64, ending)
            .await;
        stop.cancelled().await;
    }
}

fn tell(ears: &Ears, change: Change) {
    match change {
        Change::Connected { .. } => {
            ears.talk().up();
            ears.connected();
        }
        Change::Refused { filter, reason } => {
            tracing::warn!(filter, reason, "the broker does not let us hear Home Assistant");
            ears.talk().deaf(filter);
        }
        Change::Lost { reason } => {
            // The connection of readings tells of every try.
            if ears.talk().down(reason.clone()) {
                tracing::warn!(reason, "Home Assistant hears nothing: it is tried again");
            }
        }
    }
}
