//! Devices against real brokers, over real sockets.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test may panic, say why it skips, and has a whole thread's stack"
)]

mod certificates;
mod impostor;
mod mosquitto;
mod tls;
