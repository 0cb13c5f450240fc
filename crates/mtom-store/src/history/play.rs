//! The readings that somebody wants of a stretch of time, in the order of their arrival, as fast as the file
//! can be read.
//!
//! Threads of their own read it, in turn, and leave out what nobody wants; between them and whoever takes
//! the readings a few chunks wait. Keys and the times that devices said are not read: these are readings for
//! rules.

use super::History;
use super::scan::{Arrival, Arrivals, Chunk, Names, names};
use crate::error::StoreError;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use rusqlite::Connection;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// How many threads read. Half of the connections that there are: pages are read meanwhile.
const READERS_LEN: u8 = 2;

/// Chunks that one of them has read and nobody has looked at yet. Full: it waits.
const CHUNKS_LEN: usize = 2;

/// Topics with a higher number are found by their hash alone.
const TOPICS_LEN_MAX: usize = 1 << 16;

/// What is measured where.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesName {
    /// Which device.
    pub device: Arc<str>,
    /// What was measured.
    pub quantity: Arc<str>,
    /// What its numbers count.
    pub unit: Unit,
}

/// Says whether readings of a series that come on a topic are wanted. Asked about once for each.
pub type Wanted<'a> = &'a (dyn Fn(&SeriesName, &str) -> bool + Sync);

/// What is given while the history is read.
#[derive(Clone, Copy, Debug)]
pub enum Played<'a> {
    /// The next one that is wanted.
    Reading(&'a StoredReading),
    /// How far it is, and of how much; also where nothing is wanted.
    Progress(u64, u64),
}

impl History {
    /// Gives the readings that arrived from the beginning of `stretch` on and before its end, and are
    /// wanted, to `take`, and now and then how far that is. How many readings there are in all.
    ///
    /// # Errors
    /// When the file cannot be read, or `take` fails: then nothing more is read.
    pub fn play<E: From<StoreError>>(
        &self,
        stretch: Range<UnixMicros>,
        wanted: Wanted<'_>,
        mut take: impl FnMut(Played<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let arrivals = self.arrivals(stretch.start, stretch.end, READERS_LEN)?;
        let names = self.names()?;
        let mut cast = Cast { history: self, names: names.clone(), known: ByName::default() };
        let mut count = 0;
        thread::scope(|scope| {
            let readers: Vec<_> = arrivals
                .into_iter()
                .map(|arrivals| {
                    let (sender, chunks) = sync_channel(CHUNKS_LEN);
                    let sieve = Sieve { wanted, names: names.clone(), known: ByName::default() };
                    scope.spawn(move || read(arrivals, sieve, &sender));
                    chunks
                })
                .collect();
            for chunks in readers.iter().cycle() {
                // They give their chunks in turn, so the first that has none left is behind the last.
                let Ok(chunk) = chunks.recv() else { break };
                let chunk = chunk?;
                for arrival in &chunk.arrivals {
                    if let Some(stored) = cast.reading(arrival)? {
                        take(Played::Reading(stored))?;
                    }
                }
                count += chunk.count;
                take(Played::Progress(chunk.progress.0, chunk.progress.1))?;
            }
            Ok(count)
        })
    }
}

fn read(
    mut arrivals: Arrivals,
    mut sieve: Sieve<'_>,
    sender: &SyncSender<Result<Chunk, StoreError>>,
) {
    let mut wanted = |connection: &Connection, series, topic| sieve.asks(connection, series, topic);
    while let Some(chunk) = arrivals.next(&mut wanted).transpose() {
        let is_last = chunk.is_err();
        // Nobody listens any more: whoever took the readings has failed.
        if sender.send(chunk).is_err() || is_last {
            return;
        }
    }
}

/// Something for each series and topic.
struct ByName<T> {
    known: Vec<T>,
    /// Where in `known` it is.
    places: HashMap<(i64, i64), usize>,
    /// By the number of the topic, which is small: the series that came last on it, and its place. It
    /// spares nearly every reading the hash.
    last: Vec<(i64, usize)>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { known: Vec::new(), places: HashMap::new(), last: Vec::new() }
    }
}

impl<T> ByName<T> {
    /// What is known of a series and a topic; `make` says it the first time.
    fn get<E>(
        &mut self,
        series: i64,
        topic: i64,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Option<&mut T>, E> {
        let index = usize::try_from(topic).unwrap_or(usize::MAX);
        let place = match self.last.get(index) {
            Some((last, place)) if *last == series => *place,
            _ => self.place(series, topic, index, make)?,
        };
        Ok(self.known.get_mut(place))
    }

    fn place<E>(
        &mut self,
        series: i64,
        topic: i64,
        index: usize,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<usize, E> {
        let place = match self.places.get(&(series, topic)) {
            Some(place) => *place,
            None => {
                self.known.push(make()?);
                self.places.insert((series, topic), self.known.len() - 1);
                self.known.len() - 1
            }
        };
        if index < TOPICS_LEN_MAX {
            if self.last.len() <= index {
                // No series has this number.
                self.last.resize(index + 1, (i64::MIN, usize::MAX));
            }
            if let Some(last) = self.last.get_mut(index) {
                *last = (series, place);
            }
        }
        Ok(place)
    }
}

/// Keeps back what nobody wants.
struct Sieve<'a> {
    wanted: Wanted<'a>,
    names: Names,
    known: ByName<bool>,
}

impl Sieve<'_> {
    fn asks(&mut self, connection: &Connection, series: i64, topic: i64) -> rusqlite::Result<bool> {
        let Self { wanted, names: known_names, known } = self;
        let is_wanted = known.get(series, topic, || {
            if known_names.of(series, topic).is_none() {
                // It has come since.
                *known_names = names(connection)?;
            }
            let found = known_names.of(series, topic);
            Ok::<_, rusqlite::Error>(found.is_some_and(|(series, topic)| wanted(series, topic)))
        })?;
        Ok(is_wanted.is_some_and(|wanted| *wanted))
    }
}

/// Makes readings of numbers: one for each series and topic, whose numbers change.
struct Cast<'a> {
    history: &'a History,
    names: Names,
    /// `None`: its names are nowhere.
    known: ByName<Option<StoredReading>>,
}

impl Cast<'_> {
    fn reading(&mut self, arrival: &Arrival) -> Result<Option<&StoredReading>, StoreError> {
        let Arrival { id, series, topic, at, arrived_at, value } = *arrival;
        let Self { history, names, known } = self;
        let known = known.get(series, topic, || {
            if names.of(series, topic).is_none() {
                // It has come since.
                *names = history.names()?;
            }
            let Some((series, topic)) = names.of(series, topic) else { return Ok(None) };
            let reading = Reading {
                topic: topic.clone(),
                device: series.device.clone(),
                quantity: series.quantity.clone(),
                value,
                unit: series.unit,
                taken_at: None,
                key: None,
            };
            Ok::<_, StoreError>(Some(StoredReading { id, at, arrived_at, suspect: false, reading }))
        })?;
        let Some(Some(stored)) = known else { return Ok(None) };
        (stored.id, stored.at, stored.arrived_at) = (id, at, arrived_at);
        stored.reading.value = value;
        Ok(Some(stored))
    }
}

#[cfg(test)]
mod tests;
