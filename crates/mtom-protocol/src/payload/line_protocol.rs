//! InfluxDB line protocol: `environ,device=env1 temperature=23.4 1735689600000000000`, one or more lines.
//!
//! Each field with a number is a reading; texts and booleans are passed over, as in plain JSON. The device is the
//! tag `device`; else the tag `host`, and then measurement and tags go before the quantity; else measurement
//! and tags: so that series that are two stay two. `unit` is a tag of ours, `boot` with a field `seq` the key. A bad
//! line or number disturbs no other.

use super::json::ReadKey;
use super::series::Series;
use super::text::default_unit;
use super::{NotAReading, READINGS_LEN_MAX};
use crate::reading::{Reading, ReadingKey};
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// The largest whole number up to which a float holds every one.
const EXACT_MAX: u64 = 1 << 53;
/// The measurement of lines that mtom has written, and what their fields say about the value beside them.
const MEASUREMENT: &str = "mtom";
const ABOUT: [&str; 3] = ["arrived_at_micros", "suspect", "taken_at_micros"];
/// The tag `unit` of a plain number.
const UNIT_NONE: &str = "none";

/// Whether a text that is no number has the form `name… field=…`.
pub(super) fn is_meant(text: &str) -> bool {
    let Some(line) = lines(text).next() else { return false };
    let (head, rest) = until(line, " ");
    let (measurement, _) = until(head, ",");
    let (field, value) = until(rest.trim_start_matches(' '), "=, ");
    let is_name = !measurement.is_empty() && measurement.parse::<f64>().is_err();
    is_name && !field.is_empty() && value.starts_with('=')
}

/// All lines of a payload.
pub(super) fn decode(
    topic: &str,
    text: &str,
) -> Result<Vec<Result<Reading, NotAReading>>, NotAReading> {
    let mut found = Vec::new();
    for line in lines(text) {
        match Point::parse(line).and_then(|point| point.readings(topic)) {
            Ok(readings) => found.extend(readings),
            Err(why) => found.push(Err(why)),
        }
        if found.len() > READINGS_LEN_MAX {
            return Err(NotAReading::TooMany);
        }
    }
    if found.is_empty() {
        return Err(NotAReading::LineProtocol("a field with a number"));
    }
    Ok(found)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// One line.
struct Point<'a> {
    measurement: Cow<'a, str>,
    tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    fields: Vec<(Cow<'a, str>, &'a str)>,
    taken_at: Option<UnixMicros>,
}

impl<'a> Point<'a> {
    fn parse(line: &'a str) -> Result<Self, NotAReading> {
        let (measurement, mut rest) = until(line, ", ");
        if measurement.is_empty() {
            return Err(NotAReading::LineProtocol("a measurement first"));
        }
        let expected = || NotAReading::LineProtocol("tag=value, neither of them empty");
        let mut tags = Vec::new();
        while let Some(tag) = rest.strip_prefix(',') {
            let (name, after) = until(tag, "=, ");
            let (value, after) = until(after.strip_prefix('=').ok_or_else(expected)?, ", ");
            if name.is_empty() || value.is_empty() {
                return Err(expected());
            }
            tags.push((plain(name), plain(value)));
            rest = after;
        }
        let (fields, rest) = fields(rest.trim_start_matches(' '))?;
        let taken_at = match rest.trim_matches(' ') {
            "" => None,
            nanos => {
                let expected = NotAReading::LineProtocol("whole nanoseconds behind the fields");
                let nanos: i64 = nanos.parse().map_err(|_| expected)?;
                Some(UnixMicros(nanos.div_euclid(1_000)))
            }
        };
        Ok(Self { measurement: plain(measurement), tags, fields, taken_at })
    }

    fn readings(&self, topic: &str) -> Result<Vec<Result<Reading, NotAReading>>, NotAReading> {
        let unit = match self.tag("unit") {
            None => None,
            Some(UNIT_NONE) => Some(Unit::None),
            Some(symbol) => Some(Unit::parse(symbol).ok_or(NotAReading::UnknownUnit)?),
        };
        let (device, prefix) = self.names();
        let mut series = Series::new(topic, &device);
        series.taken_at = self.taken_at;
        series.key = self.key()?;
        let is_ours = self.measurement == MEASUREMENT;
        let mut found = Vec::new();
        for (name, value) in &self.fields {
            let is_key = series.key.is_some() && name == "seq";
            if is_key || (is_ours && ABOUT.contains(&&**name)) {
                continue;
            }
            let quantity = alloc::format!("{prefix}{name}");
            let Some(number) = number(value).transpose() else { continue };
            let unit = unit.unwrap_or_else(|| default_unit(&quantity));
            found.push(number.and_then(|number| series.reading(&quantity, number, unit)));
        }
        Ok(found)
    }

    /// The device, and what goes before the names of its quantities.
    fn names(&self) -> (Cow<'_, str>, String) {
        if let Some(device) = self.tag("device") {
            return (device.into(), String::new());
        }
        let host = self.tag("host");
        let ours = |name: &str| matches!(name, "unit" | "topic" | "boot" | "host");
        let mut tags: Vec<_> = self.tags.iter().filter(|(name, _)| !ours(name)).collect();
        tags.sort();
        let separator = if host.is_some() { '.' } else { '/' };
        let mut name = String::from(&*self.measurement);
        for (_, value) in tags {
            name.push(separator);
            name += value;
        }
        match host {
            Some(host) => (host.into(), name + "."),
            None => (name.into(), String::new()),
        }
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// A tag `boot` of others, without a count, is no key.
    fn key(&self) -> Result<Option<ReadingKey>, NotAReading> {
        let seq = self.fields.iter().find(|(name, _)| name == "seq");
        let seq = seq.and_then(|(_, value)| value.strip_suffix('u'));
        let (Some(boot), Some(seq)) = (self.tag("boot"), seq) else { return Ok(None) };
        ReadKey { boot, seq: seq.parse().ok() }.key().map(Some)
    }
}

type Fields<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// The fields and what stands behind them.
fn fields(mut text: &str) -> Result<(Fields<'_>, &str), NotAReading> {
    let expected = || NotAReading::LineProtocol("field=value, neither of them empty");
    let mut fields = Vec::new();
    loop {
        let (name, after) = until(text, "=, ");
        let (value, after) = field_value(after.strip_prefix('=').ok_or_else(expected)?)?;
        if name.is_empty() || value.is_empty() {
            return Err(expected());
        }
        if fields.len() > READINGS_LEN_MAX {
            return Err(NotAReading::TooMany);
        }
        fields.push((plain(name), value));
        match after.strip_prefix(',') {
            Some(next) => text = next,
            None => return Ok((fields, after)),
        }
    }
}

/// A field's value as it stands, and what comes after it.
fn field_value(text: &str) -> Result<(&str, &str), NotAReading> {
    let Some(quoted) = text.strip_prefix('"') else { return Ok(until(text, ", ")) };
    let mut is_escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        if byte == b'"' && !is_escaped {
            // Both quotes are one byte each.
            return Ok(text.split_at_checked(at + 2).unwrap_or((text, "")));
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    Err(NotAReading::LineProtocol("a closing quote"))
}

/// `None` where the field is a text or a boolean.
fn number(text: &str) -> Result<Option<f64>, NotAReading> {
    let exact = |count: u64| if count <= EXACT_MAX { Ok(()) } else { Err(NotAReading::Inexact) };
    if text.starts_with('"')
        || ["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"].contains(&text)
    {
        return Ok(None);
    }
    if let Some(digits) = text.strip_suffix('i') {
        let count: i64 = digits.parse().map_err(|_| NotAReading::NotANumber)?;
        return exact(count.unsigned_abs()).map(|()| Some(count as f64));
    }
    if let Some(digits) = text.strip_suffix('u') {
        let count: u64 = digits.parse().map_err(|_| NotAReading::NotANumber)?;
        return exact(count).map(|()| Some(count as f64));
    }
    text.parse().map(Some).map_err(|_| NotAReading::NotANumber)
}

/// Splits at the first of `stops` that has no `\` before it.
fn until<'a>(text: &'a str, stops: &str) -> (&'a str, &'a str) {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if !is_escaped && stops.as_bytes().contains(&byte) {
            return text.split_at_checked(at).unwrap_or((text, ""));
        }
        is_escaped = byte == b'\\';
    }
    (text, "")
}

/// Takes the `\` before a comma, an equals sign or a space away. Any other stands for itself.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek() {
            Some(next @ (',' | '=' | ' ')) if c == '\\' => {
                plain.push(*next);
                rest.next();
            }
            _ => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests;
