//! The device link: what the gateway and an LED say to each other (`wire.md` §1.5 and §2).
//!
//! One line is one message. The first version has no lines: a bare byte `h`, `c` or `s` is the
//! whole command and is never answered. Where both sides have a key, each line says so ([`keyed`]).
//! No heap, so that firmware uses this very code.

pub mod keyed;

use core::fmt;
use core::str;

/// The longest line either side sends, without its newline. A longer one is refused whole.
pub const LINE_LEN_MAX: usize = 96;

/// Whether the LED is lit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Led {
    /// Lit: `h`, hot.
    On,
    /// Dark: `c`, cold.
    Off,
}

impl Led {
    /// The byte of this state: `h` or `c`.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::On => b'h',
            Self::Off => b'c',
        }
    }

    /// Reads `h`, `c` or the original's second spelling of cold, `s`.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'h' => Some(Self::On),
            b'c' | b's' => Some(Self::Off),
            _ => None,
        }
    }
}

/// Gateway → device. `Display` writes the line without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `h 42`: be so, because of command 42.
    Set {
        /// The state asked for.
        led: Led,
        /// The command's number, monotone across restarts of the gateway.
        number: u64,
    },
    /// `h` alone: the original's command.
    Bare(Led),
    /// `?`: say how you are.
    Ask,
}

/// Device → gateway. `Display` writes the line without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report<'a> {
    /// `h 42`: the LED is now so, because of command 42.
    Applied {
        /// The state of the LED.
        led: Led,
        /// The command that led to it.
        number: u64,
    },
    /// `= h 42 TEMP_LED 1.0.0`: the answer to `?`.
    State {
        /// The state of the LED.
        led: Led,
        /// The last command applied; 0 before the first.
        number: u64,
        /// The device's name.
        name: &'a str,
        /// The device's firmware version.
        version: &'a str,
    },
    /// `! reason`: the line was refused and nothing changed.
    Refused {
        /// Why.
        reason: &'a str,
    },
}

/// A line that means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Over [`LINE_LEN_MAX`].
    #[error("line too long: at most {LINE_LEN_MAX} bytes")]
    TooLong,
    /// Not ASCII.
    #[error("line is not ASCII")]
    NotAscii,
    /// No such line from the gateway.
    #[error("expected h N, c N or ?")]
    NotARequest,
    /// No such line from a device.
    #[error("expected h N, c N, = h N NAME VERSION or ! REASON")]
    NotAReport,
}

impl Request {
    /// Reads one line, without its newline; a carriage return before it is ignored.
    ///
    /// # Errors
    /// [`LineError`] says what was expected; a device answers it as `! <reason>`.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let line = text(line)?;
        if line == "?" {
            return Ok(Self::Ask);
        }
        let (led, rest) = led_first(line).ok_or(LineError::NotARequest)?;
        match rest {
            None => Ok(Self::Bare(led)),
            Some(digits) => {
                number(digits).map(|number| Self::Set { led, number }).ok_or(LineError::NotARequest)
            }
        }
    }
}

impl<'a> Report<'a> {
    /// Reads one line, without its newline; a carriage return before it is ignored.
    ///
    /// # Errors
    /// [`LineError`] says what was expected.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let line = text(line)?;
        if let Some(reason) = line.strip_prefix('!') {
            return Ok(Self::Refused { reason: reason.trim_start() });
        }
        if let Some(state) = line.strip_prefix("= ") {
            return Self::parse_state(state).ok_or(LineError::NotAReport);
        }
        let (led, digits) = led_first(line).ok_or(LineError::NotAReport)?;
        digits
            .and_then(number)
            .map(|number| Self::Applied { led, number })
            .ok_or(LineError::NotAReport)
    }

    fn parse_state(state: &'a str) -> Option<Self> {
        let mut words = state.split(' ');
        let (led, None) = led_first(words.next()?)? else { return None };
        let number = number(words.next()?)?;
        let (name, version) = (words.next()?, words.next()?);
        (words.next().is_none() && !name.is_empty() && !version.is_empty()).then_some(Self::State {
            led,
            number,
            name,
            version,
        })
    }
}

impl fmt::Display for Led {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "h",
            Self::Off => "c",
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { led, number } => write!(f, "{led} {number}"),
            Self::Bare(led) => write!(f, "{led}"),
            Self::Ask => f.write_str("?"),
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied { led, number } => write!(f, "{led} {number}"),
            Self::State { led, number, name, version } => {
                write!(f, "= {led} {number} {name} {version}")
            }
            Self::Refused { reason } => write!(f, "! {reason}"),
        }
    }
}

fn text(line: &[u8]) -> Result<&str, LineError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LINE_LEN_MAX {
        return Err(LineError::TooLong);
    }
    let text = str::from_utf8(line).map_err(|_| LineError::NotAscii)?;
    if text.is_ascii() { Ok(text) } else { Err(LineError::NotAscii) }
}

/// Splits `h 42` into the LED and what follows the space.
fn led_first(line: &str) -> Option<(Led, Option<&str>)> {
    let (letter, rest) = match line.split_once(' ') {
        Some((letter, rest)) => (letter, Some(rest)),
        None => (line, None),
    };
    match letter.as_bytes() {
        [byte] => Some((Led::from_byte(*byte)?, rest)),
        _ => None,
    }
}

/// Decimal digits only: `u64::from_str` alone would let `+42` through.
fn number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
