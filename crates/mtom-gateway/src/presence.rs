//! Who is at an external broker, as far as devices say it themselves.
//!
//! `mtom/<id>/status` is `online`, or `offline` by the last will; `mtom/<id>/settings` names the topic of the
//! readings. Whoever says nothing of the kind is not known here: it is silent once its readings are missed. A
//! broker that was killed keeps `online` of a device that has gone meanwhile; that one is silent too.

use crate::Clock;
use mtom_broker::clients::{Admission, Clients, Everybody};
use serde_json::Value;
use std::sync::Arc;

/// Where devices say it.
pub(crate) const FILTERS: [&str; 2] = ["mtom/+/status", "mtom/+/settings"];
/// Longer settings are not ours.
const SETTINGS_LEN_MAX: usize = 4_096;

/// Those who speak about themselves. Cheap to clone.
#[derive(Clone)]
pub struct Presence(Clients);

impl Presence {
    pub(crate) fn new(clock: &Clock) -> Self {
        let clock = Arc::clone(clock);
        Self(Clients::new(Admission::Everyone, [], Arc::new(move || clock().0)))
    }

    /// Everybody who is or was there.
    #[must_use]
    pub fn everybody(&self) -> Everybody {
        self.0.everybody()
    }

    /// Hears a message; true: it is of this kind. What it says is from outside and may be anything.
    pub(crate) fn heard(&self, topic: &str, payload: &[u8], retained_copy: bool) -> bool {
        let Some((id, what)) = topic.strip_prefix("mtom/").and_then(|rest| rest.split_once('/'))
        else {
            return false;
        };
        match (what, payload) {
            ("status", b"online") => self.0.says_online(id),
            ("status", b"offline") => self.0.says_offline(id, retained_copy),
            ("status", _) => {}
            ("settings", _) => {
                if let Some(topic) = readings_topic(payload) {
                    self.0.says_topic(id, &topic);
                }
            }
            _ => return false,
        }
        true
    }
}

fn readings_topic(settings: &[u8]) -> Option<String> {
    let settings = Some(settings).filter(|bytes| bytes.len() <= SETTINGS_LEN_MAX)?;
    let settings: Value = serde_json::from_slice(settings).ok()?;
    Some(settings.get("topic")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests;
