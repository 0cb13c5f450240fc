//! What a child does with a journal, and what a history must hold afterwards.
//!
//! A plan follows from its seed alone, so the parent knows what the child stores without being told.

use fastrand::Rng;
use mtom_protocol::reading::{Reading, ReadingKey};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// 2026-11-23T08:06:30Z.
pub(crate) const START: UnixMicros = UnixMicros(1_795_421_190_000_000);
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// Several lives of one database.
pub(crate) struct Plan {
    pub(crate) lives: Vec<Life>,
    pub(crate) batches: Vec<Batch>,
}

/// From opening the journal to the end of its process.
pub(crate) struct Life {
    pub(crate) steps: Vec<Step>,
    /// Closed, else it ends as if it were killed.
    pub(crate) is_closed: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// `Batch::write`, then `Journal::sync`.
    Commit(usize),
    /// `Batch::write` alone: a later sync covers it.
    Write(usize),
    /// Dropped.
    Undo(usize),
    Reserve(u64),
}

#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
    pub(crate) arrived_at: UnixMicros,
}

pub(crate) enum Item {
    /// Its value is its serial number; the same one again is a redelivery.
    Reading(Reading),
    Reject(String),
    RuleState(Vec<u8>),
    Command,
}

/// How much of what.
pub(crate) struct Size {
    pub(crate) lives: usize,
    pub(crate) steps: usize,
    /// The state of the rules, in bytes: a large one fills the log until the journal empties it.
    pub(crate) rule_state_len: usize,
}

pub(crate) const SMALL: Size = Size { lives: 5, steps: 24, rule_state_len: 200 };

impl Plan {
    pub(crate) fn of(seed: u64, size: &Size) -> Self {
        let mut maker = Maker { rng: Rng::with_seed(seed), serial: 0, keyed: Vec::new() };
        let mut plan = Self { lives: Vec::new(), batches: Vec::new() };
        for life in 0..size.lives {
            let mut steps = Vec::new();
            for step in 0..size.steps {
                // A life begins with an acknowledgement, so that losing its files is noticed.
                let kind = if step == 0 { 9 } else { maker.rng.u8(..10) };
                if kind == 0 {
                    steps.push(Step::Reserve(maker.rng.u64(1..50)));
                    continue;
                }
                let batch = plan.batches.len();
                plan.batches.push(maker.batch(batch, size));
                steps.push(match kind {
                    1 => Step::Undo(batch),
                    2 | 3 => Step::Write(batch),
                    _ => Step::Commit(batch),
                });
            }
            plan.lives.push(Life { steps, is_closed: life % 3 != 1 });
        }
        plan
    }

    /// Batches whose child never meant to keep them.
    pub(crate) fn undone(&self) -> BTreeSet<usize> {
        let steps = self.lives.iter().flat_map(|life| &life.steps);
        steps
            .filter_map(|step| if let Step::Undo(batch) = step { Some(*batch) } else { None })
            .collect()
    }

    /// What is in a history that took these batches, and only these, in their order.
    pub(crate) fn outcome(&self, batches: &BTreeSet<usize>) -> Held {
        let mut held = Held::default();
        for batch in batches.iter().filter_map(|batch| self.batches.get(*batch)) {
            for item in &batch.items {
                match item {
                    Item::Reading(reading) => {
                        let row = Row::of(reading, batch.arrived_at);
                        match held.rows.entry(serial(reading)) {
                            std::collections::btree_map::Entry::Occupied(_) => {
                                held.duplicates += 1;
                            }
                            std::collections::btree_map::Entry::Vacant(free) => {
                                free.insert(row);
                            }
                        }
                    }
                    Item::Reject(reason) => held.rejects.push(reason.clone()),
                    Item::RuleState(state) => held.rule_state = Some(state.clone()),
                    Item::Command => held.commands += 1,
                }
            }
        }
        held
    }
}

/// What a history holds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// By serial number.
    pub(crate) rows: BTreeMap<u64, Row>,
    pub(crate) duplicates: u64,
    /// In the order of arrival.
    pub(crate) rejects: Vec<String>,
    pub(crate) rule_state: Option<Vec<u8>>,
    pub(crate) commands: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) reading: Reading,
    pub(crate) arrived_at: UnixMicros,
    pub(crate) at: UnixMicros,
    pub(crate) suspect: bool,
}

impl Row {
    /// The rule of `design.md` §2.
    fn of(reading: &Reading, arrived_at: UnixMicros) -> Self {
        let is_plausible = |taken_at: &UnixMicros| {
            arrived_at.since(*taken_at) <= Duration::from_hours(30 * 24)
                && taken_at.since(arrived_at) <= Duration::from_mins(5)
        };
        let plausible = reading.taken_at.filter(is_plausible);
        Self {
            reading: reading.clone(),
            arrived_at,
            at: plausible.unwrap_or(arrived_at),
            suspect: reading.taken_at.is_some() && plausible.is_none(),
        }
    }
}

/// The serial number that a reading carries as its value.
pub(crate) fn serial(reading: &Reading) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the plan put a small whole number there"
    )]
    let serial = reading.value as u64;
    serial
}

struct Maker {
    rng: Rng,
    serial: u64,
    /// What a device may send again.
    keyed: Vec<Reading>,
}

impl Maker {
    /// The first item of a batch is in no other one, so it tells whether the batch is stored.
    fn batch(&mut self, number: usize, size: &Size) -> Batch {
        let arrived_at = UnixMicros(START.0 + i64::try_from(number).unwrap() * 7 * SECOND / 10);
        let mut items = vec![Item::Reading(self.reading(arrived_at))];
        for _ in 0..self.rng.usize(..12) {
            let again = self.rng.choice(&self.keyed).filter(|_| self.rng.u8(..5) == 0).cloned();
            let reading = match again {
                Some(again) => again,
                None => {
                    let reading = self.reading(arrived_at);
                    self.keyed.extend(reading.key.is_some().then(|| reading.clone()));
                    reading
                }
            };
            items.push(Item::Reading(reading));
        }
        if self.rng.u8(..4) == 0 {
            items.push(Item::Reject(format!("reject of batch {number}")));
        }
        if self.rng.bool() || size.rule_state_len > SMALL.rule_state_len {
            let mut state = number.to_le_bytes().to_vec();
            state.resize(size.rule_state_len, self.rng.u8(..));
            items.push(Item::RuleState(state));
        }
        if self.rng.u8(..4) == 0 {
            items.push(Item::Command);
        }
        Batch { items, arrived_at }
    }

    fn reading(&mut self, arrived_at: UnixMicros) -> Reading {
        self.serial += 1;
        let rng = &mut self.rng;
        let device = format!("device{}", rng.u8(..6));
        let (quantity, unit) = *rng
            .choice(&[
                ("Temperature", Unit::Celsius),
                ("Temperature", Unit::Fahrenheit),
                ("Humidity", Unit::Percent),
            ])
            .unwrap();
        // Now, on time by the device's clock, late, and with a clock that is wrong.
        let taken_at = match rng.u8(..8) {
            0..4 => None,
            4 | 5 => Some(arrived_at.0 - rng.i64(..SECOND)),
            6 => Some(arrived_at.0 - rng.i64(..48 * HOUR)),
            _ => Some(rng.i64(..SECOND)),
        };
        let boot = format!("boot{}", rng.u8(..3));
        let key = rng.bool().then(|| ReadingKey { boot: boot.into(), seq: self.serial });
        #[allow(clippy::cast_precision_loss, reason = "serial numbers are small")]
        let value = self.serial as f64;
        Reading {
            topic: format!("{device}/{quantity}").into(),
            device: device.into(),
            quantity: quantity.into(),
            value,
            unit,
            taken_at: taken_at.map(UnixMicros),
            key,
        }
    }
}
