//! Shelly of the second generation and later: `<p>/status/<component>:<n>`.
//!
//! `<p>` is the device. The component goes before the quantity (`switch:0.apower`), because a device may have
//! several; `temperature:0` and `humidity:0` have one value and are its name. A temperature that is said in
//! °C and in °F is one reading, in °C. Numbers that are ids and times of the clock are none.

use super::{NOTHING, Object, Said, last, object};
use crate::payload::NotAReading;
use crate::payload::json::collect;
use crate::payload::series::Series;
use crate::reading::Reading;
use crate::unit::Unit;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) fn decode(topic: &str, text: &str) -> Option<Said> {
    let (head, what) = topic.rsplit_once('/').filter(|(head, _)| !head.is_empty())?;
    if what == "online" && matches!(text, "true" | "false") {
        return NOTHING;
    }
    let (device, level) = head.rsplit_once('/').unwrap_or((head, ""));
    let is_object = text.starts_with('{') && !device.is_empty();
    match (level, what) {
        ("status", what) if is_object && is_component(what) => {
            status(topic, device, what, &object(text).ok()?)
        }
        ("status", what) if is_object => is_of_system(what, &object(text).ok()?),
        ("events", "rpc") if is_object => is_rpc(&object(text).ok()?, &["method"]),
        (_, "rpc") if is_object => is_rpc(&object(text).ok()?, &["method", "result", "error"]),
        ("command", what) if is_component(what) && matches!(text, "on" | "off" | "toggle") => {
            NOTHING
        }
        (_, "command") if matches!(text, "status_update" | "announce") => NOTHING,
        _ => None,
    }
}

/// `switch:0`.
fn is_component(what: &str) -> bool {
    what.split_once(':').is_some_and(|(kind, number)| {
        let is_kind = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        is_number && !kind.is_empty() && kind.bytes().all(is_kind)
    })
}

/// How it is connected, and its own state: no measurements. A component that has nothing to say says `{}`.
fn is_of_system(what: &str, object: &Object) -> Option<Said> {
    let is_so = match what {
        _ if object.is_empty() => true,
        "sys" => object.contains_key("mac") && object.contains_key("uptime"),
        "wifi" => object.contains_key("sta_ip"),
        "eth" => object.contains_key("ip"),
        "cloud" | "mqtt" | "ws" => object.contains_key("connected"),
        _ => false,
    };
    if is_so { NOTHING } else { None }
}

/// What it says again as a remote procedure call is on `status` too.
fn is_rpc(object: &Object, kinds: &[&str]) -> Option<Said> {
    let is_so = object.contains_key("src") && kinds.iter().any(|kind| object.contains_key(*kind));
    if is_so { NOTHING } else { None }
}

fn status(topic: &str, device: &str, component: &str, object: &Object) -> Option<Said> {
    if object.is_empty() {
        return NOTHING;
    }
    is_of(component, object).then(|| measurements(topic, device, component, object))
}

/// Whether it is this component that speaks. A virtual one (`number:200`) says no id and when it was changed.
fn is_of(component: &str, object: &Object) -> bool {
    let number = component.split_once(':').and_then(|(_, number)| number.parse::<u64>().ok());
    match object.get("id") {
        Some(id) => number.is_some() && id.as_u64() == number,
        None => object.contains_key("last_update_ts") && object.contains_key("source"),
    }
}

fn measurements(topic: &str, device: &str, component: &str, object: &Object) -> Said {
    let series = Series::new(topic, device);
    let mut numbers = Vec::new();
    let is_time = |key: &str| key.ends_with("_ts") || key == "timer_started_at";
    let about = |path: &str| last(path) == "id" || is_time(last(path));
    collect(object, component, &about, &mut numbers)?;
    let has_celsius = |path: &str| {
        let of = |path: &str| path.rsplit_once('.').map(|(parent, _)| String::from(parent));
        numbers.iter().any(|(other, _)| last(other) == "tC" && of(other) == of(path))
    };
    let wanted = numbers.iter().filter(|(path, _)| last(path) != "tF" || !has_celsius(path));
    Ok(wanted.map(|(path, number)| reading(&series, path, *number)).collect())
}

fn reading(series: &Series, path: &str, number: f64) -> Result<Reading, NotAReading> {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    match key {
        "tC" => series.reading(parent, number, Unit::Celsius),
        "tF" => series.reading(parent, number, Unit::Fahrenheit),
        "rh" => series.reading(parent, number, Unit::Percent),
        _ => series.reading(path, number, unit(key)),
    }
}

fn unit(key: &str) -> Unit {
    // Of three phases: a_voltage, b_voltage, total_act_power.
    let is = |name: &str| key == name || key.strip_suffix(name).is_some_and(|k| k.ends_with('_'));
    match key {
        "apower" => Unit::Watt,
        "V" => Unit::Volt,
        "percent" => Unit::Percent,
        "lux" => Unit::Lux,
        _ if is("act_power") => Unit::Watt,
        _ if is("voltage") => Unit::Volt,
        _ if is("current") => Unit::Ampere,
        _ => Unit::None,
    }
}
