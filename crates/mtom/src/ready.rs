//! The ready file: where everything listens, for whoever started us.

use mtom_gateway::gateway::Addresses as Gateway;
use serde::Serialize;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

/// The addresses, in the order of the file's keys. Later versions add keys and change none.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Addresses {
    pub(crate) mqtt: String,
    pub(crate) live: String,
    pub(crate) history: String,
    pub(crate) dashboard: String,
    pub(crate) tcp: String,
    /// Empty: nothing listens.
    pub(crate) udp: String,
}

impl Addresses {
    pub(crate) fn new(gateway: &Gateway, dashboard: SocketAddr) -> Self {
        Self {
            mqtt: gateway.mqtt.clone(),
            live: gateway.live.clone(),
            history: gateway.history.clone(),
            dashboard: dashboard.to_string(),
            tcp: gateway.tcp.clone(),
            udp: gateway.udp.clone(),
        }
    }

    /// Writes the file whole or not at all: who waits for it never reads half of it.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string(self).map_err(std::io::Error::other)?;
        let unfinished = path.with_extension(format!("{}.part", std::process::id()));
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)
    }
}
