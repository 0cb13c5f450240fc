//! What brings messages to the relay: the embedded broker, the client of another, or another gateway.

use super::{StartError, own_client_id};
use crate::Clock;
use crate::forwarded;
use crate::guests::{self, Guests};
use crate::presence::{self, Presence};
use crate::settings::Source;
use crate::view::{Hop, LogEvent, View};
use jiff::tz::TimeZone;
use mtom_actuator::Broker;
use mtom_broker::client::{self, Change};
use mtom_broker::embedded::{BindError, Embedded};
use mtom_broker::intake::Intake;
use mtom_broker::outlet::{Outgoings, Outlet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Where messages come from, ready to start.
pub(super) enum Feeder {
    Embedded(Box<Embedded>),
    External(client::Settings, Outgoings, Presence),
    Forwarded(String),
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
            Self::External(_, _, presence) => Some(presence.clone()),
            Self::Embedded(_) | Self::Forwarded(_) => None,
        }
    }

    /// The way to the broker for switches on it.
    pub(super) fn broker(&self) -> Option<Broker> {
        match self {
            Self::Embedded(embedded) => {
                let address = embedded.address();
                let ip = match address.ip() {
                    ip if !ip.is_unspecified() => ip,
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                };
                Some(Broker { host: ip.to_string(), port: address.port(), credentials: None })
            }
            Self::External(client::Settings { host, port, credentials, .. }, ..) => {
                let (host, credentials) = (host.clone(), credentials.clone());
                Some(Broker { host, port: *port, credentials })
            }
            Self::Forwarded(_) => None,
        }
    }
}

/// Binds what has to be bound. With it, the broker's address and the way for what the gateway says.
pub(super) async fn feeder(
    source: Source,
    filters: Vec<String>,
    dir: &Path,
    intake: &Intake,
    clock: &Clock,
) -> Result<(Feeder, String, Option<Outlet>), StartError> {
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
        Source::External { host, port, client_id, credentials } => {
            let address = format!("{host}:{port}");
            let client_id = match client_id {
                Some(id) => id,
                None => own_client_id(dir)?,
            };
            let filters_wished = presence::FILTERS.map(str::to_owned).into();
            let settings =
                client::Settings { host, port, client_id, credentials, filters, filters_wished };
            let (outlet, outgoings) = Outlet::external();
            let presence = Presence::new(clock);
            Ok((Feeder::External(settings, outgoings, presence), address, Some(outlet)))
        }
        Source::Forwarded { url } => Ok((Feeder::Forwarded(url), String::new(), None)),
    }
}

/// Starts what feeds the relay. It owns the only intake: when it ends the relay ends.
pub(super) fn feed(
    tasks: &mut JoinSet<()>,
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
            tasks.spawn(broker.run(stop));
        }
        Feeder::External(settings, outgoings, presence) => {
            let intake = intake.showing(move |topic, payload, retained_copy| {
                presence.heard(topic, payload, retained_copy)
            });
            let url = format!("mqtt://{}:{}", settings.host, settings.port);
            let changed = move |change| match change {
                Change::Connected { session_lost } => {
                    view.log(clock(), Hop::Broker, LogEvent::BrokerConnected { url: url.clone() });
                    if session_lost {
                        tracing::warn!(
                            url,
                            "the broker forgot our session: what it queued is gone"
                        );
                    }
                }
                Change::Lost { reason } => {
                    tracing::warn!(url, reason, "no broker: it is tried again");
                    view.log(
                        clock(),
                        Hop::Broker,
                        LogEvent::BrokerLost { url: url.clone(), reason },
                    );
                }
            };
            tasks.spawn(client::run(settings, intake, outgoings, changed, fastrand::f64, stop));
        }
        Feeder::Forwarded(url) => {
            tasks.spawn(forwarded::run(url, intake, view, clock, zone.clone(), stop));
        }
    }
}
