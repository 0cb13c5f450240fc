//! Reads a file entry by entry.
//!
//! What is no record comes back as [`Bad`] and the next entry follows. Only a file that is not of its format
//! at all, or cannot be read, is an error. The position behind each entry lets a reader of the same file begin
//! there later: equal bytes give equal entries.

use crate::format::Format;
use crate::lines::{self, LINE_LEN_MAX, Source};
use crate::reason::Reason;
use crate::record::{Defaults, Finisher, Record};
use crate::{csv, json_lines, line_protocol, parquet_file, senml};
use std::fs::File;
use std::io::{self, BufReader, Read};

/// How much of a bad line is kept, in bytes.
pub const HEAD_LEN_MAX: usize = 200;

/// Entries of a file, one after the other. Ends after an error.
#[derive(Debug)]
pub struct Reader {
    inner: Inner,
    position: u64,
    is_over: bool,
}

/// One entry of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// How many entries there are up to here; [`Reader::skip_to`] begins behind them.
    pub position: u64,
    /// The record, or why it is none.
    pub record: Result<Record, Bad>,
}

/// An entry that is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} {number}: {reason}")]
pub struct Bad {
    /// What `number` counts: `line`, `row` or `element`.
    pub place: &'static str,
    /// From 1; of an entry of several lines the first.
    pub number: u64,
    /// One stable word per reason, for counters.
    pub code: &'static str,
    /// What is wrong and what is expected.
    pub reason: String,
    /// How it begins; at most [`HEAD_LEN_MAX`] bytes, without control characters.
    pub head: String,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk, or the pipe.
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
    /// It holds something else.
    #[error("not {format}: {found}; expected {expected}")]
    NotThisFormat {
        /// What it was opened as.
        format: Format,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// Parquet is read from its end.
    #[error("a Parquet file is read from its end: expected a file, not a pipe")]
    NeedsFile,
}

impl Reader {
    /// Reads a file of any format.
    ///
    /// # Errors
    /// When the file cannot be read or is not of this format.
    pub fn open(format: Format, file: File, defaults: Defaults) -> Result<Self, OpenError> {
        if format == Format::Parquet {
            let finisher = Finisher::new(defaults);
            let inner = Inner::Parquet(Box::new(parquet_file::Reader::open(file, finisher)?));
            return Ok(Self { inner, position: 0, is_over: false });
        }
        Self::stream(format, Box::new(file), defaults)
    }

    /// Reads a stream, in any format but Parquet.
    ///
    /// # Errors
    /// When the stream cannot be read or is not of this format; [`OpenError::NeedsFile`] for Parquet.
    pub fn stream(
        format: Format,
        source: Box<dyn Read + Send>,
        defaults: Defaults,
    ) -> Result<Self, OpenError> {
        let mut source: Source = BufReader::with_capacity(LINE_LEN_MAX, source);
        lines::skip_bom(&mut source)?;
        let finisher = Finisher::new(defaults);
        let inner = match format {
            Format::Csv => Inner::Csv(Box::new(csv::read::Reader::open(source, finisher)?)),
            Format::JsonLines => Inner::JsonLines(json_lines::Reader::open(source, finisher)?),
            Format::LineProtocol => {
                Inner::LineProtocol(line_protocol::read::Reader::open(source, finisher)?)
            }
            Format::SenMl => Inner::SenMl(Box::new(senml::read::Reader::open(source, finisher)?)),
            Format::Parquet => return Err(OpenError::NeedsFile),
        };
        Ok(Self { inner, position: 0, is_over: false })
    }

    /// How many entries were read.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Passes over entries until `position`, that of an [`Entry`] of the same file. False when the file ends
    /// before it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn skip_to(&mut self, position: u64) -> io::Result<bool> {
        while self.position < position {
            match self.next() {
                Some(entry) => drop(entry?),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn next_entry(&mut self) -> io::Result<Option<Result<Record, Bad>>> {
        match &mut self.inner {
            Inner::Csv(reader) => reader.next(),
            Inner::JsonLines(reader) => reader.next(),
            Inner::Parquet(reader) => reader.next(),
            Inner::LineProtocol(reader) => reader.next(),
            Inner::SenMl(reader) => reader.next(),
        }
    }
}

impl Iterator for Reader {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let entry = self.next_entry();
        self.is_over = !matches!(entry, Ok(Some(_)));
        let record = entry.transpose()?;
        Some(record.map(|record| {
            self.position += 1;
            Entry { position: self.position, record }
        }))
    }
}

impl Bad {
    pub(crate) fn new(place: &'static str, number: u64, why: Reason, bytes: &[u8]) -> Self {
        let head = bytes.get(..HEAD_LEN_MAX).unwrap_or(bytes);
        let head: String = String::from_utf8_lossy(head)
            .chars()
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        let head =
            head.get(..head.floor_char_boundary(HEAD_LEN_MAX)).unwrap_or_default().to_owned();
        Self { place, number, code: why.code, reason: why.text.into_owned(), head }
    }
}

/// The reason for a line beyond [`LINE_LEN_MAX`].
pub(crate) fn too_long() -> Reason {
    Reason::new("too_long", format!("longer than {LINE_LEN_MAX} bytes: expected a shorter line"))
}

enum Inner {
    Csv(Box<csv::read::Reader>),
    JsonLines(json_lines::Reader),
    Parquet(Box<parquet_file::Reader>),
    LineProtocol(line_protocol::read::Reader),
    SenMl(Box<senml::read::Reader>),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Csv(_) => "Csv",
            Self::JsonLines(_) => "JsonLines",
            Self::Parquet(_) => "Parquet",
            Self::LineProtocol(_) => "LineProtocol",
            Self::SenMl(_) => "SenMl",
        })
    }
}

#[cfg(test)]
mod tests;
