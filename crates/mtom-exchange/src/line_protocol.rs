//! InfluxDB line protocol, version 2: `measurement,tag=… field=… timestamp`.
//!
//! Written as `mtom,device=…,topic=…,unit=…[,boot=…] quantity=value[,seq=7u,arrived_at_micros=…i,
//! taken_at_micros=…i,suspect=true] nanoseconds`, tags in the order of their names, as InfluxDB wants them. A
//! plain number has `unit=none`, because a tag cannot be empty. The specification has no form for a line break
//! or a `\` at the end of a tag, and for times outside 1677 to 2262.

use crate::csv::number;
use crate::reason::Reason;
use crate::record::Record;
use mtom_protocol::payload::NotAReading;
use mtom_protocol::unit::Unit;
use std::io::Write;

pub(crate) mod read;

/// The measurement of our lines.
const MEASUREMENT: &str = "mtom";
/// The tag `unit` of a plain number.
const UNIT_NONE: &str = "none";

/// Fields of ours beside the value: times in microseconds, and a mark.
const ARRIVED_AT: &str = "arrived_at_micros";
const TAKEN_AT: &str = "taken_at_micros";
const SUSPECT: &str = "suspect";

/// Writes one line.
pub(crate) fn append(line: &mut Vec<u8>, record: &Record) -> Result<(), Reason> {
    let outside = || Reason::new("time", "time: line protocol counts from 1677 to 2262");
    let nanos = record.at.0.checked_mul(1_000).ok_or_else(outside)?;
    line.extend_from_slice(MEASUREMENT.as_bytes());
    if let Some(key) = &record.key {
        tag(line, "boot", &key.boot)?;
    }
    tag(line, "device", &record.device)?;
    tag(line, "topic", &record.topic)?;
    let unit = if record.unit == Unit::None { UNIT_NONE } else { record.unit.symbol() };
    tag(line, "unit", unit)?;
    line.push(b' ');
    escaped(line, "quantity", &record.quantity)?;
    line.push(b'=');
    number(line, record.value);
    // Writing to memory does not fail.
    if let Some(key) = &record.key {
        let _ = write!(line, ",seq={}u", key.seq);
    }
    for (name, time) in [(ARRIVED_AT, record.arrived_at), (TAKEN_AT, record.taken_at)] {
        if let Some(time) = time {
            let _ = write!(line, ",{name}={}i", time.0);
        }
    }
    if record.suspect {
        let _ = write!(line, ",{SUSPECT}=true");
    }
    let _ = writeln!(line, " {nanos}");
    Ok(())
}

fn tag(line: &mut Vec<u8>, name: &'static str, value: &str) -> Result<(), Reason> {
    line.push(b',');
    line.extend_from_slice(name.as_bytes());
    line.push(b'=');
    escaped(line, name, value)
}

/// `\` before a comma, an equals sign and a space; everything else stands for itself.
fn escaped(line: &mut Vec<u8>, name: &'static str, text: &str) -> Result<(), Reason> {
    if text.contains(['\n', '\r']) || text.ends_with('\\') {
        let text = format!("{name}: line protocol has no form for a line break or a \\ at the end");
        return Err(Reason::new(NotAReading::TopicControl.code(), text));
    }
    for byte in text.bytes() {
        if matches!(byte, b',' | b'=' | b' ') {
            line.push(b'\\');
        }
        line.push(byte);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
