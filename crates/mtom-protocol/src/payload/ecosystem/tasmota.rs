//! Tasmota: `tele/<t>/SENSOR`. The topic in between names the device, keys the quantities (`DS18B20.Temperature`).
//!
//! `TempUnit` and `PressureUnit` say what temperatures and pressures are in; what mtom has no unit for (mmHg, kWh,
//! VA) is a plain number. `Time` is the device's local time; it is believed only with a zone (`SetOption52 1`).

use super::{NOTHING, Object, Said, object, readings};
use crate::payload::series::Series;
use crate::time::UnixMicros;
use crate::unit::Unit;
use serde_json::Value;

pub(super) fn decode(topic: &str, text: &str) -> Option<Said> {
    let (prefix, rest) = topic.split_once('/')?;
    let (device, what) = rest.rsplit_once('/').filter(|(device, _)| !device.is_empty())?;
    let is_object = text.starts_with('{');
    match (prefix, what) {
        ("tele", "SENSOR") if is_object => Some(sensor(topic, device, text)),
        ("tele", "LWT") if matches!(text, "Online" | "Offline") => NOTHING,
        ("tele", what) if is_object && is_about_itself(what) => NOTHING,
        ("stat", what) if is_object && (what == "RESULT" || what.starts_with("STATUS")) => NOTHING,
        ("stat", what) if is_power(what) && matches!(text, "ON" | "OFF") => NOTHING,
        // Commands to it; an empty one asks.
        ("cmnd", what) if is_power(what) && matches!(text, "" | "ON" | "OFF" | "TOGGLE") => NOTHING,
        _ => None,
    }
}

/// `STATE`, `INFO1` and the like; some versions send one `STATE` more for Home Assistant.
fn is_about_itself(what: &str) -> bool {
    what.ends_with("STATE")
        || matches!(what, "INFO1" | "INFO2" | "INFO3" | "RESULT" | "UPTIME" | "MARGINS")
}

/// `POWER`, or `POWER2` of several.
fn is_power(what: &str) -> bool {
    what.strip_prefix("POWER").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

fn sensor(topic: &str, device: &str, text: &str) -> Said {
    let object = object(text)?;
    let mut series = Series::new(topic, device);
    series.taken_at = says(&object, "Time").and_then(UnixMicros::parse_rfc3339);
    let temperature = match says(&object, "TempUnit") {
        Some("F") => Unit::Fahrenheit,
        _ => Unit::Celsius,
    };
    let pressure = match says(&object, "PressureUnit") {
        None | Some("hPa") => Unit::HectoPascal,
        Some(_) => Unit::None,
    };
    readings(&series, &object, &|_| false, |key| match key {
        "Temperature" | "DewPoint" => temperature,
        "Pressure" | "SeaPressure" => pressure,
        "Humidity" | "Battery" => Unit::Percent,
        "Illuminance" => Unit::Lux,
        "Voltage" => Unit::Volt,
        "Current" => Unit::Ampere,
        "Power" => Unit::Watt,
        "CarbonDioxide" | "eCO2" => Unit::PartsPerMillion,
        _ => Unit::None,
    })
}

fn says<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}
