//! What a message says: readings, reasons why something is none, or that a device is there or has gone.

use crate::availability::Heard;
use crate::discovery::{Discovered, Plans};
use crate::sparkplug::Sparkplug;
use mtom_broker::intake::{Delivery, Message};
use mtom_protocol::payload::{NotAReading, availability, decode, describe};
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;
use std::collections::{BTreeSet, HashSet};

/// What a message says.
pub(super) struct Decoded {
    /// Nothing, where it is no reading by design.
    pub(super) outcomes: Vec<Result<Reading, NotAReading>>,
    /// Which of them are of the past, and not how things are.
    pub(super) past: BTreeSet<usize>,
    /// Who is there or has gone.
    pub(super) heard: Vec<Heard>,
}

/// Decodes a message behind so many readings of its batch: as was noted when it came, else as its topic says. Data of
/// Sparkplug mean what the births before them say.
pub(super) fn decoded(
    delivery: &Delivery,
    behind: usize,
    (sparkplug, discovered): (&mut Sparkplug, &Discovered),
    now: UnixMicros,
) -> Decoded {
    let message = &delivery.message;
    let plans = Plans::of(delivery);
    if plans.is_none() && Sparkplug::is_of(&message.topic) {
        let found = sparkplug.read(message, now);
        // Before its own readings: they are later than what it says of being there.
        let heard = found.said.into_iter().map(|(who, is)| Heard::now(who, is, behind)).collect();
        let outcomes = described(found.outcomes, message);
        outcomes.iter().flatten().for_each(|reading| discovered.meets(reading));
        return Decoded { outcomes, past: found.past, heard };
    }
    let (found, by_config) = match plans {
        Some(plans) => plans.decode(message),
        None => (decode(&message.topic, &message.payload), false),
    };
    let mut outcomes = described(found, message);
    if by_config && message.retained_copy {
        // The broker says it again with every new subscription.
        outcomes.retain(|one| one.as_ref().map_or(true, |reading| discovered.is_later(reading)));
    }
    if !by_config {
        outcomes.iter().flatten().for_each(|reading| discovered.meets(reading));
    }
    let mut by_configs = plans.map(|plans| plans.heard(message, behind)).unwrap_or_default();
    if outcomes.is_empty() && plans.is_none_or(Plans::is_second) {
        by_configs.extend(heard(message, behind));
    }
    Decoded { outcomes, past: BTreeSet::new(), heard: by_configs }
}

impl Decoded {
    /// What says how things are.
    pub(super) fn present(self) -> impl Iterator<Item = Reading> {
        let Self { outcomes, past, .. } = self;
        let of_now = outcomes.into_iter().enumerate().filter(move |(at, _)| !past.contains(at));
        of_now.filter_map(|(_, outcome)| outcome.ok())
    }
}

/// With what stands beside the payload; a copy that the broker had kept is a reading
/// only with a time of its own.
fn described(
    mut found: Vec<Result<Reading, NotAReading>>,
    message: &Message,
) -> Vec<Result<Reading, NotAReading>> {
    let mut seen = HashSet::new();
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
            if !seen.insert(series) && !has_key {
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
