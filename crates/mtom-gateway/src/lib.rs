//! The spine: message → reading → {store, forward, rules → actuator}.

mod alerts;
pub mod announce;
pub mod availability;
mod board;
pub mod control;
mod controllers;
pub mod discovery;
mod drain;
mod forwarded;
pub mod gateway;
pub mod guests;
mod history;
mod known;
pub mod lines;
mod links;
pub mod pairing;
pub mod presence;
mod relay;
mod rules;
pub mod settings;
pub mod sparkplug;
pub mod standing;
pub mod view;

use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

/// The wall clock, given by the binary or by a test.
pub type Clock = Arc<dyn Fn() -> UnixMicros + Send + Sync>;
