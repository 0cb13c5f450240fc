//! Sparkplug B nodes: what their births have said, so that their data can be read; who of them is there; and whom
//! to ask for its births again (Sparkplug 3.0, clauses 5 and 6.4).
//!
//! Pure: the present is an argument. A batch that could not be written is read again from the same births
//! ([`Sparkplug::undo`]), so a message means the same however often it comes. Births are not kept by brokers: after a
//! start each node is asked for them when it is first heard. What a broker has kept all the same is passed over, for
//! nobody knows which session it is of.

use crate::availability::Who;
use mtom_broker::intake::Message;
use mtom_protocol::payload::NotAReading;
use mtom_protocol::payload::sparkplug::{
    Kind, Metric, PREFIX, Payload, Place, place, reading, time,
};
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use table::Table;

pub(crate) mod rebirth;
mod table;

/// Nodes that are known. Full: those that have gone are forgotten; if nobody has, a further one is refused.
const NODES_LEN_MAX: usize = 1_000;
/// Metrics that are known of a node and its devices.
const NODE_METRICS_MAX: usize = 8_192;
/// Metrics that are known in all. Full: a further birth is refused.
const METRICS_MAX: usize = 200_000;
/// A node is asked for its births no more often than that.
const REBIRTH_PERIOD: Duration = Duration::from_secs(30);

const NODES: NotAReading = NotAReading::Sparkplug("at most 1000 nodes");
const METRICS: NotAReading =
    NotAReading::Sparkplug("at most 8192 metrics of a node and its devices, 200000 in all");
const BIRTH: NotAReading =
    NotAReading::Sparkplug("the birth that names this metric first; it was asked for");

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
    /// Who is there or has gone.
    pub(crate) said: Vec<(Who, bool)>,
}

/// A node as its messages left it. Cheap to clone.
#[derive(Clone, Default)]
struct Node {
    /// Its birth is known, and its death has not come.
    is_born: bool,
    bd_seq: Option<u64>,
    /// The number of its next message.
    seq: Option<u8>,
    metrics: Arc<Table>,
    devices: Arc<BTreeMap<Arc<str>, Arc<Table>>>,
    asked_at: Option<UnixMicros>,
}

impl Node {
    fn metrics_len(&self) -> usize {
        self.metrics.len() + self.devices.values().map(|table| table.len()).sum::<usize>()
    }

    /// Takes the number of a message; true: some before it are missing. One that comes again is none of them.
    fn misses(&mut self, seq: Option<u64>) -> bool {
        let Some(seq) = seq.and_then(|seq| u8::try_from(seq).ok()) else { return false };
        let next = seq.wrapping_add(1);
        let before = self.seq.replace(next);
        before.is_some_and(|expected| expected != seq && expected != next)
    }
}

/// A node that the batch has changed.
struct Changed {
    node: Node,
    /// One of its messages comes again when the batch cannot be written.
    is_awaited: bool,
}

/// Everybody that is known.
#[derive(Default)]
pub(crate) struct Sparkplug {
    nodes: HashMap<Arc<str>, Node>,
    changed: HashMap<Arc<str>, Changed>,
    /// Whose births are to be asked for.
    wanted: Vec<Arc<str>>,
    counts: SparkplugCounts,
}

impl Sparkplug {
    /// Whether a topic is one of theirs.
    pub(crate) fn is_of(topic: &str) -> bool {
        topic.starts_with(PREFIX)
    }

    /// Reads a message. `is_awaited`: it comes again unless the batch is written.
    pub(crate) fn read(&mut self, message: &Message, is_awaited: bool, now: UnixMicros) -> Found {
        let mut found = Found::default();
        if let Err(reason) = self.take(message, is_awaited, now, &mut found) {
            found.outcomes = vec![Err(reason)];
        }
        found
    }

    /// The batch is written.
    pub(crate) fn keep(&mut self) {
        for (name, Changed { node, .. }) in self.changed.drain() {
            self.nodes.insert(name, node);
        }
    }

    /// The batch is not written, and will be read again now, to be shown.
    pub(crate) fn undo(&mut self) {
        self.changed.clear();
    }

    /// It was shown; what comes again will be read from the same births.
    pub(crate) fn keep_what_was_shown(&mut self) {
        self.changed.retain(|_, changed| !changed.is_awaited);
        self.keep();
    }

    /// Whom to ask for births now.
    pub(crate) fn wanted(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.wanted)
    }

    pub(crate) fn counts(&self) -> SparkplugCounts {
        let nodes = self.nodes.values().filter(|node| node.is_born).count() as u64;
        SparkplugCounts { nodes, ..self.counts }
    }

    fn take(
        &mut self,
        message: &Message,
        is_awaited: bool,
        now: UnixMicros,
        found: &mut Found,
    ) -> Result<(), NotAReading> {
        let Some(place) = place(&message.topic)? else { return Ok(()) };
        if place.kind == Kind::Command || message.retained_copy {
            return Ok(());
        }
        let payload = Payload::read(&message.payload)?;
        let name: Arc<str> = place.node_name().into();
        let mut node = self.node(&name)?;
        let outcome = self.follow(&mut node, (&name, place), &payload, now, found);
        let was_awaited = self.changed.get(&name).is_some_and(|changed| changed.is_awaited);
        let changed = Changed { node, is_awaited: is_awaited || was_awaited };
        self.changed.insert(name, changed);
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
        let who = |place: Place<'_>| Who::Device(place.name().into());
        let is_birth_of_node = place.kind == Kind::Birth && place.device.is_none();
        let is_death_of_node = place.kind == Kind::Death && place.device.is_none();
        if !is_birth_of_node && !is_death_of_node {
            let misses = node.misses(payload.seq);
            self.counts.gaps += u64::from(misses);
            if misses || !node.is_born {
                self.want(node, name, now);
            }
        }
        match (place.kind, place.device) {
            (Kind::Birth, None) => {
                let table = self.room_for(node, place, payload)?;
                if node.is_born && node.bd_seq != payload.bd_seq() {
                    // The death between the two was missed, and nobody behind it has been born again yet.
                    found.said.push((Who::Node(Arc::clone(name)), false));
                }
                let asked_at = node.asked_at;
                *node =
                    Node { is_born: true, bd_seq: payload.bd_seq(), asked_at, ..Node::default() };
                node.misses(payload.seq);
                node.metrics = Arc::clone(&table);
                found.said.push((who(place), true));
                measure(&table, place, payload, found);
            }
            (Kind::Birth, Some(device)) => {
                let table = self.room_for(node, place, payload)?;
                Arc::make_mut(&mut node.devices).insert(device.into(), Arc::clone(&table));
                found.said.push((who(place), true));
                measure(&table, place, payload, found);
            }
            (Kind::Data, device) => {
                let of_device = |device| node.devices.get(device).cloned();
                let table = device.map_or_else(|| Some(Arc::clone(&node.metrics)), of_device);
                if !measure(&table.unwrap_or_default(), place, payload, found) {
                    self.want(node, name, now);
                    found.outcomes.push(Err(BIRTH));
                }
            }
            (Kind::Death, None) => {
                let bd_seq = payload.bd_seq();
                if node.is_born
                    && node.bd_seq.is_some()
                    && bd_seq.is_some()
                    && node.bd_seq != bd_seq
                {
                    self.counts.deaths_stale += 1;
                } else {
                    *node = Node { asked_at: node.asked_at, ..Node::default() };
                    found.said.push((Who::Node(Arc::clone(name)), false));
                }
            }
            (Kind::Death, Some(device)) => {
                Arc::make_mut(&mut node.devices).remove(device);
                found.said.push((who(place), false));
            }
            (Kind::Command, _) => {}
        }
        Ok(())
    }

    /// The node as it is by now; a new one where there is room.
    fn node(&mut self, name: &Arc<str>) -> Result<Node, NotAReading> {
        if let Some(changed) = self.changed.get(name) {
            return Ok(changed.node.clone());
        }
        if let Some(node) = self.nodes.get(name) {
            return Ok(node.clone());
        }
        if self.nodes.len() + self.changed.len() >= NODES_LEN_MAX {
            self.nodes.retain(|_, node| node.is_born);
            if self.nodes.len() + self.changed.len() >= NODES_LEN_MAX {
                self.counts.refused += 1;
                return Err(NODES);
            }
        }
        Ok(Node::default())
    }

    /// What a birth says, where there is room for it in place of what was known.
    fn room_for(
        &mut self,
        node: &Node,
        place: Place<'_>,
        payload: &Payload,
    ) -> Result<Arc<Table>, NotAReading> {
        let table = Table::of(payload);
        let known = node.metrics_len();
        let gone = match place.device {
            Some(device) => node.devices.get(device).map_or(0, |table| table.len()),
            None => known,
        };
        let unchanged = self.nodes.iter().filter(|(name, _)| !self.changed.contains_key(*name));
        let changed = self.changed.values().map(|changed| &changed.node);
        let all = unchanged.map(|(_, node)| node).chain(changed);
        let all: usize = all.map(Node::metrics_len).sum();
        let of_node = known - gone + table.len();
        // Of a node that is new `all` has nothing yet.
        if of_node > NODE_METRICS_MAX || all.saturating_sub(gone) + table.len() > METRICS_MAX {
            self.counts.refused += 1;
            return Err(METRICS);
        }
        self.counts.births += 1;
        Ok(Arc::new(table))
    }

    fn want(&mut self, node: &mut Node, name: &Arc<str>, now: UnixMicros) {
        // A clock that was put back asks again, too.
        let is_soon = |at: UnixMicros| at <= now && now.since(at) < REBIRTH_PERIOD;
        if node.asked_at.is_some_and(is_soon) {
            return;
        }
        node.asked_at = Some(now);
        self.counts.rebirths += 1;
        self.wanted.push(Arc::clone(name));
    }
}

/// What the metrics measure; false: some were never named.
fn measure(table: &Table, place: Place<'_>, payload: &Payload, found: &mut Found) -> bool {
    let (topic, device) = (place.topic(), place.name());
    let mut is_known = true;
    for metric in &payload.metrics {
        let Some((name, known)) = table.find(metric) else {
            is_known = false;
            continue;
        };
        if Metric::is_control(&name) {
            continue;
        }
        let Some(number) = metric.number(known.datatype) else { continue };
        let is_undated = metric.is_historical == Some(true) && metric.timestamp.is_none();
        let taken_at = metric.timestamp.or(payload.timestamp).and_then(time);
        let outcome = number.and_then(|number| match is_undated {
            true => Err(NotAReading::Time),
            false => reading((&topic, &device), (&name, number, known.unit), taken_at),
        });
        found.outcomes.push(outcome);
    }
    is_known
}

#[cfg(test)]
mod tests;
