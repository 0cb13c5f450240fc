//! Datagrams of a gateway as lines: proves the address, asks again and again, and is told what went out.
//!
//! Asking again keeps the lease, tells how the gateway is, and brings out what was lost. A gateway that has begun anew
//! knows neither the cookie nor us: then this is over, and a new one counts from the beginning.

use crate::follow::{End, Wire};
use crate::lines::{self, Request};
use serde::Deserialize;
use serde_json::Value;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, sleep_until};

/// How soon a request that was not answered is made again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it asks, as often as a gateway speaks by TCP.
const PERIOD: Duration = Duration::from_secs(5);
/// A gateway answers nothing that is shorter than its answer.
const REQUEST_LEN_MIN: usize = 128;
const DATAGRAM_LEN_MAX: usize = 65_536;
/// Room for a burst. The system may give less.
const RECEIVE_BUFFER_LEN: usize = 4 * 1024 * 1024;

/// What one datagram of a gateway says beside lines.
#[derive(Deserialize)]
struct Answer {
    subscribed: Option<u64>,
    cookie: Option<String>,
    error: Option<serde::de::IgnoredAny>,
}

/// A socket that hears one gateway.
pub(super) struct UdpWire {
    socket: UdpSocket,
    request: Value,
    ask_at: Instant,
    is_subscribed: bool,
    datagram: Vec<u8>,
}

impl UdpWire {
    /// # Errors
    /// Why not, in words.
    pub(super) async fn connect(place: &str, request: &Request) -> Result<Self, String> {
        let mut places = lookup_host(place).await.map_err(|error| error.to_string())?;
        let place = places.next().ok_or("the name has no address")?;
        let any: SocketAddr = match place {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await.map_err(|error| error.to_string())?;
        // Nobody else is heard.
        socket.connect(place).await.map_err(|error| error.to_string())?;
        let buffer = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_LEN);
        if let Err(error) = buffer {
            tracing::debug!(%error, "cannot tune the socket");
        }
        let request = serde_json::to_value(request).map_err(|error| error.to_string())?;
        let datagram = vec![0; DATAGRAM_LEN_MAX];
        let ask_at = Instant::now();
        Ok(Self { socket, request, ask_at, is_subscribed: false, datagram })
    }

    async fn ask(&mut self) -> Result<(), End> {
        self.ask_at = Instant::now() + RETRY;
        let mut request = self.request.to_string().into_bytes();
        request.resize(request.len().max(REQUEST_LEN_MIN), b' ');
        match self.socket.send(&request).await {
            Ok(_) => Ok(()),
            // It is away, or was: it is asked again.
            Err(error) if is_passing(&error) => Ok(()),
            Err(_) => Err(End::Gone),
        }
    }

    /// What it says; `None`: it was no line.
    fn hear(&mut self, len: usize) -> Option<Result<Vec<u8>, End>> {
        let said = self.datagram.get(..len)?.trim_ascii_end().to_vec();
        if said.is_empty() {
            return None;
        }
        let answer = serde_json::from_slice(&said).ok();
        let (subscribed, cookie) = match answer {
            Some(Answer { subscribed: Some(subscribed), cookie, .. }) => (subscribed, cookie),
            // A reading that has overtaken the answer: what history it is of is not known yet.
            Some(Answer { error: None, .. }) if !self.is_subscribed => return None,
            _ => return Some(Ok(said)),
        };
        match (subscribed, cookie) {
            (0, Some(cookie)) if !self.is_subscribed => {
                self.request["cookie"] = cookie.into();
                self.ask_at = Instant::now();
                None
            }
            // It goes, or was gone.
            (0, _) => Some(Err(End::Gone)),
            (_, cookie) => {
                self.is_subscribed = true;
                if let Some(cookie) = cookie {
                    self.request["cookie"] = cookie.into();
                }
                self.ask_at = Instant::now() + PERIOD;
                Some(Ok(said))
            }
        }
    }
}

/// Errors that say something of an earlier datagram.
fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable
    )
}

impl Wire for UdpWire {
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        loop {
            let (socket, ask_at) = (&self.socket, self.ask_at);
            let received = tokio::select! {
                received = socket.recv(&mut self.datagram) => Some(received),
                () = sleep_until(ask_at) => None,
            };
            match received {
                None => self.ask().await?,
                Some(Ok(len)) => {
                    if let Some(said) = self.hear(len) {
                        return said;
                    }
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(_)) => return Err(End::Gone),
            }
        }
    }

    /// What is to be said is said again and again anyway.
    async fn write(&mut self, _lines: &[u8], _stall: Duration) -> Result<(), End> {
        Ok(())
    }

    async fn close(self) {
        let mut goodbye = serde_json::json!({"unsubscribe": true});
        goodbye["cookie"] = self.request["cookie"].clone();
        // A courtesy: else its lease ends.
        let _ = self.socket.send(&lines::ended(&goodbye)).await;
    }

    fn abort(&mut self) {}
}
