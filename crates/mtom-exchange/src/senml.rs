//! SenML in JSON (RFC 8428): one array, one resolved record per element and line.
//!
//! `n` is `device/quantity`; the characters that a name may not have (section 4.5.1) become `_`, and `device`
//! and `quantity` then stand beside it, labels of ours that others pass over (section 4.4). `topic` does so
//! where it is not the name, `boot` and `seq` where there is a key, `arrived_at_micros`, `taken_at_micros` and
//! `suspect` where the record has them. A unit that RFC 8428 has not is written as
//! one that it has, and `unit` and `value` say what it was: so every version 10 reader understands the file, and
//! ours gets back every bit. Times are decimal seconds to the microsecond; those below 2^28 (July 1978) would
//! mean "seconds from now" (section 4.5.3), so they cannot be written.

use crate::csv::number;
use crate::reason::Reason;
use crate::record::Record;
use mtom_protocol::payload::{NotAReading, default_unit};
use mtom_protocol::unit::Unit;
use std::borrow::Cow;
use std::io::Write;

mod decimal;
mod elements;
pub(crate) mod read;

/// Seconds from which on a time is absolute.
const ABSOLUTE_SECONDS_MIN: i64 = 1 << 28;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// Writes one element, with the comma before it.
pub(crate) fn append(line: &mut Vec<u8>, record: &Record, is_first: bool) -> Result<(), Reason> {
    if record.at.0 < ABSOLUTE_SECONDS_MIN * MICROS_PER_SECOND {
        let text = "time: SenML has none before 1978-07-04T21:24:16Z that is not relative";
        return Err(Reason::new(NotAReading::Time.code(), text));
    }
    let (unit, value) = registered(record);
    if !value.is_finite() {
        return Err(Reason::new("out_of_range", "the value is too large for SenML's unit"));
    }
    line.extend_from_slice(if is_first { b"\n{\"n\":" } else { b",\n{\"n\":" });
    let plain = format!("{}/{}", record.device, record.quantity);
    let name = permitted(&plain);
    text(line, &name);
    if let Some(unit) = unit {
        line.extend_from_slice(b",\"u\":");
        text(line, unit);
    }
    line.extend_from_slice(b",\"v\":");
    number(line, value);
    line.extend_from_slice(b",\"t\":");
    seconds(line, record.at.0);
    if read::unit_of(unit.unwrap_or_default()) != Some(record.unit) || unit.is_none() {
        member(line, "unit", record.unit.symbol());
    }
    if value.to_bits() != record.value.to_bits() {
        line.extend_from_slice(b",\"value\":");
        number(line, record.value);
    }
    if *name != *plain || record.quantity.contains('/') {
        member(line, "device", &record.device);
        member(line, "quantity", &record.quantity);
    }
    if *record.topic != *plain {
        member(line, "topic", &record.topic);
    }
    if let Some(key) = &record.key {
        member(line, "boot", &key.boot);
        // Writing to memory does not fail.
        let _ = write!(line, ",\"seq\":{}", key.seq);
    }
    for (name, time) in
        [("arrived_at_micros", record.arrived_at), ("taken_at_micros", record.taken_at)]
    {
        if let Some(time) = time {
            let _ = write!(line, ",\"{name}\":{}", time.0);
        }
    }
    if record.suspect {
        line.extend_from_slice(b",\"suspect\":true");
    }
    line.push(b'}');
    Ok(())
}

/// The unit and the value in the words of RFC 8428, section 12.1.
fn registered(record: &Record) -> (Option<&'static str>, f64) {
    let value = record.value;
    match record.unit {
        Unit::Celsius => (Some("Cel"), value),
        Unit::Fahrenheit => (Some("Cel"), record.unit.to_celsius(value).unwrap_or(value)),
        Unit::Kelvin => (Some("K"), value),
        Unit::Percent if default_unit(&record.quantity) == Unit::Percent => (Some("%RH"), value),
        Unit::Percent => (Some("/"), value / 100.0),
        Unit::Pascal => (Some("Pa"), value),
        Unit::HectoPascal => (Some("Pa"), value * 100.0),
        Unit::Volt => (Some("V"), value),
        Unit::Ampere => (Some("A"), value),
        Unit::Watt => (Some("W"), value),
        Unit::Lux => (Some("lx"), value),
        Unit::PartsPerMillion => (Some("/"), value / 1e6),
        Unit::None => (None, value),
    }
}

/// The name with `_` for what section 4.5.1 does not permit.
fn permitted(name: &str) -> Cow<'_, str> {
    let is_permitted =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '/' | '_');
    if name.chars().all(is_permitted) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Cow::Borrowed(name);
    }
    let mut permitted: String =
        name.chars().map(|c| if is_permitted(c) { c } else { '_' }).collect();
    if !permitted.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        permitted.insert(0, 'x');
    }
    Cow::Owned(permitted)
}

fn seconds(line: &mut Vec<u8>, micros: i64) {
    let (whole, rest) = (micros / MICROS_PER_SECOND, micros % MICROS_PER_SECOND);
    // Writing to memory does not fail.
    let _ = write!(line, "{whole}");
    if rest != 0 {
        let digits = format!("{rest:06}");
        let _ = write!(line, ".{}", digits.trim_end_matches('0'));
    }
}

fn member(line: &mut Vec<u8>, name: &str, value: &str) {
    // Writing to memory does not fail.
    let _ = write!(line, ",\"{name}\":");
    text(line, value);
}

fn text(line: &mut Vec<u8>, text: &str) {
    // Writing a text to memory does not fail.
    let _ = serde_json::to_writer(line, text);
}

#[cfg(test)]
mod tests;
