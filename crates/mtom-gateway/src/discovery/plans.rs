//! How the messages of one topic are read that discovered devices have their readings on.
//!
//! Made when a config comes, and carried with each message from the door to the relay, so that whether and how it is
//! read is decided once; but under the name that its device has when it is read, because one that was given up meanwhile
//! is somebody else's. A sensor that finds nothing in a message says nothing. The device's own time and key are
//! used where they stand in it as in plain JSON; what is there and is none of these is somebody else's word. A copy that
//! the broker had kept is a reading only with such a time.

use super::names::Called;
use crate::availability::{Heard, Who};
use mtom_broker::intake::{Delivery, Message};
use mtom_protocol::discovery::Sensor;
use mtom_protocol::discovery::template::Payload;
use mtom_protocol::discovery::there::{Place, There};
use mtom_protocol::payload::{NotAReading, Own, decode, text_of};
use mtom_protocol::reading::Reading;
use std::sync::{Arc, Mutex, PoisonError};

/// The sensors of one topic.
#[derive(Clone, Default)]
pub(crate) struct Plans {
    /// It is read as it always was wherever that finds a reading; else as the sensors say.
    pub(super) is_second: bool,
    pub(super) all: Vec<Plan>,
    /// Devices that say here whether they are there, one for each of their configs.
    pub(super) there: Vec<Word>,
    /// What was said last here, for configs to come.
    pub(super) last: Option<Arc<Last>>,
}

/// The longest message that is kept as the last one of its topic, in bytes.
const LAST_LEN_MAX: usize = 512;

/// The last message of a topic on which devices say whether they are there.
#[derive(Default)]
pub(crate) struct Last(Mutex<Option<Box<str>>>);

impl Last {
    /// What that message says there; `None`: nothing, or there was none.
    pub(super) fn says(&self, place: &Place) -> Option<bool> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.says(&Payload::new(last.as_deref()?))
    }

    fn note(&self, text: &str) {
        let kept = (text.len() <= LAST_LEN_MAX).then(|| text.into());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

/// One topic of those on which a device says whether it is there.
#[derive(Clone)]
pub(crate) struct Word {
    pub(super) config: Arc<str>,
    pub(super) device: Arc<Called>,
    pub(super) at: usize,
    pub(super) said: Arc<Said>,
}

/// What such a device has said last on each of its topics.
pub(crate) struct Said {
    there: Arc<There>,
    // A std lock: held for a few instructions.
    words: Mutex<Vec<Option<bool>>>,
}

impl Said {
    /// `words` are what is known already.
    pub(super) fn new(there: &Arc<There>, words: Vec<Option<bool>>) -> Self {
        Self { there: Arc::clone(there), words: Mutex::new(words) }
    }
}

/// How one sensor's messages become readings.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Where its config stands.
    pub(super) config: Arc<str>,
    pub(super) sensor: Sensor,
    pub(super) device: Arc<Called>,
    pub(super) quantity: Arc<str>,
}

type Outcomes = Vec<Result<Reading, NotAReading>>;

impl Plans {
    /// Those that were noted when the message came.
    pub(crate) fn of(delivery: &Delivery) -> Option<&Self> {
        delivery.note.as_ref()?.downcast_ref()
    }

    /// How many readings and words a message may say by configs.
    pub(crate) fn len(&self) -> usize {
        self.all.len() + self.there.len()
    }

    /// Not all of its readings are by configs.
    pub(crate) fn is_second(&self) -> bool {
        self.is_second
    }

    /// What a message says, and whether by a config; without anything: nothing, by design.
    pub(crate) fn decode(&self, message: &Message) -> (Outcomes, bool) {
        if !self.is_second {
            return (self.said(message), true);
        }
        let found = decode(&message.topic, &message.payload);
        if found.iter().any(Result::is_ok) {
            return (found, false);
        }
        let said = self.said(message);
        if said.iter().any(Result::is_ok) { (said, true) } else { (found, false) }
    }

    /// Who says with it whether it is there, behind so many readings of its batch.
    pub(crate) fn heard(&self, message: &Message, behind: usize) -> Vec<Heard> {
        let text = std::str::from_utf8(&message.payload).ok();
        let Some(text) = text.filter(|_| !self.there.is_empty()) else { return Vec::new() };
        if let Some(last) = &self.last {
            last.note(text);
        }
        let payload = Payload::new(text);
        let heard = self.there.iter().filter_map(|Word { device, at, said, .. }| {
            let newest = said.there.topics.get(*at)?.says(&payload)?;
            let mut words = said.words.lock().unwrap_or_else(PoisonError::into_inner);
            *words.get_mut(*at)? = Some(newest);
            let is_available = said.there.is_there(&words, newest)?;
            let who = Who::Device(Arc::clone(device.name()));
            Some(Heard { behind, who, is_available, is_kept: message.retained_copy })
        });
        let mut heard: Vec<_> = heard.collect();
        // Each config of a device says the same.
        heard.dedup();
        heard
    }

    /// Nobody needs it.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.there.is_empty()
    }

    /// Something of it is of that config.
    pub(super) fn has(&self, config: &str) -> bool {
        self.all.iter().any(|plan| *plan.config == *config)
            || self.there.iter().any(|word| *word.config == *config)
    }

    /// Without what is of that config.
    pub(super) fn forget(&mut self, config: &str) {
        self.all.retain(|plan| *plan.config != *config);
        self.there.retain(|word| *word.config != *config);
    }

    fn said(&self, message: &Message) -> Outcomes {
        if self.all.is_empty() {
            return Vec::new();
        }
        if let Err(mistake) = text_of(&message.topic, &message.payload) {
            return vec![Err(mistake)];
        }
        // With the blanks around it: a template may count them.
        let text = std::str::from_utf8(&message.payload).unwrap_or_default();
        let payload = Payload::new(text);
        let own = payload.object().map(|object| Own::of(&message.topic, object));
        let own = own.unwrap_or_default();
        if message.retained_copy && own.taken_at.is_none() {
            return Vec::new();
        }
        let said = self.all.iter().filter_map(|plan| {
            let state = plan.sensor.state(&payload)?;
            let reading = state.and_then(|(number, unit)| {
                own.reading((&message.topic, plan.device.name(), &plan.quantity), number, unit)
            });
            Some(reading)
        });
        let mut said: Outcomes = said.collect();
        // One message that is no JSON is one mistake, however many had looked into it.
        let mut has_said = false;
        let is_whole =
            |one: &Result<Reading, NotAReading>| matches!(one, Err(NotAReading::NotJson));
        said.retain(|one| !is_whole(one) || !std::mem::replace(&mut has_said, true));
        said
    }
}
