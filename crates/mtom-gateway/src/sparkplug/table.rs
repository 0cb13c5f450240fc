//! The metrics that a birth has named.

use mtom_protocol::payload::TOPIC_LEN_MAX;
use mtom_protocol::payload::sparkplug::{Metric, Payload};
use mtom_protocol::unit::Unit;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) datatype: u32,
    pub(super) unit: Unit,
}

/// Of a node or of a device.
#[derive(Debug, Default)]
pub(super) struct Table {
    names: HashMap<Arc<str>, Known>,
    /// The numbers that data may have instead of names.
    aliases: HashMap<u64, Arc<str>>,
}

impl Table {
    /// What a birth says. A name that is too long is known by its number, and measures nothing; a number that is
    /// given to two names is none.
    pub(super) fn of(birth: &Payload) -> Self {
        let mut table = Self::default();
        let mut twice = HashSet::new();
        for metric in &birth.metrics {
            let Some(name) = metric.called() else { continue };
            let is_fit = name.len() <= TOPIC_LEN_MAX;
            let name: Arc<str> = if is_fit { name.into() } else { "".into() };
            let datatype = if is_fit { metric.datatype.unwrap_or_default() } else { 0 };
            let known = Known { datatype, unit: metric.unit(&name) };
            table.names.insert(Arc::clone(&name), known);
            if let Some(alias) = metric.alias
                && let Some(other) = table.aliases.insert(alias, Arc::clone(&name))
                && other != name
            {
                twice.insert(alias);
            }
        }
        table.aliases.retain(|alias, _| !twice.contains(alias));
        table
    }

    /// How many names and numbers there are.
    pub(super) fn len(&self) -> usize {
        self.names.len().max(self.aliases.len())
    }

    /// What a metric is called and is: by its name, or else by its number. One that says all of it itself needs no
    /// birth.
    pub(super) fn find<'a>(&'a self, metric: &'a Metric) -> Option<(&'a str, Known)> {
        let name = match (metric.called(), metric.alias) {
            // Some leave the name empty where others leave it out.
            (None | Some(""), Some(alias)) => self.aliases.get(&alias)?,
            (name, _) => name?,
        };
        let known = match (self.names.get(name), metric.datatype) {
            (Some(known), _) => *known,
            (None, Some(datatype)) if name.len() <= TOPIC_LEN_MAX => {
                Known { datatype, unit: metric.unit(name) }
            }
            _ => return None,
        };
        Some((name, known))
    }
}
