//! A reading of a device whose name, time and key are known.
//!
//! Names are checked here, because they may come from a payload; a topic's were checked with the topic.

use super::text::plausible;
use super::{NotAReading, TOPIC_LEN_MAX};
use crate::reading::{Reading, ReadingKey};
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::sync::Arc;

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

/// One reading of a device whose names are known, without a time of its own.
///
/// # Errors
/// When a name cannot be used, or the number cannot be a measurement in `unit`.
pub fn reading(
    topic: &str,
    device: &str,
    quantity: &str,
    number: f64,
    unit: Unit,
) -> Result<Reading, NotAReading> {
    Series::new(topic, device).reading(quantity, number, unit)
}

fn is_name(name: &str) -> bool {
    (1..=TOPIC_LEN_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}
