//! The actuator: an LED that does what the newest command says (`wire.md` §1.5 and §2).
//!
//! Both versions of the link are understood at once: a bare `h`, `c` or `s` with no newline within
//! [`BARE_WAIT`] is an original command, applied and not answered; a line is answered. A line that
//! means nothing is refused and changes nothing. A number not above the last applied one is an old
//! command that came late: it is answered with the present state and changes nothing either.
//!
//! What surprises: a bare byte is applied [`BARE_WAIT`] late, because until then it may be the
//! beginning of a line. Of several bare bytes that come together the last one wins.

use core::time::Duration;
use mtom_protocol::link::{LINE_LEN_MAX, Led, LineError, Report, Request};

/// How long a bare `h`, `c` or `s` waits for the rest of a line before it is an original command.
pub const BARE_WAIT: Duration = Duration::from_millis(50);
/// How long an unfinished line waits for its next byte. Then it is refused, so that the beginning
/// of a line whose end was lost cannot spoil whatever comes next.
pub const LINE_WAIT: Duration = Duration::from_secs(1);
/// The longest device name, in bytes.
pub const NAME_LEN_MAX: usize = 32;
/// The longest firmware version, in bytes.
pub const VERSION_LEN_MAX: usize = 16;

/// A line and the carriage return that it may end with.
const BUFFER_LEN: usize = LINE_LEN_MAX + 1;

/// What the actuator does to the world around it.
pub trait Board {
    /// Sets the pin. Called before the reply that reports it, and only when the state changes.
    fn set_led(&mut self, led: Led);

    /// Sends one line; its `Display` has no newline, so the board adds it.
    fn reply(&mut self, report: Report<'_>);
}

/// A name or version that would break the line it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The name.
    #[error("device name: expected 1 to {NAME_LEN_MAX} visible ASCII characters without spaces")]
    Name,
    /// The firmware version.
    #[error("version: expected 1 to {VERSION_LEN_MAX} visible ASCII characters without spaces")]
    Version,
}

/// One LED and the state of its link. It starts dark.
#[derive(Clone, Debug)]
pub struct Actuator<'a> {
    name: &'a str,
    version: &'a str,
    led: Led,
    last_number: u64,
    /// After this long without a request the LED goes dark.
    lease: Option<Duration>,
    /// When the lease began.
    heard_at: Duration,
    line: [u8; BUFFER_LEN],
    /// Bytes of the unfinished line; above [`BUFFER_LEN`] it is too long and its bytes are gone.
    line_len: usize,
    /// When the unfinished line began, and when its last byte came.
    line_began_at: Duration,
    line_grew_at: Duration,
}

impl<'a> Actuator<'a> {
    /// An actuator with a dark LED that answers to `name` and runs firmware `version`.
    ///
    /// `last_number` is the last command applied before the power went, 0 where that is not kept.
    ///
    /// # Errors
    /// When name or version would not fit the line that carries them.
    pub fn new(name: &'a str, version: &'a str, last_number: u64) -> Result<Self, IdentityError> {
        if !is_word(name, NAME_LEN_MAX) {
            return Err(IdentityError::Name);
        }
        if !is_word(version, VERSION_LEN_MAX) {
            return Err(IdentityError::Version);
        }
        Ok(Self {
            name,
            version,
            led: Led::Off,
            last_number,
            lease: None,
            heard_at: Duration::ZERO,
            line: [0; BUFFER_LEN],
            line_len: 0,
            line_began_at: Duration::ZERO,
            line_grew_at: Duration::ZERO,
        })
    }

    /// The LED goes dark when no request was heard for `lease`: a gateway that dies leaves no LED on.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Whether the LED is lit.
    #[must_use]
    pub fn led(&self) -> Led {
        self.led
    }

    /// The last command applied; a board with memory keeps it for [`Actuator::new`].
    #[must_use]
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Takes what arrived on the link, in pieces of any size. `now` is the time since boot.
    pub fn receive(&mut self, bytes: &[u8], now: Duration, board: &mut impl Board) {
        self.poll(now, board);
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line(now, board);
            } else {
                self.grow_line(byte, now);
            }
        }
    }

    /// Does what is due at `now`; call it no later than at [`Actuator::deadline`].
    pub fn poll(&mut self, now: Duration, board: &mut impl Board) {
        if self.line_deadline().is_some_and(|at| at <= now) {
            match self.bare() {
                Some(led) => self.request(Request::Bare(led), now, board),
                None => board.reply(Report::Refused { reason: "line without an end" }),
            }
            self.line_len = 0;
        }
        if self.lease_deadline().is_some_and(|at| at <= now) {
            self.set(Led::Off, board);
            // Unasked: the gateway, should it be there after all, learns of the change at once.
            board.reply(self.state());
        }
    }

    /// When [`Actuator::poll`] has something to do, as time since boot.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        [self.line_deadline(), self.lease_deadline()].into_iter().flatten().min()
    }

    /// The link is gone: a bare command is whole without waiting, an unfinished line is forgotten.
    ///
    /// The original's gateway opens the port, writes one byte and closes it at once.
    pub fn disconnect(&mut self, now: Duration, board: &mut impl Board) {
        if let Some(led) = self.bare() {
            self.request(Request::Bare(led), now, board);
        }
        self.line_len = 0;
    }

    fn grow_line(&mut self, byte: u8, now: Duration) {
        if self.line_len == 0 {
            self.line_began_at = now;
        }
        self.line_grew_at = now;
        if let Some(free) = self.line.get_mut(self.line_len) {
            *free = byte;
        }
        self.line_len = self.line_len.saturating_add(1);
    }

    fn end_line(&mut self, now: Duration, board: &mut impl Board) {
        let parsed = self.unfinished().ok_or(LineError::TooLong).and_then(Request::parse);
        self.line_len = 0;
        match parsed {
            Ok(request) => self.request(request, now, board),
            Err(LineError::TooLong) => board.reply(Report::Refused { reason: "line too long" }),
            Err(LineError::NotAscii) => board.reply(Report::Refused { reason: "not ASCII" }),
            Err(LineError::NotARequest | LineError::NotAReport) => {
                board.reply(Report::Refused { reason: "expected h N, c N or ?" });
            }
        }
    }

    fn request(&mut self, request: Request, now: Duration, board: &mut impl Board) {
        self.heard_at = now;
        match request {
            Request::Set { led, number } if number > self.last_number => {
                self.last_number = number;
                self.set(led, board);
                board.reply(Report::Applied { led, number });
            }
            Request::Set { .. } | Request::Ask => board.reply(self.state()),
            Request::Bare(led) => self.set(led, board),
        }
    }

    fn set(&mut self, led: Led, board: &mut impl Board) {
        if self.led != led {
            self.led = led;
            board.set_led(led);
        }
    }

    fn state(&self) -> Report<'a> {
        Report::State {
            led: self.led,
            number: self.last_number,
            name: self.name,
            version: self.version,
        }
    }

    /// The bytes of the unfinished line, unless they are too many.
    fn unfinished(&self) -> Option<&[u8]> {
        self.line.get(..self.line_len)
    }

    /// What the unfinished line says when it is nothing but original commands.
    fn bare(&self) -> Option<Led> {
        let mut last = None;
        for &byte in self.unfinished()? {
            last = Some(Led::from_byte(byte)?);
        }
        last
    }

    fn line_deadline(&self) -> Option<Duration> {
        if self.line_len == 0 {
            None
        } else if self.bare().is_some() {
            // From the first byte: a gateway that never pauses is obeyed too.
            Some(self.line_began_at.saturating_add(BARE_WAIT))
        } else {
            Some(self.line_grew_at.saturating_add(LINE_WAIT))
        }
    }

    fn lease_deadline(&self) -> Option<Duration> {
        match self.led {
            Led::On => self.lease.map(|lease| self.heard_at.saturating_add(lease)),
            Led::Off => None,
        }
    }
}

fn is_word(text: &str, len_max: usize) -> bool {
    (1..=len_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
