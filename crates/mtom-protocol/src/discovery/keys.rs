//! The keys of a config: a long name and a short one for each, and `~`, which stands for the beginning or the end of
//! topics.
//!
//! Topics, the encoding and what tells whether a device is there may stand at the top of a device's config, for all
//! of its things.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use serde_json::{Map, Value};

/// What may be said once for all things of a device.
const SHARED: [&str; 9] = [
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "command_topic",
    "encoding",
    "payload_available",
    "payload_not_available",
    "state_topic",
];

/// An object with its keys, and the one around it.
#[derive(Clone)]
pub(super) struct Keys<'a> {
    own: &'a Map<String, Value>,
    around: Option<&'a Map<String, Value>>,
    /// Of what is around only `~` is taken.
    is_inner: bool,
}

impl<'a> Keys<'a> {
    pub(super) fn new(own: &'a Map<String, Value>, around: Option<&'a Map<String, Value>>) -> Self {
        Self { own, around, is_inner: false }
    }

    pub(super) fn get(&self, long: &str, short: &str) -> Option<&'a Value> {
        let of = |map: &'a Map<String, Value>| map.get(long).or_else(|| map.get(short));
        let around = self.around.filter(|_| !self.is_inner && SHARED.contains(&long));
        of(self.own).or_else(|| around.and_then(of)).filter(|value| !value.is_null())
    }

    /// A text that is not empty.
    pub(super) fn text(&self, long: &str, short: &str) -> Option<&'a str> {
        self.get(long, short)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// A word as it goes over the wire: a text, a number, or what Python makes of true and false.
    pub(super) fn word(&self, long: &str, short: &str) -> Option<String> {
        match self.get(long, short)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(true) => Some("True".to_owned()),
            Value::Bool(false) => Some("False".to_owned()),
            Value::Number(number) => Some(format!("{number}")),
            _ => None,
        }
    }

    pub(super) fn object(&self, long: &str, short: &str) -> Option<Keys<'a>> {
        Some(Keys::new(self.get(long, short)?.as_object()?, None))
    }

    /// An object in this one, for which `~` stands for the same; all else it says itself.
    pub(super) fn inner(&self, own: &'a Map<String, Value>) -> Keys<'a> {
        let around = self.around.filter(|_| !self.own.contains_key("~"));
        Keys { own, around: around.or(Some(self.own)), is_inner: true }
    }

    /// A topic with what `~` stands for.
    pub(super) fn topic(&self, long: &str, short: &str) -> Option<String> {
        let text = self.text(long, short)?;
        let base = self.own.get("~").or_else(|| self.around?.get("~")).and_then(Value::as_str);
        let Some(base) = base else { return Some(text.to_owned()) };
        Some(match (text.strip_prefix('~'), text.strip_suffix('~')) {
            (Some(rest), _) => format!("{base}{rest}"),
            (None, Some(rest)) => format!("{rest}{base}"),
            (None, None) => text.to_owned(),
        })
    }

    /// The one topic that says `online` and `offline` of it; `None`: there is none, or it says it otherwise.
    pub(super) fn online(&self) -> Option<String> {
        let (mut said, mut key) = (self.clone(), ("availability_topic", "avty_t"));
        if let Some(list) = self.get("availability", "avty") {
            let one = match list {
                Value::Array(items) if items.len() == 1 => items.first()?,
                one => one,
            };
            said = self.inner(one.as_object()?);
            key = ("topic", "t");
        }
        let is = |long, short, word| said.text(long, short).is_none_or(|found| found == word);
        let is_plain = is("payload_available", "pl_avail", "online")
            && is("payload_not_available", "pl_not_avail", "offline")
            && said.get("value_template", "val_tpl").is_none_or(|_| key.0 == "availability_topic")
            && said.get("availability_template", "avty_tpl").is_none();
        if is_plain { said.topic(key.0, key.1) } else { None }
    }
}
