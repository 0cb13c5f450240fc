//! What a board says on its serial port once its firmware runs.

use espflash::connection::Port;
use mtom_protocol::link::Request;
use serialport::SerialPort;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How often whoever follows the log may decide to end it.
const TICK: Duration = Duration::from_millis(100);
/// How often the device is asked how it is.
const ASK_PERIOD: Duration = Duration::from_secs(1);
/// A longer line is cut, in bytes.
const LINE_LEN_MAX: usize = 512;

/// The serial port of a board whose firmware starts.
pub struct Log {
    port: Port,
    line: Vec<u8>,
    was_reset: bool,
}

impl Log {
    pub(crate) fn new(port: Port, was_reset: bool) -> Self {
        Self { port, line: Vec::new(), was_reset }
    }

    /// Whether the board starts by itself; else somebody has to press RESET.
    #[must_use]
    pub fn was_reset(&self) -> bool {
        self.was_reset
    }

    /// Gives each line to `take`, without characters that could move a cursor, and `None` from time
    /// to time; until it breaks. With `ask` the device is asked for its state again and again.
    ///
    /// # Errors
    /// When the board goes away.
    pub fn follow(
        &mut self,
        ask: bool,
        mut take: impl FnMut(Option<&str>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        self.port.set_timeout(TICK)?;
        let mut asked_at: Option<Instant> = None;
        let mut buffer = [0; LINE_LEN_MAX];
        loop {
            if ask && asked_at.is_none_or(|at| at.elapsed() >= ASK_PERIOD) {
                asked_at = Some(Instant::now());
                match self.port.write_all(format!("{}\n", Request::Ask).as_bytes()) {
                    // Nobody takes bytes yet: it is asked again.
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    outcome => outcome?,
                }
            }
            let bytes = match self.port.read(&mut buffer) {
                // A hung-up terminal.
                Ok(0) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(len) => buffer.get(..len).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => &[],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            for byte in bytes {
                if let Some(line) = self.push(*byte)
                    && take(Some(&line)).is_break()
                {
                    return Ok(());
                }
            }
            if take(None).is_break() {
                return Ok(());
            }
        }
    }

    fn push(&mut self, byte: u8) -> Option<String> {
        if byte != b'\n' {
            self.line.push(byte);
            if self.line.len() < LINE_LEN_MAX {
                return None;
            }
        }
        let line = plain(&self.line);
        self.line.clear();
        (!line.is_empty()).then_some(line)
    }
}

/// Text without control characters and without the colours that some bootloaders send.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(each) = characters.next() {
        if each == '\u{1b}' {
            // ESC [ … letter
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else if !each.is_control() {
            plain.push(each);
        }
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests;
