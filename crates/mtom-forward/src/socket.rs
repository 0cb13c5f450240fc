//! One open WebSocket connection of a server: requests in, frames out, and every way it can end.
//!
//! The library (tungstenite) reads, answers pings and writes what is said to this one client.
//! Frames that many viewers share go past it, straight from the shared bytes to the socket. Both
//! stay whole because each side starts only at a frame's border: the library's buffer is empty
//! whenever a shared frame is written, and what is left of a shared write precedes whatever the
//! library writes next.

use crate::ring::Batch;
use crate::server::Limits;
use ear::Ear;
use futures_util::{SinkExt, StreamExt};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

mod ear;

/// The longest request; a longer one closes with 1009.
pub(crate) const REQUEST_LEN_MAX: usize = 4 * 1024;
/// Requests are a few bytes. This much is taken at once for every connection.
const READ_BUFFER_LEN: usize = 4 * 1024;
/// Answers are collected up to here and leave in one write. Taken only as far as it is used.
const WRITE_BUFFER_LEN: usize = 4 * 1024;
/// Only bounds what answers cannot reach: each answer is flushed before the next request is read.
const WRITE_BUFFER_LEN_MAX: usize = 64 * 1024;
/// What a client may still send while it is being sent away.
const FAREWELL_LEN_MAX: usize = 4 * 1024 * 1024;

/// One client, from the end of its handshake.
pub(crate) struct Connection {
    socket: WebSocketStream<Gate>,
    ear: Ear,
    limits: Limits,
    stop: CancellationToken,
}

/// What a client has said.
#[derive(Debug)]
pub(crate) enum Heard {
    Text(Utf8Bytes),
    Binary,
    /// A ping or a pong: to be followed by [`Connection::flush`].
    Sign,
}

/// Why a conversation is over.
#[derive(Debug)]
pub(crate) enum End {
    /// The connection is gone.
    Gone,
    /// The client has said goodbye.
    Closed,
    /// A write made no progress for [`Limits::stall`].
    Stalled,
    /// The client broke the protocol.
    Broken(CloseCode, &'static str),
    /// We are ending.
    Stopped,
}

impl Connection {
    /// `early` is what came behind the handshake.
    pub(crate) async fn new(
        tcp: TcpStream,
        early: Vec<u8>,
        limits: Limits,
        stop: CancellationToken,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_LEN)
            .write_buffer_size(WRITE_BUFFER_LEN)
            .max_write_buffer_size(WRITE_BUFFER_LEN_MAX)
            .max_message_size(Some(REQUEST_LEN_MAX))
            .max_frame_size(Some(REQUEST_LEN_MAX));
        let gate = Gate { tcp, rest: Vec::new(), written: 0 };
        let socket =
            WebSocketStream::from_partially_read(gate, early, Role::Server, Some(config)).await;
        Self { socket, ear: Ear::new(), limits, stop }
    }

    /// Waits for the next thing that the client says, or for the end. Losing this future loses
    /// nothing.
    pub(crate) async fn hear(&mut self) -> Result<Heard, End> {
        let Self { socket, ear, stop, .. } = self;
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(End::Stopped),
            message = next(socket, ear) => heard(message),
        }
    }

    /// As [`Connection::hear`], for who learns of the end in another way.
    pub(crate) async fn message(&mut self) -> Result<Heard, End> {
        heard(next(&mut self.socket, &self.ear).await)
    }

    /// Lets `work` end, unless everything ends before.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, End> {
        tokio::select! {
            () = self.stop.cancelled() => Err(End::Stopped),
            done = work => Ok(done),
        }
    }

    /// Sends text frames to this client, all in one go.
    pub(crate) async fn say<T: Into<Utf8Bytes>>(
        &mut self,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<(), End> {
        let socket = &mut self.socket;
        within(&self.stop, self.limits.stall, async {
            for text in texts {
                socket.feed(Message::Text(text.into())).await?;
            }
            socket.flush().await
        })
        .await
    }

    /// Sends what the library has to say by itself, such as a pong.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        let socket = &mut self.socket;
        within(&self.stop, self.limits.stall, socket.flush()).await
    }

    /// Writes the rest of a batch, or the next one that `take` gives, as far as the socket takes
    /// it. `written` hears of each batch that has been taken over. Returns once there is progress
    /// or nothing to write; `true` when there is more.
    pub(crate) async fn share(
        &mut self,
        mut take: impl FnMut() -> Batch,
        mut written: impl FnMut(&Batch),
    ) -> Result<bool, End> {
        let gate = self.socket.get_mut();
        // Nearly always the socket takes it at once, and then no timer is needed.
        let at_once = poll_fn(|cx| Poll::Ready(gate.poll_share(cx, &mut take, &mut written)));
        if let Poll::Ready(done) = at_once.await {
            return Ok(done?);
        }
        within(
            &self.stop,
            self.limits.stall,
            poll_fn(|cx| gate.poll_share(cx, &mut take, &mut written)),
        )
        .await
    }

    /// Ends the connection as `end` asks for, within [`Limits::farewell`].
    pub(crate) async fn finish(self, end: End) {
        let limit = self.limits.farewell;
        let mut socket = self.socket;
        let done = match end {
            End::Gone => return,
            End::Stalled => false,
            // The library has the answer ready; it ends by itself when that is written.
            End::Closed => {
                timeout(limit, async { while socket.next().await.is_some() {} }).await.is_ok()
            }
            End::Broken(code, reason) => {
                timeout(limit, farewell(&mut socket, code, reason)).await.is_ok()
            }
            End::Stopped => {
                timeout(limit, farewell(&mut socket, CloseCode::Away, "the gateway is ending"))
                    .await
                    .is_ok()
            }
        };
        if !done {
            // Nobody reads there: without this the system would keep the unsent bytes for long.
            // A failure means that the socket is closed already.
            let _ = socket.get_ref().tcp.set_zero_linger();
        }
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::Utf8(_) => Self::Broken(CloseCode::Invalid, "text frames are UTF-8"),
            Error::Capacity(_) => Self::Broken(CloseCode::Size, "requests have at most 4096 bytes"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            Error::Protocol(_) => Self::Broken(CloseCode::Protocol, "not WebSocket as in RFC 6455"),
            _ => Self::Gone,
        }
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// The next message. Losing this future loses nothing.
async fn next(socket: &mut WebSocketStream<Gate>, ear: &Ear) -> Option<Result<Message, Error>> {
    poll_fn(|cx| ear.poll(cx, |cx| socket.poll_next_unpin(cx))).await
}

fn heard(message: Option<Result<Message, Error>>) -> Result<Heard, End> {
    match message {
        Some(Ok(Message::Text(text))) => Ok(Heard::Text(text)),
        Some(Ok(Message::Binary(_))) => Ok(Heard::Binary),
        Some(Ok(Message::Close(_))) => Err(End::Closed),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Heard::Sign),
        Some(Err(error)) => Err(End::from(error)),
        None => Err(End::Gone),
    }
}

/// Lets `work` end, unless it takes too long or everything ends.
async fn within<T, E: Into<End>>(
    stop: &CancellationToken,
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, End> {
    tokio::select! {
        biased;
        done = timeout(limit, work) => match done {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(End::Stalled),
        },
        () = stop.cancelled() => Err(End::Stopped),
    }
}

/// Says why we close, and then listens until the client has heard it: closing with unread bytes
/// would reset the connection and take the reason along.
async fn farewell(socket: &mut WebSocketStream<Gate>, code: CloseCode, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    while let Some(Ok(_)) = socket.next().await {}
    until_closed(&mut socket.get_mut().tcp).await;
}

/// Ends our side and reads what still comes, up to 4 MiB, until the other side ends too. Bytes that nobody has read
/// would have the system reset the connection, and what was said last could be lost.
pub async fn until_closed(tcp: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    if tcp.shutdown().await.is_err() {
        return;
    }
    let mut rest = tcp.take(FAREWELL_LEN_MAX as u64);
    let mut sink = [0; 1024];
    while let Ok(1..) = rest.read(&mut sink).await {}
}

/// The TCP stream under the library, with a second entrance for shared frames.
#[derive(Debug)]
struct Gate {
    tcp: TcpStream,
    /// What did not fit of the last shared write; empty and without memory nearly always.
    rest: Vec<u8>,
    written: usize,
}

impl Gate {
    fn poll_share(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut impl FnMut() -> Batch,
        written: &mut impl FnMut(&Batch),
    ) -> Poll<io::Result<bool>> {
        if !self.rest.is_empty() {
            return self.poll_rest(cx).map_ok(|()| true);
        }
        let mut batch = take();
        if batch.bytes.is_empty() {
            return Poll::Ready(Ok(false));
        }
        let len = ready!(Pin::new(&mut self.tcp).poll_write(cx, &batch.bytes))?;
        written(&batch);
        let whole = len == batch.bytes.len();
        if !whole {
            self.rest = std::mem::take(&mut batch.bytes);
            self.written = len;
        }
        Poll::Ready(Ok(batch.more || !whole))
    }

    /// Ready after any progress with the rest.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let unwritten = self.rest.get(self.written..).unwrap_or_default();
        let len = ready!(Pin::new(&mut self.tcp).poll_write(cx, unwritten))?;
        if len == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written += len;
        if self.written >= self.rest.len() {
            self.rest = Vec::new();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        while !self.rest.is_empty() {
            ready!(self.poll_rest(cx))?;
        }
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            ready!(self.poll_rest(cx))?;
        }
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
