//! Which broker, whom it trusts and what it speaks: all that is configured about a connection.

use crate::endpoint::Endpoint;
use crate::fault::{Fault, Refusal};
use crate::tls::Tls;
use std::fmt;

/// The broker, and how to get in.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whom we trust and who we are, where the endpoint is secure.
    pub tls: Tls,
    /// User and password, where the broker wants them.
    pub credentials: Option<(String, String)>,
    /// What is spoken.
    pub version: Version,
}

impl Target {
    /// MQTT 3.1.1 over TCP, nobody in particular.
    #[must_use]
    pub fn plain(host: &str, port: u16) -> Self {
        Self {
            endpoint: Endpoint::plain(host, port),
            tls: Tls::default(),
            credentials: None,
            version: Version::V3,
        }
    }
}

impl fmt::Debug for Target {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("endpoint", &format_args!("{}", self.endpoint))
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Which version of MQTT is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 5 where the broker speaks it, 3.1.1 otherwise. The default: with 5 a device's own time and number come
    /// along, without which a text that is delivered twice is two readings.
    #[default]
    Auto,
    /// 3.1.1 only.
    V3,
    /// 5 only.
    V5,
}

/// Which version of MQTT is spoken on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// 3.1.1.
    V3,
    /// 5.
    V5,
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5",
        })
    }
}

/// What to speak on the next connection, by what became of those before.
///
/// A broker that says that it does not know MQTT 5 is believed. One that hangs up without a greeting may know
/// 3.1.1 only, or may be on its way down: 3.1.1 is tried once, and 5 again after that. One that has spoken 5 is
/// never spoken to otherwise.
#[derive(Clone, Debug)]
pub struct Versions {
    settled: Option<Spoken>,
    is_older_next: bool,
}

impl Versions {
    /// Nothing is known of the broker yet.
    #[must_use]
    pub fn new(wanted: Version) -> Self {
        let settled = match wanted {
            Version::Auto => None,
            Version::V3 => Some(Spoken::V3),
            Version::V5 => Some(Spoken::V5),
        };
        Self { settled, is_older_next: false }
    }

    /// What to speak now.
    #[must_use]
    pub fn next(&self) -> Spoken {
        match self.settled {
            Some(settled) => settled,
            None if self.is_older_next => Spoken::V3,
            None => Spoken::V5,
        }
    }

    /// The broker has greeted back.
    pub fn greeted(&mut self, spoken: Spoken) {
        self.is_older_next = false;
        if spoken == Spoken::V5 {
            self.settled = Some(spoken);
        }
    }

    /// A connection came to nothing. True: the next is worth a try at once, in another version.
    pub fn failed(&mut self, spoken: Spoken, fault: &Fault) -> bool {
        let was_settled = self.settled.is_some();
        self.is_older_next = false;
        if was_settled || spoken == Spoken::V3 {
            return false;
        }
        match fault {
            Fault::Refused(Refusal::Version) => self.settled = Some(Spoken::V3),
            Fault::NoGreeting { .. } => self.is_older_next = true,
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests;
