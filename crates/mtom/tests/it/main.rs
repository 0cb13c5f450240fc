//! The whole path: the real binary, real brokers, real sockets, pseudo terminals as serial ports.
//!
//! Nothing sleeps: a test waits for the event, with [`LIMIT`].

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and say why it skips"
)]

mod alerts;
mod availability;
mod bad_input;
#[cfg(target_os = "linux")]
mod bluez;
mod command_line;
mod controller;
mod crash;
#[cfg(target_os = "linux")]
mod crowd;
mod database;
mod discovery;
#[cfg(target_os = "linux")]
mod disk_full;
mod ecosystem;
mod emulation;
#[cfg(target_os = "linux")]
mod flash;
mod fleet;
mod forward;
mod homeassistant;
#[cfg(target_os = "linux")]
mod hosts;
mod keys;
#[cfg(target_os = "linux")]
mod killed;
mod led;
#[cfg(unix)]
mod links;
#[allow(dead_code, reason = "shared with another suite, which uses the rest")]
#[path = "../../../mtom-store/tests/it/maria_server.rs"]
mod maria_server;
#[allow(dead_code, reason = "shared with another suite, which uses the rest")]
#[path = "../../../mtom-broker/tests/it/mosquitto.rs"]
mod mosquitto;
mod mtom;
mod original;
#[allow(dead_code, reason = "shared with another suite, which uses the rest")]
#[path = "../../../mtom-store/tests/it/other_host.rs"]
mod other_host;
mod past;
mod pending;
mod rules;
mod sparkplug;
mod switches;
mod topologies;
mod viewer;
#[cfg(unix)]
mod windows;

use std::time::Duration;

/// The limit for an event that must come.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits for what must come.
async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}
