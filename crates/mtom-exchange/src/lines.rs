//! Lines of a text that may be hostile: what is too long is passed over without taking memory.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line, or record of CSV, or element of SenML, in bytes.
pub(crate) const LINE_LEN_MAX: usize = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Where bytes come from.
pub(crate) type Source = BufReader<Box<dyn Read + Send>>;

/// One line at a time.
pub(crate) struct Lines {
    source: Source,
    line: Vec<u8>,
    /// Of the line that was read last, from 1.
    number: u64,
}

/// What came.
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// Without its end; of a line that is too long its head.
    pub(crate) bytes: &'a [u8],
    pub(crate) is_too_long: bool,
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, line: Vec::new(), number: 0 }
    }

    /// The next line that is not empty.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            self.line.clear();
            let mut limited = (&mut self.source).take(LINE_LEN_MAX as u64 + 1);
            if limited.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_too_long = self.line.len() > LINE_LEN_MAX && self.line.last() != Some(&b'\n');
            if is_too_long {
                self.source.skip_until(b'\n')?;
            }
            if !self.line.trim_ascii().is_empty() {
                let bytes = self.line.trim_ascii_end();
                return Ok(Some(Line { number: self.number, bytes, is_too_long }));
            }
        }
    }
}

/// Passes over a byte order mark.
pub(crate) fn skip_bom(source: &mut Source) -> io::Result<()> {
    // A pipe may give a file byte by byte; a mark that is cut in two there is left and is a bad first line.
    if source.fill_buf()?.starts_with(BOM) {
        source.consume(BOM.len());
    }
    Ok(())
}

/// The first byte that is no white space, as far as one look at the source tells.
pub(crate) fn first_byte(source: &mut Source) -> io::Result<Option<u8>> {
    Ok(source.fill_buf()?.iter().copied().find(|byte| !byte.is_ascii_whitespace()))
}
