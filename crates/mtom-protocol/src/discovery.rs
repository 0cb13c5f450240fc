//! What devices tell Home Assistant about themselves over MQTT, as far as it leads to readings and switches.
//!
//! A device keeps a *config* at the broker, on `homeassistant/<component>/[<node>/]<object>/config` for one thing
//! or on `homeassistant/device/<object>/config` for all of its things (`cmps`), with long keys or short ones. Of a
//! sensor it says on which topic its state comes and how the number is found in there. What is not understood is one
//! word per thing and disturbs no other thing of the same config.
//!
//! The facts are Home Assistant's: <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>.

use crate::payload::TOPIC_LEN_MAX;
use crate::topic;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use keys::Keys;
use serde_json::{Map, Value};

mod keys;
mod sensor;
mod switch;
pub mod template;
pub mod there;

pub use sensor::{Sensor, State};
pub use switch::Switch;

/// The longest config that is looked at, in bytes.
pub const CONFIG_LEN_MAX: usize = 64 * 1024;
/// The most things of one config.
pub const COMPONENTS_LEN_MAX: usize = 256;
/// The component of a config that is about a whole device.
const DEVICE: &str = "device";
/// A longer template is not looked at.
const TEMPLATE_LEN_MAX: usize = 512;
/// Levels of a topic. mosquitto closes the connection of whoever subscribes to one of more than 200.
const LEVELS_LEN_MAX: usize = 100;

/// Where a config stands: what comes after the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// `sensor`, `switch`, …; `device`: all things of a device.
    pub component: &'a str,
    /// Groups things of one device.
    pub node: Option<&'a str>,
    /// Names the thing, or the device.
    pub object: &'a str,
}

/// A config.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Whose it is.
    pub device: Device,
    /// Which program has written it.
    pub origin: Option<String>,
    /// Its things, in the order of their keys.
    pub components: Vec<Component>,
}

/// A device as it names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What persons call it.
    pub name: String,
    /// What tells it from another of the same name.
    pub id: String,
}

/// One thing of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its key in the config, or the object of the topic.
    pub key: String,
    /// `sensor`, `switch`, …
    pub platform: String,
    /// What its readings may be called, the best first: the kind of quantity, its name, its key.
    pub names: Vec<String>,
    /// Where it says whether it is there, the same for all things that say nothing else; `None`: nowhere.
    pub there: Option<Arc<there::There>>,
    /// What tells it from all others of its platform.
    pub unique_id: Option<String>,
    /// What it means here.
    pub meaning: Result<Meaning, NotUnderstood>,
}

/// What a thing means here.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// It measures.
    Sensor(Sensor),
    /// It can be switched.
    Switch(Switch),
    /// Neither: a button, a text, an update.
    Other,
}

/// Why a config, or one thing of it, leads to nothing. The message is for people; [`NotUnderstood::code`] is the
/// word that is counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum NotUnderstood {
    #[error("the config has {len} bytes: expected at most {CONFIG_LEN_MAX}")]
    TooLong { len: usize },
    #[error("the config is not a JSON object: expected {{\"state_topic\":…}}")]
    NotJson,
    #[error("components: expected an object of 1 to {COMPONENTS_LEN_MAX}, each with its platform")]
    Components,
    #[error(
        "{key}: expected a topic of at most {TOPIC_LEN_MAX} bytes and {LEVELS_LEN_MAX} levels without + and #"
    )]
    Topic { key: &'static str },
    #[error(
        "the template {text:?} is more than is understood: expected {{{{ value }}}}, {{{{ value_json.a.b }}}} or \
         {{{{ value.split(' ')[0] }}}}, with + - * / // % and float, int, round, abs, multiply, add, default or \
         is_defined behind it"
    )]
    Template { text: String },
    #[error("it says words, not numbers (device class {class})")]
    Words { class: String },
    #[error("encoding {found:?}: expected utf-8")]
    Encoding { found: String },
    #[error("schema {found:?}: expected basic")]
    Schema { found: String },
    #[error("its words for on and off are not the same both ways, or it has none")]
    OnOff,
}

impl NotUnderstood {
    /// One stable word per reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::NotJson => "not_json",
            Self::Components => "components",
            Self::Topic { .. } => "topic",
            Self::Template { .. } => "template",
            Self::Words { .. } => "words",
            Self::Encoding { .. } => "encoding",
            Self::Schema { .. } => "schema",
            Self::OnOff => "on_off",
        }
    }
}

/// Reads a topic below `prefix`; `None`: no config stands there.
#[must_use]
pub fn place<'a>(prefix: &str, topic: &'a str) -> Option<Place<'a>> {
    let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?.strip_suffix("/config")?;
    let mut levels = rest.split('/');
    let (component, second, third) = (levels.next()?, levels.next()?, levels.next());
    let plain = |level: &str, more: &[char]| {
        let is = |c: char| c.is_ascii_alphanumeric() || c == '_' || more.contains(&c);
        !level.is_empty() && level.chars().all(is)
    };
    let is_id = |level: &str| plain(level, &['-']);
    let (node, object) = match third {
        Some(object) => (Some(second), object),
        None => (None, second),
    };
    let is_so =
        levels.next().is_none() && plain(component, &[]) && is_id(object) && node.is_none_or(is_id);
    is_so.then_some(Place { component, node, object })
}

/// Reads a config.
///
/// # Errors
/// [`NotUnderstood`], where nothing of it can be used.
pub fn read(place: &Place<'_>, payload: &[u8]) -> Result<Config, NotUnderstood> {
    if payload.len() > CONFIG_LEN_MAX {
        return Err(NotUnderstood::TooLong { len: payload.len() });
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(payload) else {
        return Err(NotUnderstood::NotJson);
    };
    let root = Keys::new(&object, None);
    let device = device(&root, place);
    let origin = root.object("origin", "o").and_then(|origin| origin.text("name", "name"));
    let components = if place.component == DEVICE {
        let listed = root.get("components", "cmps").and_then(Value::as_object);
        let listed = listed.ok_or(NotUnderstood::Components)?;
        if listed.is_empty() || listed.len() > COMPONENTS_LEN_MAX {
            return Err(NotUnderstood::Components);
        }
        let shared = there::read(&root).map(Arc::new);
        let all = listed.iter();
        all.filter_map(|(key, value)| of_device(key, value, (&object, shared.as_ref()))).collect()
    } else {
        let there = there::read(&root).map(Arc::new);
        alloc::vec![component(place.object, place.component, &root, there)]
    };
    Ok(Config { device, origin: origin.map(shortened), components })
}

/// One thing among those of a device. One that says nothing but its platform is taken away.
fn of_device(
    key: &str,
    value: &Value,
    (root, shared): (&Map<String, Value>, Option<&Arc<there::There>>),
) -> Option<Component> {
    let object = value.as_object()?;
    let keys = Keys::new(object, Some(root));
    let platform = keys.text("platform", "p")?;
    let is_taken_away = object.keys().all(|key| matches!(key.as_str(), "platform" | "p"));
    let there = || {
        let says_so_itself = there::is_own(object);
        if says_so_itself { there::read(&keys).map(Arc::new) } else { shared.map(Arc::clone) }
    };
    (!is_taken_away).then(|| component(key, platform, &keys, there()))
}

fn component(
    key: &str,
    platform: &str,
    keys: &Keys<'_>,
    there: Option<Arc<there::There>>,
) -> Component {
    let meaning = match platform {
        "sensor" => sensor::read(keys).map(Meaning::Sensor),
        "switch" | "light" => switch::read(keys, platform).map(Meaning::Switch),
        _ => Ok(Meaning::Other),
    };
    let said = [keys.text("device_class", "dev_cla"), keys.text("name", "name"), Some(key)];
    let names = said.into_iter().flatten().filter(|name| is_name(name)).map(ToOwned::to_owned);
    Component {
        key: key.to_owned(),
        platform: platform.to_owned(),
        names: names.collect(),
        there,
        unique_id: keys.word("unique_id", "uniq_id").filter(|id| id.len() <= TOPIC_LEN_MAX),
        meaning,
    }
}

/// The device of a config; one that says none is named by its topic.
fn device(root: &Keys<'_>, place: &Place<'_>) -> Device {
    let said = root.object("device", "dev");
    let id = said.as_ref().and_then(|said| {
        let ids = said.get("identifiers", "ids").and_then(first);
        ids.or_else(|| first(said.get("connections", "cns")?))
    });
    let id = id.filter(|id| id.len() <= TOPIC_LEN_MAX);
    let named_by_topic = || match place.node {
        Some(node) => node,
        None => place.object,
    };
    let id = id.unwrap_or_else(|| named_by_topic().to_owned());
    let name =
        said.as_ref().and_then(|said| said.text("name", "name")).filter(|name| is_name(name));
    let name = name.map_or_else(
        || if is_name(&id) { id.clone() } else { named_by_topic().into() },
        Into::into,
    );
    Device { name, id }
}

/// The first of a list of texts, or of pairs, or the text.
fn first(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => match items.first()? {
            Value::Array(pair) => {
                let pair: Option<Vec<_>> = pair.iter().map(first).collect();
                pair.map(|pair| pair.join(":"))
            }
            one => first(one),
        },
        _ => None,
    }
}

/// Whether a device or a quantity may be called so.
fn is_name(name: &str) -> bool {
    let name = name.trim();
    (1..=TOPIC_LEN_MAX / 2).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// A topic that messages come on, or are published on.
fn checked(topic: Option<String>, key: &'static str) -> Result<String, NotUnderstood> {
    let is_so = |topic: &String| {
        (1..=TOPIC_LEN_MAX).contains(&topic.len())
            && !topic.starts_with('$')
            && !topic.contains(['+', '#'])
            && !topic.chars().any(|c| c.is_control() || is_noncharacter(c))
            && topic.split('/').count() <= LEVELS_LEN_MAX
            && topic::matches(topic, topic)
    };
    topic.filter(is_so).ok_or(NotUnderstood::Topic { key })
}

/// Brokers may close the connection of whoever sends one [MQTT-1.5.4-1].
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// The template under a key, where there is one.
fn template(
    keys: &Keys<'_>,
    long: &'static str,
    short: &'static str,
) -> Result<template::Template, NotUnderstood> {
    let text = keys.text(long, short).unwrap_or("{{ value }}");
    let found = if text.len() > TEMPLATE_LEN_MAX { None } else { template::Template::parse(text) };
    found.ok_or_else(|| NotUnderstood::Template { text: shortened(text) })
}

fn shortened(text: &str) -> String {
    const LEN_MAX: usize = 100;
    match text.char_indices().nth(LEN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests;
