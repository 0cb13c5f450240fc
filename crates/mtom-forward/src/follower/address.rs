//! Where a gateway is that is followed: `tcp://host:8766`, `ws://host:8080/live`, which is the page's own port, or
//! `udp://host:8767`, which may lose some.

use super::udp::UdpWire;
use super::wires::{Connected, LiveWire};
use crate::lines::Request;
use crate::tcp::TcpWire;
use std::fmt;
use std::str::FromStr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// An address of a gateway. It may be a name, which is looked up for each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// `host:port`
    Tcp(String),
    /// `ws://host:port/live`
    Live(String),
    /// `host:port`
    Udp(String),
}

/// It can never work: a person must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{url:?} is no address of a gateway: expected tcp://host:8766, ws://host:8080/live, udp://host:8767, or \
     ws://host:8765 as the original has it"
)]
pub struct BadAddress {
    url: String,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(url: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress { url: url.chars().take(200).collect() };
        if url.starts_with("ws://") {
            let request = url.into_client_request().map_err(|_| bad())?;
            let has_host = request.uri().host().is_some_and(|host| !host.is_empty());
            let is_live = request.uri().path() == "/live";
            return (has_host && is_live).then(|| Self(Kind::Live(url.to_owned()))).ok_or_else(bad);
        }
        let tcp = url.strip_prefix("tcp://");
        let place = tcp.or_else(|| url.strip_prefix("udp://")).ok_or_else(bad)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = place.rsplit_once(':').ok_or_else(bad)?;
        let is_host = !host.is_empty()
            && !host.contains(['/', '@', '?', '#'])
            && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
        let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
        let kind = if tcp.is_some() { Kind::Tcp } else { Kind::Udp };
        (is_host && is_port).then(|| Self(kind(place.to_owned()))).ok_or_else(bad)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(place) => write!(f, "tcp://{place}"),
            Kind::Udp(place) => write!(f, "udp://{place}"),
            Kind::Live(url) => f.write_str(url),
        }
    }
}

impl Address {
    /// What was missed can be asked for, and is acknowledged.
    pub(super) const fn is_lossless(&self) -> bool {
        match &self.0 {
            Kind::Tcp(_) | Kind::Live(_) => true,
            Kind::Udp(_) => false,
        }
    }

    /// # Errors
    /// Why not, in words.
    pub(super) async fn connect(&self, request: &Request) -> Result<Connected, String> {
        match &self.0 {
            Kind::Tcp(place) => {
                let tcp = TcpStream::connect(place).await.map_err(|error| error.to_string())?;
                tcp.set_nodelay(true).map_err(|error| error.to_string())?;
                Ok(Connected::Tcp(TcpWire::to_gateway(tcp)))
            }
            Kind::Udp(place) => {
                Ok(Connected::Udp(Box::new(UdpWire::connect(place, request).await?)))
            }
            Kind::Live(url) => Ok(Connected::Live(Box::new(LiveWire::connect(url).await?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_says_how_and_where() {
        for url in [
            "tcp://10.0.0.1:8766",
            "tcp://pc1.lan:8766",
            "tcp://[::1]:8766",
            "ws://pc1:8080/live",
            "udp://pc1:8767",
        ] {
            assert_eq!(url.parse::<Address>().map(|address| address.to_string()), Ok(url.into()));
        }
        for url in [
            "",
            "tcp://",
            "tcp://host",
            "tcp://:8766",
            "tcp://host:0",
            "tcp://host:99999",
            "tcp://::1:8766",
            "tcp://a@b:1",
            "ws://",
            "ws://host:8080",
            "ws:///live",
            "http://host:8080/live",
            "udp://host:1/x",
        ] {
            let error = url.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("expected tcp://host:8766"), "{error}");
        }
    }
}
