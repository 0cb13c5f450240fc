//! `mtom sensor`, and the same sensors inside `mtom up`.

use crate::{cli, clock, files, report, stop};
use anyhow::{Context, Result, bail};
use mtom_device::sensor::Event;
use mtom_device::settings::Format;
use mtom_sim::host::on_own_thread;
use mtom_sim::sensor::fault::Faults;
use mtom_sim::sensor::hand::Hand;
use mtom_sim::sensor::journal::Journal;
use mtom_sim::sensor::profile::Profile;
use mtom_sim::sensor::{Count, Fleet, RAM_LEN, Settings, Totals};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// The original's topic, where the first sensor publishes.
pub(crate) const TOPIC: &str = "Environ/Temperature";
/// How often a fleet says how it does.
const PROGRESS: Duration = Duration::from_secs(2);

/// `mtom sensor`
pub(crate) fn run(arguments: &cli::Sensor) -> Result<()> {
    let (host, port) = host_port(&arguments.broker)?;
    let profile = arguments.celsius.map_or_else(|| arguments.profile.clone(), Profile::Constant);
    let fleet = Fleet::new(Settings {
        host,
        port,
        id: arguments.id.clone(),
        topic: arguments.topic.clone(),
        format: arguments.format,
        count: arguments.count,
        period: arguments.interval,
        profile,
        seed: arguments.seed,
        faults: arguments.fault.clone(),
        ram: arguments.ram,
        flash_len: arguments.flash as usize * 1_024,
        gives_way: false,
        hand: Hand::default(),
    })?;
    if let Some(limit) = files::allow_many().filter(|limit| *limit < needed_files(arguments.count))
    {
        let (count, needed) = (arguments.count, needed_files(arguments.count));
        bail!(
            "{count} sensors need {needed} open files and {limit} are permitted: `ulimit -n {needed}` first"
        );
    }
    let path = arguments.journal.clone();
    let (alone, limit) = (arguments.count == 1, arguments.run_for);
    report::log(tracing::Level::INFO);
    stop::until_told(async move |stop| {
        let totals = Totals::default();
        let devices = {
            let (totals, stop) = (totals.clone(), stop.clone());
            on_own_thread(async move || {
                let journal = match &path {
                    Some(path) => Some(
                        Journal::create(path)
                            .with_context(|| format!("cannot write {}", path.display()))?,
                    ),
                    None => None,
                };
                let ended = fleet.run(journal, totals, now(), speaker(alone), stop).await;
                ended.context("the journal is not whole")
            })
        };
        let ended = tokio::select! {
            ended = devices => ended,
            never = accompany(&totals, alone, limit, &stop) => never,
        };
        if !alone {
            report::line(&progress(&totals));
        }
        ended.context("cannot start the simulated sensors")?
    })?
}

/// A socket for each, and some for the process itself.
fn needed_files(count: u32) -> u64 {
    u64::from(count).saturating_add(32)
}

/// Says how a fleet does, and stops it when its time is over.
async fn accompany<T>(
    totals: &Totals,
    alone: bool,
    limit: Option<Duration>,
    stop: &CancellationToken,
) -> T {
    let ticking = async {
        let mut ticks = interval(PROGRESS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            report::line(&progress(totals));
        }
    };
    let ending = async {
        match limit {
            Some(limit) => {
                sleep(limit).await;
                stop.cancel();
            }
            None => std::future::pending().await,
        }
        std::future::pending().await
    };
    if alone {
        return ending.await;
    }
    tokio::select! {
        never = ticking => never,
        never = ending => never,
    }
}

fn progress(totals: &Totals) -> String {
    let count = |count| totals.get(count);
    let (measured, acknowledged) = (count(Count::Measured), count(Count::Acknowledged));
    let (given_up, lost) = (count(Count::GivenUp), count(Count::Lost));
    let waiting = measured.saturating_sub(acknowledged + given_up + lost);
    format!(
        "measured {measured}  acknowledged {acknowledged}  waiting {waiting}  given up {given_up}  \
         lost with the power {lost}"
    )
}

/// The simulated sensors of `mtom up`; they give way to real ones.
pub(crate) fn simulate(
    tasks: &mut JoinSet<()>,
    broker: &str,
    count: u32,
    period: Duration,
    hand: Hand,
    stop: &CancellationToken,
) {
    let Ok((host, port)) = host_port(broker) else { return };
    let settings = Settings {
        host,
        port,
        id: format!("mtom-sim-{}", std::process::id()),
        topic: TOPIC.to_owned(),
        format: Format::Text,
        count,
        period,
        profile: Profile::Sine,
        seed: 1,
        faults: Faults::default(),
        ram: u16::try_from(RAM_LEN).unwrap_or(u16::MAX),
        flash_len: 0,
        gives_way: true,
        hand,
    };
    let fleet = match Fleet::new(settings) {
        Ok(fleet) if count > 0 => fleet,
        Ok(_) => return,
        Err(error) => return tracing::error!("no sensor is simulated: {error}"),
    };
    let stop = stop.clone();
    tasks.spawn(async move {
        let devices = on_own_thread(async move || {
            fleet.run(None, Totals::default(), now(), |_: &str, _: &Event<'_>| {}, stop).await
        });
        if let Err(error) = devices.await.flatten() {
            tracing::error!("the simulated sensors ended: {error}");
        }
    });
}

/// What a sensor says, as on its serial log; of a fleet, what its connections do.
fn speaker(alone: bool) -> impl Fn(&str, &Event<'_>) + Send + 'static {
    move |topic, event| match event {
        Event::Measured { .. } => {}
        Event::Sent { .. } | Event::Acknowledged { .. } | Event::Connecting { .. } if !alone => {}
        Event::Connected | Event::Waiting { .. } | Event::Lost { .. } if !alone => {
            tracing::debug!("{topic}: {event}");
        }
        event => report::line(&format!("{topic}: {event}")),
    }
}

fn now() -> impl Fn() -> mtom_protocol::time::UnixMicros + Send + 'static {
    let clock = clock::system();
    move || clock()
}

fn host_port(text: &str) -> Result<(String, u16)> {
    let wrong = || format!("{text:?}: expected host:port, as in 127.0.0.1:1883");
    let (host, port) = text.rsplit_once(':').with_context(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), port.parse().ok().with_context(wrong)?))
}
