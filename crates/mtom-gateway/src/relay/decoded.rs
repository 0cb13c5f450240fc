//! What a message says: readings, reasons why something is none, or that a device is there or has gone.

use crate::availability::Heard;
use crate::discovery::Discovered;
use crate::sparkplug::Sparkplug;
use mtom_broker::intake::{Delivery, Message};
use mtom_protocol::payload::{NotAReading, availability, decode, describe};
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;

/// What a message says.
pub(super) struct Decoded {
    /// Nothing, where it is no reading by design.
    pub(super) outcomes: Vec<Result<Reading, NotAReading>>,
    /// Who is there or has gone.
    pub(super) heard: Vec<Heard>,
}

/// Decodes a message behind so many readings of its batch. Data of Sparkplug mean what the births before them say.
pub(super) fn decoded(
    delivery: &Delivery,
    behind: usize,
    (sparkplug, discovered): (&mut Sparkplug, &Discovered),
    now: UnixMicros,
) -> Decoded {
    let message = &delivery.message;
    if Sparkplug::is_of(&message.topic) {
        let found = sparkplug.read(message, delivery.is_awaited(), now);
        // Before its own readings: they are later than what it says of being there.
        let heard = found.said.into_iter().map(|(who, is)| Heard::now(who, is, behind)).collect();
        return Decoded { outcomes: described(found.outcomes, message), heard };
    }
    let found = discovered.decode(message);
    let found = found.unwrap_or_else(|| decode(&message.topic, &message.payload));
    let outcomes = described(found, message);
    let heard = if outcomes.is_empty() { heard(message, behind) } else { None };
    Decoded { outcomes, heard: heard.into_iter().collect() }
}

/// With what stands beside the payload; a copy that the broker had kept is a reading
/// only with a time of its own.
fn described(
    mut found: Vec<Result<Reading, NotAReading>>,
    message: &Message,
) -> Vec<Result<Reading, NotAReading>> {
    let mut seen = Vec::new();
    for outcome in &mut found {
        let Ok(reading) = outcome else { continue };
        let has_key = reading.key.is_some();
        let properties = message.properties.iter().map(|(name, value)| (&**name, &**value));
        if let Err(reason) = describe(reading, properties) {
            *outcome = Err(reason);
        } else if message.retained_copy && reading.taken_at.is_none() {
            *outcome = Err(NotAReading::Retained);
        } else if reading.key.is_some() {
            let series = (reading.device.clone(), reading.quantity.clone(), reading.unit);
            if !seen.contains(&series) {
                seen.push(series);
            } else if !has_key {
                // A key beside the payload is the first one's; two with it would be taken for the same.
                reading.key = None;
            }
        }
    }
    found
}

/// What a message that is no reading says about a device being there.
fn heard(message: &Message, behind: usize) -> Option<Heard> {
    let said = availability(&message.topic, &message.payload)?;
    Some(Heard::new(said, behind, message.retained_copy))
}
