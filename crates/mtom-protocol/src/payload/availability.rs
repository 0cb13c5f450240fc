//! What devices of other systems say about being there, and where (`wire.md` §3).
//!
//! ESPHome: `<p>/status` `online`, `offline`. Tasmota: `tele/<t>/LWT` `Online`, `Offline`. Zigbee2MQTT:
//! `zigbee2mqtt/<n>/availability` and, of all its devices, `zigbee2mqtt/bridge/state`; since version 2 as
//! `{"state":"online"}`, before as the word alone. Shelly: `<p>/online` `true`, `false`. Anything else on these
//! topics says nothing here; what it is otherwise is for [`decode`](super::decode).

use super::{PAYLOAD_LEN_MAX, TOPIC_LEN_MAX};
use crate::topic;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde_json::Value;

const ZIGBEE2MQTT: &str = "zigbee2mqtt/";
const ZIGBEE2MQTT_BRIDGE: &str = "zigbee2mqtt/bridge/state";
/// Who speaks on `<p>/status` and is no ESPHome.
const OTHERS: [&str; 2] = ["mtom/", "homeassistant/"];

/// Somebody is there, or has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Availability<'a> {
    /// Who.
    pub whose: Whose<'a>,
    /// It is there.
    pub is_available: bool,
}

/// Whom an availability is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// The device of that name, as its readings have it.
    Device(&'a str),
    /// What all devices are reached through whose readings' topics begin so: nobody is heard without it.
    Bridge(&'static str),
}

/// What a message says about whoever sends it being there; `None`: nothing.
#[must_use]
pub fn availability<'a>(topic: &'a str, payload: &[u8]) -> Option<Availability<'a>> {
    if topic.len() > TOPIC_LEN_MAX
        || payload.len() > PAYLOAD_LEN_MAX
        || topic.chars().any(char::is_control)
    {
        return None;
    }
    let (head, what) = topic.rsplit_once('/').filter(|(head, _)| !head.is_empty())?;
    let text = core::str::from_utf8(payload).ok()?.trim();
    let of = |device: &'a str, yes: &str, no: &str| {
        let is_available = [yes, no].iter().position(|word| *word == text)? == 0;
        (!device.is_empty()).then_some(Availability { whose: Whose::Device(device), is_available })
    };
    if let Some(rest) = topic.strip_prefix(ZIGBEE2MQTT) {
        let is_available = is_online(text)?;
        let whose = match rest.strip_suffix("/availability") {
            _ if topic == ZIGBEE2MQTT_BRIDGE => Whose::Bridge(ZIGBEE2MQTT),
            Some(name) if !name.is_empty() && !is_bridge(name) => Whose::Device(name),
            _ => return None,
        };
        return Some(Availability { whose, is_available });
    }
    match what {
        "LWT" => of(head.strip_prefix("tele/")?, "Online", "Offline"),
        "status" if !OTHERS.iter().any(|other| topic.starts_with(other)) => {
            of(head, "online", "offline")
        }
        "online" => of(head, "true", "false"),
        _ => None,
    }
}

fn is_bridge(name: &str) -> bool {
    name == "bridge" || name.starts_with("bridge/")
}

/// `online`, or `{"state":"online"}`.
fn is_online(text: &str) -> Option<bool> {
    let said: Value;
    let word = if text.starts_with('{') {
        said = serde_json::from_str(text).ok()?;
        said.get("state")?.as_str()?
    } else {
        text
    };
    match word {
        "online" => Some(true),
        "offline" => Some(false),
        _ => None,
    }
}

/// The filters of the topics where those say that they are there whose readings `listened` names, as far as no
/// filter of `listened` brings them itself. Shared ones (`$share/…`) bring nothing that a broker has kept, so
/// with them also those topics are named on which nothing else can be.
#[must_use]
pub fn availability_filters(listened: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for text in listened {
        let Ok((group, filter)) = topic::subscription(text) else { continue };
        found.extend(of_readings(filter));
        if group.is_some() {
            found.extend(of_shared(filter));
        }
    }
    let covers = |text: &String, wanted: &str| match topic::subscription(text) {
        // What comes by a shared one and by another comes twice: only what is idempotent may.
        Ok((Some(_), filter)) => !is_only_this(wanted) && topic::matches(filter, wanted),
        Ok((None, filter)) => topic::matches(filter, wanted),
        Err(_) => false,
    };
    found.retain(|wanted| !listened.iter().any(|text| covers(text, wanted)));
    found.sort();
    found.dedup();
    found
}

/// Those of [`availability_filters`] that a broker may be asked for beside `listened`: one that sends a message once
/// for each subscription brings none of them twice that could be a reading. That a device of Zigbee2MQTT were called `status` is no reason.
#[must_use]
pub fn availability_wishes(listened: &[String]) -> Vec<String> {
    let overlaps = |wanted: &str| {
        let filters = listened.iter().filter_map(|text| Some(topic::subscription(text).ok()?.1));
        filters
            .into_iter()
            .any(|filter| !filter.starts_with(ZIGBEE2MQTT) && topic::overlap(filter, wanted))
    };
    let mut found = availability_filters(listened);
    found.retain(|wanted| is_only_this(wanted) || !overlaps(wanted));
    found
}

/// The filters of topics with nothing else on them that `listened` brings itself: what a broker has kept there is to
/// be told again after a cut, during which it queues nothing that is said at QoS 0.
#[must_use]
pub fn availability_again(listened: &[String]) -> Vec<String> {
    let plain = listened.iter().filter_map(|text| match topic::subscription(text) {
        Ok((None, filter)) => Some(filter),
        _ => None,
    });
    let mut found: Vec<_> = plain.clone().flat_map(of_readings).chain(all()).collect();
    found.retain(|wanted| {
        is_only_this(wanted) && plain.clone().any(|filter| topic::matches(filter, wanted))
    });
    found.sort();
    found.dedup();
    found
}

/// Nothing else is on these topics.
fn is_only_this(filter: &str) -> bool {
    filter.starts_with(ZIGBEE2MQTT) || (filter.starts_with("tele/") && filter.ends_with("/LWT"))
}

/// Where those speak about themselves whose readings this filter names.
fn of_readings(filter: &str) -> Vec<String> {
    if let Some(name) = filter.strip_prefix(ZIGBEE2MQTT) {
        let of_devices = match name.strip_suffix("/#").unwrap_or(name) {
            "#" => format!("{ZIGBEE2MQTT}+/availability"),
            name => format!("{ZIGBEE2MQTT}{name}/availability"),
        };
        return alloc::vec![of_devices, ZIGBEE2MQTT_BRIDGE.to_string()];
    }
    let (head, last) = filter.rsplit_once('/').unwrap_or(("", filter));
    if let Some(name) = head.strip_prefix("tele/").or_else(|| head.strip_prefix("+/"))
        && last == "SENSOR"
    {
        return alloc::vec![format!("tele/{name}/LWT")];
    }
    if head == "tele" && last == "#" {
        return alloc::vec!["tele/+/LWT".to_string()];
    }
    // `<p>/status/<component>`
    if let Some(prefix) = head.strip_suffix("/status").filter(|prefix| !prefix.is_empty()) {
        return alloc::vec![format!("{prefix}/online")];
    }
    // `<p>/sensor/<id>/state`
    let id = if last == "state" { head.rsplit_once('/').map(|(head, _)| head) } else { None };
    let sensors = if last == "#" { Some(head) } else { id };
    let prefix = sensors.and_then(|head| head.strip_suffix("/sensor"));
    match prefix.filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => alloc::vec![format!("{prefix}/status")],
        None => Vec::new(),
    }
}

/// With everything come all systems whose topics are theirs alone.
fn of_shared(filter: &str) -> Vec<String> {
    if filter != "#" {
        return Vec::new();
    }
    all().into()
}

fn all() -> [String; 3] {
    ["tele/+/LWT", "zigbee2mqtt/+/availability", ZIGBEE2MQTT_BRIDGE].map(str::to_string)
}

#[cfg(test)]
mod tests;
