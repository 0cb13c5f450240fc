//! Who may open a connection: the checks of `Origin` and `Host`.
//!
//! A browser names the page that asks in `Origin`. The page of the gateway may, and so may `null`
//! and no `Origin` at all: the original's page is opened from a file, its Python client is no
//! browser. `Host` is checked against DNS rebinding: a foreign name that was made to point here is
//! refused, however local the connection looks.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::http::header::{self, HeaderName};

/// The rule of one listening socket. By default nothing but loopback names and its own address.
#[derive(Clone, Debug)]
pub struct Access {
    listen: IpAddr,
    page: Option<SocketAddr>,
    origins: Vec<String>,
    any_host: bool,
}

/// Why a request was refused, as one sentence for whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("this Origin may not connect: open the page from the gateway itself or from a file")]
    Origin,
    #[error("this Host is not served: use localhost or the address that the gateway listens on")]
    Host,
    #[error("expected one Host header and at most one Origin header, both readable")]
    Unreadable,
}

impl Access {
    /// The rule for a socket that listens on `listen`: `Host` is loopback or that address.
    #[must_use]
    pub const fn new(listen: SocketAddr) -> Self {
        Self { listen: listen.ip(), page: None, origins: Vec::new(), any_host: false }
    }

    /// Admits the page that the dashboard serves on `page`, under any name that `Host` may have.
    #[must_use]
    pub const fn with_page(mut self, page: SocketAddr) -> Self {
        self.page = Some(page);
        self
    }

    /// Admits one more origin, as a browser writes it: `https://home.example`.
    #[must_use]
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// With `true`, any `Host` is served, and the page under any of them (`security.insecure`).
    /// Foreign origins stay refused.
    #[must_use]
    pub const fn any_host(mut self, any_host: bool) -> Self {
        self.any_host = any_host;
        self
    }

    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let host = single(headers, &header::HOST)?.ok_or(Denied::Unreadable)?;
        let host = Authority::parse(host).ok_or(Denied::Unreadable)?;
        if !self.any_host && !self.is_ours(&host.name) {
            return Err(Denied::Host);
        }
        match single(headers, &header::ORIGIN)? {
            None | Some("null") => Ok(()),
            Some(origin) if self.origins.iter().any(|ours| ours.eq_ignore_ascii_case(origin)) => {
                Ok(())
            }
            Some(origin) if self.is_page(origin, &host) => Ok(()),
            Some(_) => Err(Denied::Origin),
        }
    }

    fn is_ours(&self, name: &Name) -> bool {
        name.is_loopback() || *name == Name::Address(self.listen)
    }

    fn is_page(&self, origin: &str, host: &Authority) -> bool {
        let Some(page) = self.page else { return false };
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let Some(origin) = Authority::parse(authority) else { return false };
        origin.port.unwrap_or(default_port) == page.port()
            && (origin.name.is_loopback()
                || origin.name == Name::Address(page.ip())
                || (self.any_host && origin.name == host.name))
    }
}

/// `name[:port]`, as in `Host` and behind the scheme of `Origin`.
struct Authority {
    name: Name,
    port: Option<u16>,
}

#[derive(PartialEq, Eq)]
enum Name {
    Address(IpAddr),
    Word(String),
}

impl Authority {
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            (Name::Address(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?).to_canonical()), port)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, port) = text.split_at(end);
            (Name::parse(name)?, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return None,
            Some(digits) => Some(digits.parse().ok()?),
        };
        Some(Self { name, port })
    }
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        // `localhost.` with the root's dot is the same name.
        let word = text.strip_suffix('.').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (!word.is_empty() && word.bytes().all(plain)).then(|| Self::Word(word.to_ascii_lowercase()))
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Word(word) => word == "localhost",
        }
    }
}

/// The value of a header that may stand once. A second one could be read differently by a proxy.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Denied> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Denied::Unreadable);
    }
    first.map(|value| value.to_str().map_err(|_| Denied::Unreadable)).transpose()
}

#[cfg(test)]
mod tests;
