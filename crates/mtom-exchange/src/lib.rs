//! Readings to files and back, exactly: CSV, JSON lines, Parquet, InfluxDB line protocol, SenML.
//!
//! [`writer::Writer`] and [`reader::Reader`] stream: a file of any length takes the memory of a few records
//! (Parquet: of one row group). What others write is read too, with [`record::Defaults`] for what they leave
//! out. A line that is no reading comes back with its number and its reason, and stops nothing.
//!
//! All keep every field, bit for bit; line protocol and SenML all but the journal number. What a format has no
//! form for is refused when it is written.
//!
//! Knows no SQL, no sockets and no clock.

#![deny(clippy::indexing_slicing)]

pub mod csv;
pub mod format;
mod json_lines;
mod line_protocol;
mod lines;
mod parquet_file;
pub mod reader;
mod reason;
pub mod record;
mod senml;
pub mod writer;

#[cfg(test)]
mod testing;
