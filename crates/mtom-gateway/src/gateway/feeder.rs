//! What brings messages to the relay: the embedded broker, the client of another, or another gateway.

use super::session::Session;
use super::{StartError, own_client_id};
use crate::Clock;
use crate::forwarded::lines::{FORWARDINGS_LEN, Forwarding};
use crate::forwarded::{self, Following, Upstream};
use crate::guests::{self, Guests};
use crate::presence::{self, Presence};
use crate::settings::Source;
use crate::view::{Hop, LogEvent, View};
use jiff::tz::TimeZone;
use mtom_broker::client::{self, Change};
use mtom_broker::embedded::{BindError, Embedded};
use mtom_broker::intake::Intake;
use mtom_broker::outlet::{Outgoings, Outlet};
use mtom_forward::follower::{Place, Refused, Wish};
use mtom_forward::owners::Claim;
use mtom_mqtt::target::Target;
use mtom_protocol::payload::availability_filters;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::History;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Where messages come from, ready to start.
pub(super) enum Feeder {
    Embedded(Box<Embedded>),
    External(Box<client::Settings>, Session, Outgoings, Presence),
    Forwarded(Box<Following>),
}

impl Feeder {
    /// Whom the embedded broker knows; `None`: there is none.
    pub(super) fn guests(&self, dir: &Path) -> Option<Guests> {
        match self {
            Self::Embedded(embedded) => Some(Guests::new(embedded.door(), dir)),
            Self::External(..) | Self::Forwarded(_) => None,
        }
    }

    /// Who speaks about itself at the external broker; `None`: there is none.
    pub(super) fn presence(&self) -> Option<Presence> {
        match self {
            Self::External(.., presence) => Some(presence.clone()),
            Self::Embedded(_) | Self::Forwarded(_) => None,
        }
    }

    /// The way to the broker for switches on it.
    pub(super) fn broker(&self) -> Option<Target> {
        match self {
            Self::Embedded(embedded) => {
                let address = embedded.address();
                let ip = match address.ip() {
                    ip if !ip.is_unspecified() => ip,
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                };
                Some(Target::plain(&ip.to_string(), address.port()))
            }
            Self::External(settings, ..) => Some(settings.target.clone()),
            Self::Forwarded(_) => None,
        }
    }
}

/// What a controller follows another gateway for, and how.
pub(super) struct Driven {
    /// The names of its actuators.
    actuators: Vec<String>,
    /// Knows how far it has followed.
    history: History,
    forwardings: mpsc::Sender<Forwarding>,
    /// Told when they may be driven.
    granted: oneshot::Sender<()>,
}

impl Driven {
    /// With the relay's end of it, and what is told when the actuators may be driven.
    pub(super) fn new(
        actuators: Vec<String>,
        history: History,
    ) -> (Self, mpsc::Receiver<Forwarding>, oneshot::Receiver<()>) {
        let (forwardings, forwarded) = mpsc::channel(FORWARDINGS_LEN);
        let (granted, grant) = oneshot::channel();
        (Self { actuators, history, forwardings, granted }, forwarded, grant)
    }
}

/// Binds what has to be bound. With it, the broker's address and the way for what the gateway says.
pub(super) async fn feeder(
    source: Source,
    filters: Vec<String>,
    dir: &Path,
    intake: &Intake,
    clock: &Clock,
    driven: Driven,
) -> Result<(Feeder, String, Option<Outlet>), StartError> {
    let Driven { actuators, history, forwardings, granted } = driven;
    let granted = if matches!(source, Source::Forwarded { .. }) {
        Some(granted)
    } else {
        // Nobody has to be asked. The receiver is there.
        let _ = granted.send(());
        None
    };
    match source {
        Source::Embedded { listen, admission } => {
            let clients = guests::open(dir, admission, clock)?;
            let embedded = Embedded::bind(listen, intake.clone(), clients).await.map_err(
                |error| match error {
                    BindError::Listen { address, cause } => StartError::Listen {
                        what: "MQTT devices",
                        key: "broker.listen",
                        address,
                        cause,
                    },
                    BindError::Start { reason } => StartError::Broker { reason },
                },
            )?;
            let (address, outlet) = (embedded.address().to_string(), embedded.outlet());
            Ok((Feeder::Embedded(Box::new(embedded)), address, Some(outlet)))
        }
        Source::External { target, client_id, receive_max } => {
            let address = target.endpoint.address();
            let client_id = match client_id {
                Some(id) => id,
                None => own_client_id(dir)?,
            };
            let about_them = availability_filters(&filters);
            let mut filters_kept = filters.clone();
            filters_kept.extend(about_them.iter().cloned());
            let session = Session::new(dir, &target, &client_id, &filters_kept);
            let mut filters_wished = presence::FILTERS.map(str::to_owned).to_vec();
            filters_wished.extend(about_them);
            let (is_known, filters_given_up) = (session.is_known(), session.given_up());
            let settings = client::Settings {
                target,
                client_id,
                filters,
                filters_wished,
                filters_given_up,
                receive_max,
                is_known,
            };
            let (outlet, outgoings) = Outlet::external();
            let presence = Presence::new(clock);
            let external = Feeder::External(Box::new(settings), session, outgoings, presence);
            Ok((external, address, Some(outlet)))
        }
        Source::Forwarded { url, name } => {
            let upstream =
                Upstream::parse(&url).map_err(|reason| StartError::Upstream { url, reason })?;
            let claim = Claim { name, id: own_client_id(dir)?, actuators };
            let known = history.followed()?.into_iter();
            let known = known.map(|known| Place { history: known.history.into(), id: known.id });
            let wish = Wish {
                subscribe: filters,
                controller: (!claim.actuators.is_empty()).then_some(claim),
                known: known.collect(),
            };
            let following = Following { upstream, wish, forwardings, granted };
            Ok((Feeder::Forwarded(Box::new(following)), String::new(), None))
        }
    }
}

/// Starts what feeds the relay. It owns the only intake: when it ends the relay ends.
pub(super) fn feed(
    tasks: &mut JoinSet<Result<(), Refused>>,
    feeder: Feeder,
    intake: Intake,
    view: &View,
    clock: &Clock,
    zone: &TimeZone,
    stop: &CancellationToken,
) {
    let (view, clock, stop) = (view.clone(), Arc::clone(clock), stop.clone());
    match feeder {
        Feeder::Embedded(broker) => {
            tasks.spawn(async move {
                broker.run(stop).await;
                Ok(())
            });
        }
        Feeder::External(settings, session, outgoings, presence) => {
            let intake = intake.showing(move |topic, payload, retained_copy| {
                presence.heard(topic, payload, retained_copy)
            });
            let url = settings.target.endpoint.to_string();
            let changed = move |change| {
                if matches!(change, Change::Connected { .. }) {
                    session.made();
                }
                tell(&view, clock(), &url, change);
            };
            tasks.spawn(async move {
                client::run(*settings, intake, outgoings, changed, fastrand::f64, stop).await;
                Ok(())
            });
        }
        Feeder::Forwarded(following) => {
            tasks.spawn(forwarded::run(*following, intake, view, clock, zone.clone(), stop));
        }
    }
}

/// Says what has happened to the connection to the broker.
fn tell(view: &View, now: UnixMicros, url: &str, change: Change) {
    let url = || url.to_owned();
    match change {
        Change::Connected { session_lost, spoken } => {
            tracing::info!(url = url(), "connected to the broker, {spoken}");
            view.log(now, Hop::Broker, LogEvent::BrokerConnected { url: url() });
            if session_lost {
                tracing::warn!(
                    url = url(),
                    "the broker forgot our session: what it queued is gone; let it keep sessions \
                     (mosquitto: persistence true)"
                );
                view.log(now, Hop::Broker, LogEvent::BrokerForgot { url: url() });
            }
        }
        Change::Lost { reason } => {
            tracing::warn!(url = url(), reason, "no broker: it is tried again");
            view.log(now, Hop::Broker, LogEvent::BrokerLost { url: url(), reason });
        }
    }
}
