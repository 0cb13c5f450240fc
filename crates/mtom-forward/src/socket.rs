//! One open WebSocket connection of a server: requests in, frames out, and every way it can end.
//!
//! The library (tungstenite) reads, answers pings and writes what is said to this one client.
//! Frames that many viewers share go past it, straight from the shared bytes to the socket
//! (`socket/seat.rs`). Both stay whole because each side starts only at a frame's border: the library's
//! buffer is empty whenever a shared frame is written, and what is left of a shared write precedes
//! whatever the library writes next.

use crate::ring::Place;
use crate::server::Limits;
use futures_util::{SinkExt, StreamExt};
pub(crate) use seat::{Seat, Show, Swept};
use socket2::SockRef;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
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
mod seat;

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
    seat: Arc<Seat>,
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
        let seat = Arc::new(Seat::new(tcp));
        let gate = Gate(Arc::clone(&seat));
        let socket =
            WebSocketStream::from_partially_read(gate, early, Role::Server, Some(config)).await;
        Self { socket, seat, limits, stop }
    }

    /// Waits for the next thing that the client says, or for the end. Losing this future loses
    /// nothing.
    pub(crate) async fn hear(&mut self) -> Result<Heard, End> {
        let Self { socket, seat, stop, .. } = self;
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(End::Stopped),
            message = poll_fn(|cx| poll_next(socket, seat, cx)) => heard(message),
        }
    }

    /// As [`Connection::hear`]; `None`: there is something to [`Connection::share`].
    pub(crate) async fn hear_or_share(&mut self) -> Result<Option<Heard>, End> {
        let Self { socket, seat, stop, .. } = self;
        let next = poll_fn(|cx| match poll_next(socket, seat, cx) {
            Poll::Ready(message) => Poll::Ready(Some(message)),
            Poll::Pending if seat.ear.was_called() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(End::Stopped),
            next = next => next.map(heard).transpose(),
        }
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

    /// Shows it what comes behind `place`, beginning with [`Connection::share`].
    pub(crate) fn sit_down(&self, place: Place) -> Arc<Seat> {
        self.seat.sit_down(place);
        Arc::clone(&self.seat)
    }

    /// Nothing is shared until [`Connection::share`] has written everything.
    pub(crate) fn take_turn(&self) {
        self.seat.take_turn();
    }

    /// Writes the rest of a batch, or the next one, as far as the socket takes it. Returns once there is
    /// progress or nothing to write; `true` when there may be more, else others write from then on.
    /// `show` is made for each try: what finds no room is not what is newest when there is some.
    pub(crate) async fn share<S: Show>(&mut self, show: impl Fn() -> S) -> Result<bool, End> {
        let Self { seat, stop, limits, .. } = self;
        // Nearly always the socket takes it at once, and then no timer is needed.
        let at_once = poll_fn(|cx| Poll::Ready(seat.poll_share(cx, &mut show())));
        if let Poll::Ready(done) = at_once.await {
            return Ok(done?);
        }
        within(stop, limits.stall, poll_fn(|cx| seat.poll_share(cx, &mut show()))).await
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
            let _ = self.seat.tcp.set_zero_linger();
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

/// The next message.
fn poll_next(
    socket: &mut WebSocketStream<Gate>,
    seat: &Seat,
    cx: &Context<'_>,
) -> Poll<Option<Result<Message, Error>>> {
    seat.ear.poll(cx, |cx| socket.poll_next_unpin(cx))
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
    until_closed(socket.get_mut()).await;
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

/// The TCP stream under the library.
struct Gate(Arc<Seat>);

impl AsyncRead for Gate {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buf)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.take_turn() {
            // It is to be given back.
            self.0.ear.call();
        }
        ready!(self.0.poll_no_rest(cx))?;
        self.0.poll_some(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_no_rest(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0.tcp).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests;
