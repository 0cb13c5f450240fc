//! Gathers rows column by column, and writes each full row group.

use crate::record::Record;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

/// What the columns are; the order is that of [`Rows::write`].
const SCHEMA: &str = "message mtom {
    optional int64 id (INTEGER(64,false));
    required int64 time (TIMESTAMP(MICROS,true));
    optional int64 arrived_at (TIMESTAMP(MICROS,true));
    optional int64 taken_at (TIMESTAMP(MICROS,true));
    required boolean suspect;
    required binary topic (STRING);
    required binary device (STRING);
    required binary quantity (STRING);
    required double value;
    required binary unit (STRING);
    optional binary boot (STRING);
    optional int64 seq (INTEGER(64,false));
}";
/// Whole numbers that rise: each is written as its distance from the one before.
const RISING: [&str; 5] = ["id", "time", "arrived_at", "taken_at", "seq"];
/// How many rows are in memory: some 10 MB.
pub(super) const GROUP_LEN: usize = 65_536;

/// Writes records.
pub(crate) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    rows: Rows,
}

impl<W: Write + Send> Writer<W> {
    pub(crate) fn new(sink: W) -> io::Result<Self> {
        let schema = parse_message_type(SCHEMA).map_err(failed)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for name in RISING {
            let column = ColumnPath::from(name);
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
        let file = SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties.build()));
        Ok(Self { file: file.map_err(failed)?, rows: Rows::default() })
    }

    pub(crate) fn write(&mut self, record: &Record) -> io::Result<()> {
        self.rows.add(record);
        if self.rows.at.len() == GROUP_LEN { self.write_group() } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.rows.at.is_empty() {
            self.write_group()?;
        }
        let mut sink = self.file.into_inner().map_err(failed)?;
        sink.flush()?;
        Ok(sink)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.file.next_row_group().map_err(failed)?;
        self.rows.write(&mut group).map_err(failed)?;
        group.close().map_err(failed)?;
        self.rows.clear();
        Ok(())
    }
}

/// The columns of one row group.
#[derive(Default)]
struct Rows {
    id: Nullable<i64>,
    at: Vec<i64>,
    arrived_at: Nullable<i64>,
    taken_at: Nullable<i64>,
    suspect: Vec<bool>,
    topic: Vec<ByteArray>,
    device: Vec<ByteArray>,
    quantity: Vec<ByteArray>,
    value: Vec<f64>,
    unit: Vec<ByteArray>,
    boot: Nullable<ByteArray>,
    seq: Nullable<i64>,
    /// Each different text once.
    texts: HashMap<Box<str>, ByteArray>,
}

impl Rows {
    fn add(&mut self, record: &Record) {
        self.id.push(record.id.map(u64::cast_signed));
        self.at.push(record.at.0);
        self.arrived_at.push(record.arrived_at.map(|time| time.0));
        self.taken_at.push(record.taken_at.map(|time| time.0));
        self.suspect.push(record.suspect);
        let texts = &mut self.texts;
        self.topic.push(shared(texts, &record.topic));
        self.device.push(shared(texts, &record.device));
        self.quantity.push(shared(texts, &record.quantity));
        self.value.push(record.value);
        self.unit.push(shared(texts, record.unit.symbol()));
        self.boot.push(record.key.as_ref().map(|key| shared(texts, &key.boot)));
        self.seq.push(record.key.as_ref().map(|key| key.seq.cast_signed()));
    }

    fn write<W: Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        column::<Int64Type, W>(group, &self.id.values, Some(&self.id.levels))?;
        column::<Int64Type, W>(group, &self.at, None)?;
        column::<Int64Type, W>(group, &self.arrived_at.values, Some(&self.arrived_at.levels))?;
        column::<Int64Type, W>(group, &self.taken_at.values, Some(&self.taken_at.levels))?;
        column::<BoolType, W>(group, &self.suspect, None)?;
        column::<ByteArrayType, W>(group, &self.topic, None)?;
        column::<ByteArrayType, W>(group, &self.device, None)?;
        column::<ByteArrayType, W>(group, &self.quantity, None)?;
        column::<DoubleType, W>(group, &self.value, None)?;
        column::<ByteArrayType, W>(group, &self.unit, None)?;
        column::<ByteArrayType, W>(group, &self.boot.values, Some(&self.boot.levels))?;
        column::<Int64Type, W>(group, &self.seq.values, Some(&self.seq.levels))
    }

    /// Ready for the next group, in the same memory.
    fn clear(&mut self) {
        self.at.clear();
        self.suspect.clear();
        self.value.clear();
        for texts in [&mut self.topic, &mut self.device, &mut self.quantity, &mut self.unit] {
            texts.clear();
        }
        for numbers in [&mut self.id, &mut self.arrived_at, &mut self.taken_at, &mut self.seq] {
            numbers.clear();
        }
        self.boot.clear();
        self.texts.clear();
    }
}

/// A column that may have no value: those that are there, and for each row whether it is.
#[derive(Default)]
struct Nullable<T> {
    values: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Nullable<T> {
    fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.levels.clear();
    }
}

fn shared(texts: &mut HashMap<Box<str>, ByteArray>, text: &str) -> ByteArray {
    if let Some(known) = texts.get(text) {
        return known.clone();
    }
    let array = ByteArray::from(text);
    texts.insert(text.into(), array.clone());
    array
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns".to_owned()));
    };
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// An error of the sink as it was, any other with its words.
fn failed(cause: ParquetError) -> io::Error {
    match cause {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        cause => io::Error::other(cause),
    }
}
