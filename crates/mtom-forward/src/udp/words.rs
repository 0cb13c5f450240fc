//! What is said by UDP, but for the readings: requests, and their answers.
//!
//! Each is one JSON object. What a gateway says has a key that no request has (`subscribed`, `seq` or `error`), so
//! that no gateway ever answers another, or itself, however a stranger writes the sender's address.

use crate::lines::{self, LINE_LEN_MAX, Wrong, check_filters, ended, reason};
use crate::owners::Claim;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The longest request.
pub(crate) const REQUEST_LEN_MAX: usize = LINE_LEN_MAX;

const EXAMPLE: &str =
    r#"{"subscribe":["Environ/#"],"cookie":"…"} or {"unsubscribe":true,"cookie":"…"}"#;

/// What is read of a request before its sender is believed.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct Opening {
    #[serde(default)]
    pub(crate) cookie: Option<String>,
    #[serde(default)]
    subscribed: Option<IgnoredAny>,
    #[serde(default)]
    seq: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

impl Opening {
    /// `None`: it is no request.
    pub(crate) fn parse(datagram: &[u8]) -> Option<Self> {
        // A list would be read as the values of the keys.
        if datagram.len() > REQUEST_LEN_MAX || datagram.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        let opening: Self = serde_json::from_slice(datagram).ok()?;
        let Self { subscribed, seq, error, .. } = &opening;
        let is_of_gateway = subscribed.is_some() || seq.is_some() || error.is_some();
        (!is_of_gateway).then_some(opening)
    }
}

/// What one whose address is proven wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Readings, or to go on getting them.
    Subscribe(lines::Request),
    /// No more of them.
    Unsubscribe,
}

impl Request {
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(datagram: &[u8]) -> Result<Self, Wrong> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, expecting = "an object")]
        struct Said {
            #[serde(default)]
            subscribe: Option<Vec<String>>,
            #[serde(default)]
            unsubscribe: bool,
            #[serde(default, rename = "cookie")]
            _cookie: Option<IgnoredAny>,
            #[serde(default)]
            status: bool,
            #[serde(default)]
            controller: Option<Claim>,
            #[serde(default)]
            after: Option<IgnoredAny>,
            #[serde(default)]
            ack: Option<IgnoredAny>,
        }
        let wrong = |error: String| Wrong::new(error, format!("say one datagram as in {EXAMPLE}"));
        let said: Said = serde_json::from_slice(datagram).map_err(|error| wrong(reason(&error)))?;
        for (key, found) in [("after", said.after), ("ack", said.ack)] {
            if found.is_some() {
                let error = format!("{key}: nothing is sent again by UDP");
                let next = format!("leave {key} out, or ask by TCP (forward.tcp.listen)");
                return Err(Wrong::new(error, next));
            }
        }
        if said.subscribe.is_some() && said.unsubscribe {
            return Err(wrong("subscribe and unsubscribe: only one of them".into()));
        }
        if said.unsubscribe {
            return Ok(Self::Unsubscribe);
        }
        let mut wanted = lines::Request { status: said.status, ..lines::Request::default() };
        if let Some(subscribe) = said.subscribe {
            check_filters(&subscribe).map_err(wrong)?;
            wanted.subscribe = subscribe;
        }
        if let Some(claim) = said.controller {
            claim.check().map_err(wrong)?;
            wanted.controller = Some(claim);
        }
        Ok(Self::Subscribe(wanted))
    }
}

/// What is said to one that asked.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer<'a> {
    /// For how many seconds from now readings come.
    pub(crate) subscribed: u64,
    /// The last `seq` that went out to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<u64>,
    /// What to repeat, the next time too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cookie: Option<&'a str>,
    /// How the gateway is, for one that asked for that too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<lines::Status>,
}

impl Answer<'_> {
    pub(crate) fn told(&self) -> Vec<u8> {
        ended(self)
    }
}

/// Writes the datagram of a reading over `datagram`: its line, with how many there were for this receiver.
pub(crate) fn write_reading(datagram: &mut Vec<u8>, seq: u64, line: &[u8]) {
    datagram.clear();
    datagram.extend_from_slice(format!("{{\"seq\":{seq},").as_bytes());
    datagram.extend_from_slice(line.strip_prefix(b"{").unwrap_or(line));
}

#[cfg(test)]
mod tests;
