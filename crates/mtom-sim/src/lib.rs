//! Virtual devices: real clients over real sockets, running what a device runs.

pub mod actuator;
pub mod fault;
pub mod host;
pub mod listen;
pub mod sensor;
