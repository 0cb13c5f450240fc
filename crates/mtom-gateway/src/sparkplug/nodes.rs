//! What is known of nodes and their devices, within limits, and how it was before the batch.

use super::table::Table;
use mtom_protocol::payload::NotAReading;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Nodes that are known. Full: those that have gone are forgotten; if nobody has, a further one is refused.
pub(super) const NODES_LEN_MAX: usize = 1_000;
/// Metrics that are known of a node and its devices; a device counts as one at least.
pub(super) const NODE_METRICS_MAX: usize = 8_192;
/// Metrics that are known in all. Full: a further birth is refused.
pub(super) const METRICS_MAX: usize = 200_000;

const NODES: NotAReading = NotAReading::Sparkplug("at most 1000 nodes");
const METRICS: NotAReading =
    NotAReading::Sparkplug("at most 8192 metrics of a node and its devices, 200000 in all");

/// A node as its messages left it. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Node {
    /// Its birth is known, and its death has not come.
    pub(super) is_born: bool,
    /// Its death has come, and nothing since.
    pub(super) is_dead: bool,
    pub(super) bd_seq: Option<u64>,
    /// The number of its next message.
    seq: Option<u8>,
    metrics: Arc<Table>,
    devices: Arc<BTreeMap<Arc<str>, Arc<Table>>>,
    /// Devices that have not been born again since the node was.
    unborn: Arc<BTreeSet<Arc<str>>>,
    /// How much room it takes.
    len: usize,
}

impl Node {
    /// One that has died: nothing of it is known any more.
    pub(super) fn dead() -> Self {
        Self { is_dead: true, ..Self::default() }
    }

    /// Takes the number of a message; true: some before it are missing. One that comes again is none of them.
    pub(super) fn misses(&mut self, seq: Option<u64>) -> bool {
        let Some(seq) = seq.and_then(|seq| u8::try_from(seq).ok()) else { return false };
        let next = seq.wrapping_add(1);
        let before = self.seq.replace(next);
        before.is_some_and(|expected| expected != seq && expected != next)
    }

    /// The metrics of a device, or its own.
    pub(super) fn table(&self, device: Option<&str>) -> Option<&Arc<Table>> {
        match device {
            Some(device) => self.devices.get(device),
            None => Some(&self.metrics),
        }
    }

    /// It is born, in a session of that number. Its devices are not, until each is itself.
    pub(super) fn born(&mut self, bd_seq: Option<u64>, table: &Arc<Table>) {
        let mut unborn = std::mem::take(&mut self.unborn);
        if !self.devices.is_empty() {
            Arc::make_mut(&mut unborn).extend(self.devices.keys().cloned());
        }
        let len = table.len() + unborn.len();
        let metrics = Arc::clone(table);
        *self = Self { is_born: true, bd_seq, metrics, unborn, len, ..Self::default() };
    }

    /// A device behind it is born.
    pub(super) fn bears(&mut self, device: &str, table: &Arc<Table>) {
        self.loses(device);
        self.len += room_of(table);
        Arc::make_mut(&mut self.devices).insert(device.into(), Arc::clone(table));
    }

    /// A device behind it has gone.
    pub(super) fn loses(&mut self, device: &str) {
        if self.unborn.contains(device) {
            Arc::make_mut(&mut self.unborn).remove(device);
            self.len -= 1;
        }
        // Not a copy of them all for one that nobody knows.
        if let Some(table) = self.devices.get(device) {
            self.len -= room_of(table);
            Arc::make_mut(&mut self.devices).remove(device);
        }
    }

    /// All births have come: the devices that had none.
    pub(super) fn left_unborn(&mut self) -> Arc<BTreeSet<Arc<str>>> {
        self.len -= self.unborn.len();
        std::mem::take(&mut self.unborn)
    }

    /// How much room it would take were that its or its device's metrics.
    fn len_with(&self, device: Option<&str>, table: &Table) -> usize {
        let Some(device) = device else {
            return table.len() + self.devices.len() + self.unborn.len();
        };
        let before = self.devices.get(device).map_or(0, |table| room_of(table));
        self.len - before - usize::from(self.unborn.contains(device)) + room_of(table)
    }
}

/// A name takes room, too.
fn room_of(table: &Table) -> usize {
    table.len().max(1)
}

/// All nodes.
#[derive(Default)]
pub(super) struct Nodes {
    nodes: HashMap<Arc<str>, Node>,
    /// Those that the batch has changed or forgotten, as they were; `None`: there was none.
    before: HashMap<Arc<str>, Option<Node>>,
    /// How much room they take.
    len: usize,
}

impl Nodes {
    /// Takes a node out, to be [put back](Self::put); a new one where there is room.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn take(&mut self, name: &Arc<str>) -> Result<Node, NotAReading> {
        let found = self.nodes.remove(name);
        if found.is_none() && self.nodes.len() >= NODES_LEN_MAX {
            self.forget();
            if self.nodes.len() >= NODES_LEN_MAX {
                return Err(NODES);
            }
        }
        self.len -= found.as_ref().map_or(0, |node| node.len);
        if let Entry::Vacant(entry) = self.before.entry(Arc::clone(name)) {
            entry.insert(found.clone());
        }
        Ok(found.unwrap_or_default())
    }

    pub(super) fn put(&mut self, name: Arc<str>, node: Node) {
        self.len += node.len;
        self.nodes.insert(name, node);
    }

    /// Whether there is room for what is born, beside all that were not taken out.
    ///
    /// # Errors
    /// When there is not.
    pub(super) fn room(
        &self,
        node: &Node,
        device: Option<&str>,
        table: &Table,
    ) -> Result<(), NotAReading> {
        let len = node.len_with(device, table);
        if len > NODE_METRICS_MAX || self.len + len > METRICS_MAX { Err(METRICS) } else { Ok(()) }
    }

    /// The batch is written.
    pub(super) fn keep(&mut self) {
        self.before.clear();
    }

    /// The batch is not written.
    pub(super) fn undo(&mut self) {
        for (name, before) in self.before.drain() {
            let after = match before {
                Some(node) => {
                    self.len += node.len;
                    self.nodes.insert(name, node)
                }
                None => self.nodes.remove(&name),
            };
            self.len -= after.map_or(0, |node| node.len);
        }
    }

    /// Nodes whose births are known and that have not gone.
    pub(super) fn born_len(&self) -> usize {
        self.nodes.values().filter(|node| node.is_born).count()
    }

    /// Forgets those that have gone.
    fn forget(&mut self) {
        for (name, node) in self.nodes.extract_if(|_, node| !node.is_born) {
            self.len -= node.len;
            self.before.entry(name).or_insert(Some(node));
        }
    }
}

#[cfg(test)]
impl Nodes {
    /// Where the devices of a node are kept: elsewhere, once they were copied.
    pub(super) fn devices_at(&self, name: &str) -> *const BTreeMap<Arc<str>, Arc<Table>> {
        Arc::as_ptr(&self.nodes[name].devices)
    }

    /// How much room is taken: as it is kept, and as it is.
    pub(super) fn lens(&self) -> (usize, usize) {
        let of_node = |node: &Node| {
            let devices = node.devices.values().map(|table| room_of(table)).sum::<usize>();
            node.metrics.len() + devices + node.unborn.len()
        };
        (self.len, self.nodes.values().map(of_node).sum())
    }
}
