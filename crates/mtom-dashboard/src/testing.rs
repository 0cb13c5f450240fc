//! What several tests need: a journal in a folder, a server on a free port, and the other ends.

use crate::replay::Replay;
use crate::scan::Scan;
use crate::server::{Dashboard, Info, Limits, serve_within};
use crate::simulator::Simulator;
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use mtom_gateway::announce::Talk;
use mtom_gateway::pairing::Pairings;
use mtom_gateway::view::View;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::journal::Journal;
use mtom_store::record::Stored;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

/// 2026-11-23T08:06:30.123456Z.
pub(crate) const NOW: UnixMicros = UnixMicros(1_795_421_190_123_456);
/// No test waits longer for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A server and everything behind it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) view: View,
    pub(crate) journal: Journal,
    pub(crate) folder: TempDir,
    stop: CancellationToken,
    served: JoinHandle<io::Result<()>>,
}

pub(crate) fn limits() -> Limits {
    Limits { grace: Duration::from_millis(200), ..Limits::default() }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::within(limits(), None).await
    }

    pub(crate) async fn within(limits: Limits, insecure: Option<String>) -> Self {
        Self::with(limits, insecure, |_| {}).await
    }

    /// One that searches so.
    pub(crate) async fn with_scan(scan: Scan) -> Self {
        Self::with(limits(), None, |dashboard| dashboard.scan = Some(scan)).await
    }

    /// One that plays the history so.
    pub(crate) async fn with_replay(replay: Replay) -> Self {
        Self::with(limits(), None, |dashboard| dashboard.replay = Some(replay)).await
    }

    /// One that pairs so.
    pub(crate) async fn with_pairings(pairings: Pairings) -> Self {
        Self::with(limits(), None, |dashboard| dashboard.pairings = Some(pairings)).await
    }

    /// One whose sensor can be held so.
    pub(crate) async fn with_simulator(simulator: Simulator) -> Self {
        Self::with(limits(), None, |dashboard| dashboard.simulator = Some(simulator)).await
    }

    async fn with(
        limits: Limits,
        insecure: Option<String>,
        change: impl FnOnce(&mut Dashboard),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("mtom.db"), NOW).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (view, stop) = (View::default(), CancellationToken::new());
        let info = Info {
            version: "1.2.3".into(),
            started_at: UnixMicros(NOW.0 - 1_000_000),
            zone: TimeZone::fixed(jiff::tz::offset(8)),
            mqtt: "127.0.0.1:1883".into(),
            live: "127.0.0.1:8765".into(),
            history: "127.0.0.1:8768".into(),
            tcp: "127.0.0.1:8766".into(),
            udp: String::new(),
            dashboard: address.to_string(),
            insecure,
            simulated: true,
        };
        let mut dashboard = Dashboard {
            view: view.clone(),
            history: journal.history(),
            info,
            clock: Arc::new(|| NOW),
            control: None,
            replay: None,
            trial: None,
            scan: None,
            pairings: None,
            guests: None,
            presence: None,
            discovered: None,
            talk: Talk::default(),
            lines: None,
            simulator: None,
        };
        change(&mut dashboard);
        let served = serve_within(listener, dashboard, limits, stop.clone());
        #[allow(clippy::disallowed_methods, reason = "a test waits for it in `stop`")]
        let served = tokio::spawn(served);
        Self { address, view, journal, folder, stop, served }
    }

    /// Stops it and waits until everything has ended.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        soon("the server's end", self.served).await.unwrap().unwrap();
    }

    /// Tells it to stop, without waiting.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Stores °C of `Environ/Temperature`, one second apart, and shows them.
    pub(crate) fn store(&mut self, values: &[f64]) -> Vec<Arc<StoredReading>> {
        let mut batch = self.journal.begin().unwrap();
        let mut stored = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let at = UnixMicros(NOW.0 + i64::try_from(index).unwrap() * 1_000_000);
            match batch.reading(&celsius(*value), at).unwrap() {
                Stored::New(reading) => stored.push(Arc::new(reading)),
                Stored::Duplicate => unreachable!("it has no key"),
            }
        }
        batch.commit().unwrap();
        self.view.readings(&stored);
        stored
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address)).await
    }

    /// The value of a metric that has one.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await.body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name}: {page}")).parse().unwrap()
    }

    pub(crate) async fn put(&self, path: &str, kind: &str, body: &str) -> Answer {
        self.send("PUT", path, kind, body).await
    }

    pub(crate) async fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        self.send("POST", path, kind, body).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let (host, len) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n"
        );
        self.ask_with(&head, body.as_bytes()).await
    }

    /// A request whose head lacks only its end.
    pub(crate) async fn ask(&self, head: &str) -> Answer {
        self.ask_with(head, b"").await
    }

    pub(crate) async fn ask_with(&self, head: &str, body: &[u8]) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("{head}Connection: close\r\n\r\n").into_bytes();
        request.extend_from_slice(body);
        socket.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        soon("an answer", socket.read_to_end(&mut answer)).await.unwrap();
        Answer::read(&answer)
    }

    pub(crate) async fn watch(&self) -> Watcher {
        self.watch_as(None).await.unwrap()
    }

    /// A viewer that takes several changes in a message.
    pub(crate) async fn watch_batches(&self) -> Watcher {
        self.connect("/live?batch=true", None).await.unwrap()
    }

    pub(crate) async fn watch_as(&self, origin: Option<&str>) -> Result<Watcher, Box<Error>> {
        self.connect("/live", origin).await
    }

    async fn connect(&self, path: &str, origin: Option<&str>) -> Result<Watcher, Box<Error>> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let (socket, _) = soon("a connection", connect_async(request)).await.map_err(Box::new)?;
        Ok(Watcher { socket, frames: VecDeque::new() })
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// The body as it came, packed or not.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    fn read(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let (head, bytes) = (String::from_utf8_lossy(&answer[..end]), answer[end + 4..].to_vec());
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Self { status, head: head.to_ascii_lowercase(), body, bytes }
    }

    /// The value of a header, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// One viewer of `/live`.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Of a batch, those that were not asked for yet.
    frames: VecDeque<Value>,
}

impl Watcher {
    pub(crate) async fn next(&mut self) -> Option<Message> {
        soon("a frame", self.socket.next()).await.map(Result::unwrap)
    }

    /// The next frame, by itself or out of a batch.
    pub(crate) async fn frame(&mut self) -> Value {
        if self.frames.is_empty() {
            self.frames = unpacked(self.message().await).into();
        }
        self.frames.pop_front().unwrap()
    }

    /// The next message, which is a frame or a batch of them.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Ping(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next frame of that type, passing over others.
    pub(crate) async fn frame_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Reads to the close frame and gives its code.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await {
                Some(Message::Close(Some(close))) => return close.code.into(),
                Some(Message::Close(None)) | None => panic!("closed without a code"),
                Some(_) => {}
            }
        }
    }
}

/// The frames of a message.
pub(crate) fn unpacked(mut message: Value) -> Vec<Value> {
    if message["type"] != "batch" {
        return vec![message];
    }
    let Value::Array(frames) = message["frames"].take() else { panic!("{message}") };
    assert!(frames.len() > 1, "one alone is no batch");
    frames
}

pub(crate) fn celsius(value: f64) -> Reading {
    Reading {
        topic: "Environ/Temperature".into(),
        device: "Environ".into(),
        quantity: "Temperature".into(),
        value,
        unit: Unit::Celsius,
        taken_at: None,
        key: None,
    }
}

pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}
