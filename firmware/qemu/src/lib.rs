//! The FE310 of SiFive, as QEMU's machine `sifive_e` has it, and the two devices of mtom on it.
//!
//! The whole of `mtom-device` runs here without an operating system and without a heap, in 16 KiB of
//! memory. No line of ours is `unsafe`: pins, serial ports and the counter are the chip's crates'.
//!
//! UART0 is the device's log, and where it is told its settings at the start; UART1 is its link.

#![no_std]

pub mod board;
mod clock;
pub mod log;
pub mod port;
pub mod start;
