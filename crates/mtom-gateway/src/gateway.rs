//! One gateway, put together: what listens, what runs, and in which order it ends.
//!
//! [`Gateway::start`] binds everything and starts nothing that could lose something; then
//! [`Gateway::run`] serves until it is told to stop. The end goes along the path: brokers take
//! nothing more, the relay stores what is in flight, then viewers and links are closed.

use crate::Clock;
use crate::alerts::{self, Alerts};
use crate::announce::Talk;
use crate::board::Board;
use crate::control::Control;
use crate::controllers::Keeper;
use crate::discovery::Discovered;
use crate::drain::Drain;
use crate::guests::Guests;
use crate::known::Known;
use crate::lines::Lines;
use crate::pairing::Pairings;
use crate::presence::Presence;
use crate::relay::{Audience, Inbox, Relay, Upkeep};
use crate::settings::{Database, NAME_FILE, Settings};
use crate::sparkplug::rebirth;
use crate::view::View;
use crate::{links, rules};
use jiff::tz::TimeZone;
use mtom_broker::intake::Intake;
use mtom_broker::outlet::Outlet;
use mtom_forward::follower::Refused;
use mtom_forward::owners::Owners;
use mtom_store::error::StoreError;
use mtom_store::history::History;
use mtom_store::journal::Journal;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

mod error;
mod feeder;
mod house;
mod house_line;
mod listening;
mod ports;
mod rivals;
mod session;

pub use error::{RunError, StartError};
use feeder::{Driven, Feeder, Outlets, feed, feeder};
use house::{Hearing, House};
use listening::intake;
use ports::BoundPorts;
pub(crate) use ports::Followers;

const RELAY_ENDED: RunError = RunError::Part { part: "relay" };

/// Where a gateway can be reached, each as `host:port`; empty where it serves nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The broker that devices publish to, ours or the external one.
    pub mqtt: String,
    /// The original's live port.
    pub live: String,
    /// The original's history port.
    pub history: String,
    /// The port of readings as lines.
    pub tcp: String,
    /// The port of readings as datagrams.
    pub udp: String,
}

/// Sparkplug nodes whose births are missing, and the way to ask them.
struct Births {
    unborn: mpsc::Receiver<Arc<str>>,
    outlet: Option<Outlet>,
}

/// A gateway that listens and does not serve yet.
pub struct Gateway {
    addresses: Addresses,
    view: View,
    history: History,
    clock: Clock,
    zone: TimeZone,
    intake: Intake,
    feeder: Feeder,
    ports: Option<BoundPorts>,
    followers: Followers,
    links: Vec<links::Link>,
    pairings: Pairings,
    board: Arc<Board>,
    relay: Relay,
    lines: Lines,
    /// Remembers who follows them and drives what.
    keeper: Keeper,
    drain: Option<Drain>,
    inbox: Inbox,
    control: Control,
    house: House,
    guests: Option<Guests>,
    presence: Option<Presence>,
    alerts: Alerts,
    births: Births,
    /// Told when the actuators may be driven.
    grant: oneshot::Receiver<()>,
    /// Ends what feeds the relay.
    feeding: CancellationToken,
}

impl Gateway {
    /// Opens the journal and binds every address.
    ///
    /// # Errors
    /// [`StartError`]; nothing listens then.
    pub async fn start(
        settings: Settings,
        clock: Clock,
        zone: TimeZone,
    ) -> Result<Self, StartError> {
        let path = folder(&settings)?;
        let mut journal = Journal::open(&path.join("mtom.db"), clock())?;
        let history = journal.history();
        let view = view_of(&history)?;
        let driven_here: Vec<_> = settings.actuators.iter().map(|each| each.name.clone()).collect();
        let owners = Owners::new(driven_here.clone());
        let keeper = Keeper::open(&path, owners.clone(), &clock);
        let (followers, lines) =
            Followers::new(&zone, &history, journal.last_id(), &clock, owners)?;
        let (board, outcomes) = Board::new(view.clone(), clock.clone());
        let (board, known) = (Arc::new(board), Arc::new(Known::open(&path)));
        let house = Hearing::new(&settings, &view)?;
        let (intake, deliveries) = intake(&house, &view, &clock);
        let (newest, newest_of_journal) = watch::channel(journal.last_id());
        let drain = drain(settings.database, &path, &journal, newest_of_journal)?;
        let (control, requests) = Control::new(Arc::clone(&settings.rules.read));
        let engine = rules::begin(&mut journal, &settings.rules, &view, clock())?;
        let raised = Arc::new(Notify::new());
        let (audience, unborn) = Audience::new(&followers, &view, newest, &raised);
        let relay = Relay::new(
            journal,
            engine,
            Arc::clone(&board),
            audience,
            (intake.tally(), house.discovered.clone()),
            Upkeep::new(settings.keep, path.clone(), drain.as_ref().map(Drain::progress)),
            clock.clone(),
        )?;
        let (driven, forwarded, grant) = Driven::new(driven_here, history.clone());
        let (feeder, mqtt, Outlets { any: outlet, told }) =
            feeder(settings.source, &path, (&intake, &house), &clock, driven).await?;
        let (broker, pairings) = (feeder.broker(), Pairings::default());
        let links = links::all(&settings.actuators, &board, &known, &pairings, broker.as_ref());
        let mut addresses = Addresses { mqtt, ..Addresses::default() };
        let ports = BoundPorts::bind(settings.ports, &mut addresses).await?;
        let feeding = CancellationToken::new();
        let (noted, notes) = mpsc::channel(alerts::NOTES_LEN);
        let house = house.telling(told, &view, &control, &clock);
        let told = (view.clone(), Arc::clone(&clock));
        let alerts =
            Alerts::new(history.clone(), outlet.clone(), raised, noted, told, feeding.clone());
        Ok(Self {
            addresses,
            view,
            history,
            clock,
            zone,
            intake,
            guests: feeder.guests(&path),
            presence: feeder.presence(),
            feeder,
            ports,
            followers,
            links,
            pairings,
            board,
            relay,
            drain,
            inbox: Inbox { deliveries, forwarded, outcomes, requests, notes },
            grant,
            lines,
            keeper,
            control,
            house,
            alerts,
            births: Births { unborn, outlet },
            feeding,
        })
    }

    /// Serves until `stop`, then ends along the path: nothing that was acknowledged is lost.
    ///
    /// # Errors
    /// [`RunError`] when a part ended by itself; everything else was ended in order then too.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self { view, clock, intake, board, relay, feeding, .. } = self;
        // Two steps: what feeds the relay ends first, what it feeds ends after it.
        let end = CancellationToken::new();
        let serving = CancellationToken::new();
        let mut feeders = JoinSet::new();
        feed(&mut feeders, self.feeder, intake, &view, &clock, &self.zone, &feeding);
        // A controller that is not taken has not driven anything, and has nothing that is not safe elsewhere.
        let early = tokio::select! {
            biased;
            () = stop.cancelled() => Some(Ok(())),
            Ok(()) = self.grant => None,
            Some(ended) = feeders.join_next() => Some(Err(feeder_ended(ended))),
        };
        if let Some(early) = early {
            feeding.cancel();
            while feeders.join_next().await.is_some() {}
            return early;
        }
        let mut servers = JoinSet::new();
        let mut tellers = JoinSet::new();
        let Births { unborn, outlet } = self.births;
        tellers.spawn(rebirth::run(unborn, outlet, Arc::clone(&clock), feeding.clone()));
        tellers.spawn(self.lines.run(serving.clone()));
        tellers.spawn(self.keeper.run(serving.clone()));
        self.house.run(&mut tellers, &feeding, &serving);
        if let Some(ports) = self.ports {
            self.followers.tell_numbers(&mut tellers, (&view, &clock), &serving);
            ports.serve(&mut servers, self.followers, self.history, self.zone, &serving);
        }
        if let Some(drain) = self.drain {
            let draining = drain.run(view.clone(), Arc::clone(&clock), serving.clone());
            tellers.spawn(draining);
        }
        let links = links::start(self.links, &board, &clock, &serving);
        let Ok(links) = links else { return Err(RunError::Part { part: "links' thread" }) };
        let mut alerts = JoinSet::new();
        alerts.spawn(self.alerts.run());
        let mut spine = spine(relay, self.inbox, end.clone())?;
        let mut spine_ended = None;
        let outcome = tokio::select! {
            // First: what ends because it was told to has not failed.
            biased;
            () = stop.cancelled() => Ok(()),
            Some(ended) = feeders.join_next() => Err(feeder_ended(ended)),
            Some(ended) = servers.join_next() => Err(port_ended(ended)),
            Some(_) = alerts.join_next() => Err(RunError::Part { part: "delivery of alerts" }),
            ended = &mut spine => {
                spine_ended = Some(ended);
                Err(RELAY_ENDED)
            }
        };
        feeding.cancel();
        while feeders.join_next().await.is_some() {}
        // They tell the relay what was delivered.
        while alerts.join_next().await.is_some() {}
        end.cancel();
        let ended = match spine_ended {
            Some(ended) => ended,
            None => spine.await,
        };
        serving.cancel();
        while servers.join_next().await.is_some() {}
        let links = tokio::task::spawn_blocking(move || links.join().is_ok()).await;
        while tellers.join_next().await.is_some() {}
        match ended {
            Ok(Ok(())) if !matches!(links, Ok(true)) => {
                outcome.and(Err(RunError::Part { part: "links" }))
            }
            Ok(Ok(())) => outcome,
            Ok(Err(error)) => Err(error),
            Err(_) => outcome.and(Err(RELAY_ENDED)),
        }
    }

    /// Where it can be reached.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What it lets others see.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Tells it what persons want.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Pairs its devices.
    #[must_use]
    pub fn pairings(&self) -> Pairings {
        self.pairings.clone()
    }

    /// Whom its broker knows; `None`: the broker is not its own.
    #[must_use]
    pub fn guests(&self) -> Option<Guests> {
        self.guests.clone()
    }

    /// Who speaks about itself at its broker; `None`: the broker is its own, or there is none.
    #[must_use]
    pub fn presence(&self) -> Option<Presence> {
        self.presence.clone()
    }

    /// Devices of others that it has found by what they tell Home Assistant.
    #[must_use]
    pub fn discovered(&self) -> Discovered {
        self.house.discovered.clone()
    }

    /// How it stands between it and Home Assistant.
    #[must_use]
    pub fn talk(&self) -> Talk {
        self.house.talk.clone()
    }

    /// Its readings as lines, and which controllers follow them.
    #[must_use]
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// What it has kept.
    #[must_use]
    pub fn history(&self) -> History {
        self.history.clone()
    }
}

/// Binds a TCP port for `what`.
///
/// # Errors
/// [`StartError::Listen`] names who wanted the address and the key to change.
pub async fn bind(
    what: &'static str,
    key: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|cause| StartError::Listen {
        what,
        key,
        address,
        cause,
    })
}

fn local(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound socket has an address")
}

/// The drain to the other database, where there is one.
fn drain(
    database: Option<Database>,
    dir: &Path,
    journal: &Journal,
    newest: watch::Receiver<u64>,
) -> Result<Option<Drain>, StartError> {
    let Some(database) = database else { return Ok(None) };
    let name = own_client_id(dir)?;
    let before = (journal.drained(), journal.rejects_drained());
    Ok(Some(Drain::new(journal.history(), database, name, before, newest)))
}

/// What is shown before anything comes.
fn view_of(history: &History) -> Result<View, StoreError> {
    let view = View::default();
    let latest: Vec<_> = history.latest()?.into_iter().map(Arc::new).collect();
    view.readings(&latest);
    Ok(view)
}

/// Runs the relay on a thread of its own until `end`.
fn spine(
    relay: Relay,
    inbox: Inbox,
    end: CancellationToken,
) -> Result<JoinHandle<Result<(), RunError>>, RunError> {
    let runtime = Handle::current();
    let spine = std::thread::Builder::new()
        .name("mtom-relay".into())
        .spawn(move || relay.run(inbox, &end, &runtime));
    let Ok(spine) = spine else { return Err(RunError::Part { part: "relay thread" }) };
    Ok(tokio::task::spawn_blocking(move || match spine.join() {
        Ok(outcome) => outcome.map_err(RunError::Store),
        Err(_) => Err(RELAY_ENDED),
    }))
}

fn feeder_ended(ended: Result<Result<(), Refused>, JoinError>) -> RunError {
    match ended {
        Ok(Err(refused)) => refused.into(),
        Ok(Ok(())) | Err(_) => RunError::Part { part: "broker" },
    }
}

fn port_ended(ended: Result<(&'static str, io::Result<()>), JoinError>) -> RunError {
    match ended {
        Ok((port, Err(cause))) => RunError::Port { port, cause },
        Ok((part, Ok(()))) => RunError::Part { part },
        Err(_) => RunError::Part { part: "viewers" },
    }
}

/// The data folder, which is there then.
fn folder(settings: &Settings) -> Result<PathBuf, StartError> {
    let path = settings.data_dir.clone();
    match std::fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(cause) => Err(StartError::Folder { path, cause }),
    }
}

/// This installation's name at brokers: drawn once, kept in the data folder.
fn own_client_id(dir: &Path) -> Result<String, StartError> {
    let path = dir.join(NAME_FILE);
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=23).contains(&kept.len()) && kept.chars().all(plain) {
        return Ok(kept);
    }
    let id = format!("mtom-{:08x}", fastrand::u32(..));
    std::fs::write(&path, &id).map_err(|cause| StartError::Folder { path, cause })?;
    Ok(id)
}

#[cfg(test)]
mod tests;
