//! Reads CSV, also of others: a header that names at least a time and a value; comma, semicolon or tab.

use super::HEADER;
use crate::format::Format;
use crate::lines::{LINE_LEN_MAX, Source};
use crate::reader::{Bad, HEAD_LEN_MAX, OpenError, too_long};
use crate::reason::Reason;
use crate::record::{Draft, Finisher, Record, parse_time, parse_value};
use csv_core::ReadRecordResult;
use mtom_protocol::payload::NotAReading;
use mtom_protocol::unit::Unit;
use std::io::{self, BufRead};

const EXPECTED: &str = "a first line that names the columns, at least `time` and `value` or `temp`";
/// The most columns that a file may have.
const COLUMNS_LEN_MAX: usize = 1024;

/// Reads records.
pub(crate) struct Reader {
    records: Records,
    columns: Vec<Column>,
    is_ours: bool,
    finisher: Finisher,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
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
    Other,
}

impl Column {
    fn named(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "id" => Self::Id,
            "at" | "time" | "timestamp" => Self::At,
            "arrived_at" => Self::ArrivedAt,
            "taken_at" => Self::TakenAt,
            "suspect" => Self::Suspect,
            "topic" => Self::Topic,
            "device" => Self::Device,
            "quantity" => Self::Quantity,
            "value" | "temp" | "temperature" => Self::Value,
            "unit" => Self::Unit,
            "boot" => Self::Boot,
            "seq" => Self::Seq,
            _ => Self::Other,
        }
    }
}

impl Reader {
    pub(crate) fn open(source: Source, finisher: Finisher) -> Result<Self, OpenError> {
        let mut records = Records::new(source);
        records.core = csv_core::ReaderBuilder::new().delimiter(records.delimiter()?).build();
        let wrong = |found: String| OpenError::NotThisFormat {
            format: Format::Csv,
            found,
            expected: EXPECTED,
        };
        let Some(header) = records.next()? else {
            return Err(wrong("the file is empty".to_owned()));
        };
        let Ok(cells) = header.cells else {
            return Err(wrong("the first line cannot be read".to_owned()));
        };
        let is_ours = cells.iter().eq(HEADER.trim_end().split(','));
        let columns: Vec<Column> = cells.iter().map(Column::named).collect();
        for needed in [Column::At, Column::Value] {
            match columns.iter().filter(|column| **column == needed).count() {
                1 => {}
                0 => return Err(wrong(format!("its columns are {}", names(&cells)))),
                _ => return Err(wrong(format!("two of its columns are one: {}", names(&cells)))),
            }
        }
        Ok(Self { records, columns, is_ours, finisher })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Record, Bad>>> {
        let Self { records, columns, is_ours, finisher } = self;
        let Some(row) = records.next()? else { return Ok(None) };
        let record = row.cells.and_then(|cells| record(&cells, columns, *is_ours, finisher));
        Ok(Some(record.map_err(|why| Bad::new("line", row.number, why, row.raw))))
    }
}

fn record(
    cells: &Cells<'_>,
    columns: &[Column],
    is_ours: bool,
    finisher: &mut Finisher,
) -> Result<Record, Reason> {
    if cells.ends.len() != columns.len() {
        let (found, expected) = (cells.ends.len(), columns.len());
        return Err(Reason::new("cells", format!("{found} cells: expected {expected}")));
    }
    let mut draft = Draft::default();
    let zone = &finisher.defaults.zone;
    for (column, cell) in columns.iter().zip(cells.iter()) {
        let text = if is_ours { cell.strip_prefix('\'').unwrap_or(cell) } else { cell };
        if *column == Column::Unit {
            // Ours has no symbol for a plain number; another file may only have left it out.
            if is_ours || !cell.is_empty() {
                draft.unit = Some(Unit::parse(cell.trim()).ok_or(NotAReading::UnknownUnit)?);
            }
            continue;
        }
        if cell.is_empty() && *column != Column::Value {
            continue;
        }
        match column {
            Column::Id => draft.id = Some(integer(cell)?),
            Column::At => draft.at = Some(parse_time(cell.trim(), zone)?),
            Column::ArrivedAt => draft.arrived_at = Some(parse_time(cell.trim(), zone)?),
            Column::TakenAt => draft.taken_at = Some(parse_time(cell.trim(), zone)?),
            Column::Suspect => draft.suspect = boolean(cell)?,
            Column::Topic => draft.topic = Some(text),
            Column::Device => draft.device = Some(text),
            Column::Quantity => draft.quantity = Some(text),
            Column::Value => draft.value = parse_value(cell.trim())?,
            Column::Boot => draft.boot = Some(text),
            Column::Seq => draft.seq = Some(integer(cell)?),
            Column::Unit | Column::Other => {}
        }
    }
    finisher.record(&draft)
}

fn integer(cell: &str) -> Result<u64, Reason> {
    let expected = "not a whole number: expected id and seq from 0 to 2^64-1";
    cell.trim().parse().map_err(|_| Reason::new("integer", expected))
}

fn boolean(cell: &str) -> Result<bool, Reason> {
    match cell.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Reason::new("boolean", "suspect: expected true or false")),
    }
}

fn names(cells: &Cells<'_>) -> String {
    let text: String = cells.iter().flat_map(|cell| [cell, " "]).take(40).collect();
    text.chars().filter(|c| !c.is_control()).take(100).collect::<String>().trim().to_owned()
}

/// Splits bytes into records and cells, within a buffer that does not grow.
struct Records {
    source: Source,
    core: csv_core::Reader,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are behind us.
    start: usize,
    is_at_end: bool,
    /// Of the line that `start` is in, from 1.
    number: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// One record.
struct Row<'a> {
    /// Its first line.
    number: u64,
    raw: &'a [u8],
    cells: Result<Cells<'a>, Reason>,
}

struct Cells<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a str> {
        let (text, mut start) = (self.text, 0);
        self.ends.iter().map(move |&end| {
            let cell = text.get(start..end).unwrap_or_default();
            start = end;
            cell
        })
    }
}

impl Records {
    fn new(source: Source) -> Self {
        Self {
            source,
            core: csv_core::Reader::new(),
            buffer: Vec::new(),
            start: 0,
            is_at_end: false,
            number: 1,
            text: vec![0; 2 * LINE_LEN_MAX],
            ends: vec![0; COLUMNS_LEN_MAX],
        }
    }

    /// What separates the cells of the first line.
    fn delimiter(&mut self) -> io::Result<u8> {
        let head = self.source.fill_buf()?;
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok([b',', b';', b'\t'].into_iter().find(|byte| line.contains(byte)).unwrap_or(b','))
    }

    fn next(&mut self) -> io::Result<Option<Row<'_>>> {
        loop {
            self.skip_line_ends();
            let window = self.buffer.get(self.start..).unwrap_or_default();
            if window.is_empty() {
                if self.is_at_end {
                    return Ok(None);
                }
                self.fill()?;
                continue;
            }
            self.core.reset();
            let (outcome, len, text_len, ends_len) =
                self.core.read_record(window, &mut self.text, &mut self.ends);
            match outcome {
                ReadRecordResult::Record if len <= LINE_LEN_MAX => {
                    return Ok(Some(self.row(len, text_len, ends_len)));
                }
                ReadRecordResult::InputEmpty if window.len() < LINE_LEN_MAX && !self.is_at_end => {
                    self.fill()?;
                }
                ReadRecordResult::OutputEndsFull => {
                    let text = format!("more than {COLUMNS_LEN_MAX} cells: expected fewer");
                    return self.bad_line(Reason::new("cells", text)).map(Some);
                }
                _ => return self.bad_line(unending()).map(Some),
            }
        }
    }

    fn row(&mut self, len: usize, text_len: usize, ends_len: usize) -> Row<'_> {
        let (number, start) = (self.number, self.start);
        self.advance(len);
        let raw = self.buffer.get(start..start + len).unwrap_or_default();
        let ends = self.ends.get(..ends_len).unwrap_or_default();
        let text = std::str::from_utf8(self.text.get(..text_len).unwrap_or_default());
        let text = text.ok().filter(|text| ends.iter().all(|end| text.is_char_boundary(*end)));
        let cells = text
            .map(|text| Cells { text, ends })
            .ok_or_else(|| Reason::new("not_utf8", "not UTF-8: expected text in UTF-8"));
        Row { number, raw: raw.trim_ascii_end(), cells }
    }

    /// Passes over one line that is in no record: the quote that it opens may be a slip, and what follows
    /// is then as good as ever.
    fn bad_line(&mut self, why: Reason) -> io::Result<Row<'_>> {
        let number = self.number;
        let window = self.buffer.get(self.start..).unwrap_or_default();
        if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
            let start = self.start;
            self.advance(end + 1);
            let raw = self.buffer.get(start..start + end).unwrap_or_default();
            return Ok(Row { number, raw, cells: Err(why) });
        }
        let head_len = window.len().min(HEAD_LEN_MAX);
        let head = window.get(..head_len).unwrap_or_default();
        if let Some(kept) = self.text.get_mut(..head_len) {
            kept.copy_from_slice(head);
        }
        self.start = self.buffer.len();
        if !self.is_at_end {
            self.source.skip_until(b'\n')?;
        }
        self.number += 1;
        let raw = self.text.get(..head_len).unwrap_or_default();
        Ok(Row { number, raw, cells: Err(too_long()) })
    }

    fn skip_line_ends(&mut self) {
        let window = self.buffer.get(self.start..).unwrap_or_default();
        let len = window.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.advance(len);
    }

    fn advance(&mut self, len: usize) {
        let passed = self.buffer.get(self.start..self.start + len).unwrap_or_default();
        self.number += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.start += len;
    }

    /// Takes what the source has, behind what is left.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let more = self.source.fill_buf()?;
        let len = more.len();
        self.buffer.extend_from_slice(more);
        self.source.consume(len);
        if len == 0 {
            self.is_at_end = true;
            // So that the last record ends as every other does.
            self.buffer.push(b'\n');
        }
        Ok(())
    }
}

fn unending() -> Reason {
    let text = format!("a quote that is not closed within {LINE_LEN_MAX} bytes, or a longer line");
    Reason::new("too_long", text)
}
