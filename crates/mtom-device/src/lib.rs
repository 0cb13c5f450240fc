//! What a device does, whatever it runs on: the firmware and the simulators run this very code.
//!
//! Nothing here knows a chip, a socket or an operating system: byte streams, flash, thermometer and
//! LED are traits, time is `embassy-time`. No heap. Nothing that comes in can make it panic.

#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod actuator;
pub mod backoff;
#[cfg(feature = "ble")]
pub mod ble;
pub mod board;
pub mod clock;
pub mod flash;
pub mod outbox;
pub mod payload;
pub mod record;
pub mod remote;
pub mod sensor;
pub mod settings;
pub mod sntp;
#[cfg(feature = "tls")]
pub mod tls;
