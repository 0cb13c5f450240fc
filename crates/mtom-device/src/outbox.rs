//! Readings on their way to the broker: memory first, then flash, oldest first, none given up
//! before it is acknowledged.
//!
//! ```text
//! measured ─▶ memory ─▶ flash ─▶ under way (≤ WINDOW) ─▶ acknowledged
//!                └── while little waits ──▶┘
//! ```
//! What is in flash is always older than what is in memory, so flash is sent first. A reading from
//! flash stays there until it is acknowledged. Full: the oldest reading is given up, or the newest,
//! as configured, and counted. A flash that fails costs what does not fit into memory, and nothing else.

use crate::flash::FlashError;
use crate::record::Record;
use crate::settings::WhenFull;
use heapless::{Deque, Vec};

/// How many readings may be sent before the first of them is acknowledged.
pub const WINDOW: usize = 4;

/// Readings that survive a loss of power, in order.
#[allow(async_fn_in_trait, reason = "one executor thread on every target")]
pub trait FlashRing {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one behind all others.
    ///
    /// # Errors
    /// When there is no room, or the flash fails.
    async fn push(&mut self, record: &Record) -> Result<(), PushError>;

    /// The one that stands `index` behind the oldest.
    ///
    /// # Errors
    /// When the flash fails.
    async fn peek(&mut self, index: usize) -> Result<Option<Record>, FlashError>;

    /// Removes the oldest.
    ///
    /// # Errors
    /// When the flash fails.
    async fn pop(&mut self) -> Result<(), FlashError>;
}

/// Why a reading was not put into flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// There is no room left.
    Full,
    /// The flash fails.
    Broken,
}

/// A device without flash to spare.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRing;

impl FlashRing for NoRing {
    fn len(&self) -> usize {
        0
    }

    async fn push(&mut self, _record: &Record) -> Result<(), PushError> {
        Err(PushError::Full)
    }

    async fn peek(&mut self, _index: usize) -> Result<Option<Record>, FlashError> {
        Ok(None)
    }

    async fn pop(&mut self) -> Result<(), FlashError> {
        Ok(())
    }
}

/// How full it may get and what happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many readings may wait in memory before the oldest go to flash.
    pub ram: usize,
    /// Which reading is given up when there is no room left.
    pub when_full: WhenFull,
}

/// Everything that was measured and is not acknowledged. `RAM` readings fit into memory.
#[derive(Debug)]
pub struct Outbox<R, const RAM: usize> {
    ring: R,
    ram: Deque<Record, RAM>,
    under_way: Vec<UnderWay, WINDOW>,
    limits: Limits,
    dropped: u64,
    broken: u64,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    record: Record,
    from: Origin,
    sent: bool,
    acknowledged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Ram,
    /// Still stands in flash, and is popped there when it is acknowledged.
    Flash,
}

impl<R: FlashRing, const RAM: usize> Outbox<R, RAM> {
    /// With what `ring` still holds from before the start.
    pub fn new(ring: R, limits: Limits) -> Self {
        Self {
            ring,
            ram: Deque::new(),
            under_way: Vec::new(),
            limits: Limits { ram: limits.ram.min(RAM), ..limits },
            dropped: 0,
            broken: 0,
        }
    }

    /// How many readings wait, those under way among them.
    pub fn len(&self) -> usize {
        let from_ram = self.under_way.iter().filter(|each| each.from == Origin::Ram).count();
        self.ram.len().saturating_add(self.ring.len()).saturating_add(from_ram)
    }

    /// Whether everything that was measured is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What would be lost with the power: not acknowledged and not in flash.
    pub fn in_memory(&self) -> impl Iterator<Item = &Record> {
        let under_way = self.under_way.iter();
        let under_way = under_way.filter(|each| each.from == Origin::Ram && !each.acknowledged);
        under_way.map(|each| &each.record).chain(&self.ram)
    }

    /// How many readings were given up because there was no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How often the flash failed.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Takes a new reading. `given_up` hears of each one that there was no room for.
    pub async fn push(&mut self, record: Record, given_up: &mut impl FnMut(&Record)) {
        if self.ram.is_full() && !self.make_room(given_up).await {
            return self.give_up(&record, given_up);
        }
        let Err(record) = self.ram.push_back(record) else {
            // Without flash, or with one that is full, all of the memory is the ring.
            while self.ram.len() > self.limits.ram
                && let Some(oldest) = self.ram.front().copied()
                && self.spill(&oldest, given_up).await
            {
                self.ram.pop_front();
            }
            return;
        };
        // No memory at all (`RAM` is 0).
        if !self.spill(&record, given_up).await {
            self.give_up(&record, given_up);
        }
    }

    /// Whether there is room in a full memory now.
    async fn make_room(&mut self, given_up: &mut impl FnMut(&Record)) -> bool {
        let Some(oldest) = self.ram.front().copied() else { return true };
        if !self.spill(&oldest, given_up).await {
            if self.limits.when_full == WhenFull::DropNewest {
                return false;
            }
            self.give_up(&oldest, given_up);
        }
        self.ram.pop_front();
        true
    }

    /// Whether flash has taken `record`, which is older than all that stays in memory.
    async fn spill(&mut self, record: &Record, given_up: &mut impl FnMut(&Record)) -> bool {
        loop {
            match self.ring.push(record).await {
                Ok(()) => return true,
                Err(PushError::Broken) => {
                    self.broken = self.broken.saturating_add(1);
                    return false;
                }
                Err(PushError::Full) if self.limits.when_full == WhenFull::DropNewest => {
                    return false;
                }
                Err(PushError::Full) => match self.drop_oldest_in_flash().await {
                    Some(oldest) => self.give_up(&oldest, given_up),
                    None => return false,
                },
            }
        }
    }

    /// The oldest reading that only waits in flash; one under way is no longer flash's own then.
    async fn drop_oldest_in_flash(&mut self) -> Option<Record> {
        let oldest = self.ring.peek(0).await.ok()??;
        self.ring.pop().await.ok()?;
        if let Some(under_way) = self.under_way.iter_mut().find(|each| each.from == Origin::Flash) {
            // It is on the wire and in memory: not lost yet.
            under_way.from = Origin::Ram;
        }
        Some(oldest)
    }

    fn give_up(&mut self, record: &Record, given_up: &mut impl FnMut(&Record)) {
        let still_sent = self.under_way.iter().any(|each| each.record == *record);
        if !still_sent {
            self.dropped = self.dropped.saturating_add(1);
            given_up(record);
        }
    }

    /// The next reading to send: one that was under way when the connection ended, or a new one.
    ///
    /// It is under way until [`Outbox::acknowledged`]; `None` when [`WINDOW`] are, or none waits.
    pub async fn next(&mut self) -> Option<Record> {
        if let Some(again) = self.under_way.iter_mut().find(|each| !each.sent) {
            again.sent = true;
            return Some(again.record);
        }
        if self.under_way.is_full() {
            return None;
        }
        let behind = self.under_way.iter().filter(|each| each.from == Origin::Flash).count();
        let (record, from) = if self.ring.len() > behind {
            match self.ring.peek(behind).await {
                Ok(Some(record)) => (record, Origin::Flash),
                Ok(None) | Err(_) => {
                    // What cannot be read cannot be sent, and must not stand in the way.
                    self.broken = self.broken.saturating_add(1);
                    if behind == 0 {
                        let _ = self.ring.pop().await;
                    }
                    return None;
                }
            }
        } else {
            (self.ram.pop_front()?, Origin::Ram)
        };
        let sent = UnderWay { record, from, sent: true, acknowledged: false };
        self.under_way.push(sent).ok().map(|()| record)
    }

    /// `record` is safe with the broker.
    pub async fn acknowledged(&mut self, record: &Record) {
        if let Some(found) = self.under_way.iter_mut().find(|each| each.record == *record) {
            found.acknowledged = true;
        }
        // In order, because flash gives up its oldest only.
        while let Some(first) = self.under_way.first().copied()
            && first.acknowledged
        {
            self.under_way.remove(0);
            if first.from == Origin::Flash && self.ring.pop().await.is_err() {
                self.broken = self.broken.saturating_add(1);
            }
        }
    }

    /// `record` could not be sent after all: it is the next one again.
    pub fn put_back(&mut self, record: &Record) {
        for each in self.under_way.iter_mut().filter(|each| each.record == *record) {
            each.sent = false;
        }
    }

    /// The connection ended: what is under way and not acknowledged is sent again, in order.
    pub fn disconnected(&mut self) {
        for each in &mut self.under_way {
            each.sent = each.acknowledged;
        }
    }

    /// Other limits from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = Limits { ram: limits.ram.min(RAM), ..limits };
    }
}

#[cfg(test)]
mod tests;
