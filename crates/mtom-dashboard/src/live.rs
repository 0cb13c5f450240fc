//! `/live`: a snapshot, then every change in its order, as JSON text frames (`Frame` in `web/wire.d.ts`).
//!
//! Each is a message of its own, but for whoever asks for `/live?batch=true`: there a change is told at once where
//! nothing was said for a moment, and what comes within that moment is gathered and told in one `batch`
//! (`gather.rs`). What was gathered goes before anything else that is told; before `lagged` it is told, not
//! dropped, because it was not lost and is not counted there.
//!
//! A viewer that is too slow loses updates, is told how many, and gets a new snapshot; one whose socket
//! takes nothing at all is closed.
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
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use mtom_gateway::lines::LINE_LEN_MAX;
use mtom_gateway::view::Feed;
use serde::Deserialize;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep_until};

mod gather;
mod wire;

use gather::{Change, Due, Gathered};
use wire::LiveWire;

/// A viewer says little.
const MESSAGE_LEN_MAX: usize = LINE_LEN_MAX;
/// At tungstenite's defaults a viewer costs 135 KiB; so it costs a tenth.
const READ_BUFFER_LEN: usize = 4 * 1024;
/// How often the account is sent, where it has changed.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two pings.
const PING_TICKS: u32 = 15;
/// One that has said nothing, no pong either, for so long is gone: the silence of two pings, and time for the answer
/// to the last. With the tick until it is seen 45 s at most.
const GONE: Duration = Duration::from_secs(44);

/// Why a viewer's time is over.
enum End {
    /// Its socket failed, or takes nothing.
    Gone,
    /// It said goodbye.
    Closed,
    /// We go: 1001.
    Stopping,
    /// It said something: 1008.
    Spoke,
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
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let LiveQuery { batch } = taken(query)?;
    let upgrade = upgrade.map_err(|error| {
        let next = "open it as a WebSocket: ws://…/live";
        Problem::new(StatusCode::UPGRADE_REQUIRED, error.body_text(), next)
    })?;
    // Full: refused, so that those who watch already go on undisturbed.
    let place = Arc::clone(&shared.viewers).try_acquire_owned().map_err(|_| {
        let detail = format!("{} viewers watch already", shared.limits.viewers_max);
        Problem::unavailable(detail, "close another page, then reload")
    })?;
    // Taken before the upgrade: the server's end waits for this viewer from here on.
    let task = shared.tasks.token();
    Ok(upgrade
        .read_buffer_size(READ_BUFFER_LEN)
        // Each message is written at once and awaited: no more than one is ever held.
        .write_buffer_size(0)
        .max_message_size(MESSAGE_LEN_MAX)
        .max_frame_size(MESSAGE_LEN_MAX)
        .on_upgrade(move |socket| async move {
            let _kept = (place, task);
            Viewer::new(socket, &shared, batch).run(peer).await;
        }))
}

/// Whether that is meant for `lines.rs`, which says what is wrong with it.
fn is_request(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

struct Viewer<'a> {
    socket: WebSocket,
    shared: &'a Shared,
    counts: Option<Counts>,
    /// It takes several changes at a time.
    takes_batches: bool,
    gathered: Gathered,
    /// When what is gathered is due. Set once for each message, not once for each change.
    alarm: Pin<Box<Sleep>>,
    ticks: u32,
    heard_at: Instant,
}

impl<'a> Viewer<'a> {
    fn new(socket: WebSocket, shared: &'a Shared, takes_batches: bool) -> Self {
        let now = Instant::now();
        let (gathered, alarm) = (Gathered::new(now), Box::pin(sleep_until(now)));
        let counts = None;
        Self { socket, shared, counts, takes_batches, gathered, alarm, ticks: 0, heard_at: now }
    }

    async fn run(mut self, peer: IpAddr) {
        let close = match self.watch().await {
            End::Asked(said) => {
                if let Some(lines) = &self.shared.lines {
                    let wire = LiveWire::new(self.socket);
                    lines.follow(wire, peer, said, self.shared.stop.child_token()).await;
                }
                return;
            }
            End::Gone => return,
            End::Closed => None,
            End::Stopping => Some((close_code::AWAY, "the gateway stops")),
            End::Spoke => Some((close_code::POLICY, "expected {\"subscribe\":…} or nothing")),
        };
        let grace = self.shared.limits.grace;
        // Reads until the other side's end: only then are its close frame answered and ours not lost in a
        // reset. Whoever takes longer is cut by dropping the socket.
        let _ = tokio::time::timeout(grace, async {
            if let Some((code, reason)) = close {
                if let Some(text) = self.gathered.take() {
                    self.socket.send(Message::Text(Utf8Bytes::from(text))).await?;
                }
                let frame = CloseFrame { code, reason: reason.into() };
                self.socket.send(Message::Close(Some(frame))).await?;
            }
            while self.socket.recv().await.transpose()?.is_some() {}
            Ok::<_, axum::Error>(())
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
        self.ticks = self.ticks.wrapping_add(1);
        if self.heard_at.elapsed() >= GONE {
            return Err(End::Gone);
        }
        if self.ticks.is_multiple_of(PING_TICKS) {
            self.write(Message::Ping(Vec::new().into())).await?;
        }
        let counts = Counts::from(self.shared.view.account());
        if self.counts == Some(counts) {
            return Ok(());
        }
        self.counts = Some(counts);
        self.tell(Change::Counts(counts)).await
    }

    fn hear(&mut self, heard: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard_at = Instant::now();
        match heard {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Text(text))) if is_request(&text) && self.shared.lines.is_some() => {
                Err(End::Asked(text.as_bytes().to_vec()))
            }
            Some(Ok(Message::Text(_) | Message::Binary(_))) => Err(End::Spoke),
            Some(Ok(Message::Close(_))) => Err(End::Closed),
            Some(Err(_)) | None => Err(End::Gone),
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
            written = tokio::time::timeout(self.shared.limits.stall, self.socket.send(message)) => {
                match written {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) | Err(_) => Err(End::Gone),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
