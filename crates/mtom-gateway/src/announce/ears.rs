//! What Home Assistant says to us: that it has started, and what it wants of an actuator.

use super::names::Names;
use bytes::Bytes;
use mtom_broker::outlet::Announcement;
use mtom_protocol::link::Led;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// Words that wait to be obeyed. Full: the newest is not heard, and that is said.
pub(super) const WORDS_LEN: usize = 16;

/// Hears what Home Assistant says. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ears {
    /// `None`: nothing is told to it, so nothing of it is heard.
    base: Option<Arc<str>>,
    status: Arc<str>,
    gateway: Arc<str>,
    words: mpsc::Sender<Word>,
    again: Arc<Notify>,
}

/// What it wants of an actuator, which is named as in its topic; `None`: the rules speak again.
pub(super) struct Word {
    pub(super) actuator: String,
    pub(super) led: Option<Led>,
}

/// The words that wait.
pub(crate) struct Words(mpsc::Receiver<Word>);

impl Words {
    pub(super) async fn next(&mut self) -> Option<Word> {
        self.0.recv().await
    }
}

impl Ears {
    /// Ears below the prefix of Home Assistant and below `mtom/<id>/`.
    pub(crate) fn new(prefix: &str, id: &str, is_on: bool) -> (Self, Words, Arc<Notify>) {
        let (words, waiting) = mpsc::channel(WORDS_LEN);
        let again = Arc::new(Notify::new());
        let base = is_on.then(|| format!("mtom/{id}/actuator/").into());
        let status = format!("{prefix}/status").into();
        let gateway = Names::new(prefix, id).gateway().into();
        let ears = Self { base, status, gateway, words, again: Arc::clone(&again) };
        (ears, Words(waiting), again)
    }

    /// The prefix of Home Assistant.
    pub(crate) fn prefix(&self) -> Arc<str> {
        self.status.strip_suffix("/status").unwrap_or_default().into()
    }

    /// What is to be subscribed to at an external broker.
    pub(crate) fn filters(&self) -> Vec<String> {
        let base = self.base.iter();
        base.flat_map(|base| [self.status.to_string(), format!("{base}+/set")]).collect()
    }

    /// What the broker is to say when we are gone.
    pub(crate) fn will(&self) -> Option<Announcement> {
        self.base.as_ref()?;
        let (topic, payload) = (self.gateway.to_string(), Bytes::from_static(b"offline"));
        Some(Announcement { topic, payload, acknowledged: true, retain: true })
    }

    /// A connection is made: the broker may have forgotten everything.
    pub(crate) fn connected(&self) {
        self.again.notify_one();
    }

    /// Hears a message; true: it was for us.
    pub(crate) fn heard(&self, topic: &str, payload: &[u8], retained_copy: bool) -> bool {
        let Some(base) = &self.base else { return false };
        if *topic == *self.status && matches!(payload, b"online" | b"offline") {
            if payload == b"online" && !retained_copy {
                self.again.notify_one();
            }
            return true;
        }
        let actuator = topic.strip_prefix(&**base).and_then(|rest| rest.strip_suffix("/set"));
        let Some(actuator) = actuator else { return false };
        let led = match payload {
            b"ON" => Some(Led::On),
            b"OFF" => Some(Led::Off),
            b"AUTO" => None,
            _ => {
                tracing::warn!(topic, "not a command: expected ON, OFF or AUTO");
                return true;
            }
        };
        // A copy that was kept is somebody's wish of some other day.
        if retained_copy {
            tracing::warn!(topic, "a command that the broker had kept is not obeyed");
        } else if self.words.try_send(Word { actuator: actuator.to_owned(), led }).is_err() {
            tracing::warn!(topic, "too many commands at once: this one is not obeyed");
        }
        true
    }
}
