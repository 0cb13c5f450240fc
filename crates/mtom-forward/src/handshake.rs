//! The opening of a connection: one HTTP request, answered with 101 or with a plain sentence.
//!
//! The library parses and derives the key; the reading is ours because a refusal must reach the
//! client: the library would drop the connection without a word for a request that is not an
//! upgrade, as from a person who types the port into a browser.

use crate::access::{Access, Denied};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};

const HEAD_LEN_MAX: usize = 8 * 1024;

/// A request that was answered with something else than 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("expected an HTTP/1.1 request, GET, with at most 8192 bytes of headers")]
    NotHttp,
    #[error("this port speaks WebSocket: connect with ws://, and see the dashboard for a page")]
    NotWebSocket,
    #[error("expected a Sec-WebSocket-Key header")]
    NoKey,
    #[error("{0}")]
    Denied(#[from] Denied),
    #[error("all places for viewers are taken: try again later")]
    Full,
}

impl Refusal {
    /// What came is no request that the port takes, whoever asks.
    pub(crate) const fn is_malformed(self) -> bool {
        match self {
            Self::NotHttp | Self::NotWebSocket | Self::NoKey | Self::Denied(Denied::Unreadable) => {
                true
            }
            Self::Denied(Denied::Origin | Denied::Host) | Self::Full => false,
        }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// The client has been told. To be followed by [`crate::socket::until_closed`].
    Refused(Refusal),
    /// It broke off, or reading or writing failed.
    Gone,
}

/// Reads the request and answers it, when there is a place for who may come. Returns the place and what came behind
/// the request.
pub(crate) async fn open<P>(
    tcp: &mut TcpStream,
    access: &Access,
    place: impl FnOnce() -> Option<P>,
) -> Result<(P, Vec<u8>), Unopened> {
    let (request, early) = match read(tcp).await? {
        Ok(read) => read,
        Err(refusal) => return Err(refuse(tcp, refusal).await),
    };
    let answer = access.check(request.headers()).map_err(Refusal::from).and_then(|()| {
        create_response(&request).map_err(|error| match error {
            Error::Protocol(ProtocolError::MissingSecWebSocketKey) => Refusal::NoKey,
            _ => Refusal::NotWebSocket,
        })
    });
    let answer = answer.and_then(|response| Ok((response, place().ok_or(Refusal::Full)?)));
    let (response, place) = match answer {
        Ok(answer) => answer,
        Err(refusal) => return Err(refuse(tcp, refusal).await),
    };
    let mut head = Vec::new();
    write_response(&mut head, &response).map_err(|_| Unopened::Gone)?;
    tcp.write_all(&head).await?;
    Ok((place, early))
}

async fn read(tcp: &mut TcpStream) -> Result<Result<(Request, Vec<u8>), Refusal>, Unopened> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if tcp.read_buf(&mut head).await? == 0 {
            return Err(Unopened::Gone);
        }
        match Request::try_parse(&head) {
            Ok(Some((len, request))) => return Ok(Ok((request, head.split_off(len)))),
            Ok(None) if head.len() < HEAD_LEN_MAX => {}
            Ok(None) | Err(_) => return Ok(Err(Refusal::NotHttp)),
        }
    }
}

async fn refuse(tcp: &mut TcpStream, refusal: Refusal) -> Unopened {
    let status = match refusal {
        Refusal::NotHttp | Refusal::NoKey | Refusal::Denied(Denied::Unreadable) => {
            "400 Bad Request"
        }
        Refusal::Denied(Denied::Origin | Denied::Host) => "403 Forbidden",
        // Upgrade and Sec-WebSocket-Version belong to this status [RFC 9110 15.5.22, RFC 6455 4.4].
        Refusal::NotWebSocket => {
            "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
        }
        Refusal::Full => "503 Service Unavailable\r\nRetry-After: 10",
    };
    let sentence = refusal.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
         {sentence}\n",
        sentence.len() + 1
    );
    match tcp.write_all(answer.as_bytes()).await {
        Ok(()) => Unopened::Refused(refusal),
        Err(_) => Unopened::Gone,
    }
}

impl From<io::Error> for Unopened {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}
