//! What Home Assistant says to us: that it has started, and what it wants of an actuator.

use super::names::{Names, Ours};
use super::talk::Talk;
use bytes::Bytes;
use mtom_broker::intake::Manner;
use mtom_broker::outlet::Announcement;
use mtom_protocol::link::Led;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

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
    again: Arc<Again>,
    ours: Ours,
    talk: Talk,
}

/// Why everything is told again.
#[derive(Default)]
pub(crate) struct Again {
    /// A connection is made.
    pub(super) connected: Notify,
    /// Home Assistant has started.
    pub(super) started: Notify,
}

/// What it wants of an actuator, which is named as in its topic; `None`: the rules speak again.
pub(super) struct Word {
    pub(super) actuator: String,
    pub(super) led: Option<Led>,
    pub(super) heard_at: Instant,
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
    pub(crate) fn new(prefix: &str, id: &str, is_on: bool) -> (Self, Words, Arc<Again>) {
        let (words, waiting) = mpsc::channel(WORDS_LEN);
        let again = Arc::new(Again::default());
        let base = is_on.then(|| format!("mtom/{id}/actuator/").into());
        let status = format!("{prefix}/status").into();
        let gateway = Names::new(prefix, id).gateway().into();
        let (talk, ours) = (Talk::new(id, is_on), Ours::new(prefix, id));
        let ears = Self { base, status, gateway, words, again: Arc::clone(&again), ours, talk };
        (ears, Words(waiting), again)
    }

    /// Which topics are those of gateways.
    pub(crate) fn ours(&self) -> Ours {
        self.ours.clone()
    }

    /// How it stands.
    pub(crate) fn talk(&self) -> &Talk {
        &self.talk
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
        self.again.connected.notify_one();
    }

    /// Whether a message is for us. What it says is neither noted nor done.
    pub(crate) fn is_for_us(&self, topic: &str, payload: &[u8]) -> bool {
        self.is_status(topic, payload) || self.actuator(topic).is_some()
    }

    fn is_status(&self, topic: &str, payload: &[u8]) -> bool {
        let is_one = *topic == *self.status && matches!(payload, b"online" | b"offline");
        is_one && self.base.is_some()
    }

    /// Whose command comes on a topic.
    fn actuator<'a>(&self, topic: &'a str) -> Option<&'a str> {
        let base = self.base.as_ref()?;
        topic.strip_prefix(&**base).and_then(|rest| rest.strip_suffix("/set"))
    }

    /// Hears a message; true: it was for us.
    pub(crate) fn heard(&self, topic: &str, payload: &[u8], manner: Manner) -> bool {
        if self.is_status(topic, payload) {
            let is_online = payload == b"online";
            self.talk.is_there(is_online);
            if is_online && matches!(manner, Manner::Now | Manner::ToKeep) {
                self.again.started.notify_one();
            }
            return true;
        }
        let Some(actuator) = self.actuator(topic) else { return false };
        // An empty one takes back what was kept.
        if payload.is_empty() {
            return true;
        }
        if let Err(reason) = self.told(actuator, payload, manner) {
            self.talk.refused();
            if let Some(unsaid) = self.talk.may_warn(Instant::now()) {
                tracing::warn!(
                    topic,
                    unsaid,
                    "a command of Home Assistant is not obeyed: {reason}"
                );
            }
        }
        true
    }

    /// Puts a command behind those that wait to be obeyed.
    fn told(&self, actuator: &str, payload: &[u8], manner: Manner) -> Result<(), &'static str> {
        let led = match payload {
            b"ON" => Some(Led::On),
            b"OFF" => Some(Led::Off),
            b"AUTO" => None,
            _ => return Err("expected ON, OFF or AUTO"),
        };
        match manner {
            Manner::Now => {}
            // A copy that was kept is somebody's wish of some other day, and a bridge says it with each connection.
            Manner::Copy | Manner::ToKeep => return Err("it is one that the broker keeps"),
            Manner::Will => return Err("it is a last will"),
        }
        let word = Word { actuator: actuator.to_owned(), led, heard_at: Instant::now() };
        self.words.try_send(word).map_err(|_| "too many at once")
    }
}
