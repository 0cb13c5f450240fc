//! ESPHome: `<p>/sensor/<id>/state`, a text. `<p>` is the device, `<id>` the quantity.
//!
//! The unit is not in the payload. An id whose last word is `temperature` or `humidity` is in °C or %, any other a
//! plain number. What its other components say in words (ON, OFF, a text) is no reading and no mistake.

use super::{NOTHING, Said};
use crate::payload::series::Series;
use crate::payload::text;
use crate::unit::Unit;

/// Components whose states are words.
const WORDS: [&str; 11] = [
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
];

pub(super) fn decode(topic: &str, text: &str) -> Option<Said> {
    let (head, what) = topic.rsplit_once('/').filter(|(head, _)| !head.is_empty())?;
    match what {
        "status" if matches!(text, "online" | "offline") => return NOTHING,
        "debug" if is_log(text) => return NOTHING,
        _ => {}
    }
    let (head, id) = head.rsplit_once('/')?;
    let (device, component) = head.rsplit_once('/').filter(|(device, _)| !device.is_empty())?;
    let is_json = text.starts_with(['{', '[']);
    if id.is_empty() || text.is_empty() || is_json {
        return None;
    }
    match (component, what) {
        ("sensor", "state") => Some(state(topic, device, id, text)),
        ("text_sensor", "state") => nothing_unless_number(text),
        (component, "state" | "command") if WORDS.contains(&component) => {
            nothing_unless_number(text)
        }
        _ => None,
    }
}

fn state(topic: &str, device: &str, id: &str, payload: &str) -> Said {
    let (number, unit) = text::read(payload, unit(id))?;
    Ok(alloc::vec![Series::new(topic, device).reading(id, number, unit)])
}

fn unit(id: &str) -> Unit {
    text::default_unit(id.rsplit(['_', '-']).next().unwrap_or(id))
}

fn nothing_unless_number(payload: &str) -> Option<Said> {
    if text::read(payload, Unit::None).is_err() { NOTHING } else { None }
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
