//! Writes a file record by record.

use crate::format::Format;
use crate::reason::Reason;
use crate::record::Record;
use crate::{csv, json_lines, line_protocol, parquet_file, senml};
use std::fmt;
use std::io::{self, BufWriter, Write};

/// How much is gathered before the sink gets it, in bytes.
const BUFFER_LEN: usize = 64 * 1024;

/// Writes records; nothing is complete before [`Writer::finish`].
pub struct Writer<W: Write + Send> {
    inner: Inner<W>,
    written: u64,
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk, or the pipe: the file is not complete.
    #[error("the file cannot be written")]
    Io(#[from] io::Error),
    /// The format has no form for it. Nothing of it was written, the next one may be.
    #[error("a record cannot be written: {reason}")]
    Unwritable {
        /// What is wrong and what is expected.
        reason: String,
    },
}

impl<W: Write + Send> Writer<W> {
    /// A file without records, which has its header.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn new(format: Format, sink: W) -> io::Result<Self> {
        if format == Format::Parquet {
            let inner = Inner::Parquet(Box::new(parquet_file::Writer::new(sink)?));
            return Ok(Self { inner, written: 0 });
        }
        let mut text =
            Text { format, sink: BufWriter::with_capacity(BUFFER_LEN, sink), line: Vec::new() };
        match format {
            Format::Csv => text.sink.write_all(csv::HEADER.as_bytes())?,
            Format::SenMl => text.sink.write_all(b"[")?,
            Format::JsonLines | Format::LineProtocol | Format::Parquet => {}
        }
        Ok(Self { inner: Inner::Text(text), written: 0 })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`WriteError::Unwritable`] leaves the file as it was; after [`WriteError::Io`] it is not complete.
    pub fn write(&mut self, record: &Record) -> Result<(), WriteError> {
        record.check()?;
        match &mut self.inner {
            Inner::Parquet(writer) => writer.write(record)?,
            Inner::Text(text) => {
                text.line.clear();
                match text.format {
                    Format::Csv => csv::append(&mut text.line, record),
                    Format::JsonLines => json_lines::append(&mut text.line, record)?,
                    Format::LineProtocol => line_protocol::append(&mut text.line, record)?,
                    Format::SenMl => senml::append(&mut text.line, record, self.written == 0)?,
                    Format::Parquet => {}
                }
                text.sink.write_all(&text.line)?;
            }
        }
        self.written += 1;
        Ok(())
    }

    /// How many records were written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Ends the file and gives the sink back, which has everything then.
    ///
    /// # Errors
    /// When the sink fails: the file is not complete.
    pub fn finish(self) -> io::Result<W> {
        match self.inner {
            Inner::Parquet(writer) => writer.finish(),
            Inner::Text(mut text) => {
                if text.format == Format::SenMl {
                    text.sink.write_all(b"\n]\n")?;
                }
                text.sink.into_inner().map_err(io::IntoInnerError::into_error)
            }
        }
    }
}

impl<W: Write + Send> fmt::Debug for Writer<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").field("written", &self.written).finish_non_exhaustive()
    }
}

impl From<Reason> for WriteError {
    fn from(why: Reason) -> Self {
        Self::Unwritable { reason: why.text.into_owned() }
    }
}

enum Inner<W: Write + Send> {
    Text(Text<W>),
    Parquet(Box<parquet_file::Writer<W>>),
}

struct Text<W: Write + Send> {
    format: Format,
    sink: BufWriter<W>,
    /// The record that is being written, whole before the sink sees it.
    line: Vec<u8>,
}
