//! Sees what a simulated device does: counts it, writes it into the journal, says it.

use super::giveway::GiveWay;
use super::journal::Journal;
use super::wire::{Fate, Trouble};
use mtom_device::sensor::{Event, Witness as DeviceWitness};
use mtom_device::settings::Settings as DeviceSettings;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all sensors did together; may be read from another thread while they run.
#[derive(Clone, Debug, Default)]
pub struct Totals(Arc<[AtomicU64; 6]>);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Readings taken.
    Measured,
    /// Readings sent, those sent again counted again.
    Sent,
    /// Readings that the broker has.
    Acknowledged,
    /// Readings that there was no room for.
    GivenUp,
    /// Readings that were in memory when the power went.
    Lost,
    /// Connections made.
    Connected,
}

impl Totals {
    /// How many there were so far.
    #[must_use]
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: Count) {
        self.0[count as usize].fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) struct Witness<'a, N, S> {
    pub(super) device: &'a DeviceSettings,
    pub(super) journal: Option<&'a Journal>,
    pub(super) totals: &'a Totals,
    pub(super) now: &'a N,
    pub(super) say: &'a S,
    pub(super) trouble: &'a Trouble,
    pub(super) give_way: Option<GiveWay>,
}

impl<N, S> DeviceWitness for Witness<'_, N, S>
where
    N: Fn() -> UnixMicros,
    S: Fn(&str, &Event<'_>),
{
    fn saw(&mut self, event: &Event<'_>) {
        let (record, word, count) = match event {
            Event::Measured { record } => (Some(*record), "measured", Some(Count::Measured)),
            Event::Sent { record, payload, .. } => {
                self.give_way.iter().for_each(|give_way| give_way.sent(payload));
                (Some(*record), "sent", Some(Count::Sent))
            }
            Event::Acknowledged { record } => {
                (Some(*record), "acknowledged", Some(Count::Acknowledged))
            }
            Event::GivenUp { record } => (Some(*record), "given_up", Some(Count::GivenUp)),
            Event::Connected => (None, "connected", Some(Count::Connected)),
            Event::Lost { .. } => (None, "disconnected", None),
            _ => (None, "", None),
        };
        if let Some(count) = count {
            self.totals.add(count);
        }
        if let Some(journal) = self.journal {
            match record {
                Some(record) => {
                    let fate = if word == "sent" { self.trouble.take_last() } else { None };
                    let fate = fate.map(|fate| match fate {
                        Fate::Garbled => "garbled",
                        Fate::Doubled => "doubled",
                        Fate::Late => "late",
                    });
                    journal.reading((self.now)(), &self.device.id, word, record, fate);
                }
                None if !word.is_empty() => {
                    journal.happened((self.now)(), &self.device.id, word);
                }
                None => {}
            }
        }
        (self.say)(&self.device.topic, event);
    }
}
