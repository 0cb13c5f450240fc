//! What one link has sent of a line: one of these for each link, so that half a line on one of them
//! spoils nothing on another.
//!
//! Pure: the time is an argument.

use embassy_time::{Duration, Instant};
use mtom_protocol::link::{LINE_LEN_MAX, Led};

/// How long a bare `h`, `c` or `s` waits for the rest of a line before it is an original command.
pub const BARE_WAIT: Duration = Duration::from_millis(50);
/// How long an unfinished line waits for its next byte. Then it is refused, so that the beginning
/// of a line whose end was lost cannot spoil whatever comes next.
pub const LINE_WAIT: Duration = Duration::from_secs(1);

/// A line and the carriage return that it may end with.
const BUFFER_LEN: usize = LINE_LEN_MAX + 1;

/// What has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// An original command.
    Bare(Led),
    /// A line of more than [`LINE_LEN_MAX`] bytes.
    TooLong,
    /// A line whose end never came.
    Endless,
}

#[derive(Debug)]
pub(super) struct Line {
    bytes: [u8; BUFFER_LEN],
    /// Above [`BUFFER_LEN`] the line is too long and its bytes are gone.
    len: usize,
    began_at: Instant,
    grew_at: Instant,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; BUFFER_LEN],
            len: 0,
            began_at: Instant::from_ticks(0),
            grew_at: Instant::from_ticks(0),
        }
    }

    /// Takes one byte; `Some` when it ends the line.
    pub(super) fn take(&mut self, byte: u8, now: Instant) -> Option<Ended<'_>> {
        if byte == b'\n' {
            return Some(self.end());
        }
        if self.len == 0 {
            self.began_at = now;
        }
        self.grew_at = now;
        if let Some(free) = self.bytes.get_mut(self.len) {
            *free = byte;
        }
        self.len = self.len.saturating_add(1);
        None
    }

    /// When the unfinished line is waited for no longer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.len == 0 {
            None
        } else if self.bare().is_some() {
            // From the first byte: a gateway that never pauses is obeyed too.
            Some(self.began_at.saturating_add(BARE_WAIT))
        } else {
            Some(self.grew_at.saturating_add(LINE_WAIT))
        }
    }

    /// Ends the line when it is waited for no longer.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Ended<'_>> {
        self.deadline().filter(|at| *at <= now)?;
        Some(self.close().map_or(Ended::Endless, Ended::Bare))
    }

    /// The link is gone: a bare command is whole without waiting, anything else is forgotten.
    ///
    /// The original's gateway opens the port, writes one byte and closes it at once.
    pub(super) fn close(&mut self) -> Option<Led> {
        let bare = self.bare();
        self.len = 0;
        bare
    }

    fn end(&mut self) -> Ended<'_> {
        let len = core::mem::take(&mut self.len);
        self.bytes.get(..len).map_or(Ended::TooLong, Ended::Line)
    }

    /// The bytes of the unfinished line, unless they are too many.
    fn unfinished(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len)
    }

    /// What the unfinished line says when it is nothing but original commands: the last one counts.
    fn bare(&self) -> Option<Led> {
        let mut last = None;
        for &byte in self.unfinished()? {
            last = Some(Led::from_byte(byte)?);
        }
        last
    }
}

#[cfg(test)]
mod tests;
