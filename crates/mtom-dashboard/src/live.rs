//! `/live`: a snapshot, then every change in its order, as JSON text frames (`Frame` in `web/wire.d.ts`).
//!
//! Each is a message of its own, but for whoever asks for `/live?batch=true`: there a change is told at once where
//! nothing was said for a moment, and what comes within that moment is gathered and told in one `batch`
//! (`gather.rs`). What was gathered goes before anything else that is told; before `lagged` it is told, not
//! dropped, because it was not lost and is not counted there.
//!
//! A viewer that is too slow loses updates, is told how many, and gets a new snapshot; one whose socket
//! takes nothing at all is closed. One that does not keep to RFC 6455 is closed with its code: 1002, 1007 or 1009.
//!
//! One that says a JSON object follows every reading from then on instead, and loses none: the object is what one says
//! at the TCP port too, and each line that is said there is a text frame here (`wire.rs`). Whoever says anything else
//! is closed with 1008.

use crate::api::{Counts, Frame};
use crate::problem::Problem;
use crate::routes::{Asked, taken};
use crate::server::{Peer, Shared};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use mtom_forward::tally::Present;
use mtom_gateway::view::Feed;
use serde::Deserialize;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep_until};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

mod gather;
mod socket;
mod wire;

use gather::{Change, Due, Gathered};
use socket::{Fault, Socket};
use wire::LiveWire;

/// How often the account is sent, where it has changed.
const TICK: Duration = Duration::from_secs(1);
/// So often it is asked whether it is there, by the clock.
const PING_PERIOD: Duration = Duration::from_secs(15);
/// One that has said nothing, no pong either, and has taken nothing of what waits for it for so long is gone: the
/// silence of two pings, and time for the answer to the last. With the tick until it is seen 45 s at most.
const GONE: Duration = Duration::from_secs(44);

/// Why a viewer's time is over.
enum End {
    /// Its socket failed.
    Gone,
    /// Nobody is there.
    Silent,
    /// Its socket takes nothing.
    Stalled,
    /// It said goodbye.
    Closed,
    /// We go: 1001.
    Stopping,
    /// It said something: 1008.
    Spoke,
    /// It broke the protocol: what it is told.
    Broken(CloseCode, &'static str),
    /// It asks for readings as lines.
    Asked(Vec<u8>),
}

/// How a viewer wants to hear.
#[derive(Deserialize)]
pub(crate) struct LiveQuery {
    /// Changes that follow each other closely may come as one `batch`.
    #[serde(default)]
    batch: bool,
}

pub(crate) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    query: Asked<LiveQuery>,
    on_upgrade: Option<Extension<OnUpgrade>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let LiveQuery { batch } = taken(query)?;
    let refusal = |detail| {
        let next = "open it as a WebSocket: ws://…/live";
        Problem::new(StatusCode::UPGRADE_REQUIRED, detail, next)
    };
    // It knows what a handshake is. Its socket would hide what is on its way.
    drop(upgrade.map_err(|error| refusal(error.body_text()))?);
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let (Some(key), Some(Extension(on_upgrade))) = (key, on_upgrade) else {
        return Err(refusal("this connection cannot become a WebSocket".into()));
    };
    // Full: refused, so that those who watch already go on undisturbed.
    let place = Arc::clone(&shared.viewers).try_acquire_owned().map_err(|_| {
        shared.tallies.viewers.refused();
        let detail = format!("{} viewers watch already", shared.limits.viewers_max);
        Problem::unavailable(detail, "close another page, then reload")
    })?;
    let accept = derive_accept_key(key.as_bytes());
    // Begun before the answer: the server's end waits for this viewer from here on.
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let _present = Present::new(Arc::clone(&shared.tallies.viewers), place);
        if let Ok(upgraded) = on_upgrade.await {
            Viewer::new(Socket::new(upgraded).await, &shared, batch).run(peer).await;
        }
    });
    let headers = [
        (header::CONNECTION, "upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_ACCEPT, &accept),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// Whether that is meant for `lines.rs`, which says what is wrong with it.
fn is_request(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

struct Viewer<'a> {
    socket: Socket,
    shared: &'a Shared,
    counts: Option<Counts>,
    /// It takes several changes at a time.
    takes_batches: bool,
    gathered: Gathered,
    /// When what is gathered is due. Set once for each message, not once for each change.
    alarm: Pin<Box<Sleep>>,
    ping_at: Instant,
}

impl<'a> Viewer<'a> {
    fn new(socket: Socket, shared: &'a Shared, takes_batches: bool) -> Self {
        let now = Instant::now();
        let (gathered, alarm) = (Gathered::new(now), Box::pin(sleep_until(now)));
        let (counts, ping_at) = (None, now + PING_PERIOD);
        Self { socket, shared, counts, takes_batches, gathered, alarm, ping_at }
    }

    async fn run(mut self, peer: IpAddr) {
        let close = match self.watch().await {
            End::Asked(said) => {
                if let Some(lines) = &self.shared.lines {
                    let wire = LiveWire::new(self.socket, &self.shared.tallies);
                    lines.follow(wire, peer, said, self.shared.stop.child_token()).await;
                }
                return;
            }
            End::Gone => return,
            End::Silent => return self.shared.tallies.viewer_gone(),
            End::Stalled => return self.shared.tallies.viewers.closed_slow(),
            End::Closed => None,
            End::Stopping => Some((CloseCode::Away, "the gateway stops")),
            End::Spoke => Some((CloseCode::Policy, "expected {\"subscribe\":…} or nothing")),
            End::Broken(code, reason) => Some((code, reason)),
        };
        let grace = self.shared.limits.grace;
        // Whoever takes longer is cut by dropping the socket.
        let _ = tokio::time::timeout(grace, async {
            if close.is_some()
                && let Some(text) = self.gathered.take()
            {
                let text = Message::Text(Utf8Bytes::from(text));
                if self.socket.send(text, grace).await.is_err() {
                    return;
                }
            }
            self.socket.farewell(close, grace).await;
        })
        .await;
    }

    async fn watch(&mut self) -> End {
        match self.watch_until().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn watch_until(&mut self) -> Result<std::convert::Infallible, End> {
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut feed = self.snapshot().await?;
        loop {
            self.step(&mut feed, &mut tick).await?;
        }
    }

    async fn step(&mut self, feed: &mut Feed, tick: &mut Interval) -> Result<(), End> {
        tokio::select! {
            // The end first, so that what is gathered is still told before the goodbye; changes, which may never
            // cease, last.
            biased;
            () = self.shared.stop.cancelled() => Err(End::Stopping),
            heard = self.socket.recv() => self.hear(heard),
            _ = tick.tick() => self.tick().await,
            () = self.alarm.as_mut(), if !self.gathered.is_empty() => self.flush().await,
            update = feed.next() => match update {
                Some(Ok(update)) => self.tell(Change::Update(update)).await,
                Some(Err(lagged)) => {
                    self.flush().await?;
                    self.send(&Frame::Lagged { lagged }).await?;
                    *feed = self.snapshot().await?;
                    Ok(())
                }
                None => Err(End::Stopping),
            },
        }
    }

    async fn snapshot(&mut self) -> Result<Feed, End> {
        let (snapshot, feed) = self.shared.view.watch();
        self.counts = Some(snapshot.counts.into());
        self.send(&Frame::snapshot(&snapshot, (self.shared.clock)())).await?;
        Ok(feed)
    }

    async fn tick(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.socket.gone_at() {
            return Err(End::Silent);
        }
        if now >= self.ping_at {
            // As many are missed as fit a write that took long.
            self.ping_at = (self.ping_at + PING_PERIOD).max(now);
            self.write(Message::Ping(Vec::new().into())).await?;
        }
        let counts = Counts::from(self.shared.view.account());
        if self.counts == Some(counts) {
            return Ok(());
        }
        self.counts = Some(counts);
        self.tell(Change::Counts(counts)).await
    }

    fn hear(&self, heard: Result<Message, Fault>) -> Result<(), End> {
        match heard? {
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Text(text) if is_request(&text) && self.shared.lines.is_some() => {
                Err(End::Asked(text.as_bytes().to_vec()))
            }
            Message::Text(_) | Message::Binary(_) => Err(End::Spoke),
            Message::Close(_) => Err(End::Closed),
        }
    }

    /// At once or together with what comes soon.
    async fn tell(&mut self, change: Change) -> Result<(), End> {
        match self.gathered.add(change, Instant::now()) {
            Due::At(at) if self.takes_batches => {
                if self.alarm.deadline() != at {
                    self.alarm.as_mut().reset(at);
                }
                Ok(())
            }
            Due::Now | Due::At(_) => self.flush().await,
        }
    }

    /// Tells what is gathered.
    async fn flush(&mut self) -> Result<(), End> {
        match self.gathered.take() {
            Some(text) => self.say(text).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, frame: &Frame<'_>) -> Result<(), End> {
        self.say(frame.json()).await
    }

    async fn say(&mut self, text: String) -> Result<(), End> {
        self.write(Message::Text(Utf8Bytes::from(text))).await?;
        // From its end: a socket that takes little gets more with each message, not more messages.
        self.gathered.said(Instant::now());
        Ok(())
    }

    /// Full socket: waits, while the feed drops what does not fit its queue; then closes.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        tokio::select! {
            () = self.shared.stop.cancelled() => Err(End::Stopping),
            written = self.socket.send(message, self.shared.limits.stall) => Ok(written?),
        }
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Gone => Self::Gone,
            Fault::Silent => Self::Silent,
            Fault::Stalled => Self::Stalled,
            Fault::Closed => Self::Closed,
            Fault::Broken(code, reason) => Self::Broken(code, reason),
        }
    }
}

#[cfg(test)]
mod tests;
