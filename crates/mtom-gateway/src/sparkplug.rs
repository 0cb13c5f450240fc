//! Sparkplug B nodes: what their births have said, so that their data can be read; who of them is there; and whom
//! to ask for its births again (Sparkplug 3.0, clauses 5 and 6.4).
//!
//! Pure: the present is an argument. A batch that could not be written is read again from the same births
//! (`Sparkplug::undo`), so a message means the same however often it comes. Births are not kept by brokers: after a
//! start each node is asked for them when it is first heard. What a broker has kept all the same is passed over, for
//! nobody knows which session it is of.

use crate::availability::Who;
use mtom_broker::intake::{Delivery, Message};
use mtom_protocol::payload::NotAReading;
use mtom_protocol::payload::sparkplug::{
    Kind, Metric, PREFIX, Payload, Place, Speaker, place, time,
};
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;
use nodes::{Node, Nodes};
use questions::Questions;
use std::collections::BTreeSet;
use std::sync::Arc;
use table::Table;

mod nodes;
mod questions;
pub(crate) mod rebirth;
mod table;

/// Metrics of one message that are refused each with its reason.
const REASONS_MAX: usize = 4;

const BIRTH: NotAReading =
    NotAReading::Sparkplug("the birth that names this metric first; it was asked for");
const MORE: NotAReading =
    NotAReading::Sparkplug("metrics that can be read; more of this message cannot");

/// What became of nodes, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SparkplugCounts {
    /// Nodes whose births are known and that have not gone.
    pub nodes: u64,
    /// Births of nodes and devices that were read.
    pub births: u64,
    /// How often a node was to be asked for its births.
    pub rebirths: u64,
    /// How often messages of a node were missing.
    pub gaps: u64,
    /// Deaths of a session that had been followed by another.
    pub deaths_stale: u64,
    /// Births and nodes for which there was no room.
    pub refused: u64,
}

/// What a message says.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) outcomes: Vec<Result<Reading, NotAReading>>,
    /// Which of them are of the past, and not how things are.
    pub(crate) past: BTreeSet<usize>,
    /// Who is there or has gone.
    pub(crate) said: Vec<(Who, bool)>,
}

/// Everybody that is known.
#[derive(Default)]
pub(crate) struct Sparkplug {
    nodes: Nodes,
    questions: Questions,
    counts: SparkplugCounts,
    /// As they were before the batch.
    counts_before: SparkplugCounts,
}

impl Sparkplug {
    /// Whether a topic is one of theirs.
    pub(crate) fn is_of(topic: &str) -> bool {
        topic.starts_with(PREFIX)
    }

    /// Reads a message.
    pub(crate) fn read(&mut self, message: &Message, now: UnixMicros) -> Found {
        let mut found = Found::default();
        if let Err(reason) = self.take(message, now, &mut found) {
            found = Found { outcomes: vec![Err(reason)], ..Found::default() };
        }
        found
    }

    /// The batch is written.
    pub(crate) fn keep(&mut self) {
        self.nodes.keep();
        self.counts_before = self.counts;
    }

    /// The batch is not written, and will be read again now, to be shown.
    pub(crate) fn undo(&mut self) {
        self.nodes.undo();
        self.counts = self.counts_before;
    }

    /// It was shown. What comes again will be read then, behind what does not.
    pub(crate) fn keep_what_comes_once(&mut self, batch: &[Delivery], now: UnixMicros) {
        self.undo();
        for Delivery { message, .. } in batch.iter().filter(|delivery| !delivery.is_awaited()) {
            if Self::is_of(&message.topic) {
                self.read(message, now);
            }
        }
        self.keep();
    }

    /// Whom to ask for births now.
    pub(crate) fn wanted(&mut self) -> Vec<Arc<str>> {
        self.questions.take()
    }

    pub(crate) fn counts(&self) -> SparkplugCounts {
        let nodes = self.nodes.born_len() as u64;
        SparkplugCounts { nodes, rebirths: self.questions.count(), ..self.counts }
    }

    fn take(
        &mut self,
        message: &Message,
        now: UnixMicros,
        found: &mut Found,
    ) -> Result<(), NotAReading> {
        let Some(place) = place(&message.topic)? else { return Ok(()) };
        if place.kind == Kind::Command || message.retained_copy {
            return Ok(());
        }
        let name: Arc<str> = place.node_name().into();
        let payload = Payload::read(&message.payload).inspect_err(|_| {
            if place.kind == Kind::Birth {
                self.questions.refused(&name, now);
            }
        })?;
        let mut node = self.nodes.take(&name).inspect_err(|_| self.counts.refused += 1)?;
        let outcome = self.follow(&mut node, (&name, place), &payload, now, found);
        self.nodes.put(name, node);
        outcome
    }

    fn follow(
        &mut self,
        node: &mut Node,
        (name, place): (&Arc<str>, Place<'_>),
        payload: &Payload,
        now: UnixMicros,
        found: &mut Found,
    ) -> Result<(), NotAReading> {
        match (place.kind, place.device) {
            (Kind::Birth, None) => return self.born(node, (name, place), payload, now, found),
            (Kind::Death, None) => {
                self.died(node, name, payload, found);
                return Ok(());
            }
            _ => node.is_dead = false,
        }
        let misses = node.misses(payload.seq);
        self.counts.gaps += u64::from(misses);
        if misses || !node.is_born {
            self.questions.want(name, now);
        }
        match (place.kind, place.device) {
            (Kind::Birth, Some(device)) => {
                let table = self.room_for(node, (name, place), payload, now)?;
                node.bears(device, &table);
                found.said.push((Who::Device(place.name().into()), true));
                measure(&table, place, payload, found);
            }
            (Kind::Data, device) => {
                if !misses {
                    // Births come before all data [tck-id-message-flow-device-birth-publish]: who had none has gone.
                    for device in &*node.left_unborn() {
                        let name = Place { device: Some(device), ..place }.name();
                        found.said.push((Who::Device(name.into()), false));
                    }
                }
                let table = node.table(device).map(Arc::clone).unwrap_or_default();
                if !measure(&table, place, payload, found) {
                    self.questions.want(name, now);
                    found.outcomes.push(Err(BIRTH));
                }
            }
            (Kind::Death, Some(device)) => {
                node.loses(device);
                found.said.push((Who::Device(place.name().into()), false));
            }
            (Kind::Birth | Kind::Death, None) | (Kind::Command, _) => {}
        }
        Ok(())
    }

    /// A node is born, or says its births again.
    fn born(
        &mut self,
        node: &mut Node,
        (name, place): (&Arc<str>, Place<'_>),
        payload: &Payload,
        now: UnixMicros,
        found: &mut Found,
    ) -> Result<(), NotAReading> {
        let bd_seq = payload.bd_seq();
        let is_other = node.is_born && node.bd_seq != bd_seq;
        let mut after = if is_other { Node::default() } else { node.clone() };
        let table = self.room_for(&after, (name, place), payload, now)?;
        after.born(bd_seq, &table);
        after.misses(payload.seq);
        *node = after;
        if is_other {
            // The death between the two was missed, and nobody behind it has been born again yet.
            found.said.push((Who::Node(Arc::clone(name)), false));
        }
        found.said.push((Who::Device(place.name().into()), true));
        measure(&table, place, payload, found);
        Ok(())
    }

    /// A node has died, and its devices with it. Of one that is dead that says nothing.
    fn died(&mut self, node: &mut Node, name: &Arc<str>, payload: &Payload, found: &mut Found) {
        let bd_seq = payload.bd_seq();
        if node.is_born && node.bd_seq.is_some() && bd_seq.is_some() && node.bd_seq != bd_seq {
            self.counts.deaths_stale += 1;
        } else if !node.is_dead {
            *node = Node::dead();
            found.said.push((Who::Node(Arc::clone(name)), false));
        }
    }

    /// What a birth says, where there is room for it in place of what was known.
    fn room_for(
        &mut self,
        node: &Node,
        (name, place): (&Arc<str>, Place<'_>),
        payload: &Payload,
        now: UnixMicros,
    ) -> Result<Arc<Table>, NotAReading> {
        let table = Table::of(payload);
        self.nodes.room(node, place.device, &table).inspect_err(|_| {
            self.counts.refused += 1;
            self.questions.refused(name, now);
        })?;
        self.counts.births += 1;
        Ok(Arc::new(table))
    }
}

/// What the metrics measure; false: some were never named. What is for nobody's history, and what is bad or stale,
/// is passed over.
fn measure(table: &Table, place: Place<'_>, payload: &Payload, found: &mut Found) -> bool {
    let mut speaker = Speaker::new(place);
    let mut is_known = true;
    let mut refused = 0;
    for metric in &payload.metrics {
        let Some((name, known)) = table.find(metric) else {
            is_known = false;
            continue;
        };
        if Metric::is_control(name) || metric.is_transient == Some(true) || !metric.is_good() {
            continue;
        }
        let Some(number) = metric.number(known.datatype) else { continue };
        let is_past = metric.is_historical == Some(true);
        let is_undated = is_past && metric.timestamp.is_none();
        let taken_at = metric.timestamp.or(payload.timestamp).and_then(time);
        let outcome = number.and_then(|number| match is_undated {
            true => Err(NotAReading::Time),
            false => speaker.reading((name, number, known.unit), taken_at),
        });
        refused += usize::from(outcome.is_err());
        if outcome.is_err() && refused > REASONS_MAX {
            continue;
        }
        if is_past {
            found.past.insert(found.outcomes.len());
        }
        found.outcomes.push(outcome);
    }
    if refused > REASONS_MAX {
        found.outcomes.push(Err(MORE));
    }
    is_known
}

#[cfg(test)]
mod tests;
