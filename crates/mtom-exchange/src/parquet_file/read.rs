//! Reads columns by their names, a few thousand rows at a time. Columns that are not ours are passed over.
//!
//! A row group that is damaged is one bad entry; the next group follows. The decoders of the crate `parquet`
//! panic on some damage, so each call into them is caught here, and what they held is given up.

use crate::format::Format;
use crate::reader::{Bad, OpenError};
use crate::reason::Reason;
use crate::record::{Draft, Finisher, Record, parse_time};
use bytes::Bytes;
use jiff::tz::TimeZone;
use mtom_protocol::payload::NotAReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::io;
use std::panic::{self, AssertUnwindSafe};

const EXPECTED: &str = "a Parquet file with at least the columns `time` and `value`";
/// How many rows are in memory.
const BATCH_LEN: usize = 4096;
/// The largest whole number up to which a float holds every one.
const EXACT_MAX: u64 = 1 << 53;

/// Reads records.
pub(crate) struct Reader {
    file: SerializedFileReader<Bounded>,
    fields: Vec<Field>,
    finisher: Finisher,
    /// The row group that comes next.
    group: usize,
    /// Of the group that is open, in the order of `fields`.
    columns: Vec<ColumnReader>,
    /// The rows that are left in that group.
    group_rest: usize,
    batches: Vec<Values>,
    batch_len: usize,
    /// The next row of the batch.
    row: usize,
    /// Rows behind us, from the beginning of the file.
    number: u64,
}

/// A column that is read.
struct Field {
    what: What,
    column: usize,
    is_optional: bool,
    /// Of a time that is a number.
    time: Option<Time>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Id,
    At,
    ArrivedAt,
    TakenAt,
    Suspect,
    Topic,
    Device,
    Quantity,
    Value,
    Unit,
    Boot,
    Seq,
}

/// What a timestamp counts.
#[derive(Clone, Copy)]
struct Time {
    per_second: i64,
    is_utc: bool,
}

impl Reader {
    pub(crate) fn open(file: File, finisher: Finisher) -> Result<Self, OpenError> {
        let len = file.metadata()?.len();
        let file = fenced(|| SerializedFileReader::new(Bounded { file, len }))
            .map_err(|cause| wrong(said(&cause)))?;
        let mut fields = Vec::new();
        for (column, descriptor) in
            file.metadata().file_metadata().schema_descr().columns().iter().enumerate()
        {
            fields.extend(field(column, descriptor).map_err(wrong)?);
        }
        for (needed, name) in [(What::At, "time"), (What::Value, "value")] {
            match fields.iter().filter(|field| field.what == needed).count() {
                1 => {}
                0 => return Err(wrong(format!("it has no column `{name}`"))),
                _ => return Err(wrong(format!("it has two columns `{name}`"))),
            }
        }
        for group in file.metadata().row_groups() {
            for field in &fields {
                let codec = group.columns().get(field.column).map(|column| column.compression());
                if !matches!(codec, Some(Compression::UNCOMPRESSED | Compression::SNAPPY)) {
                    let found = codec.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
                    return Err(OpenError::NotThisFormat {
                        format: Format::Parquet,
                        found: format!("its columns are compressed with {found}"),
                        expected: "SNAPPY or no compression",
                    });
                }
            }
        }
        Ok(Self {
            file,
            fields,
            finisher,
            group: 0,
            columns: Vec::new(),
            group_rest: 0,
            batches: Vec::new(),
            batch_len: 0,
            row: 0,
            number: 0,
        })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Record, Bad>>> {
        while self.row == self.batch_len {
            if self.group_rest == 0 {
                if self.group == self.file.num_row_groups() {
                    return Ok(None);
                }
                if let Err(cause) = fenced(|| self.open_group()) {
                    return Ok(Some(Err(self.damaged(&cause))));
                }
            } else if let Err(cause) = fenced(|| self.read_batch()) {
                return Ok(Some(Err(self.damaged(&cause))));
            }
        }
        let record = self.record();
        self.row += 1;
        self.number += 1;
        Ok(Some(record.map_err(|why| Bad::new("row", self.number, why, b""))))
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        self.columns.clear();
        self.group += 1;
        let group = self.file.get_row_group(self.group - 1)?;
        let rows = group.metadata().num_rows();
        self.group_rest = usize::try_from(rows).map_err(|_| damage("a negative number of rows"))?;
        for field in &self.fields {
            self.columns.push(group.get_column_reader(field.column)?);
        }
        Ok(())
    }

    fn read_batch(&mut self) -> Result<(), ParquetError> {
        let wanted = self.group_rest.min(BATCH_LEN);
        self.batches.clear();
        for (column, field) in self.columns.iter_mut().zip(&self.fields) {
            let values = Values::read(column, wanted, field.is_optional)?;
            if values.len() != wanted {
                return Err(damage("a column with fewer rows than its group"));
            }
            self.batches.push(values);
        }
        self.group_rest -= wanted;
        self.batch_len = wanted;
        self.row = 0;
        Ok(())
    }

    /// Passes over what is left of the group.
    fn damaged(&mut self, cause: &ParquetError) -> Bad {
        let text = format!("the row group from here on cannot be read: {}", said(cause));
        let bad = Bad::new("row", self.number + 1, Reason::new("damaged", text), b"");
        self.number = self.number.saturating_add(self.group_rest as u64);
        (self.group_rest, self.batch_len, self.row) = (0, 0, 0);
        self.columns.clear();
        self.batches.clear();
        bad
    }

    fn record(&mut self) -> Result<Record, Reason> {
        let mut draft = Draft { value: f64::NAN, ..Draft::default() };
        let zone = &self.finisher.defaults.zone;
        for (field, values) in self.fields.iter().zip(&self.batches) {
            let row = self.row;
            match field.what {
                What::Id => draft.id = values.integer(row).map(i64::cast_unsigned),
                What::Seq => draft.seq = values.integer(row).map(i64::cast_unsigned),
                What::At => draft.at = values.time(row, field.time, zone)?,
                What::ArrivedAt => draft.arrived_at = values.time(row, field.time, zone)?,
                What::TakenAt => draft.taken_at = values.time(row, field.time, zone)?,
                What::Suspect => draft.suspect = values.boolean(row).unwrap_or(false),
                What::Topic => draft.topic = values.text(row)?,
                What::Device => draft.device = values.text(row)?,
                What::Quantity => draft.quantity = values.text(row)?,
                What::Boot => draft.boot = values.text(row)?,
                What::Value => draft.value = values.number(row)?.unwrap_or(f64::NAN),
                What::Unit => {
                    let unit = values.text(row)?.map(Unit::parse);
                    draft.unit =
                        unit.map(|unit| unit.ok_or(NotAReading::UnknownUnit)).transpose()?;
                }
            }
        }
        self.finisher.record(&draft)
    }
}

/// What a column is for; nothing when it is not ours.
fn field(column: usize, descriptor: &ColumnDescriptor) -> Result<Option<Field>, String> {
    let parts = descriptor.path().parts();
    let [name] = parts else { return Ok(None) };
    let what = match name.to_ascii_lowercase().as_str() {
        "id" => What::Id,
        "at" | "time" | "timestamp" => What::At,
        "arrived_at" => What::ArrivedAt,
        "taken_at" => What::TakenAt,
        "suspect" => What::Suspect,
        "topic" => What::Topic,
        "device" => What::Device,
        "quantity" => What::Quantity,
        "value" | "temp" | "temperature" => What::Value,
        "unit" => What::Unit,
        "boot" => What::Boot,
        "seq" => What::Seq,
        _ => return Ok(None),
    };
    let physical = descriptor.physical_type();
    let time = time_of(descriptor);
    let is_right = match what {
        What::Id | What::Seq => matches!(physical, Physical::INT64 | Physical::INT32),
        What::At | What::ArrivedAt | What::TakenAt => {
            time.is_some() || physical == Physical::BYTE_ARRAY
        }
        What::Suspect => physical == Physical::BOOLEAN,
        What::Value => matches!(
            physical,
            Physical::DOUBLE | Physical::FLOAT | Physical::INT64 | Physical::INT32
        ),
        What::Topic | What::Device | What::Quantity | What::Unit | What::Boot => {
            physical == Physical::BYTE_ARRAY
        }
    };
    let is_flat = descriptor.max_rep_level() == 0 && descriptor.max_def_level() <= 1;
    if !is_right || !is_flat {
        let name: String = name.chars().take(40).collect();
        return Err(format!("its column `{name}` is {physical}, which is not what it should be"));
    }
    Ok(Some(Field { what, column, is_optional: descriptor.max_def_level() == 1, time }))
}

fn time_of(descriptor: &ColumnDescriptor) -> Option<Time> {
    if descriptor.physical_type() != Physical::INT64 {
        return None;
    }
    let time = |per_second, is_utc| Some(Time { per_second, is_utc });
    match descriptor.logical_type_ref() {
        Some(LogicalType::Timestamp(kind)) => match kind.unit {
            TimeUnit::MILLIS => time(1_000, kind.is_adjusted_to_u_t_c),
            TimeUnit::MICROS => time(1_000_000, kind.is_adjusted_to_u_t_c),
            TimeUnit::NANOS => time(1_000_000_000, kind.is_adjusted_to_u_t_c),
        },
        Some(_) => None,
        None => match descriptor.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => time(1_000, true),
            ConvertedType::TIMESTAMP_MICROS => time(1_000_000, true),
            _ => None,
        },
    }
}

impl Time {
    fn at(self, count: i64, zone: &TimeZone) -> Result<UnixMicros, Reason> {
        let micros = match self.per_second {
            1_000 => count.checked_mul(1_000),
            1_000_000 => Some(count),
            _ => Some(count.div_euclid(1_000)),
        };
        let far = || Reason::new(NotAReading::Time.code(), "a time outside the years 0 to 9999");
        let micros = micros.ok_or_else(far)?;
        if self.is_utc {
            return Ok(UnixMicros(micros));
        }
        let local = jiff::Timestamp::from_microsecond(micros).map_err(|_| far())?;
        let at = zone.to_timestamp(TimeZone::UTC.to_datetime(local)).map_err(|_| far())?;
        Ok(UnixMicros(at.as_microsecond()))
    }
}

/// Some rows of one column.
enum Values {
    Integers(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Booleans(Vec<Option<bool>>),
    Texts(Vec<Option<ByteArray>>),
}

impl Values {
    fn read(
        column: &mut ColumnReader,
        wanted: usize,
        is_optional: bool,
    ) -> Result<Self, ParquetError> {
        Ok(match column {
            ColumnReader::BoolColumnReader(column) => {
                Self::Booleans(rows(column, wanted, is_optional, |value| value)?)
            }
            ColumnReader::Int32ColumnReader(column) => {
                Self::Integers(rows(column, wanted, is_optional, i64::from)?)
            }
            ColumnReader::Int64ColumnReader(column) => {
                Self::Integers(rows(column, wanted, is_optional, |value| value)?)
            }
            ColumnReader::FloatColumnReader(column) => {
                Self::Numbers(rows(column, wanted, is_optional, f64::from)?)
            }
            ColumnReader::DoubleColumnReader(column) => {
                Self::Numbers(rows(column, wanted, is_optional, |value| value)?)
            }
            ColumnReader::ByteArrayColumnReader(column) => {
                Self::Texts(rows(column, wanted, is_optional, |value| value)?)
            }
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                return Err(damage("a column of another type than the schema says"));
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Numbers(values) => values.len(),
            Self::Booleans(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    fn integer(&self, row: usize) -> Option<i64> {
        match self {
            Self::Integers(values) => values.get(row).copied().flatten(),
            _ => None,
        }
    }

    fn boolean(&self, row: usize) -> Option<bool> {
        match self {
            Self::Booleans(values) => values.get(row).copied().flatten(),
            _ => None,
        }
    }

    fn number(&self, row: usize) -> Result<Option<f64>, Reason> {
        match self {
            Self::Numbers(values) => Ok(values.get(row).copied().flatten()),
            _ => match self.integer(row) {
                Some(value) if value.unsigned_abs() > EXACT_MAX => {
                    let text = "a whole number beyond 2^53: expected one that is exact";
                    Err(Reason::new("inexact", text))
                }
                value => Ok(value.map(|value| value as f64)),
            },
        }
    }

    fn text(&self, row: usize) -> Result<Option<&str>, Reason> {
        let Self::Texts(values) = self else { return Ok(None) };
        let Some(bytes) = values.get(row).and_then(Option::as_ref) else { return Ok(None) };
        std::str::from_utf8(bytes.data())
            .map(Some)
            .map_err(|_| Reason::new("not_utf8", "not UTF-8: expected text in UTF-8"))
    }

    fn time(
        &self,
        row: usize,
        time: Option<Time>,
        zone: &TimeZone,
    ) -> Result<Option<UnixMicros>, Reason> {
        match time {
            Some(time) => self.integer(row).map(|count| time.at(count, zone)).transpose(),
            None => self.text(row)?.map(|text| parse_time(text.trim(), zone)).transpose(),
        }
    }
}

fn rows<T: DataType, V>(
    column: &mut ColumnReaderImpl<T>,
    wanted: usize,
    is_optional: bool,
    convert: impl Fn(T::T) -> V,
) -> Result<Vec<Option<V>>, ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    column.read_records(wanted, is_optional.then_some(&mut levels), None, &mut values)?;
    let mut values = values.into_iter().map(convert);
    if !is_optional {
        return Ok(values.map(Some).collect());
    }
    Ok(levels.into_iter().map(|level| if level == 1 { values.next() } else { None }).collect())
}

/// A file that is never asked for more than it has: a damaged one would name any length.
struct Bounded {
    file: File,
    len: u64,
}

impl Length for Bounded {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Bounded {
    type T = <File as ChunkReader>::T;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(damage("a part that lies behind the end of the file"));
        }
        self.file.get_bytes(start, length)
    }
}

/// What is given up after a panic: nothing that `work` has changed is looked at again.
fn fenced<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let panicked = |_| Err(damage("its bytes are damaged"));
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

fn damage(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

fn wrong(found: String) -> OpenError {
    OpenError::NotThisFormat { format: Format::Parquet, found, expected: EXPECTED }
}

fn said(cause: &ParquetError) -> String {
    cause.to_string().chars().filter(|c| !c.is_control()).take(200).collect()
}
