//! `store.url`: which server, which database, as whom.
//!
//! No password: an URL stands in configurations, in process lists and in logs. What is not understood is
//! refused with what is expected, never guessed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What is expected, as a user writes it.
const FORM: &str =
    "mysql://user@host[:3306]/database[?tls=verify|required|off&ca=FILE&socket=FILE]";

const PORT: u16 = 3306;

/// Where a database is and as whom to ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The server's user.
    pub user: String,
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// How the connection is kept from other eyes.
    pub tls: Tls,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// The server's Unix socket, where it is to be used instead of host and port.
    pub socket: Option<PathBuf>,
}

/// How the connection is kept from other eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Encrypted, and the server's certificate must name the host and be signed by a known authority.
    Verify,
    /// Encrypted; whoever answers is believed.
    Required,
    /// In the clear.
    Off,
}

/// A text that is no usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {FORM}")]
pub struct UrlError {
    what: String,
}

impl UrlError {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl Url {
    /// Whether `text` is meant to be such a URL; anything else is the path of a file.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("mysql:") || text.starts_with("mariadb:")
    }

    /// `host:port`, or the socket's path.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.socket {
            Some(path) => path.display().to_string(),
            None if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }
}

/// As it was written, without what has its default.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match &self.socket {
            Some(_) => self.host.clone(),
            None => self.address(),
        };
        write!(f, "mysql://{}@{address}/{}", encoded(&self.user), encoded(&self.database))
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text
            .strip_prefix("mysql://")
            .or_else(|| text.strip_prefix("mariadb://"))
            .ok_or_else(|| UrlError::new("the address of a database begins with mysql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // The last one: a password may hold another, and is not to be shown as a host.
        let (user, place) = rest
            .rsplit_once('@')
            .ok_or_else(|| UrlError::new("no user: a server asks who is there"))?;
        if user.contains(':') {
            return Err(UrlError::new(
                "a password in the URL is seen by everybody who sees the configuration or the list of \
                 processes: put it into the file of store.password_file or into MTOM_STORE_PASSWORD",
            ));
        }
        let (place, database) = place
            .split_once('/')
            .ok_or_else(|| UrlError::new("no database: its name follows the host after a /"))?;
        let (host, port) = host_and_port(place)?;
        let (user, database) = (name("user", user, 128)?, name("database", database, 64)?);
        let mut url = Self { user, host, port, database, tls: Tls::Verify, ca: None, socket: None };
        let tls = options(query, &mut url)?;
        url.tls = tls.unwrap_or(if url.is_local() { Tls::Off } else { Tls::Verify });
        if url.ca.is_some() && url.tls != Tls::Verify {
            return Err(UrlError::new("ca=FILE is only used with tls=verify"));
        }
        Ok(url)
    }
}

impl Url {
    /// What this says cannot be overheard from another machine.
    fn is_local(&self) -> bool {
        let is_loopback = match self.host.parse::<std::net::IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        };
        self.ca.is_none() && (self.socket.is_some() || is_loopback)
    }
}

/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
fn host_and_port(place: &str) -> Result<(String, u16), UrlError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) =
                rest.split_once(']').ok_or_else(|| UrlError::new("no ] behind the address"))?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(UrlError::new(format!("`{host}` is no IPv6 address")));
            }
            match behind.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if behind.is_empty() => (host, None),
                None => return Err(UrlError::new(format!("`{behind}` behind the ]"))),
            }
        }
        None => match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(UrlError::new("an IPv6 address stands in brackets, as in [::1]"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(UrlError::new(format!("`{host}` is no host")));
    }
    let port = match port {
        None => PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| UrlError::new(format!("`{port}` is no port (1 to 65535)")))?,
    };
    Ok((host.to_owned(), port))
}

/// Takes `key=value` pairs; what `tls` says comes back.
fn options(query: &str, url: &mut Url) -> Result<Option<Tls>, UrlError> {
    let mut tls = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        let file = |key: &str| {
            if value.is_empty() {
                return Err(UrlError::new(format!("{key}= names no file")));
            }
            Ok(Some(PathBuf::from(&value)))
        };
        match key {
            "tls" => {
                tls = Some(match value.as_str() {
                    "verify" => Tls::Verify,
                    "required" => Tls::Required,
                    "off" => Tls::Off,
                    other => return Err(UrlError::new(format!("`{other}` is no value of tls"))),
                });
            }
            "ca" => url.ca = file(key)?,
            "socket" => url.socket = file(key)?,
            other => return Err(UrlError::new(format!("`{other}` is no option"))),
        }
    }
    Ok(tls)
}

fn name(what: &str, text: &str, len_max: usize) -> Result<String, UrlError> {
    let name = decoded(text)?;
    if name.is_empty() || name.chars().count() > len_max || name.chars().any(char::is_control) {
        return Err(UrlError::new(format!(
            "the name of the {what} is `{}`, which is empty, too long or has control characters",
            name.escape_default()
        )));
    }
    // A server drops them from the name of a database, and another database would be meant.
    if name.ends_with(' ') || name.contains('/') {
        return Err(UrlError::new(format!("`{name}` is no name of a {what}")));
    }
    Ok(name)
}

/// Resolves `%41`.
fn decoded(text: &str) -> Result<String, UrlError> {
    let wrong =
        || UrlError::new(format!("`{text}` has a % without two hexadecimal digits (%25 is one %)"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push(high * 16 + low);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn encoded(name: &str) -> String {
    use fmt::Write;
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
