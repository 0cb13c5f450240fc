//! A reading: one value of one series at one time.

use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::boxed::Box;
use alloc::sync::Arc;

/// One value of one series (device + quantity), as a device sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The MQTT topic it came on; rules match their `when` filter against it.
    pub topic: Arc<str>,
    /// Which device: the topic without its last level, or what the payload says.
    pub device: Arc<str>,
    /// What was measured: the topic's last level, or the path of the key in a JSON payload.
    pub quantity: Arc<str>,
    /// The number, finite and within [`Unit::range`].
    pub value: f64,
    /// What the number counts.
    pub unit: Unit,
    /// When the device says it measured; `None` when it says nothing.
    pub taken_at: Option<UnixMicros>,
    /// What makes a redelivery recognisable; `None` when the device sends nothing of the kind.
    pub key: Option<ReadingKey>,
}

/// The device's own count of its readings: the same key is the same reading (`design.md` §2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadingKey {
    /// Names one run of the device, from power-on to power-off.
    pub boot: Box<str>,
    /// Counts the messages of that run.
    pub seq: u64,
}

/// A reading that is in the history.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReading {
    /// The journal number: unique, rising in the order of storage.
    pub id: u64,
    /// The time it counts for: `taken_at` where that is plausible, else `arrived_at`.
    pub at: UnixMicros,
    /// When it reached the gateway.
    pub arrived_at: UnixMicros,
    /// The device sent a time that cannot be true, so `at` is the arrival.
    pub suspect: bool,
    /// What the device sent.
    pub reading: Reading,
}

impl Reading {
    /// The value in °C, where it is a temperature.
    #[must_use]
    pub fn celsius(&self) -> Option<f64> {
        self.unit.to_celsius(self.value)
    }

    /// The value in °F, where it is a temperature; one in °F is the very number that the device sent.
    #[must_use]
    pub fn fahrenheit(&self) -> Option<f64> {
        self.unit.to_fahrenheit(self.value)
    }
}
