//! Where a broker is: `mqtt://host:1883` and its like.

use std::fmt;

/// The path of a WebSocket where none is said: most brokers answer there.
const PATH: &str = "/mqtt";
const PATH_LEN_MAX: usize = 1_024;

/// What carries MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `mqtt://`, TCP.
    Mqtt,
    /// `mqtts://`, TLS.
    Mqtts,
    /// `ws://`, WebSocket.
    Ws,
    /// `wss://`, WebSocket over TLS.
    Wss,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Mqtt, Self::Mqtts, Self::Ws, Self::Wss];

    fn word(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// Whether certificates are exchanged.
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Mqtts | Self::Wss)
    }

    pub(crate) fn is_web(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// Where a broker is. `Display` is its URL, without a password: it has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// What carries MQTT.
    pub scheme: Scheme,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The path of a WebSocket; empty otherwise.
    pub path: String,
}

/// Why a text is not where a broker is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Something else.
    #[error(
        "expected mqtt://host:1883, mqtts://host:8883, ws://host:80/mqtt or wss://host:443/mqtt, found {0:?}"
    )]
    Form(String),
    /// A user or a password in front of the host.
    #[error("no user and no password belong here")]
    Secret,
    /// Something behind the path that is never sent.
    #[error("no # belongs here")]
    Fragment,
    /// A path where there is none.
    #[error("a path belongs to ws:// and wss:// only, found {0:?}")]
    Path(String),
}

impl Endpoint {
    /// TCP without TLS.
    #[must_use]
    pub fn plain(host: &str, port: u16) -> Self {
        Self { scheme: Scheme::Mqtt, host: host.into(), port, path: String::new() }
    }

    /// Reads `scheme://host[:port][/path]`.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        // First: what is wrong with the rest must not bring it into a log.
        if url.contains('@') {
            return Err(EndpointError::Secret);
        }
        let wrong = || EndpointError::Form(url.into());
        let (word, rest) = url.split_once("://").ok_or_else(wrong)?;
        let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.word() == word);
        let scheme = scheme.ok_or_else(wrong)?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |place| rest.split_at(place));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (authority, scheme.port()),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(plain) || port == 0 {
            return Err(wrong());
        }
        let path = match path {
            "" if scheme.is_web() => PATH,
            _ if path.contains('#') => return Err(EndpointError::Fragment),
            _ if scheme.is_web() => path,
            "" | "/" => "",
            other => return Err(EndpointError::Path(other.into())),
        };
        if path.len() > PATH_LEN_MAX || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong());
        }
        Ok(Self { scheme, host: host.into(), port, path: path.into() })
    }

    /// `host:port`, with brackets where they are needed.
    #[must_use]
    pub fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Endpoint {
    /// The path without what stands behind a question mark: that is a password as often as not.
    #[must_use]
    pub fn plain_path(&self) -> String {
        match self.path.split_once('?') {
            Some((path, _)) => format!("{path}?…"),
            None => self.path.clone(),
        }
    }

    /// All of it, for the broker alone.
    pub(crate) fn whole(&self) -> String {
        format!("{}://{}{}", self.scheme.word(), self.address(), self.path)
    }
}

impl fmt::Display for Endpoint {
    /// As it may stand in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.word(), self.address(), self.plain_path())
    }
}

#[cfg(test)]
mod tests;
