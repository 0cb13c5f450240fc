//! What the topics of other systems mean, and which of their messages are no readings and no mistakes.
//!
//! A system is known by its topic and the form of its payload together; whatever is not exactly theirs is read
//! like anybody's, and so is an object with `boot` and `seq`, which none of them has. A message of theirs without a
//! number (a switch, a button) is nothing and no reject.

use super::NotAReading;
use super::json::collect;
use super::series::Series;
use crate::reading::Reading;
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Map, Value};

mod esphome;
mod shelly;
mod tasmota;
mod zigbee2mqtt;

/// What a message says; without anything: no reading by design.
type Said = Result<Vec<Result<Reading, NotAReading>>, NotAReading>;
type Object = Map<String, Value>;

/// No reading and no mistake.
const NOTHING: Option<Said> = Some(Ok(Vec::new()));

/// What the message says; `None` where it belongs to nobody who is known here.
pub(super) fn decode(topic: &str, text: &str) -> Option<Said> {
    let said = tasmota::decode(topic, text)
        .or_else(|| zigbee2mqtt::decode(topic, text))
        .or_else(|| shelly::decode(topic, text))
        .or_else(|| esphome::decode(topic, text))?;
    let has_key = |object: Object| object.contains_key("boot") && object.contains_key("seq");
    let is_plain = text.starts_with('{') && object(text).is_ok_and(has_key);
    (!is_plain).then_some(said)
}

/// When its readings were measured, as an object on a topic of theirs says it.
pub(super) fn taken_at(topic: &str, object: &Object) -> Option<UnixMicros> {
    if topic.starts_with("zigbee2mqtt/") {
        return zigbee2mqtt::taken_at(object);
    }
    if topic.starts_with("tele/") { tasmota::taken_at(object) } else { None }
}

fn object(text: &str) -> Result<Object, NotAReading> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(NotAReading::NotJson),
    }
}

/// The numbers of an object that are `about` nothing else, as readings.
fn readings(
    series: &Series,
    object: &Object,
    about: &dyn Fn(&str) -> bool,
    unit: impl Fn(&str) -> Unit,
) -> Said {
    let mut numbers = Vec::new();
    collect(object, "", about, &mut numbers)?;
    let reading = |(path, number): (String, f64)| series.reading(&path, number, unit(last(&path)));
    Ok(numbers.into_iter().map(reading).collect())
}

/// The name of the key that a path ends with.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
