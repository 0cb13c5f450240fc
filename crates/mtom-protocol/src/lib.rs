//! The words of mtom and what they look like on a wire.
//!
//! Pure: no I/O, no clock, no logging, no `std`. Decoders take bytes from outside and never panic;
//! whatever they refuse comes back as an error that names what was wrong and what is expected.
//!
//! Without the feature `alloc` only what a device needs is left: units, times, the device link, the names of properties.

#![cfg_attr(not(test), no_std)]
#![deny(clippy::indexing_slicing)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod discovery;
#[cfg(feature = "alloc")]
pub mod escaped;
pub mod link;
pub mod property;
pub mod time;
pub mod unit;

#[cfg(feature = "alloc")]
pub mod original;
#[cfg(feature = "alloc")]
pub mod payload;
#[cfg(feature = "alloc")]
pub mod reading;
#[cfg(feature = "alloc")]
pub mod topic;
