//! The whole path: the real binary, real brokers, real sockets, pseudo terminals as serial ports.
//!
//! Nothing sleeps: a test waits for the event, with [`LIMIT`].

mod bad_input;
mod command_line;
mod crash;
mod led;
#[path = "../../../mtom-broker/tests/it/mosquitto.rs"]
mod mosquitto;
mod mtom;
mod original;
mod topologies;
mod viewer;

use std::time::Duration;

/// The limit for an event that must come.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits for what must come.
async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}
