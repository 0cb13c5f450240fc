//! MQTT on both sides: the embedded broker and the client of an external one.
//!
//! Knows topics and bytes, and nothing of readings. Whatever arrives goes into one [`intake`];
//! a QoS 1 message is acknowledged only after its receiver has said that it is safe.

pub mod client;
pub mod clients;
pub mod embedded;
pub mod intake;
pub mod outlet;
pub mod publisher;
