//! `mtom replay`: history with its original spacing, to a broker or as a live port of its own.
//!
//! To a broker each reading goes under `mtom/replay/` and its topic, with its own time beside it: no
//! gateway of ours takes that for a reading, so it is neither stored again nor does it drive anything. A
//! live port plays to whoever connects; an actuator is driven only by a controller that was pointed
//! there by name.

use super::arguments::{Pace, Replay as Arguments, Target};
use super::progress::Progress;
use super::{query, with_history};
use crate::{Failure, clock, report, stop};
use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use mtom_broker::publisher::{Progress as Heard, Publisher};
use mtom_forward::access::Access;
use mtom_forward::live::{LiveHub, serve_live};
use mtom_forward::replay::NoHistory;
use mtom_forward::server::Limits;
use mtom_mqtt::endpoint::Endpoint;
use mtom_mqtt::target::Target as Broker;
use mtom_protocol::property::REPLAY_PREFIX;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::{History, PAGE_LEN_MAX, PageQuery};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the broker may take to take what is left.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long it may take to answer at all.
const CONNECT: Duration = Duration::from_secs(10);
/// How long viewers have for the last readings.
const LAST_FRAMES: Duration = Duration::from_millis(500);
/// Messages that are not acknowledged yet.
const IN_FLIGHT_MAX: usize = 10;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_history(&arguments.place, |history| {
        let query = query(&arguments.selection, (clock::system())(), &TimeZone::system());
        let total = count(&history, &query)?;
        if total == 0 {
            return Err(Failure::Usage("no readings: nothing was stored that fits".into()));
        }
        let replay = Replay { history, query, speed: arguments.speed, total };
        stop::until_told(async |stop| match &arguments.to {
            Target { to: Some(broker), .. } => replay.to_broker(broker, &stop).await,
            Target { live: Some(address), .. } => replay.to_viewers(*address, stop).await,
            Target { .. } => bail!("nothing says where to play to: add --to mqtt://host or --live"),
        })??;
        Ok(())
    })
}

/// How many readings there are, for the bar; pages are read twice, which is cheaper than it sounds.
fn count(history: &History, query: &PageQuery) -> Result<u64, anyhow::Error> {
    let mut query = PageQuery { limit: PAGE_LEN_MAX, ..query.clone() };
    let mut count = 0;
    loop {
        let page = history.page(&query)?;
        count += page.rows.len() as u64;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(count),
        }
    }
}

struct Replay {
    history: History,
    query: PageQuery,
    speed: Pace,
    total: u64,
}

impl Replay {
    /// Gives each reading to `take` when it is due. Ends early when `stop` does.
    async fn play(
        &self,
        stop: &CancellationToken,
        mut take: impl AsyncFnMut(StoredReading) -> Result<(), anyhow::Error>,
    ) -> Result<u64, anyhow::Error> {
        let mut query = PageQuery { limit: PAGE_LEN_MAX, ..self.query.clone() };
        let mut progress = Progress::new("playing");
        let mut begun: Option<(Instant, UnixMicros)> = None;
        let mut played = 0;
        loop {
            let (history, asked) = (self.history.clone(), query.clone());
            let page = tokio::task::spawn_blocking(move || history.page(&asked)).await??;
            for row in page.rows {
                let (start, first) = *begun.get_or_insert((Instant::now(), row.at));
                if let Some(due) = self.speed.due(row.at.since(first)) {
                    tokio::select! {
                        () = stop.cancelled() => return Ok(played),
                        () = tokio::time::sleep_until(start + due) => {}
                    }
                }
                if stop.is_cancelled() {
                    return Ok(played);
                }
                take(row).await?;
                played += 1;
                progress.show(played, self.total);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(played),
            }
        }
    }

    async fn to_broker(
        &self,
        endpoint: &Endpoint,
        stop: &CancellationToken,
    ) -> Result<(), anyhow::Error> {
        let broker = Broker { endpoint: endpoint.clone(), ..Broker::plain("", 0) };
        let client_id = format!("mtom-replay-{}", std::process::id());
        let mut publisher = Publisher::to(&client_id, &broker);
        connect(&mut publisher).await.with_context(|| {
            format!("no broker answers at {endpoint}: start one, or name another with --to")
        })?;
        let mut in_flight = 0;
        let played = self
            .play(stop, async |row| {
                let topic = format!("{REPLAY_PREFIX}{}", row.reading.topic);
                publisher.publish(&topic, &payload(&row), true)?;
                in_flight += 1;
                while in_flight >= IN_FLIGHT_MAX {
                    match publisher.next().await {
                        Ok(Heard::Acknowledged) => in_flight -= 1,
                        Ok(_) => {}
                        Err(reason) => bail!("the broker is gone: {reason}"),
                    }
                }
                Ok(())
            })
            .await?;
        while in_flight > 0 {
            match tokio::time::timeout(FAREWELL, publisher.next()).await {
                Ok(Ok(Heard::Acknowledged)) => in_flight -= 1,
                Ok(Ok(_)) => {}
                Ok(Err(reason)) => bail!("the broker is gone: {reason}"),
                Err(_) => bail!("the broker did not take the last {in_flight} readings"),
            }
        }
        publisher.close(FAREWELL).await;
        report::line(&format!(
            "{played} of {} readings were played to {endpoint} under {REPLAY_PREFIX}",
            self.total
        ));
        Ok(())
    }

    async fn to_viewers(
        &self,
        address: SocketAddr,
        stop: CancellationToken,
    ) -> Result<(), anyhow::Error> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}: choose another with --live ADDRESS:PORT")
        })?;
        let address = listener.local_addr().context("the port's own address")?;
        let hub = LiveHub::new(TimeZone::system(), None);
        let mut viewers = hub.viewers();
        let mut port = JoinSet::new();
        let end = CancellationToken::new();
        let access = Access::new(address);
        let (history, limits) = (Arc::new(NoHistory), Limits::default());
        port.spawn(serve_live(listener, hub.clone(), history, access, limits, end.clone()));
        report::line(&format!("live port ws://{address}: waiting for the first viewer"));
        let waited = tokio::select! {
            () = stop.cancelled() => None,
            viewer = viewers.wait_for(|count| *count > 0) => viewer.ok().map(|count| *count),
        };
        let mut played = 0;
        if waited.is_some() {
            played = self
                .play(&stop, async |row| {
                    hub.offer(&row);
                    Ok(())
                })
                .await?;
        }
        // The last frames are on their way.
        tokio::time::sleep(LAST_FRAMES).await;
        end.cancel();
        while let Some(ended) = port.join_next().await {
            ended.context("the port's task")?.context("the live port")?;
        }
        report::line(&format!("{played} of {} readings were played", self.total));
        Ok(())
    }
}

async fn connect(publisher: &mut Publisher) -> Result<(), anyhow::Error> {
    let connected = async {
        loop {
            match publisher.next().await {
                Ok(Heard::Connected) => return Ok(()),
                Ok(_) => {}
                Err(reason) => bail!(reason),
            }
        }
    };
    tokio::time::timeout(CONNECT, connected).await.context("no answer")?
}

/// The reading as plain JSON with its own time and key: what any subscriber can read.
fn payload(row: &StoredReading) -> String {
    let reading = &row.reading;
    let mut object = serde_json::Map::new();
    object.insert("replay".into(), true.into());
    object.insert("time".into(), row.at.rfc3339().into());
    object.insert("device".into(), (*reading.device).into());
    object.insert("quantity".into(), (*reading.quantity).into());
    object.insert("value".into(), reading.value.into());
    object.insert("unit".into(), reading.unit.symbol().into());
    if let Some(key) = &reading.key {
        object.insert("boot".into(), (*key.boot).into());
        object.insert("seq".into(), key.seq.into());
    }
    serde_json::Value::Object(object).to_string()
}
