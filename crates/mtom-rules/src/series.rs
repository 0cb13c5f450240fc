//! What a rule remembers of each series, of at most [`SERIES_LEN_MAX`].
//!
//! A series that is late is not noted. Every reading asks for its series, so they stand in the order of a
//! hash: of ten comparisons that find one only the last is of names.

use foldhash::fast::FixedState;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use std::hash::BuildHasher as _;
use std::sync::Arc;

/// For how many series of one rule something is remembered. Full: the one with the oldest time is
/// forgotten, and its next reading counts as its first.
pub const SERIES_LEN_MAX: usize = 256;

/// Something for each series, and the newest time of each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeriesMap<T> {
    /// In the order of their hashes, then of device and quantity.
    entries: Vec<Series<T>>,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series<T> {
    hash: u64,
    pub(crate) device: Arc<str>,
    pub(crate) quantity: Arc<str>,
    /// The time of its newest reading.
    pub(crate) newest: UnixMicros,
    pub(crate) what: T,
}

impl<T> Series<T> {
    pub(crate) fn new(device: Arc<str>, quantity: Arc<str>, newest: UnixMicros, what: T) -> Self {
        Self { hash: hash(&device, &quantity), device, quantity, newest, what }
    }

    fn key(&self) -> (u64, &str, &str) {
        (self.hash, &self.device, &self.quantity)
    }
}

impl<T> Default for SeriesMap<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> FromIterator<Series<T>> for SeriesMap<T> {
    /// The first of those with one name, and no more than there may be.
    fn from_iter<I: IntoIterator<Item = Series<T>>>(series: I) -> Self {
        let mut entries: Vec<_> = series.into_iter().collect();
        entries.sort_by(|a, b| a.key().cmp(&b.key()));
        entries.dedup_by(|a, b| a.key() == b.key());
        entries.truncate(SERIES_LEN_MAX);
        Self { entries }
    }
}

impl<T> SeriesMap<T> {
    /// What is remembered of the reading's series.
    pub(crate) fn get(&self, reading: &Reading) -> Option<&T> {
        let place = self.find(reading, hash(&reading.device, &reading.quantity)).ok()?;
        self.entries.get(place).map(|series| &series.what)
    }

    /// Takes note of a reading's time; `None`: its series has had a newer one. `make` says what is
    /// remembered at first.
    pub(crate) fn note(
        &mut self,
        stored: &StoredReading,
        make: impl FnOnce() -> T,
    ) -> Option<&mut T> {
        let reading = &stored.reading;
        let place = match self.find(reading, hash(&reading.device, &reading.quantity)) {
            Ok(place) => place,
            Err(place) => {
                let (device, quantity) = (reading.device.clone(), reading.quantity.clone());
                let place = place - usize::from(self.make_room().is_some_and(|gone| gone < place));
                self.entries.insert(place, Series::new(device, quantity, stored.at, make()));
                place
            }
        };
        let series = self.entries.get_mut(place).filter(|series| series.newest <= stored.at)?;
        series.newest = stored.at;
        Some(&mut series.what)
    }

    /// In no order that means something.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Series<T>> {
        self.entries.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    fn find(&self, reading: &Reading, hash: u64) -> Result<usize, usize> {
        let wanted = (hash, &*reading.device, &*reading.quantity);
        self.entries.binary_search_by(|series| series.key().cmp(&wanted))
    }

    /// Forgets the oldest when there are as many as there may be; which place it had.
    fn make_room(&mut self) -> Option<usize> {
        if self.entries.len() < SERIES_LEN_MAX {
            return None;
        }
        let oldest = self.entries.iter().enumerate().min_by_key(|(_, series)| series.newest);
        let (place, _) = oldest?;
        self.entries.remove(place);
        Some(place)
    }
}

fn hash(device: &str, quantity: &str) -> u64 {
    FixedState::default().hash_one((device, quantity))
}

#[cfg(test)]
mod tests;
