//! How the messages of one topic are read that discovered devices have their readings on.
//!
//! Made when a config comes, and carried with each message from the door to the relay, so that whether and how it is
//! read is decided once. A sensor that finds nothing in a message says nothing. The device's own time and key are
//! used where they stand in it as in plain JSON; what is there and is none of these is somebody else's word. A copy that
//! the broker had kept is a reading only with such a time.

use mtom_broker::intake::{Delivery, Message};
use mtom_protocol::discovery::Sensor;
use mtom_protocol::discovery::template::Payload;
use mtom_protocol::payload::{NotAReading, Own, decode, text_of};
use mtom_protocol::reading::Reading;
use std::sync::Arc;

/// The sensors of one topic.
#[derive(Clone, Default)]
pub(crate) struct Plans {
    /// It is read as it always was wherever that finds a reading; else as the sensors say.
    pub(super) is_second: bool,
    pub(super) all: Vec<Plan>,
}

/// How one sensor's messages become readings.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Where its config stands.
    pub(super) config: Arc<str>,
    pub(super) sensor: Sensor,
    pub(super) device: Arc<str>,
    pub(super) quantity: Arc<str>,
}

type Said = Vec<Result<Reading, NotAReading>>;

impl Plans {
    /// Those that were noted when the message came.
    pub(crate) fn of(delivery: &Delivery) -> Option<&Self> {
        delivery.note.as_ref()?.downcast_ref()
    }

    /// How many readings a message may say by configs.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Not all of its readings are by configs.
    pub(crate) fn is_second(&self) -> bool {
        self.is_second
    }

    /// What a message says; without anything: nothing, by design.
    pub(crate) fn decode(&self, message: &Message) -> Said {
        if !self.is_second {
            return self.said(message);
        }
        let found = decode(&message.topic, &message.payload);
        if found.iter().any(Result::is_ok) {
            return found;
        }
        let said = self.said(message);
        if said.iter().any(Result::is_ok) { said } else { found }
    }

    fn said(&self, message: &Message) -> Said {
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
                own.reading((&message.topic, &plan.device, &plan.quantity), number, unit)
            });
            Some(reading)
        });
        let mut said: Said = said.collect();
        // One message that is no JSON is one mistake, however many had looked into it.
        let mut has_said = false;
        let is_whole =
            |one: &Result<Reading, NotAReading>| matches!(one, Err(NotAReading::NotJson));
        said.retain(|one| !is_whole(one) || !std::mem::replace(&mut has_said, true));
        said
    }
}
