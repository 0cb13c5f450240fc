//! Cuts what a device sends into lines, in bounded memory.

use mtom_protocol::link::LINE_LEN_MAX;

/// A line and the carriage return that it may end with.
const BUFFER_LEN: usize = LINE_LEN_MAX + 1;

/// The unfinished line.
pub(crate) struct Lines {
    buffer: [u8; BUFFER_LEN],
    len: usize,
    /// The line was too long and goes on; nothing of it counts until its newline.
    skipping: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { buffer: [0; BUFFER_LEN], len: 0, skipping: false }
    }
}

impl Lines {
    /// Calls `line` for each whole line, without its newline, and with `None` for each bufferful of
    /// a line that is too long.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(Option<&[u8]>)) {
        for &byte in bytes {
            if byte == b'\n' {
                if !self.skipping {
                    line(self.buffer.get(..self.len));
                }
                self.skipping = false;
                self.len = 0;
            } else {
                if self.len == BUFFER_LEN {
                    line(None);
                    self.skipping = true;
                    self.len = 0;
                }
                if let Some(free) = self.buffer.get_mut(self.len) {
                    *free = byte;
                }
                self.len += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
