//! Devices against real brokers, over real sockets.

#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod impostor;
#[cfg(feature = "tls")]
mod mosquitto;
#[cfg(feature = "tls")]
mod tls;
