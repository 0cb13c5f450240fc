//! The receiving side: hears the readings of a gateway, ours or the original's `server.py`.
//!
//! Says `hello`, waits for the three answers, says `realtime` and listens for ever. A connection
//! that is lost is made again, with a growing, jittered delay. A server that has vanished without
//! a word is noticed by a ping, which the original's server answers as well as ours.

use futures_util::{SinkExt, StreamExt};
use mtom_protocol::original::{HELLO, ServerMessage};
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;

/// Far above what either server sends.
const MESSAGE_LEN_MAX: usize = 64 * 1024;
/// So much of a text from outside is passed on in an [`Event`].
const WORDS_LEN_MAX: usize = 400;
/// How long a goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the receiver reports, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server has been asked for its readings.
    Connected,
    /// A reading came.
    Reading(Received),
    /// The server sent an `Error` frame or something that is no message of it. The connection goes
    /// on. At most 400 characters from outside, control characters escaped.
    Complaint(String),
    /// There is no connection, or it has ended.
    Lost {
        /// Why, in words.
        reason: String,
        /// When the next try begins.
        retry_in: Duration,
    },
}

/// One reading as the server forwarded it.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The server's local time, `YYYY-MM-DD HH:MM:SS`; its zone is not said.
    pub time: String,
    /// °C
    pub celsius: f64,
    /// When it came here.
    pub heard_at: UnixMicros,
    /// The first since `realtime`: our own gateway sends its last known reading there at once,
    /// which can be of any age and can have been heard before.
    pub first: bool,
}

/// Delays of the receiver.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long connecting may take, handshake included.
    pub connect: Duration,
    /// How long to wait for the answers to `hello` before asking for `realtime` all the same.
    pub greeting: Duration,
    /// After so long without a word, a ping.
    pub ping_after: Duration,
    /// How long the answer to a ping may take.
    pub pong_within: Duration,
    /// The first delay before a new connection; doubles with each failure.
    pub retry_min: Duration,
    /// The longest delay.
    pub retry_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            greeting: Duration::from_secs(5),
            ping_after: Duration::from_secs(20),
            pong_within: Duration::from_secs(20),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// What the receiver takes from its surroundings.
pub struct Means<J> {
    /// The clock.
    pub now: Arc<dyn Fn() -> UnixMicros + Send + Sync>,
    /// A number from 0 to 1 for each delay, so that many receivers do not return at one moment.
    pub jitter: J,
    /// The delays.
    pub patience: Patience,
}

/// The address can never work: an operator must act.
#[derive(Debug, thiserror::Error)]
#[error("{url:?} is no address of a live port: expected ws://host:8765")]
pub struct BadUrl {
    url: String,
}

/// Says whether `url` can be received from.
///
/// # Errors
/// [`BadUrl`].
pub fn check(url: &str) -> Result<(), BadUrl> {
    parse(url).map(drop)
}

/// Receives from `url` until `stop`, or until nobody listens at `events` any more.
///
/// When `events` is full the socket is not read, so that the server skips ahead for us: a reading
/// never waits in a long queue here.
///
/// # Errors
/// When `url` is no `ws://` address. Everything else is reported and tried again.
pub async fn receive(
    url: &str,
    events: mpsc::Sender<Event>,
    mut means: Means<impl FnMut() -> f64 + Send>,
    stop: CancellationToken,
) -> Result<(), BadUrl> {
    let request = parse(url)?;
    let patience = means.patience;
    let mut retry = Retry::new(patience.retry_min, patience.retry_max);
    loop {
        let mut session =
            Session { events: &events, now: &*means.now, patience, heard: false, first: true };
        let lost = match Box::pin(session.run(request.clone(), &stop)).await {
            Lost::Unwanted => return Ok(()),
            lost => lost,
        };
        if session.heard {
            retry.succeeded();
        }
        let retry_in = retry.next((means.jitter)());
        let waited = async {
            let event = Event::Lost { reason: words(&lost.to_string()), retry_in };
            events.send(event).await.ok()?;
            sleep(retry_in).await;
            Some(())
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            waited = waited => if waited.is_none() { return Ok(()) },
        }
    }
}

fn parse(url: &str) -> Result<Request, BadUrl> {
    let bad = || BadUrl { url: url.into() };
    let request = url.into_client_request().map_err(|_| bad())?;
    let uri = request.uri();
    // Without a name in the address and `ws` there is nothing to connect to.
    if uri.scheme_str() == Some("ws") && uri.host().is_some_and(|host| !host.is_empty()) {
        Ok(request)
    } else {
        Err(bad())
    }
}

/// Why a connection is over. Goes to people as one line, so causes stand in the message.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("cannot connect: {0}")]
    Connect(Error),
    #[error("refused with {status}: {sentence}")]
    Refused { status: u16, sentence: String },
    #[error("no connection within {} s", .0.as_secs_f64())]
    ConnectTimeout(Duration),
    #[error("the server closed the connection{0}")]
    Closed(String),
    #[error("the connection broke: {0}")]
    Broken(Error),
    #[error("no answer to a ping within {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// We are ending, or nobody listens any more.
    #[error("not wanted any more")]
    Unwanted,
}

enum Never {}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One connection.
struct Session<'a> {
    events: &'a mpsc::Sender<Event>,
    now: &'a (dyn Fn() -> UnixMicros + Send + Sync),
    patience: Patience,
    /// The server has said something that it says only when it works.
    heard: bool,
    first: bool,
}

impl Session<'_> {
    /// Runs from connecting to the end; returns why it is over.
    async fn run(&mut self, request: Request, stop: &CancellationToken) -> Lost {
        let limit = self.patience.connect;
        let connected = tokio::select! {
            () = stop.cancelled() => return Lost::Unwanted,
            connected = timeout(limit, connect(request)) => connected,
        };
        let mut socket = match connected {
            Ok(Ok(socket)) => socket,
            Ok(Err(lost)) => return lost,
            Err(_) => return Lost::ConnectTimeout(limit),
        };
        let lost = tokio::select! {
            () = stop.cancelled() => Lost::Unwanted,
            ended = self.converse(&mut socket) => match ended {
                Err(lost) => lost,
                Ok(never) => match never {},
            },
        };
        // Says goodbye, or answers one. There may be nobody left to hear it.
        let _ = timeout(FAREWELL, async {
            SinkExt::close(&mut socket).await?;
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
            Ok::<_, Error>(())
        })
        .await;
        lost
    }

    async fn converse(&mut self, socket: &mut Socket) -> Result<Never, Lost> {
        self.say(socket, "hello").await?;
        let greeting_ends = Instant::now() + self.patience.greeting;
        let mut greetings = 0;
        while greetings < HELLO.len() {
            tokio::select! {
                message = socket.next() => {
                    if let Some(ServerMessage::Greeting(_)) = self.hear(message).await? {
                        greetings += 1;
                    }
                }
                () = sleep_until(greeting_ends) => break,
            }
        }
        self.say(socket, "realtime").await?;
        self.report(Event::Connected).await?;
        self.listen(socket).await
    }

    async fn listen(&mut self, socket: &mut Socket) -> Result<Never, Lost> {
        let Patience { ping_after, pong_within, .. } = self.patience;
        loop {
            // Anything that comes proves that the server is there.
            if let Ok(message) = timeout(ping_after, socket.next()).await {
                self.hear(message).await?;
                continue;
            }
            timeout(pong_within, socket.send(Message::Ping(Bytes::new())))
                .await
                .map_err(|_| Lost::Silent(pong_within))?
                .map_err(Lost::Broken)?;
            match timeout(pong_within, socket.next()).await {
                Ok(message) => self.hear(message).await?,
                Err(_) => return Err(Lost::Silent(pong_within)),
            };
        }
    }

    async fn say(&self, socket: &mut Socket, text: &'static str) -> Result<(), Lost> {
        let limit = self.patience.connect;
        timeout(limit, socket.send(Message::text(text)))
            .await
            .map_err(|_| Lost::ConnectTimeout(limit))?
            .map_err(Lost::Broken)
    }

    /// Reports what came; returns it where it is a message of the server.
    async fn hear(
        &mut self,
        message: Option<Result<Message, Error>>,
    ) -> Result<Option<ServerMessage>, Lost> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(frame))) => {
                let why = frame.map(|frame| {
                    format!(" with {}, {}", u16::from(frame.code), frame.reason.as_str())
                });
                return Err(Lost::Closed(why.unwrap_or_default()));
            }
            Some(Ok(Message::Binary(_))) => {
                self.report(Event::Complaint("a binary frame: expected text".into())).await?;
                return Ok(None);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(None),
            None | Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                return Err(Lost::Closed(" without a word".into()));
            }
            Some(Err(error)) => return Err(Lost::Broken(error)),
        };
        match ServerMessage::parse(&text) {
            Ok(message) => {
                self.heed(&message).await?;
                Ok(Some(message))
            }
            Err(error) => {
                self.report(Event::Complaint(format!("{error}: {}", words(&text)))).await?;
                Ok(None)
            }
        }
    }

    async fn heed(&mut self, message: &ServerMessage) -> Result<(), Lost> {
        match message {
            ServerMessage::Data { time, celsius } => {
                self.heard = true;
                let first = std::mem::take(&mut self.first);
                let heard_at = (self.now)();
                let time = words(time);
                self.report(Event::Reading(Received { time, celsius: *celsius, heard_at, first }))
                    .await
            }
            ServerMessage::Error(reason) => self.report(Event::Complaint(words(reason))).await,
            ServerMessage::Greeting(_) => {
                self.heard = true;
                Ok(())
            }
            ServerMessage::Empty | ServerMessage::Close => Ok(()),
        }
    }

    async fn report(&self, event: Event) -> Result<(), Lost> {
        self.events.send(event).await.map_err(|_| Lost::Unwanted)
    }
}

async fn connect(request: Request) -> Result<Socket, Lost> {
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_LEN_MAX))
        .max_frame_size(Some(MESSAGE_LEN_MAX));
    match connect_async_with_config(request, Some(config), true).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(Lost::Refused {
            status: response.status().as_u16(),
            sentence: response
                .body()
                .as_deref()
                .map(|body| String::from_utf8_lossy(body).trim().to_owned())
                .unwrap_or_default(),
        }),
        Err(error) => Err(Lost::Connect(error)),
    }
}

/// A text from outside as it may stand in a log: one line, not long.
pub(crate) fn words(text: &str) -> String {
    let escape = |letter: char| {
        let escaped = letter.is_control().then(|| letter.escape_default());
        let plain = escaped.is_none().then_some(letter);
        escaped.into_iter().flatten().chain(plain)
    };
    text.chars().flat_map(escape).take(WORDS_LEN_MAX).collect()
}

/// The delays between connections: doubling, from half to the whole of it by chance.
pub(crate) struct Retry {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Retry {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    pub(crate) const fn succeeded(&mut self) {
        self.next = self.min;
    }

    pub(crate) fn next(&mut self, jitter: f64) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(self.max);
        delay.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests;
