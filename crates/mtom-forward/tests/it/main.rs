//! Both ports and the receiver over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and say why it skips"
)]

mod access;
mod client;
mod crowd;
mod follow;
mod history;
mod house;
mod live;
mod malformed;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "shared with another suite, which uses the rest")]
#[path = "../../../mtom-store/tests/it/other_host.rs"]
mod other_host;
mod replay;
mod slow;
mod support;
mod tcp;
mod udp;
#[cfg(target_os = "linux")]
mod vanished;
mod viewer;
