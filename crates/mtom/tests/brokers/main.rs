//! The real binary and brokers that are not ours: mosquitto, NATS, RabbitMQ, and another mtom, whose broker is rmqtt.
//!
//! Each is killed and started again, and the link to it is cut, while numbered readings are published. `cargo xtask
//! test` does so a few times, `cargo xtask soak brokers` a hundred. Nothing sleeps: a test waits for the event, with
//! [`LIMIT`].

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and say why it skips"
)]

mod account;
mod broker;
mod certificates;
mod faults;
mod link;
#[allow(dead_code, reason = "shared with another suite, which uses the rest")]
#[path = "../../../mtom-broker/tests/it/mosquitto.rs"]
mod mosquitto;
#[allow(dead_code, reason = "shared with another suite, which uses the rest")]
#[path = "../it/mtom.rs"]
mod mtom;
mod packets;
mod publisher;
mod secure;
mod shared;
mod ways;

use std::time::Duration;

/// The limit for an event that must come; RabbitMQ needs much of it for a start on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Waits for what must come.
async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}
