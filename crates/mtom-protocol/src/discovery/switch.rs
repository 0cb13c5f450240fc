//! A thing that can be switched: its topics and words, and the link of an actuator that says the same.

use super::keys::Keys;
use super::template::Template;
use super::{NotUnderstood, checked, template};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

/// A switch, or a light that is on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// What it is told goes there.
    pub command_topic: String,
    /// Where it says what it is; `None`: nowhere.
    pub state_topic: Option<String>,
    /// Where in that message, `a.b`; empty: the message is the word.
    path: String,
    on: String,
    off: String,
    online: Option<String>,
}

pub(super) fn read(keys: &Keys<'_>, platform: &str) -> Result<Switch, NotUnderstood> {
    if let Some(found) = keys.text("schema", "schema").filter(|schema| *schema != "basic") {
        return Err(NotUnderstood::Schema { found: super::shortened(found) });
    }
    if let Some(text) = keys.text("command_template", "cmd_tpl") {
        return Err(NotUnderstood::Template { text: super::shortened(text) });
    }
    let command_topic = checked(keys.topic("command_topic", "cmd_t"), "command_topic")?;
    let state_topic = keys.topic("state_topic", "stat_t");
    let state_topic = state_topic.map(|topic| checked(Some(topic), "state_topic")).transpose()?;
    let template = match platform {
        "light" => template(keys, "state_value_template", "stat_val_tpl")?,
        _ => template(keys, "value_template", "val_tpl")?,
    };
    let word = |long, short, default: &str| keys.word(long, short).unwrap_or(default.to_owned());
    let (on, off) = (word("payload_on", "pl_on", "ON"), word("payload_off", "pl_off", "OFF"));
    let says_same =
        word("state_on", "stat_on", &on) == on && word("state_off", "stat_off", &off) == off;
    if !says_same || on == off || on.is_empty() || off.is_empty() {
        return Err(NotUnderstood::OnOff);
    }
    let path = path(&template, keys)?;
    Ok(Switch { command_topic, state_topic, path, on, off, online: keys.online() })
}

/// The path that an address can say.
fn path(template: &Template, keys: &Keys<'_>) -> Result<String, NotUnderstood> {
    template.path().ok_or_else(|| {
        let text = keys.text("value_template", "val_tpl");
        let text = text.or_else(|| keys.text("state_value_template", "stat_val_tpl"));
        NotUnderstood::Template { text: super::shortened(text.unwrap_or_default()) }
    })
}

impl Switch {
    /// The address of an actuator that is this switch: `mqtt:lamp/set?state=lamp/state`.
    #[must_use]
    pub fn link(&self) -> String {
        let mut link = format!("mqtt:{}", encoded(&self.command_topic));
        let mut separator = '?';
        let mut option = |name: &str, value: &str| {
            link.push(separator);
            link.push_str(name);
            link.push('=');
            link.push_str(&encoded(value));
            separator = '&';
        };
        if let Some(topic) = &self.state_topic {
            option("state", topic);
            if !self.path.is_empty() {
                option("path", &self.path);
            }
        }
        if (self.on.as_str(), self.off.as_str()) != ("ON", "OFF") {
            option("on", &self.on);
            option("off", &self.off);
        }
        if let Some(topic) = &self.online {
            option("online", topic);
        }
        link
    }
}

/// With what has a meaning in an address, or is no plain letter, as `%3F`.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b':' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
