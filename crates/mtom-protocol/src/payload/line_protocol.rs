//! InfluxDB line protocol: `environ,device=env1 temperature=23.4 1735689600000000000`, one or more lines.
//!
//! Each field with a number is a reading; texts and booleans are passed over, as in plain JSON, and a line of nothing
//! else is nothing, and no mistake. The device is the tag `host`, and then measurement and all other tags go before
//! the quantity; else the tag `device`; else measurement and tags: so that series that are two stay two. `boot` with
//! a field `seq` is the key. A tag `unit` that is one of ours speaks about the numbers that it can be true of, as in
//! plain JSON; any other is a tag like the rest. In lines that mtom has written `device` and `unit` always count. A
//! bad line or number disturbs no other.

use super::json::{ReadKey, unit_in};
use super::series::Series;
use super::{NotAReading, READINGS_LEN_MAX};
use crate::escaped::{plain, until};
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
/// The tags of such a line that are no part of a name.
const OWN_TAGS: [&str; 3] = ["boot", "topic", "unit"];
/// The tag `unit` of a plain number.
const UNIT_NONE: &str = "none";

/// Whether a text that is no number has the form `name… field=…`.
pub(super) fn is_meant(text: &str) -> bool {
    let Some(line) = lines(text).next() else { return false };
    let (head, rest) = until(line, " ");
    let (measurement, tags) = until(head, ",");
    let (field, value) = until(rest.trim_start_matches(' '), "=, ");
    // `T=23.4 H=40` and `temp, hum=40` are texts of people: the one has no measurement, the other an empty tag.
    let is_name = !measurement.is_empty()
        && measurement.parse::<f64>().is_err()
        && until(measurement, "=").1.is_empty();
    is_name && are_tags(tags) && !field.is_empty() && value.starts_with('=')
}

/// Whether no tag of `,a=1,b=2` is empty or begins with a space.
fn are_tags(mut tags: &str) -> bool {
    while let Some(rest) = tags.strip_prefix(',') {
        let (tag, after) = until(rest, ",");
        if tag.is_empty() || tag.starts_with([' ', '\t']) {
            return false;
        }
        tags = after;
    }
    true
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
        let own_unit = self.own_unit()?;
        let unit = self.tag("unit").and_then(Unit::parse);
        let key = self.key()?;
        let (device, prefix) = self.names(key.is_some());
        let mut series = Series::new(topic, &device);
        series.taken_at = self.taken_at;
        series.key = key;
        let mut found = Vec::new();
        for (name, value) in &self.fields {
            let is_key = series.key.is_some() && name == "seq";
            if is_key || (self.is_ours() && ABOUT.contains(&&**name)) {
                continue;
            }
            let quantity = alloc::format!("{prefix}{name}");
            let Some(number) = number(value).transpose() else { continue };
            let unit = own_unit.unwrap_or_else(|| unit_in(unit, &quantity));
            found.push(number.and_then(|number| series.reading(&quantity, number, unit)));
        }
        Ok(found)
    }

    /// Whether mtom has written it.
    fn is_ours(&self) -> bool {
        self.measurement == MEASUREMENT
    }

    /// The unit that a line of ours says.
    fn own_unit(&self) -> Result<Option<Unit>, NotAReading> {
        match self.tag("unit").filter(|_| self.is_ours()) {
            None => Ok(None),
            Some(UNIT_NONE) => Ok(Some(Unit::None)),
            Some(symbol) => Unit::parse(symbol).map(Some).ok_or(NotAReading::UnknownUnit),
        }
    }

    /// The device, and what goes before the names of its quantities.
    fn names(&self, has_key: bool) -> (Cow<'_, str>, String) {
        let host = self.tag("host");
        if let Some(device) = self.tag("device").filter(|_| host.is_none() || self.is_ours()) {
            return (device.into(), String::new());
        }
        let is_hidden = |name: &str| {
            name == "host"
                || (name == "boot" && has_key)
                || (self.is_ours() && OWN_TAGS.contains(&name))
        };
        let mut tags: Vec<_> = self.tags.iter().filter(|(name, _)| !is_hidden(name)).collect();
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

#[cfg(test)]
mod tests;
