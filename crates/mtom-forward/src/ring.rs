//! The last frames that were offered, shared by all viewers: a viewer is a place in it.
//!
//! Pure: no I/O, no lock, no clock. A viewer that is still within the ring gets every frame. One
//! that has fallen out of it skips ahead: it gets the newest frame of each series that it has
//! missed, in order, until it has caught up. A viewer needs no memory for either.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// One whole WebSocket frame, header included; every viewer writes these very bytes.
pub(crate) type Frame = Arc<[u8]>;

/// Device and quantity.
pub(crate) type Series = (Arc<str>, Arc<str>);

/// The frames, bounded by number. When full, the oldest goes; whoever had not read it skips ahead.
pub(crate) struct Ring {
    frames: VecDeque<Frame>,
    frames_max: usize,
    /// The number of the oldest frame in `frames`; numbers rise by one and are never used twice.
    first: u64,
    /// The newest frame of each series under its number, also after it has left `frames`.
    newest: BTreeMap<u64, (Series, Frame)>,
    numbers: HashMap<Series, u64>,
    series_max: usize,
}

/// Where a viewer is: everything before `next` was written or skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    next: u64,
    lagging: bool,
}

/// Whole frames, one behind the other, for one write.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Empty when the viewer has everything.
    pub(crate) bytes: Vec<u8>,
    /// Where the viewer is after it.
    pub(crate) place: Place,
    /// How many frames it holds.
    pub(crate) frames: u64,
    /// How many frames were left out before or between them.
    pub(crate) skipped: u64,
    /// There are frames behind it.
    pub(crate) more: bool,
}

impl Ring {
    /// Room for `frames_max` frames, and for the newest frame of `series_max` series; of more
    /// series the quietest are forgotten first.
    pub(crate) fn new(frames_max: usize, series_max: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            frames_max: frames_max.max(1),
            first: 0,
            newest: BTreeMap::new(),
            numbers: HashMap::new(),
            series_max: series_max.max(1),
        }
    }

    pub(crate) fn push(&mut self, series: Series, frame: Frame) {
        if self.frames.len() == self.frames_max {
            self.frames.pop_front();
            self.first += 1;
        }
        let number = self.end();
        self.frames.push_back(frame.clone());
        if let Some(before) = self.numbers.insert(series.clone(), number) {
            self.newest.remove(&before);
        }
        self.newest.insert(number, (series, frame));
        if self.newest.len() > self.series_max
            && let Some((_, (quietest, _))) = self.newest.pop_first()
        {
            self.numbers.remove(&quietest);
        }
    }

    /// Where a viewer begins: right before the last known frame, where there is one.
    pub(crate) fn join(&self) -> Place {
        let known = u64::from(!self.frames.is_empty());
        Place { next: self.end() - known, lagging: false }
    }

    /// Copies what comes next for a viewer at `place`: at most `bytes_max` bytes, but at least one
    /// frame where there is one.
    pub(crate) fn next(&self, place: Place, bytes_max: usize) -> Batch {
        if place.lagging || place.next < self.first {
            self.next_newest(place, bytes_max)
        } else {
            self.next_each(place, bytes_max)
        }
    }

    fn next_each(&self, place: Place, bytes_max: usize) -> Batch {
        // A place is never beyond the end, and the ring's length is a usize.
        let from = usize::try_from(place.next - self.first).unwrap_or(self.frames.len());
        let mut batch = Batch::at(place);
        for frame in self.frames.range(from.min(self.frames.len())..) {
            if !batch.add(batch.place.next, frame, bytes_max) {
                batch.more = true;
                break;
            }
        }
        batch
    }

    fn next_newest(&self, place: Place, bytes_max: usize) -> Batch {
        let mut batch = Batch::at(Place { lagging: true, ..place });
        for (&number, (_, frame)) in self.newest.range(place.next..) {
            if !batch.add(number, frame, bytes_max) {
                batch.more = true;
                return batch;
            }
        }
        // The newest frame of all is the newest of its series, so this is the end of the ring.
        batch.place.lagging = false;
        batch
    }

    /// The number of the next frame.
    fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }
}

impl Batch {
    fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// Adds frame `number`, if there is room.
    fn add(&mut self, number: u64, frame: &Frame, bytes_max: usize) -> bool {
        if !self.bytes.is_empty() && self.bytes.len() + frame.len() > bytes_max {
            return false;
        }
        self.bytes.extend_from_slice(frame);
        self.frames += 1;
        self.skipped += number - self.place.next;
        self.place.next = number + 1;
        true
    }
}

#[cfg(test)]
mod tests;
