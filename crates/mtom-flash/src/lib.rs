//! Writes firmware and settings to a board, through its serial port.
//!
//! Knows the boards there is firmware for, where their images lie, what stands where in their flash,
//! and how their loaders are spoken to. The rest of the program sees neither `espflash` nor a serial
//! port, only these words. Everything here blocks; nothing here prints.

pub mod board;
pub mod image;
pub mod loader;
pub mod log;
pub mod places;
pub mod ports;
pub mod settings;
