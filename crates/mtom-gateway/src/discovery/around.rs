//! What there is besides configs: how topics are read without them, and which readings are known. No I/O.

use super::names::KnownSeries;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

/// How a topic is read without any config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// It is not.
    None,
    /// It comes with everything else, by `#` alone.
    Everything,
    /// `ingest.topics` names it.
    Named,
    /// It is spoken past the readings: to a switch, or by a gateway.
    Past,
}

/// What there is besides configs.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) cover: Arc<dyn Fn(&str) -> Cover + Send + Sync>,
    pub(crate) known: Arc<KnownSeries>,
    pub(crate) newest: Arc<Newest>,
    /// Gateways of a group share the readings: each gives the same names, whatever came to it first.
    pub(crate) is_shared: bool,
}

/// When the newest reading of a series was measured, told its device and its quantity; `None`: nobody knows.
type Newest = dyn Fn(&str, &str) -> Option<UnixMicros> + Send + Sync;

impl Around {
    /// Nothing.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            cover: Arc::new(|_| Cover::None),
            known: Arc::new(|_| Vec::new()),
            newest: Arc::new(|_, _| None),
            is_shared: false,
        }
    }
}
