//! A metric of a Sparkplug B node that is a switch: what it is told, and what births, data and deaths say of it.
//!
//! Data may name the metric by the number alone that the birth has given it, and births are not kept by brokers: so
//! a new connection asks the node for them once ([`Metric::rebirth`]). Before its birth nothing is said to it. A node that
//! is born again bears its devices again before it says anything else; one that it does not bear has gone.

use mtom_protocol::link::Led;
use mtom_protocol::payload::sparkplug::{self, BOOLEAN, Kind, Named, Payload, Place, REBIRTH};
use mtom_protocol::time::UnixMicros;

/// The metric, and where its node speaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Metric {
    group: String,
    node: String,
    device: Option<String>,
    name: String,
    /// Births, data and deaths, of the node as of the device.
    pub(crate) topics: Vec<String>,
}

impl Metric {
    /// Reads `GROUP/NODE/DEVICE/METRIC`; without a device its level is empty. A metric may have `/` in its name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut levels = text.splitn(4, '/').map(str::to_owned);
        let (group, node) = (levels.next()?, levels.next()?);
        let device = levels.next().filter(|device| !device.is_empty());
        let name = levels.next()?;
        if group.is_empty() || node.is_empty() || name.is_empty() {
            return None;
        }
        let mut metric = Self { group, node, device, name, topics: Vec::new() };
        let kinds = [Kind::Birth, Kind::Data, Kind::Death];
        let mut topics: Vec<_> = kinds.map(|kind| metric.place(kind).topic()).into();
        if metric.device.is_some() {
            let of_node = |kind| Place { device: None, ..metric.place(kind) }.topic();
            topics.extend(kinds.map(of_node));
        }
        metric.topics = topics;
        Some(metric)
    }

    fn place(&self, kind: Kind) -> Place<'_> {
        Place { kind, group: &self.group, node: &self.node, device: self.device.as_deref() }
    }

    /// Where it is told what to be.
    pub(crate) fn set(&self) -> String {
        self.place(Kind::Command).topic()
    }

    /// Where its node is asked for its births.
    pub(crate) fn ask(&self) -> String {
        Place { device: None, ..self.place(Kind::Command) }.topic()
    }

    /// Makes it so; `alias` is the number that its birth gave it.
    pub(crate) fn command(&self, led: Led, alias: Option<u64>, now: UnixMicros) -> Vec<u8> {
        let named = alias.map_or(Named::Name(&self.name), Named::Alias);
        Payload::command(named, led == Led::On, now).bytes()
    }

    /// Asks for the births.
    pub(crate) fn rebirth(now: UnixMicros) -> Vec<u8> {
        Payload::command(Named::Name(REBIRTH), true, now).bytes()
    }
}

/// What a message says about the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// It is there, and is so as far as that is said.
    Born(Option<bool>),
    /// It is so.
    Is(bool),
    /// It has gone, or what it is reached through has.
    Gone,
    /// It is not among the metrics that were born, or is no truth value.
    Missing,
    /// Nothing.
    Nothing,
}

/// What is known from the births that were heard.
pub(crate) struct Ear<'a> {
    metric: &'a Metric,
    alias: Option<u64>,
    bd_seq: Option<u64>,
    /// The node was born, and the device behind it was not since.
    is_unborn: bool,
}

impl<'a> Ear<'a> {
    pub(crate) const fn new(metric: &'a Metric) -> Self {
        Self { metric, alias: None, bd_seq: None, is_unborn: false }
    }

    /// The number that the birth gave the metric.
    pub(crate) const fn alias(&self) -> Option<u64> {
        self.alias
    }

    /// What a message says; `None`: it cannot be read, or is of somebody else.
    pub(crate) fn hear(&mut self, topic: &str, payload: &[u8]) -> Option<Says> {
        let place = sparkplug::place(topic).ok()??;
        let payload = Payload::read(payload).ok()?;
        let is_of_node = place.device.is_none();
        let Metric { group, node, device, .. } = self.metric;
        if place.group != group.as_str()
            || place.node != node.as_str()
            || !(is_of_node || place.device == device.as_deref())
        {
            return None;
        }
        if is_of_node && place.kind == Kind::Birth {
            (self.alias, self.bd_seq) = (None, payload.bd_seq());
            self.is_unborn = device.is_some();
        }
        // The node speaks of itself, and the metric is of a device behind it.
        let is_behind = is_of_node && device.is_some();
        Some(match place.kind {
            Kind::Data if is_behind && std::mem::take(&mut self.is_unborn) => Says::Gone,
            Kind::Birth | Kind::Data if is_behind => Says::Nothing,
            Kind::Birth => self.born(&payload),
            Kind::Data => self.find(&payload).map_or(Says::Nothing, Says::Is),
            Kind::Death if is_of_node && self.is_of_another_session(&payload) => Says::Nothing,
            Kind::Death => Says::Gone,
            Kind::Command => return None,
        })
    }

    fn born(&mut self, birth: &Payload) -> Says {
        self.is_unborn = false;
        let named = |metric: &&sparkplug::Metric| metric.called() == Some(&*self.metric.name);
        let found = birth.metrics.iter().find(named);
        let Some(metric) = found.filter(|metric| metric.datatype == Some(BOOLEAN)) else {
            return Says::Missing;
        };
        self.alias = metric.alias;
        Says::Born(truth(metric))
    }

    /// Its newest value among those that are not of the past.
    fn find(&self, data: &Payload) -> Option<bool> {
        let is_it =
            |metric: &&sparkplug::Metric| match metric.called().filter(|name| !name.is_empty()) {
                Some(name) => name == self.metric.name,
                None => metric.alias.is_some() && metric.alias == self.alias,
            };
        let present = data.metrics.iter().filter(|metric| metric.is_historical != Some(true));
        present.filter(is_it).filter_map(truth).next_back()
    }

    /// A death that came late is of a session that another has followed.
    fn is_of_another_session(&self, death: &Payload) -> bool {
        let died = death.bd_seq();
        self.bd_seq.is_some() && died.is_some() && self.bd_seq != died
    }
}

/// What it is, where that holds.
fn truth(metric: &sparkplug::Metric) -> Option<bool> {
    metric.truth()?.ok().filter(|_| metric.is_good())
}

#[cfg(test)]
mod tests;
