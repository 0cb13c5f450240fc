//! The readings of the history that rules look at, in the order of their arrival, as fast as they come.
//!
//! A thread of its own reads the file; between it and the rules two chunks wait at most.

use crate::past::progress::Progress;
use anyhow::{Context, Result};
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic;
use mtom_rules::RuleSpec;
use mtom_store::error::StoreError;
use mtom_store::history::History;
use mtom_store::history::scan::{Arrival, Names};
use std::collections::HashMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Chunks that were read and not looked at yet. Full: the reader waits.
const CHUNKS_LEN: usize = 2;

struct Chunk {
    arrivals: Vec<Arrival>,
    progress: (u64, u64),
}

/// Gives the readings that arrived within a stretch and concern the rules to `take`; says how many
/// readings arrived in all.
///
/// # Errors
/// When the history cannot be read, or `take` fails.
pub(crate) fn each(
    history: &History,
    specs: &[RuleSpec],
    (from, until): (UnixMicros, UnixMicros),
    word: &'static str,
    mut take: impl FnMut(&StoredReading) -> Result<()>,
) -> Result<u64> {
    let mut cast = Cast::new(history, specs)?;
    let mut progress = Progress::new(word);
    let mut count = 0;
    thread::scope(|scope| {
        let (sender, chunks) = sync_channel::<Result<Chunk, StoreError>>(CHUNKS_LEN);
        scope.spawn(move || read(history, from, until, &sender));
        for chunk in chunks {
            let chunk = chunk.context("the history cannot be read")?;
            for arrival in &chunk.arrivals {
                count += 1;
                if let Some(stored) = cast.reading(arrival)? {
                    take(stored)?;
                }
            }
            progress.show(chunk.progress.0, chunk.progress.1);
        }
        Ok(count)
    })
}

fn read(
    history: &History,
    from: UnixMicros,
    until: UnixMicros,
    sender: &SyncSender<Result<Chunk, StoreError>>,
) {
    let mut arrivals = match history.arrivals(from, until) {
        Ok(arrivals) => arrivals,
        Err(error) => return drop(sender.send(Err(error))),
    };
    loop {
        let mut chunk = Vec::new();
        let sent = match arrivals.next(&mut chunk) {
            Ok(false) => return,
            Ok(true) => sender.send(Ok(Chunk { arrivals: chunk, progress: arrivals.progress() })),
            Err(error) => return drop(sender.send(Err(error))),
        };
        // Nobody listens any more: whoever took the readings has failed.
        if sent.is_err() {
            return;
        }
    }
}

/// Makes readings of numbers: one for each series and topic, whose numbers change.
struct Cast<'a> {
    history: &'a History,
    specs: &'a [RuleSpec],
    names: Names,
    /// `None`: no rule looks at it.
    known: Vec<Option<StoredReading>>,
    /// Where in `known` the readings of a series and topic are.
    places: HashMap<(i64, i64), usize>,
    /// By the number of the topic, which is small: the series that came last on it, and its place. It
    /// spares nearly every reading the hash.
    last: Vec<(i64, usize)>,
}

/// Topics with a higher number are found by their hash alone.
const TOPICS_LEN_MAX: usize = 1 << 16;

impl<'a> Cast<'a> {
    fn new(history: &'a History, specs: &'a [RuleSpec]) -> Result<Self> {
        let (names, known, places) = (history.names()?, Vec::new(), HashMap::new());
        Ok(Self { history, specs, names, known, places, last: Vec::new() })
    }

    fn reading(&mut self, arrival: &Arrival) -> Result<Option<&StoredReading>> {
        let topic = usize::try_from(arrival.topic).unwrap_or(usize::MAX);
        let place = match self.last.get(topic) {
            Some((series, place)) if *series == arrival.series => *place,
            _ => self.place(arrival, topic)?,
        };
        let Some(Some(stored)) = self.known.get_mut(place) else { return Ok(None) };
        stored.id = arrival.id;
        stored.at = arrival.at;
        stored.arrived_at = arrival.arrived_at;
        stored.reading.value = arrival.value;
        Ok(Some(stored))
    }

    fn place(&mut self, arrival: &Arrival, topic: usize) -> Result<usize> {
        let key = (arrival.series, arrival.topic);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                let reading = self.introduce(arrival)?;
                self.known.push(reading);
                self.places.insert(key, self.known.len() - 1);
                self.known.len() - 1
            }
        };
        if topic < TOPICS_LEN_MAX {
            if self.last.len() <= topic {
                // No series has this number.
                self.last.resize(topic + 1, (i64::MIN, usize::MAX));
            }
            self.last[topic] = (arrival.series, place);
        }
        Ok(place)
    }

    fn introduce(&mut self, arrival: &Arrival) -> Result<Option<StoredReading>> {
        let is_named = self.names.series.contains_key(&arrival.series)
            && self.names.topics.contains_key(&arrival.topic);
        if !is_named {
            // It has come since.
            self.names = self.history.names()?;
        }
        let names = &self.names;
        let (Some(series), Some(topic)) =
            (names.series.get(&arrival.series), names.topics.get(&arrival.topic))
        else {
            return Ok(None);
        };
        if !self.specs.iter().any(|spec| concerns(spec, topic)) {
            return Ok(None);
        }
        let reading = Reading {
            topic: topic.clone(),
            device: series.device.clone(),
            quantity: series.quantity.clone(),
            value: arrival.value,
            unit: series.unit,
            taken_at: None,
            key: None,
        };
        let (id, at, arrived_at) = (arrival.id, arrival.at, arrival.arrived_at);
        Ok(Some(StoredReading { id, at, arrived_at, suspect: false, reading }))
    }
}

/// Whether a rule may look at readings of a topic: by `when`, or as another series.
fn concerns(spec: &RuleSpec, name: &str) -> bool {
    let mut conditions = [Some(&spec.on), spec.off.as_ref()].into_iter().flatten();
    topic::matches(&spec.when, name) || conditions.any(|text| text.contains("other"))
}
