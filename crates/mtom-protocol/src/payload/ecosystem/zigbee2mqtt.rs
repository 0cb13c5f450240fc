//! Zigbee2MQTT: `zigbee2mqtt/<n>`. The friendly name is the device, also with slashes in it.
//!
//! `voltage` is in V at what also measures `power` or `current` and has no `battery`; batteries mostly say
//! millivolts, so of all others it is a plain number. `last_seen` is when the device spoke, so it is the time of its
//! readings, in whichever of its forms; without a zone it is not believed. What stands under `update` and
//! `device` are versions and addresses.

use super::{NOTHING, Object, Said, object, readings};
use crate::payload::series::Series;
use crate::time::UnixMicros;
use crate::unit::Unit;
use serde_json::Value;

pub(super) fn decode(topic: &str, text: &str) -> Option<Said> {
    let name = topic.strip_prefix("zigbee2mqtt/").filter(|name| !name.is_empty())?;
    if name == "bridge" || name.starts_with("bridge/") {
        return NOTHING;
    }
    let is_object = text.starts_with('{');
    let is_command = name.ends_with("/set") || name.ends_with("/get") || name.contains("/set/");
    let is_availability =
        name.ends_with("/availability") && (is_object || matches!(text, "online" | "offline"));
    if is_command || is_availability {
        return NOTHING;
    }
    is_object.then(|| state(topic, name, text))
}

fn state(topic: &str, device: &str, text: &str) -> Said {
    let object = object(text)?;
    let mut series = Series::new(topic, device);
    series.taken_at = taken_at(&object);
    let has = |key: &str| object.contains_key(key);
    let is_mains = (has("power") || has("current")) && !has("battery");
    let has_lux = has("illuminance_lux");
    let about = |path: &str| matches!(path, "last_seen" | "update" | "device");
    readings(&series, &object, &about, |key| match key {
        "temperature" | "dew_point" => Unit::Celsius,
        key if key.ends_with("_temperature") || key.ends_with("heating_setpoint") => Unit::Celsius,
        "humidity" | "soil_moisture" | "battery" => Unit::Percent,
        "pressure" => Unit::HectoPascal,
        "illuminance_lux" => Unit::Lux,
        // Beside the one in lux it is the sensor's own count.
        "illuminance" if !has_lux => Unit::Lux,
        "voltage" if is_mains => Unit::Volt,
        "current" => Unit::Ampere,
        "power" => Unit::Watt,
        "co2" | "eco2" => Unit::PartsPerMillion,
        _ => Unit::None,
    })
}

pub(super) fn taken_at(object: &Object) -> Option<UnixMicros> {
    object.get("last_seen").and_then(last_seen)
}

/// `ISO_8601`, `ISO_8601_local`, or `epoch`, which is milliseconds.
fn last_seen(value: &Value) -> Option<UnixMicros> {
    match value {
        Value::String(text) => UnixMicros::parse_rfc3339(text),
        Value::Number(millis) => millis.as_i64()?.checked_mul(1_000).map(UnixMicros),
        _ => None,
    }
}
