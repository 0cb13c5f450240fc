//! `{"temperature":23.4,"time":"…","seq":7,"boot":"…"}`: every number is a reading, nested ones
//! are named `a.b` (`wire.md` §3, plain JSON).
//!
//! `time`, `seq`, `boot`, `device` and `unit` at the top speak about the message and are no readings.

use super::text::{default_unit, plausible, series};
use super::{NotAReading, READINGS_LEN_MAX, TOPIC_LEN_MAX};
use crate::reading::{Reading, ReadingKey};
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde_json::{Map, Value};

const ABOUT: [&str; 5] = ["time", "seq", "boot", "device", "unit"];
const BOOT_LEN_MAX: usize = 64;

/// A JSON payload.
pub(super) fn decode(
    topic: &str,
    text: &str,
) -> Result<Vec<Result<Reading, NotAReading>>, NotAReading> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        return Err(NotAReading::NotJson);
    };
    let message = Message {
        topic: Arc::from(topic),
        device: device(&object)?,
        unit: unit(&object)?,
        taken_at: taken_at(&object)?,
        key: key(&object)?,
    };
    let mut numbers = Vec::new();
    collect(&object, "", &|path| ABOUT.contains(&path), &mut numbers)?;
    if numbers.is_empty() {
        return Err(NotAReading::NoNumber);
    }
    Ok(numbers.into_iter().map(|(path, number)| message.reading(&path, number)).collect())
}

/// What a message says about all of its readings.
struct Message {
    topic: Arc<str>,
    device: Option<Arc<str>>,
    unit: Option<Unit>,
    taken_at: Option<UnixMicros>,
    key: Option<ReadingKey>,
}

impl Message {
    fn reading(&self, path: &str, number: f64) -> Result<Reading, NotAReading> {
        let (device, quantity) = self.series(path);
        let unit = unit_in(self.unit, &quantity);
        Ok(Reading {
            topic: Arc::clone(&self.topic),
            device,
            quantity,
            value: plausible(number, unit)?,
            unit,
            taken_at: self.taken_at,
            key: self.key.clone(),
        })
    }

    fn series(&self, path: &str) -> (Arc<str>, Arc<str>) {
        let (device, quantity) = series_of_key(&self.topic, path);
        (self.device.clone().unwrap_or_else(|| Arc::from(device)), Arc::from(quantity))
    }
}

/// The unit of a quantity in a message that says one for all of them, or none.
pub(super) fn unit_in(said: Option<Unit>, quantity: &str) -> Unit {
    let implied = default_unit(quantity);
    match said {
        // One unit for the message: it speaks about the numbers it can be true of.
        Some(unit) if implied == Unit::None => unit,
        Some(unit) if implied.is_temperature() && unit.is_temperature() => unit,
        _ => implied,
    }
}

/// The key that repeats the topic's last level (or says `value`) is the series that a text on
/// this topic would be; any other key is a quantity of the device that the whole topic names.
pub(super) fn series_of_key<'a>(topic: &'a str, path: &'a str) -> (&'a str, &'a str) {
    let (device, quantity) = series(topic);
    if path.eq_ignore_ascii_case(quantity) || path == "value" {
        (device, quantity)
    } else {
        (topic, path)
    }
}

/// The numbers of an object with their paths, but for those that are `about` something else.
pub(super) fn collect(
    object: &Map<String, Value>,
    prefix: &str,
    about: &dyn Fn(&str) -> bool,
    numbers: &mut Vec<(String, f64)>,
) -> Result<(), NotAReading> {
    for (name, value) in object {
        let path = if prefix.is_empty() { name.clone() } else { alloc::format!("{prefix}.{name}") };
        if about(&path) {
            continue;
        }
        match value {
            Value::Number(number) => {
                if path.is_empty()
                    || path.len() > TOPIC_LEN_MAX
                    || path.chars().any(char::is_control)
                {
                    return Err(NotAReading::NotJson);
                }
                if numbers.len() == READINGS_LEN_MAX {
                    return Err(NotAReading::TooMany);
                }
                numbers.push((path, number.as_f64().unwrap_or(f64::NAN)));
            }
            Value::Object(inner) => collect(inner, &path, about, numbers)?,
            // Texts, booleans, lists and nulls are not measurements.
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
        }
    }
    Ok(())
}

fn device(object: &Map<String, Value>) -> Result<Option<Arc<str>>, NotAReading> {
    let Some(value) = object.get("device") else { return Ok(None) };
    let name = value.as_str().ok_or(NotAReading::Device)?;
    if name.is_empty() || name.len() > TOPIC_LEN_MAX || name.chars().any(char::is_control) {
        return Err(NotAReading::Device);
    }
    Ok(Some(Arc::from(name)))
}

fn unit(object: &Map<String, Value>) -> Result<Option<Unit>, NotAReading> {
    let Some(value) = object.get("unit") else { return Ok(None) };
    value.as_str().and_then(Unit::parse).map(Some).ok_or(NotAReading::UnknownUnit)
}

pub(super) fn taken_at(object: &Map<String, Value>) -> Result<Option<UnixMicros>, NotAReading> {
    match object.get("time") {
        // A device whose clock is not set yet says so with null.
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            UnixMicros::parse_rfc3339(text).map(Some).ok_or(NotAReading::Time)
        }
        Some(_) => Err(NotAReading::Time),
    }
}

pub(super) fn key(object: &Map<String, Value>) -> Result<Option<ReadingKey>, NotAReading> {
    match (object.get("boot"), object.get("seq")) {
        (None, None) => Ok(None),
        (Some(Value::String(boot)), Some(seq)) => {
            ReadKey { boot, seq: seq.as_u64() }.key().map(Some)
        }
        _ => Err(NotAReading::Key),
    }
}

/// A key as it came.
pub(super) struct ReadKey<'a> {
    pub(super) boot: &'a str,
    /// `None` when it was no whole number.
    pub(super) seq: Option<u64>,
}

impl ReadKey<'_> {
    pub(super) fn key(&self) -> Result<ReadingKey, NotAReading> {
        let boot = self.boot;
        let is_name =
            (1..=BOOT_LEN_MAX).contains(&boot.len()) && !boot.chars().any(char::is_control);
        // SQL's integers end at 2^63-1.
        let seq = self.seq.filter(|seq| is_name && i64::try_from(*seq).is_ok());
        Ok(ReadingKey { boot: Box::from(boot), seq: seq.ok_or(NotAReading::Key)? })
    }
}
