//! When each rule and each actuator has something to do, the earliest first.
//!
//! A binary heap that knows where everything stands in it, so that a deadline can be moved: a rule's
//! moves with each of its readings.

use mtom_protocol::time::UnixMicros;

/// Stands for: nothing to do, and nowhere in the heap.
const NOWHERE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    /// What has something to do; each is due no later than the two at twice its place.
    heap: Vec<u32>,
    /// By what it is of.
    due: Vec<UnixMicros>,
    /// Where each is in the heap.
    places: Vec<u32>,
}

impl Deadlines {
    /// The earliest, and what it is of.
    pub(crate) fn first(&self) -> Option<(usize, UnixMicros)> {
        let item = *self.heap.first()? as usize;
        Some((item, *self.due.get(item)?))
    }

    /// Sets or moves or takes away a deadline.
    pub(crate) fn set(&mut self, item: usize, due: Option<UnixMicros>) {
        if item >= self.places.len() {
            self.places.resize(item + 1, NOWHERE);
            self.due.resize(item + 1, UnixMicros(i64::MAX));
        }
        let (Some(place), Ok(number)) = (self.places.get(item).copied(), u32::try_from(item))
        else {
            return;
        };
        match due {
            Some(due) if place == NOWHERE => {
                self.put_due(item, due);
                self.heap.push(number);
                self.rise(self.heap.len() - 1);
            }
            Some(due) => {
                let before = self.due.get(item).copied();
                self.put_due(item, due);
                if before.is_some_and(|before| due > before) {
                    self.sink(place as usize);
                } else {
                    self.rise(place as usize);
                }
            }
            None if place == NOWHERE => {}
            None => self.take_away(item, place as usize),
        }
    }

    fn take_away(&mut self, item: usize, place: usize) {
        if let Some(entry) = self.places.get_mut(item) {
            *entry = NOWHERE;
        }
        let Some(last) = self.heap.pop() else { return };
        if place < self.heap.len() {
            self.put(place, last);
            self.sink(place);
            self.rise(self.places.get(last as usize).map_or(place, |place| *place as usize));
        }
    }

    fn rise(&mut self, mut place: usize) {
        let Some(item) = self.heap.get(place).copied() else { return };
        while place > 0 {
            let above = (place - 1) / 2;
            let Some(other) = self.heap.get(above).copied() else { break };
            if self.key(other) <= self.key(item) {
                break;
            }
            self.put(place, other);
            place = above;
        }
        self.put(place, item);
    }

    fn sink(&mut self, mut place: usize) {
        let Some(item) = self.heap.get(place).copied() else { return };
        loop {
            let left = 2 * place + 1;
            let below = match (self.heap.get(left).copied(), self.heap.get(left + 1).copied()) {
                (Some(one), Some(two)) if self.key(two) < self.key(one) => (left + 1, two),
                (Some(one), _) => (left, one),
                (None, _) => break,
            };
            if self.key(below.1) >= self.key(item) {
                break;
            }
            self.put(place, below.1);
            place = below.0;
        }
        self.put(place, item);
    }

    /// Of two that are due together the one that was there first comes first, whatever was before: a run
    /// and its repetition do the same.
    fn key(&self, item: u32) -> (UnixMicros, u32) {
        (self.due.get(item as usize).copied().unwrap_or(UnixMicros(i64::MAX)), item)
    }

    fn put_due(&mut self, item: usize, due: UnixMicros) {
        if let Some(entry) = self.due.get_mut(item) {
            *entry = due;
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a heap holds items that fit into u32")]
    fn put(&mut self, place: usize, item: u32) {
        if let Some(entry) = self.heap.get_mut(place) {
            *entry = item;
        }
        if let Some(entry) = self.places.get_mut(item as usize) {
            *entry = place as u32;
        }
    }
}

#[cfg(test)]
mod tests;
