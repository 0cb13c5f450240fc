//! One WebSocket of `/live`: what is heard, what is said within a bounded memory, and whether anybody is there.
//!
//! A long text goes out in several frames (RFC 6455 §5.4), each when the one before it is with the system: beside the
//! text itself no more than one of them is ever kept. While something is written the socket is read too, so that a
//! slow viewer's answers count.

use super::GONE;
use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use mtom_forward::server::until_closed;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// A viewer says little; a longer message closes with 1009.
pub(super) const MESSAGE_LEN_MAX: usize = mtom_gateway::lines::LINE_LEN_MAX;
/// At the library's defaults a viewer costs 135 KiB; so it costs a tenth.
const READ_BUFFER_LEN: usize = 4 * 1024;
/// The longest frame that we say.
pub(super) const FRAME_LEN_MAX: usize = 64 * 1024;

/// Why nothing more can be said or heard.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection failed.
    Gone,
    /// Nobody is there.
    Silent,
    /// The socket took nothing for as long as it may.
    Stalled,
    /// The other side said goodbye.
    Closed,
    /// The other side broke the protocol: what it is to be told.
    Broken(CloseCode, &'static str),
}

/// From the end of its handshake.
pub(super) struct Socket {
    stream: WebSocketStream<Meter>,
    /// What is left of a text of several frames.
    rest: Bytes,
    /// What was heard while something was written.
    early: Option<Message>,
    heard_at: Instant,
}

impl Socket {
    pub(super) async fn new(upgraded: Upgraded) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_LEN)
            // Each frame is written at once and awaited: no more than one is ever held.
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_LEN_MAX))
            .max_frame_size(Some(MESSAGE_LEN_MAX));
        let now = Instant::now();
        let meter = Meter { socket: TokioIo::new(upgraded), waits: false, taken_at: now };
        let stream = WebSocketStream::from_raw_socket(meter, Role::Server, Some(config)).await;
        Self { stream, rest: Bytes::new(), early: None, heard_at: now }
    }

    /// The next message. Losing this future loses nothing.
    ///
    /// # Errors
    /// The connection has failed, or the other side has broken the protocol.
    pub(super) async fn recv(&mut self) -> Result<Message, Fault> {
        if let Some(early) = self.early.take() {
            return Ok(early);
        }
        let heard = self.stream.next().await;
        self.heard_at = Instant::now();
        heard.ok_or(Fault::Gone)?.map_err(Fault::from)
    }

    /// When nobody is there unless something is heard before, or more is taken of what waits to be written.
    pub(super) fn gone_at(&self) -> Instant {
        self.heard_at.max(self.stream.get_ref().taken_at) + GONE
    }

    /// Says it, as long as the other side takes something in each `stall`. Who loses this future loses nothing of it:
    /// the rest goes before whatever is said next.
    ///
    /// # Errors
    /// The connection has failed, or has taken nothing for too long.
    pub(super) async fn send(&mut self, message: Message, stall: Duration) -> Result<(), Fault> {
        self.flush(stall).await?;
        match message {
            Message::Text(text) if text.len() > FRAME_LEN_MAX => {
                self.rest = Bytes::from(text);
                self.part(Data::Text)?;
            }
            message => self.stream.start_send_unpin(message)?,
        }
        self.flush(stall).await
    }

    /// Begins with the next frame of a text of several.
    fn part(&mut self, data: Data) -> Result<(), Fault> {
        let part = self.rest.split_to(self.rest.len().min(FRAME_LEN_MAX));
        let frame = Frame::message(part, OpCode::Data(data), self.rest.is_empty());
        Ok(self.stream.start_send_unpin(Message::Frame(frame))?)
    }

    /// Until all that was begun is with the system.
    async fn flush(&mut self, stall: Duration) -> Result<(), Fault> {
        let begun = Instant::now();
        let mut alarm = pin!(sleep_until(begun + stall));
        poll_fn(|cx| {
            while self.stream.poll_flush_unpin(cx)?.is_ready() {
                if self.rest.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.part(Data::Continue)?;
            }
            self.listen(cx)?;
            let stalled_at = self.stream.get_ref().taken_at.max(begun) + stall;
            let gone_at = self.gone_at();
            let until = stalled_at.min(gone_at);
            if alarm.deadline() != until {
                alarm.as_mut().reset(until);
            }
            let fault = if gone_at < stalled_at { Fault::Silent } else { Fault::Stalled };
            alarm.as_mut().poll(cx).map(|()| Err(fault))
        })
        .await
    }

    /// Reads while something is written, up to one message that is to be answered.
    fn listen(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while self.early.is_none() {
            let Poll::Ready(heard) = self.stream.poll_next_unpin(cx) else { break };
            self.heard_at = Instant::now();
            match heard.ok_or(Fault::Gone)?? {
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return Err(Fault::Closed),
                message => self.early = Some(message),
            }
        }
        Ok(())
    }

    /// Says why we close (`None`: the other side did) and reads until it has ended too: only then are its close frame
    /// answered and ours not lost in a reset. To be given a limit: whoever takes longer is cut by dropping it.
    pub(super) async fn farewell(
        mut self,
        why: Option<(CloseCode, &'static str)>,
        stall: Duration,
    ) {
        if let Some((code, reason)) = why {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            if self.send(Message::Close(Some(frame)), stall).await.is_err() {
                return;
            }
        }
        while let Some(Ok(_)) = self.stream.next().await {}
        until_closed(self.stream.get_mut()).await;
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Utf8(_) => Self::Broken(CloseCode::Invalid, "text messages are UTF-8"),
            Error::Capacity(_) => {
                Self::Broken(CloseCode::Size, "messages have at most 16384 bytes")
            }
            Error::Protocol(
                ProtocolError::ResetWithoutClosingHandshake
                | ProtocolError::SendAfterClosing
                | ProtocolError::ReceivedAfterClosing,
            ) => Self::Gone,
            Error::Protocol(_) => Self::Broken(CloseCode::Protocol, "not WebSocket as in RFC 6455"),
            // The system's own has a number: nobody confirms anything there.
            Error::Io(error)
                if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() =>
            {
                Self::Stalled
            }
            _ => Self::Gone,
        }
    }
}

/// Notes when the other side has confirmed something: then a write that had to wait goes on.
struct Meter {
    socket: TokioIo<Upgraded>,
    waits: bool,
    taken_at: Instant,
}

impl AsyncRead for Meter {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Meter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if self.waits && matches!(written, Poll::Ready(Ok(1..))) {
            self.taken_at = Instant::now();
        }
        self.waits = written.is_pending();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
