//! Tasmota: `tele/<t>/SENSOR`. The topic in between names the device, keys the quantities (`DS18B20.Temperature`).
//!
//! `TempUnit` and `PressureUnit` say what temperatures and pressures are in; what mtom has no unit for (mmHg, kWh,
//! VA) is a plain number. `Time` is the device's local time; it is believed only with a zone (`SetOption52 1`).

use super::{NOTHING, Object, Said, object, readings};
use crate::payload::series::Series;
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::string::String;
use serde_json::Value;

pub(super) fn decode(topic: &str, text: &str) -> Option<Said> {
    if topic.starts_with("tasmota/discovery/") && text.starts_with('{') {
        return object(text).ok().and(NOTHING);
    }
    let (prefix, rest) = topic.split_once('/')?;
    let (device, what) = rest.rsplit_once('/').filter(|(device, _)| !device.is_empty())?;
    let is_object = text.starts_with('{');
    match (prefix, what) {
        ("tele", "SENSOR") if is_object => sensor(topic, device, &object(text).ok()?),
        ("tele", "LWT") if matches!(text, "Online" | "Offline") => NOTHING,
        ("tele", what) if is_object && what.ends_with("STATE") => is_state(&object(text).ok()?),
        ("tele", what) if is_object && is_about_itself(what) => NOTHING,
        ("stat", what) if is_object && what.starts_with("STATUS") => is_status(&object(text).ok()?),
        ("stat", "RESULT") if is_object => NOTHING,
        ("stat", what) if is_power(what) && matches!(text, "ON" | "OFF") => NOTHING,
        // Commands to it; an empty one asks.
        ("cmnd", what) if is_power(what) && matches!(text, "" | "ON" | "OFF" | "TOGGLE") => NOTHING,
        _ => None,
    }
}

fn is_about_itself(what: &str) -> bool {
    matches!(what, "INFO1" | "INFO2" | "INFO3" | "RESULT" | "UPTIME" | "MARGINS")
}

/// What stands in `STATE`; some versions send one more for Home Assistant.
fn is_state(object: &Object) -> Option<Said> {
    let is_mark = |(key, value): (&String, &Value)| match &**key {
        "UptimeSec" => value.is_number(),
        "Wifi" => value.is_object(),
        key => (key == "Uptime" || is_power(key)) && value.is_string(),
    };
    if object.iter().any(is_mark) { NOTHING } else { None }
}

/// What it answers to `Status`: `{"StatusSNS":{…}}`, or all of them in one.
fn is_status(object: &Object) -> Option<Said> {
    let is_part = |(key, value): (&String, &Value)| key.starts_with("Status") && value.is_object();
    let is_so = !object.is_empty() && object.iter().all(is_part);
    if is_so { NOTHING } else { None }
}

/// `POWER`, or `POWER2` of several.
fn is_power(what: &str) -> bool {
    what.strip_prefix("POWER").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

/// `Time`, where it has a zone.
pub(super) fn taken_at(object: &Object) -> Option<UnixMicros> {
    says(object, "Time").and_then(UnixMicros::parse_rfc3339)
}

fn sensor(topic: &str, device: &str, object: &Object) -> Option<Said> {
    let is_so = ["Time", "TempUnit"].iter().any(|key| object.contains_key(*key))
        || object.values().any(Value::is_object);
    if !is_so {
        return None;
    }
    let mut series = Series::new(topic, device);
    series.taken_at = taken_at(object);
    let temperature = match says(object, "TempUnit") {
        Some("F") => Unit::Fahrenheit,
        _ => Unit::Celsius,
    };
    let pressure = match says(object, "PressureUnit") {
        None | Some("hPa") => Unit::HectoPascal,
        Some(_) => Unit::None,
    };
    Some(readings(&series, object, &|_| false, |key| match key {
        "Temperature" | "DewPoint" => temperature,
        "Pressure" | "SeaPressure" => pressure,
        "Humidity" | "Battery" => Unit::Percent,
        "Illuminance" => Unit::Lux,
        "Voltage" => Unit::Volt,
        "Current" => Unit::Ampere,
        "Power" => Unit::Watt,
        "CarbonDioxide" | "eCO2" => Unit::PartsPerMillion,
        _ => Unit::None,
    }))
}

fn says<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}
