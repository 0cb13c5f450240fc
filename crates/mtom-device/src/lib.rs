//! What a device does, whatever it runs on: the firmware and the simulators run this very code.
//!
//! No I/O, no clock, no heap: bytes and the time since boot come in, pins and lines go out through
//! a [`actuator::Board`]. Nothing that comes in can make it panic.

#![cfg_attr(not(test), no_std)]
#![deny(clippy::indexing_slicing)]

pub mod actuator;
