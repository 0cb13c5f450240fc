//! The metrics that a birth has named.

use mtom_protocol::payload::TOPIC_LEN_MAX;
use mtom_protocol::payload::sparkplug::{Metric, Payload};
use mtom_protocol::unit::Unit;
use std::borrow::Cow;
use std::collections::HashMap;
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
    /// What a birth says. A name that is too long is known by its number, and measures nothing.
    pub(super) fn of(birth: &Payload) -> Self {
        let mut table = Self::default();
        for metric in &birth.metrics {
            let Some(name) = &metric.name else { continue };
            let is_fit = name.len() <= TOPIC_LEN_MAX;
            let name: Arc<str> = if is_fit { name.as_str().into() } else { "".into() };
            let datatype = if is_fit { metric.datatype.unwrap_or_default() } else { 0 };
            let known = Known { datatype, unit: metric.unit(&name) };
            table.names.insert(Arc::clone(&name), known);
            if let Some(alias) = metric.alias {
                table.aliases.insert(alias, name);
            }
        }
        table
    }

    /// How many names and numbers there are.
    pub(super) fn len(&self) -> usize {
        self.names.len().max(self.aliases.len())
    }

    /// What a metric is called and is. One that says all of it itself needs no birth.
    pub(super) fn find<'a>(&'a self, metric: &'a Metric) -> Option<(Cow<'a, str>, Known)> {
        let by_alias = metric.alias.and_then(|alias| self.aliases.get(&alias));
        let name = by_alias.map(AsRef::as_ref).or(metric.name.as_deref())?;
        let known = match (self.names.get(name), metric.datatype) {
            (Some(known), _) => *known,
            (None, Some(datatype)) if name.len() <= TOPIC_LEN_MAX => {
                Known { datatype, unit: metric.unit(name) }
            }
            _ => return None,
        };
        Some((Cow::Borrowed(name), known))
    }
}
