//! A connection to any MQTT broker: 3.1.1 or 5, over TCP, TLS, WebSocket, or WebSocket over TLS.
//!
//! One connection is one value; whoever wants another makes another. Nothing here retries, and nothing
//! is acknowledged unless the caller says so. What is wrong is said as a [`fault::Fault`], whose words name the
//! key of the configuration that mends it.

pub mod check;
pub mod connection;
mod dial;
pub mod endpoint;
pub mod fault;
pub mod target;
pub mod tls;
mod websocket;
