//! CSV: a header, then a record per line (RFC 4180).
//!
//! A text that a spreadsheet would take for a formula, because it begins with `=`, `+`, `-`, `@`, a tab or a
//! line break, is written with a `'` before it (OWASP, CSV injection). A text that begins with `'` gets one
//! more for the same reason, so in a file with exactly our header one leading `'` of a text is always ours and
//! is taken away. Other files are read as they are.

use crate::record::Record;
use mtom_protocol::time::UnixMicros;
use std::io::Write;

pub(crate) mod read;

/// The first line.
pub(crate) const HEADER: &str =
    "id,time,arrived_at,taken_at,suspect,topic,device,quantity,value,unit,boot,seq\n";
/// What a spreadsheet begins a formula with, also in the wide forms of East Asian keyboards.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Writes one line.
pub(crate) fn append(line: &mut Vec<u8>, record: &Record) {
    integer(line, record.id);
    line.push(b',');
    line.extend_from_slice(record.at.rfc3339().as_bytes());
    line.push(b',');
    time(line, record.arrived_at);
    line.push(b',');
    time(line, record.taken_at);
    line.extend_from_slice(if record.suspect { b",true," } else { b",false," });
    for name in [&record.topic, &record.device, &record.quantity] {
        text(line, name);
        line.push(b',');
    }
    number(line, record.value);
    line.push(b',');
    line.extend_from_slice(record.unit.symbol().as_bytes());
    line.push(b',');
    if let Some(key) = &record.key {
        text(line, &key.boot);
    }
    line.push(b',');
    integer(line, record.key.as_ref().map(|key| key.seq));
    line.push(b'\n');
}

/// The shortest decimal that reads back as the same bits.
pub(crate) fn number(line: &mut Vec<u8>, value: f64) {
    // Writing to memory does not fail.
    let _ = write!(line, "{value:?}");
}

fn integer(line: &mut Vec<u8>, value: Option<u64>) {
    if let Some(value) = value {
        // Writing to memory does not fail.
        let _ = write!(line, "{value}");
    }
}

fn time(line: &mut Vec<u8>, time: Option<UnixMicros>) {
    if let Some(time) = time {
        line.extend_from_slice(time.rfc3339().as_bytes());
    }
}

/// Writes a text as one cell, so that no spreadsheet takes it for a formula.
pub fn text(line: &mut Vec<u8>, text: &str) {
    let is_marked = text.starts_with(FORMULA) || text.starts_with('\'');
    let is_quoted = text.starts_with(' ')
        || text.ends_with(' ')
        || text.contains([',', ';', '"', '\n', '\r', '\t']);
    if is_quoted {
        line.push(b'"');
    }
    if is_marked {
        line.push(b'\'');
    }
    for byte in text.bytes() {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    if is_quoted {
        line.push(b'"');
    }
}

#[cfg(test)]
mod tests;
