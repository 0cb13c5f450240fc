//! JSON lines: one object per line, with the names of the columns of CSV; the HTTP API says `at` for
//! `time`, which is read too.
//!
//! `time` and `value` are needed; what is not known is left out or null; other names are passed over.

use crate::format::Format;
use crate::lines::{self, Lines, Source};
use crate::reader::{Bad, OpenError, too_long};
use crate::reason::Reason;
use crate::record::{Draft, Finisher, Record, parse_time, parse_value};
use mtom_protocol::payload::NotAReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io;
use std::ops::Deref;

/// Reads records.
pub(crate) struct Reader {
    lines: Lines,
    finisher: Finisher,
}

impl Reader {
    pub(crate) fn open(mut source: Source, finisher: Finisher) -> Result<Self, OpenError> {
        if let Some(first) = lines::first_byte(&mut source)?
            && first != b'{'
        {
            return Err(OpenError::NotThisFormat {
                format: Format::JsonLines,
                found: format!("it begins with {:?}", char::from(first)),
                expected: "one JSON object per line, which begins with '{'",
            });
        }
        Ok(Self { lines: Lines::new(source), finisher })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Record, Bad>>> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        let record =
            if line.is_too_long { Err(too_long()) } else { record(line.bytes, &mut self.finisher) };
        Ok(Some(record.map_err(|why| Bad::new("line", line.number, why, line.bytes))))
    }
}

/// Writes one line.
pub(crate) fn append(line: &mut Vec<u8>, record: &Record) -> io::Result<()> {
    let written = Written {
        id: record.id,
        at: record.at.rfc3339(),
        arrived_at: record.arrived_at.map(UnixMicros::rfc3339),
        taken_at: record.taken_at.map(UnixMicros::rfc3339),
        suspect: record.suspect,
        topic: &record.topic,
        device: &record.device,
        quantity: &record.quantity,
        value: record.value,
        unit: record.unit.symbol(),
        boot: record.key.as_ref().map(|key| &*key.boot),
        seq: record.key.as_ref().map(|key| key.seq),
    };
    serde_json::to_writer(&mut *line, &written)?;
    line.push(b'\n');
    Ok(())
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(rename = "time")]
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrived_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<String>,
    suspect: bool,
    topic: &'a str,
    device: &'a str,
    quantity: &'a str,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

/// A text that is copied only where it has escapes, which serde does not do for an `Option<Cow>` by itself.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object with time and value")]
struct Read<'a> {
    id: Option<u64>,
    #[serde(borrow, rename = "time", alias = "at")]
    at: Option<Text<'a>>,
    #[serde(borrow)]
    arrived_at: Option<Text<'a>>,
    #[serde(borrow)]
    taken_at: Option<Text<'a>>,
    suspect: Option<bool>,
    #[serde(borrow)]
    topic: Option<Text<'a>>,
    #[serde(borrow)]
    device: Option<Text<'a>>,
    #[serde(borrow)]
    quantity: Option<Text<'a>>,
    // As it stands: a number is read to the last bit, which serde_json's own way is not.
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow)]
    unit: Option<Text<'a>>,
    #[serde(borrow)]
    boot: Option<Text<'a>>,
    seq: Option<u64>,
}

fn record(line: &[u8], finisher: &mut Finisher) -> Result<Record, Reason> {
    let text = std::str::from_utf8(line)
        .map_err(|_| Reason::new("not_utf8", "not UTF-8: expected text in UTF-8"))?;
    let read: Read<'_> = object(text)?;
    let zone = &finisher.defaults.zone;
    let time =
        |text: &Option<Text<'_>>| text.as_deref().map(|text| parse_time(text, zone)).transpose();
    let unit = read.unit.as_deref().map(|unit| Unit::parse(unit).ok_or(NotAReading::UnknownUnit));
    let draft = Draft {
        id: read.id,
        at: time(&read.at)?,
        arrived_at: time(&read.arrived_at)?,
        taken_at: time(&read.taken_at)?,
        suspect: read.suspect.unwrap_or(false),
        topic: read.topic.as_deref(),
        device: read.device.as_deref(),
        quantity: read.quantity.as_deref(),
        value: parse_value(read.value.get())?,
        unit: unit.transpose()?,
        boot: read.boot.as_deref(),
        seq: read.seq,
    };
    finisher.record(&draft)
}

/// One JSON object. An array would do for serde, and is none.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Reason> {
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|cause| not_json(&cause));
    }
    Err(Reason::new(NotAReading::NotJson.code(), "not an object: expected one, as in {…}"))
}

/// What serde_json says, which names the field; its line number is always 1.
pub(crate) fn not_json(cause: &serde_json::Error) -> Reason {
    let text = cause.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    Reason::new("not_json", what.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
}

#[cfg(test)]
mod tests;
