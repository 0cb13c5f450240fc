//! A reading of a device whose name, time and key are known.
//!
//! Names are checked here, because they may come from a payload; a topic's were checked with the topic.

use super::text::plausible;
use super::{NotAReading, TOPIC_LEN_MAX, ecosystem, json};
use crate::reading::{Reading, ReadingKey};
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::string::String;
use alloc::sync::Arc;
use serde_json::{Map, Value};

/// What all readings of a device in one message share.
pub(super) struct Series {
    topic: Arc<str>,
    device: Arc<str>,
    pub(super) taken_at: Option<UnixMicros>,
    pub(super) key: Option<ReadingKey>,
}

impl Series {
    pub(super) fn new(topic: &str, device: &str) -> Self {
        Self { topic: Arc::from(topic), device: Arc::from(device), taken_at: None, key: None }
    }

    /// One reading of it.
    ///
    /// # Errors
    /// When a name cannot be used, or the number cannot be a measurement in `unit`.
    pub(super) fn reading(
        &self,
        quantity: &str,
        number: f64,
        unit: Unit,
    ) -> Result<Reading, NotAReading> {
        if !is_name(&self.device) {
            return Err(NotAReading::Device);
        }
        if !is_name(quantity) {
            return Err(NotAReading::Quantity);
        }
        Ok(Reading {
            topic: Arc::clone(&self.topic),
            device: Arc::clone(&self.device),
            quantity: Arc::from(quantity),
            value: plausible(number, unit)?,
            unit,
            taken_at: self.taken_at,
            key: self.key.clone(),
        })
    }
}

/// What a message says of all of its readings itself: when they were measured, and what makes it recognisable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// When it was measured; `None`: it does not say.
    pub taken_at: Option<UnixMicros>,
    /// Its key; `None`: it has none.
    pub key: Option<ReadingKey>,
}

impl Own {
    /// Where plain JSON has them: `time`, and `boot` with `seq`; `last_seen` of Zigbee2MQTT and `Time` of Tasmota on
    /// their topics. Of an object that was not written for us: what cannot be read is not meant.
    #[must_use]
    pub fn of(topic: &str, object: &Map<String, Value>) -> Self {
        let theirs = ecosystem::taken_at(topic, object);
        let taken_at = theirs.or_else(|| json::taken_at(object).ok().flatten());
        Self { taken_at, key: json::key(object).ok().flatten() }
    }

    /// One reading on a topic, of a device and a quantity whose names are known.
    ///
    /// # Errors
    /// When a name cannot be used, or the number cannot be a measurement in `unit`.
    pub fn reading(
        &self,
        (topic, device, quantity): (&Arc<str>, &Arc<str>, &Arc<str>),
        number: f64,
        unit: Unit,
    ) -> Result<Reading, NotAReading> {
        if !is_name(device) {
            return Err(NotAReading::Device);
        }
        if !is_name(quantity) {
            return Err(NotAReading::Quantity);
        }
        Ok(Reading {
            topic: Arc::clone(topic),
            device: Arc::clone(device),
            quantity: Arc::clone(quantity),
            value: plausible(number, unit)?,
            unit,
            taken_at: self.taken_at,
            key: self.key.clone(),
        })
    }
}

/// One reading of a device whose names are known, without a time of its own.
///
/// # Errors
/// As [`Own::reading`].
pub fn reading(
    topic: &str,
    device: &str,
    quantity: &str,
    number: f64,
    unit: Unit,
) -> Result<Reading, NotAReading> {
    let names = (&Arc::from(topic), &Arc::from(device), &Arc::from(quantity));
    Own::default().reading(names, number, unit)
}

fn is_name(name: &str) -> bool {
    (1..=TOPIC_LEN_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}
