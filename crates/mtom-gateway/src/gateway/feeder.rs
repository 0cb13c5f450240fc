//! What brings messages to the relay: the embedded broker, the client of another, or another gateway.

use super::house::Hearing;
use super::house_line::HouseLine;
use super::rivals::Side;
use super::session::{Session, Wished};
use super::{StartError, own_client_id};
use crate::Clock;
use crate::discovery::{self, Discovered, Of, Topics};
use crate::forwarded::lines::{FORWARDINGS_LEN, Forwarding};
use crate::forwarded::{self, Following, Upstream};
use crate::guests::{self, Guests};
use crate::presence::{self, Presence};
use crate::settings::Source;
use crate::view::{Hop, LogEvent, View};
use jiff::tz::TimeZone;
use mtom_broker::client::{self, Change, Wishes};
use mtom_broker::embedded::{BindError, Embedded, Kept};
use mtom_broker::intake::{Intake, Manner};
use mtom_broker::outlet::{Outgoings, Outlet};
use mtom_forward::follower::{Place, Refused, Wish};
use mtom_forward::owners::Claim;
use mtom_mqtt::target::Target;
use mtom_protocol::payload::{availability_again, availability_wishes};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic;
use mtom_store::history::History;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where messages come from, ready to start.
pub(super) enum Feeder {
    Embedded(Box<Embedded>, Discovered),
    External(Box<External>),
    Forwarded(Box<Following>),
}

/// The client of another broker, and what it serves.
pub(super) struct External {
    settings: client::Settings,
    session: Session,
    outgoings: Outgoings,
    presence: Presence,
    wishes: Wishes,
    /// `None`: Home Assistant is not told.
    house: Option<HouseLine>,
}

impl Feeder {
    /// Whom the embedded broker knows; `None`: there is none.
    pub(super) fn guests(&self, dir: &Path) -> Option<Guests> {
        match self {
            Self::Embedded(embedded, _) => Some(Guests::new(embedded.door(), dir)),
            Self::External(..) | Self::Forwarded(_) => None,
        }
    }

    /// Who speaks about itself at the external broker; `None`: there is none.
    pub(super) fn presence(&self) -> Option<Presence> {
        match self {
            Self::External(external) => Some(external.presence.clone()),
            Self::Embedded(..) | Self::Forwarded(_) => None,
        }
    }

    /// The way to the broker for switches on it.
    pub(super) fn broker(&self) -> Option<Target> {
        match self {
            Self::Embedded(embedded, _) => {
                let address = embedded.address();
                let ip = match address.ip() {
                    ip if !ip.is_unspecified() => ip,
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                };
                Some(Target::plain(&ip.to_string(), address.port()))
            }
            Self::External(external) => Some(external.settings.target.clone()),
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

/// The ways for what the gateway says; `None`: there is no broker.
#[derive(Default)]
pub(super) struct Outlets {
    pub(super) any: Option<Outlet>,
    /// To Home Assistant.
    pub(super) told: Option<Outlet>,
}

/// Binds what has to be bound. With it, the broker's address and the ways for what the gateway says.
pub(super) async fn feeder(
    source: Source,
    dir: &Path,
    (intake, house): (&Intake, &Hearing),
    clock: &Clock,
    driven: Driven,
) -> Result<(Feeder, String, Outlets), StartError> {
    let Driven { actuators, history, forwardings, granted } = driven;
    let filters = house.filters.clone();
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
            let outlets = Outlets { told: Some(outlet.clone()), any: Some(outlet) };
            let feeder = Feeder::Embedded(Box::new(embedded), house.discovered.clone());
            Ok((feeder, address, outlets))
        }
        Source::External { target, client_id, receive_max } => {
            let client_id = match client_id {
                Some(id) => id,
                None => own_client_id(dir)?,
            };
            let settings = client_settings(target, client_id, receive_max, filters, house);
            Ok(external(settings, dir, house, clock))
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
            Ok((Feeder::Forwarded(Box::new(following)), String::new(), Outlets::default()))
        }
    }
}

/// What we are at another broker, as far as it does not depend on what that has kept of us.
fn client_settings(
    target: Target,
    client_id: String,
    receive_max: u16,
    filters: Vec<String>,
    house: &Hearing,
) -> client::Settings {
    // A broker may give a message twice to whom two filters match [MQTT-3.3.5-1]: what another one covers is asked for
    // only to hear what is kept.
    let is_covered = |wish: &String| filters.iter().any(|filter| topic::matches(filter, wish));
    let (covered, mut filters_wished): (Vec<_>, Vec<_>) =
        house.discovered.filters().into_iter().partition(is_covered);
    filters_wished.extend(availability_wishes(&filters));
    let filters_again = [covered, availability_again(&filters)].concat();
    client::Settings {
        target,
        client_id,
        is_kept: true,
        filters,
        filters_wished,
        filters_again,
        filters_given_up: Vec::new(),
        receive_max,
        is_known: false,
        will: None,
    }
}

/// The client of another broker, with what that has kept of us.
fn external(
    mut settings: client::Settings,
    dir: &Path,
    house: &Hearing,
    clock: &Clock,
) -> (Feeder, String, Outlets) {
    let address = settings.target.endpoint.address();
    let kept = [settings.filters.clone(), settings.filters_wished.clone()].concat();
    let session = Session::new(dir, &settings.target, &settings.client_id, &kept);
    let wished = Wished::new(dir, &settings.target, &settings.client_id);
    let wishes = wishes(&house.discovered, &settings);
    let wishes =
        wishes.noting(wished.noted(), kept.into_iter().collect(), move |all| wished.note(all));
    house.ears.talk().sets_aside(wishes.set_aside());
    settings.is_known = session.is_known();
    settings.filters_given_up = session.given_up();
    settings.filters_wished.extend(presence::FILTERS.map(str::to_owned));
    let (line, told) = HouseLine::new(&settings, house).unzip();
    let (outlet, outgoings) = Outlet::external();
    let presence = Presence::new(clock);
    let external = External { settings, session, outgoings, presence, wishes, house: line };
    let outlets = Outlets { told: Some(told.unwrap_or_else(|| outlet.clone())), any: Some(outlet) };
    (Feeder::External(Box::new(external)), address, outlets)
}

/// The topics of discovered devices.
fn wishes(discovered: &Discovered, settings: &client::Settings) -> Wishes {
    let asking = Asking::new(&settings.filters, &settings.filters_wished);
    let (changed, discovered) = (discovered.changed(), discovered.clone());
    Wishes::new(changed, move || asking.of(discovered.topics()))
}

/// How another broker is asked for the topics of discovered devices: shared with the gateways that share everything
/// else, but for those on which devices only say whether they are there, which is for each of them to know. One that a
/// filter of ours brings already is not asked for; where that is one of those that are only wished for, what the broker
/// has kept of words is worth asking for, as they may come twice.
struct Asking {
    filters: Vec<String>,
    filters_wished: Vec<String>,
    /// In front of a topic that is shared.
    group: Option<String>,
}

impl Asking {
    fn new(filters: &[String], filters_wished: &[String]) -> Self {
        let group = |filter: &String| topic::subscription(filter).ok()?.0.map(str::to_owned);
        let mut groups: Vec<_> = filters.iter().map(group).collect();
        groups.dedup();
        let group = match groups.as_slice() {
            [Some(group)] => Some(format!("$share/{group}/")),
            _ => None,
        };
        let filters = filters.iter().map(|filter| discovery::plain(filter)).collect();
        Self { filters, filters_wished: filters_wished.to_vec(), group }
    }

    fn of(&self, topics: Topics) -> client::Wanted {
        let is_among = |filters: &[String], name: &str| {
            filters.iter().any(|filter| topic::matches(filter, name))
        };
        let asked = |(topic, of): (String, Of)| {
            if is_among(&self.filters, &topic)
                || (of.readings && is_among(&self.filters_wished, &topic))
            {
                return None;
            }
            let group = self.group.as_deref().filter(|_| of.readings).unwrap_or_default();
            Some((format!("{group}{topic}"), of.words))
        };
        topics.into_iter().filter_map(asked).collect()
    }
}

/// Hands over what our own broker has kept of what devices say about being there, once a config tells where; until
/// `stop`.
async fn words(kept: &Kept, discovered: &Discovered, stop: &CancellationToken) {
    let mut changed = discovered.changed();
    // Of those it has kept nothing: it begins empty.
    let mut known = discovered.topics();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = changed.changed() => {}
        }
        let topics = discovered.topics();
        for (topic, _) in
            topics.iter().filter(|(topic, of)| of.words && known.get(*topic) != Some(of))
        {
            tokio::select! {
                () = stop.cancelled() => return,
                () = kept.hand_over(topic) => {}
            }
        }
        known = topics;
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
        Feeder::Embedded(broker, discovered) => {
            let (kept, end) = (broker.kept(), stop.clone());
            tasks.spawn(async move {
                words(&kept, &discovered, &end).await;
                Ok(())
            });
            tasks.spawn(async move {
                broker.run(stop).await;
                Ok(())
            });
        }
        Feeder::External(external) => {
            let External { settings, session, outgoings, presence, wishes, house } = *external;
            let rivals = house.as_ref().map(HouseLine::rivals).unwrap_or_default();
            if let Some(house) = house {
                let stop = stop.clone();
                tasks.spawn(async move {
                    house.run(stop).await;
                    Ok(())
                });
            }
            let intake = intake.showing(move |topic, payload, manner| {
                presence.heard(topic, payload, manner == Manner::Copy)
            });
            let url = settings.target.endpoint.to_string();
            let changed = move |change| {
                // What this leads to is the other connection's to see, at its next change.
                match change {
                    Change::Connected { .. } => {
                        session.made();
                        rivals.connected(Side::Readings, Instant::now());
                    }
                    Change::Lost { .. } => {
                        rivals.lost(Side::Readings, Instant::now());
                    }
                    Change::Refused { .. } => {}
                }
                tell(&view, clock(), &url, change);
            };
            tasks.spawn(async move {
                client::run(settings, intake, outgoings, wishes, changed, fastrand::f64, stop)
                    .await;
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
        // The page does without what it cannot hear.
        Change::Refused { filter, reason } => {
            tracing::debug!(filter, reason, "the broker does not let us hear this");
        }
        Change::Lost { reason } => {
            tracing::warn!(url = url(), reason, "no broker: it is tried again");
            view.log(now, Hop::Broker, LogEvent::BrokerLost { url: url(), reason });
        }
    }
}

#[cfg(test)]
mod tests;
