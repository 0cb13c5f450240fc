//! What the bins share: a chip's own parts behind the traits of `mtom-device`.
//!
//! Nothing here decides anything; what can be tested without a chip belongs into `mtom-device`.

#![no_std]

pub mod chip;
#[cfg(feature = "sensor")]
pub mod time;
#[cfg(feature = "sensor")]
pub mod wifi;
