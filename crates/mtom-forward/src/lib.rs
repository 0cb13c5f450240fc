//! Live fan-out and history over the original's WebSocket ports, every reading as a line over TCP or
//! as a datagram over UDP, and the receiving side.
//!
//! Speaks `wire.md` §1.2 to §1.4 byte for byte. Knows readings, not where they come from: the
//! history is a trait, and time, zone and randomness are arguments.

pub mod access;
pub mod client;
pub mod doorstep;
pub mod feed;
pub mod follow;
pub mod follower;
pub mod history;
pub mod live;
pub mod origin;
pub mod owners;
pub mod server;
pub mod tally;
pub mod tcp;
pub mod udp;

mod bell;
mod handshake;
mod lines;
mod recent;
pub mod replay;
mod ring;
mod seldom;
mod socket;
mod sweep;
