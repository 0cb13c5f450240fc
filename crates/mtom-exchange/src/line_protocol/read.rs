//! Reads line protocol, also of others.
//!
//! Each field with a number is a record of its own; booleans and texts are bad, one by one. `device`, `unit`,
//! `topic` and `boot` are tags, an unsigned `seq` beside `boot` is the key. Without a tag `device` measurement
//! and tags together name the device, so that series that are two stay two.

use super::{ARRIVED_AT, MEASUREMENT, SUSPECT, TAKEN_AT, UNIT_NONE};
use crate::format::Format;
use crate::lines::{self, Lines, Source};
use crate::reader::{Bad, OpenError, too_long};
use crate::reason::Reason;
use crate::record::{Draft, Finisher, Precision, Record, parse_value};
use mtom_protocol::escaped::{plain, until};
use mtom_protocol::payload::NotAReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

/// The largest whole number up to which a float holds every one.
const EXACT_MAX: u64 = 1 << 53;

/// Reads records.
pub(crate) struct Reader {
    lines: Lines,
    finisher: Finisher,
    /// What the last line said beyond its first field.
    waiting: VecDeque<Result<Record, Bad>>,
}

impl Reader {
    pub(crate) fn open(mut source: Source, finisher: Finisher) -> Result<Self, OpenError> {
        if let Some(first) = lines::first_byte(&mut source)?
            && (matches!(first, b'{' | b'[' | b'<' | b'"') || first.is_ascii_control())
        {
            return Err(OpenError::NotThisFormat {
                format: Format::LineProtocol,
                found: format!("it begins with {:?}", char::from(first)),
                expected: "lines like `environ,device=env1 temperature=23.4 1735689600000000000`",
            });
        }
        Ok(Self { lines: Lines::new(source), finisher, waiting: VecDeque::new() })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Record, Bad>>> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Ok(Some(entry));
            }
            let Some(line) = self.lines.next()? else { return Ok(None) };
            let bytes = line.bytes.trim_ascii_start();
            if bytes.starts_with(b"#") {
                continue;
            }
            let bad = |why| Bad::new("line", line.number, why, bytes);
            let text = match std::str::from_utf8(bytes) {
                _ if line.is_too_long => Err(too_long()),
                Err(_) => Err(Reason::new("not_utf8", "not UTF-8: expected text in UTF-8")),
                Ok(text) => Ok(text),
            };
            match text.and_then(Point::parse) {
                Ok(point) => {
                    let records = point.records(&mut self.finisher);
                    self.waiting.extend(records.into_iter().map(|record| record.map_err(bad)));
                }
                Err(why) => return Ok(Some(Err(bad(why)))),
            }
        }
    }
}

/// One line.
struct Point<'a> {
    measurement: Cow<'a, str>,
    tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    fields: Vec<(Cow<'a, str>, &'a str)>,
    timestamp: Option<i64>,
}

impl<'a> Point<'a> {
    fn parse(line: &'a str) -> Result<Self, Reason> {
        let (measurement, mut rest) = until(line, ", ");
        let mut tags = Vec::new();
        while let Some(tag) = rest.strip_prefix(',') {
            let (name, after) = until(tag, "=, ");
            let after = after.strip_prefix('=').ok_or_else(|| syntax("tag=value"))?;
            let (value, after) = until(after, ", ");
            if name.is_empty() || value.is_empty() {
                return Err(syntax("tag=value, neither of them empty"));
            }
            tags.push((plain(name), plain(value)));
            rest = after;
        }
        rest = rest.trim_start_matches(' ');
        let mut fields = Vec::new();
        loop {
            let (name, after) = until(rest, "=, ");
            let after = after.strip_prefix('=').ok_or_else(|| syntax("field=value"))?;
            let (value, after) = field_value(after)?;
            if name.is_empty() || value.is_empty() {
                return Err(syntax("field=value, neither of them empty"));
            }
            fields.push((plain(name), value));
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = after;
                    break;
                }
            }
        }
        let timestamp = rest.trim_matches(' ');
        let timestamp = match timestamp {
            "" => None,
            digits => Some(digits.parse().map_err(|_| {
                Reason::new(NotAReading::Time.code(), "timestamp: expected a whole number")
            })?),
        };
        if measurement.is_empty() {
            return Err(syntax("a measurement first"));
        }
        Ok(Self { measurement: plain(measurement), tags, fields, timestamp })
    }

    fn records(&self, finisher: &mut Finisher) -> Vec<Result<Record, Reason>> {
        let shared = self.shared(finisher.defaults.precision);
        let shared = match shared {
            Ok(shared) => shared,
            Err(why) => return vec![Err(why)],
        };
        let is_key = |name: &str, value: &str| {
            name == "seq" && value.ends_with('u') && shared.boot.is_some()
        };
        let fields = || {
            let is_ours =
                |name: &str, value: &str| is_key(name, value) || self.is_ours(name, value);
            self.fields.iter().filter(move |(name, value)| !is_ours(name, value))
        };
        let (arrived_at, taken_at) = match (self.time(ARRIVED_AT), self.time(TAKEN_AT)) {
            (Ok(arrived_at), Ok(taken_at)) => (arrived_at, taken_at),
            (Err(why), _) | (_, Err(why)) => return vec![Err(why)],
        };
        let suspect =
            self.fields.iter().any(|(name, value)| name == SUSPECT && self.is_ours(name, value));
        if fields().next().is_none() {
            return vec![Err(Reason::new(NotAReading::NoNumber.code(), "no field with a number"))];
        }
        let seq = self.fields.iter().find(|(name, value)| is_key(name, value));
        let seq = match seq.map(|(_, value)| value.trim_end_matches('u').parse::<u64>()) {
            None => None,
            Some(Ok(seq)) => Some(seq),
            Some(Err(_)) => {
                let text = "seq: expected a whole number from 0 to 2^64-1 with a u behind it";
                return vec![Err(Reason::new(NotAReading::Key.code(), text))];
            }
        };
        fields()
            .map(|(name, value)| {
                finisher.record(&Draft {
                    at: shared.at,
                    topic: self.tag("topic"),
                    device: Some(&shared.device),
                    quantity: Some(name),
                    value: field_number(value).map_err(|why| why.of_field(name))?,
                    unit: shared.unit,
                    // A tag `boot` of others, without a count, is no key.
                    boot: shared.boot.filter(|_| seq.is_some()),
                    seq,
                    arrived_at,
                    taken_at,
                    suspect,
                    ..Draft::default()
                })
            })
            .collect()
    }

    /// A field that says something about the value beside it. Of others it is a field like any.
    fn is_ours(&self, name: &str, value: &str) -> bool {
        self.measurement == MEASUREMENT
            && match name {
                ARRIVED_AT | TAKEN_AT => value.ends_with('i'),
                SUSPECT => value == "true",
                _ => false,
            }
    }

    fn time(&self, wanted: &str) -> Result<Option<UnixMicros>, Reason> {
        let is_wanted = |name: &str, value: &str| name == wanted && self.is_ours(name, value);
        let field = self.fields.iter().find(|(name, value)| is_wanted(name, value));
        let Some((_, value)) = field else { return Ok(None) };
        let micros = value.trim_end_matches('i').parse().map_err(|_| {
            let text = format!("{wanted}: expected whole microseconds with an i behind them");
            Reason::new(NotAReading::Time.code(), text)
        })?;
        Ok(Some(UnixMicros(micros)))
    }

    fn shared(&self, precision: Precision) -> Result<Shared<'_>, Reason> {
        let unit = match self.tag("unit") {
            None => None,
            Some(UNIT_NONE) => Some(Unit::None),
            Some(symbol) => Some(Unit::parse(symbol).ok_or(NotAReading::UnknownUnit)?),
        };
        let at = match self.timestamp {
            None => None,
            Some(count) => Some(micros(count, precision).ok_or_else(|| {
                Reason::new(NotAReading::Time.code(), "timestamp: too far away for its precision")
            })?),
        };
        let device = match self.tag("device") {
            Some(device) => Cow::Borrowed(device),
            None => self.named_by_tags(),
        };
        Ok(Shared { at, device, unit, boot: self.tag("boot") })
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn named_by_tags(&self) -> Cow<'_, str> {
        let ours = |name: &str| matches!(name, "unit" | "topic" | "boot");
        let mut tags: Vec<_> = self.tags.iter().filter(|(name, _)| !ours(name)).collect();
        tags.sort();
        let mut device = self.measurement.clone();
        for (_, value) in tags {
            device = Cow::Owned(format!("{device}/{value}"));
        }
        device
    }
}

/// What a line says about all of its fields.
struct Shared<'a> {
    at: Option<UnixMicros>,
    device: Cow<'a, str>,
    unit: Option<Unit>,
    boot: Option<&'a str>,
}

fn micros(count: i64, precision: Precision) -> Option<UnixMicros> {
    let micros = match precision {
        Precision::Nanoseconds => count.div_euclid(1_000),
        Precision::Microseconds => count,
        Precision::Milliseconds => count.checked_mul(1_000)?,
        Precision::Seconds => count.checked_mul(1_000_000)?,
    };
    Some(UnixMicros(micros))
}

/// A field's value as it stands, and what comes after it.
fn field_value(text: &str) -> Result<(&str, &str), Reason> {
    let Some(quoted) = text.strip_prefix('"') else { return Ok(until(text, ", ")) };
    let mut is_escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        if byte == b'"' && !is_escaped {
            return text.split_at_checked(at + 2).ok_or_else(|| syntax("a closing quote"));
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    Err(syntax("a closing quote"))
}

fn field_number(text: &str) -> Result<f64, Reason> {
    let inexact =
        || Reason::new("inexact", "a whole number beyond 2^53: expected one that is exact");
    if let Some(digits) = text.strip_suffix('i') {
        let value: i64 = digits.parse().map_err(|_| NotAReading::NotANumber)?;
        return if value.unsigned_abs() <= EXACT_MAX { Ok(value as f64) } else { Err(inexact()) };
    }
    if let Some(digits) = text.strip_suffix('u') {
        let value: u64 = digits.parse().map_err(|_| NotAReading::NotANumber)?;
        return if value <= EXACT_MAX { Ok(value as f64) } else { Err(inexact()) };
    }
    let is_boolean = ["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"];
    if text.starts_with('"') || is_boolean.contains(&text) {
        return Err(Reason::new("not_a_number", "a text or a boolean: expected a number"));
    }
    parse_value(text)
}

fn syntax(expected: &'static str) -> Reason {
    Reason::new("syntax", format!("not line protocol: expected {expected}"))
}
