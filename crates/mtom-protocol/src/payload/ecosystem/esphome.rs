//! ESPHome: `<p>/sensor/<id>/state`, a text. `<p>` is the device, `<id>` the quantity.
//!
//! The unit is not in the payload. An id whose last word is `temperature` or `humidity` is in °C or %, any other a
//! plain number. What its other components say in words (ON, OFF, a text) or in JSON without a number is no reading
//! and no mistake; a number of theirs that is wrong is one.

use super::{NOTHING, Said, object};
use crate::payload::NotAReading;
use crate::payload::json::collect;
use crate::payload::series::Series;
use crate::payload::text;
use crate::unit::Unit;
use alloc::vec::Vec;

/// Components whose states are words.
const WORDS: [&str; 13] = [
    "alarm_control_panel",
    "binary_sensor",
    "button",
    "climate",
    "cover",
    "event",
    "fan",
    "light",
    "lock",
    "select",
    "switch",
    "update",
    "valve",
];
/// Those whose states may be any text, also one that begins like a number.
const TEXTS: [&str; 5] = ["date", "datetime", "text", "text_sensor", "time"];

pub(super) fn decode(topic: &str, text: &str) -> Option<Said> {
    let (head, what) = topic.rsplit_once('/').filter(|(head, _)| !head.is_empty())?;
    match what {
        "status" if matches!(text, "online" | "offline") => return NOTHING,
        "debug" if is_log(text) => return NOTHING,
        _ => {}
    }
    if text.is_empty() || text.starts_with('[') {
        return None;
    }
    if topic.starts_with("esphome/discover/") && text.starts_with('{') {
        return object(text).ok().and(NOTHING);
    }
    let (device, component, id) = component(head)?;
    match (component, what) {
        ("sensor", "state") if !text.starts_with('{') => Some(state(topic, device, id, text)),
        (component, "state" | "command") => said_by(component, text).or_else(|| {
            // `climate/<id>/mode/state`: one aspect of it.
            let (_, component, _) = self::component(head.rsplit_once('/')?.0)?;
            said_by(component, text)
        }),
        _ => None,
    }
}

/// `<device>/<component>/<id>`.
fn component(head: &str) -> Option<(&str, &str, &str)> {
    let (rest, id) = head.rsplit_once('/').filter(|(_, id)| !id.is_empty())?;
    let (device, component) = rest.rsplit_once('/').filter(|(device, _)| !device.is_empty())?;
    Some((device, component, id))
}

/// What a component says that measures nothing.
fn said_by(component: &str, text: &str) -> Option<Said> {
    let is_text = TEXTS.contains(&component);
    if !is_text && !WORDS.contains(&component) {
        return None;
    }
    if text.starts_with('{') {
        let mut numbers = Vec::new();
        collect(&object(text).ok()?, "", &|_| false, &mut numbers).ok()?;
        return if numbers.is_empty() { NOTHING } else { None };
    }
    match text::number_with_unit(text, Unit::None) {
        Err(NotAReading::NotANumber) => NOTHING,
        Err(_) if is_text => NOTHING,
        _ => None,
    }
}

fn state(topic: &str, device: &str, id: &str, payload: &str) -> Said {
    let (number, unit) = text::number_with_unit(payload, unit(id))?;
    Ok(alloc::vec![Series::new(topic, device).reading(id, number, unit)])
}

fn unit(id: &str) -> Unit {
    text::default_unit(id.rsplit(['_', '-']).next().unwrap_or(id))
}

/// `[D][sensor:093]: …`, mostly with a colour before it.
fn is_log(text: &str) -> bool {
    let text = match text.strip_prefix("\x1b[") {
        Some(colour) => colour.split_once('m').map_or("", |(_, text)| text),
        None => text,
    };
    let level =
        text.strip_prefix('[').and_then(|text| text.strip_prefix(['E', 'W', 'I', 'C', 'D', 'V']));
    level.is_some_and(|rest| rest.starts_with("]["))
}
