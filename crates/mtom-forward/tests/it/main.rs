//! Both ports and the receiver over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod client;
mod history;
mod live;
mod malformed;
mod replay;
mod slow;
mod support;
mod tcp;
mod viewer;
