//! The loader against a board of ours: a pseudo terminal that speaks the ROM's protocol.
//!
//! Linux alone: elsewhere a pseudo terminal has no speed, and the library insists on one.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod board;
mod elf;
mod loader;
