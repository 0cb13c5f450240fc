//! How lines are said on one link: as they are, or with the key of this device
//! ([`mtom_protocol::link::keyed`]).
//!
//! Pure: the time and the source of nonces are arguments. A device with a key obeys no line that has
//! not the tag of a conversation, and does not even tell such a one how it is; it says so and does
//! nothing, and the lease is not renewed. A conversation belongs to its link and ends with it, with
//! the next hello, and when nothing was said in it for [`CONVERSATION_WAIT`]: so a line that somebody
//! keeps back is soon worth nothing.

use core::fmt;
use embassy_time::{Duration, Instant};
use mtom_protocol::link::keyed::{Draw, Forged, Hello, Key, Seal, Welcome};
use mtom_protocol::link::{Led, LineError, Report, Request};

/// A gateway says something in a conversation more often than this.
pub const CONVERSATION_WAIT: Duration = Duration::from_secs(15);

/// What a line says.
#[derive(Debug)]
pub(super) enum Heard {
    Request(Request),
    /// A conversation was begun, and this takes it up.
    Hello(Welcome),
}

/// Why a line says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody with the key has said so.
    Forged(Forged),
    /// It means nothing.
    Senseless(&'static str),
}

/// One link's.
#[derive(Debug)]
pub(super) struct Talk<'a> {
    key: Option<&'a Key>,
    draw: Draw,
    seal: Option<Seal>,
    /// When something was said in the conversation.
    heard_at: Instant,
}

impl<'a> Talk<'a> {
    /// Nothing was said yet. Without a key lines are said as they are.
    pub(super) const fn new(key: Option<&'a Key>, draw: Draw) -> Self {
        Self { key, draw, seal: None, heard_at: Instant::from_ticks(0) }
    }

    /// Takes a whole line, without its newline.
    pub(super) fn take(&mut self, line: &[u8], now: Instant) -> Result<Heard, Refusal> {
        let hello = Hello::parse(line);
        let Some(key) = self.key else {
            return if hello.is_some() { Err(Refusal::Forged(Forged::NoKey)) } else { heard(line) };
        };
        if let Some(hello) = hello {
            let nonce = (self.draw)().ok_or(Refusal::Forged(Forged::NoNonce))?;
            let (seal, welcome) = Seal::welcoming(key, hello, nonce);
            self.seal = Some(seal);
            self.heard_at = now;
            return Ok(Heard::Hello(welcome));
        }
        if now.saturating_duration_since(self.heard_at) > CONVERSATION_WAIT {
            self.seal = None;
        }
        let opened = match &mut self.seal {
            Some(seal) => seal.open(line),
            None => Err(Forged::without_conversation(line)),
        };
        let text = opened.map_err(Refusal::Forged)?;
        self.heard_at = now;
        heard(text)
    }

    /// Takes an original command, which has no room for a tag.
    pub(super) fn take_bare(&self, led: Led) -> Result<Heard, Refusal> {
        match self.key {
            Some(_) => Err(Refusal::Forged(Forged::Untagged)),
            None => Ok(Heard::Request(Request::Bare(led))),
        }
    }

    /// Writes a report as whoever is there believes it; nothing, when a key is wanted and nobody is there.
    pub(super) fn say(&mut self, report: Report<'_>, line: &mut impl fmt::Write) -> fmt::Result {
        match (&mut self.seal, self.key) {
            (Some(seal), _) => seal.seal(report, line),
            (None, None) => write!(line, "{report}"),
            (None, Some(_)) => Ok(()),
        }
    }
}

fn heard(line: &[u8]) -> Result<Heard, Refusal> {
    Request::parse(line).map(Heard::Request).map_err(|error| {
        Refusal::Senseless(match error {
            LineError::TooLong => "line too long",
            LineError::NotAscii => "not ASCII",
            LineError::NotARequest | LineError::NotAReport => "expected h N, c N or ?",
        })
    })
}

#[cfg(test)]
mod tests;
