//! Time and key that came beside the payload ([`crate::property`]).

use super::NotAReading;
use super::json::ReadKey;
use crate::property;
use crate::reading::Reading;
use crate::time::UnixMicros;

/// Gives a reading the time and the key that its message's properties say. What the payload itself
/// says counts first.
///
/// # Errors
/// When a property of ours cannot be read; others are passed over.
pub fn describe<'p>(
    reading: &mut Reading,
    properties: impl Iterator<Item = (&'p str, &'p str)>,
) -> Result<(), NotAReading> {
    let (mut time, mut boot, mut seq) = (None, None, None);
    for (name, value) in properties {
        match name {
            property::TIME => time = Some(value),
            property::BOOT => boot = Some(value),
            property::SEQ => seq = Some(value),
            _ => {}
        }
    }
    if let Some(time) = time {
        let at = UnixMicros::parse_rfc3339(time).ok_or(NotAReading::Time)?;
        reading.taken_at.get_or_insert(at);
    }
    let key = match (boot, seq) {
        (None, None) => return Ok(()),
        (Some(boot), Some(seq)) => ReadKey { boot, seq: seq.parse().ok() }.key()?,
        _ => return Err(NotAReading::Key),
    };
    reading.key.get_or_insert(key);
    Ok(())
}
