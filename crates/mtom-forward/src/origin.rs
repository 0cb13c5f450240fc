//! What a gateway says of itself to those who follow: which history its ids are of, how late it is there, who drives
//! what.

use crate::owners::Owners;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

/// Where whoever has everything up to an id of the history with a name goes on here; `None`: it never was this history.
pub type Here = dyn Fn(&str, u64) -> Option<u64> + Send + Sync;

/// Of one gateway. A clone is the same.
#[derive(Clone)]
pub struct Origin {
    /// The name of its history.
    pub history: Arc<str>,
    /// Where others go on that have followed it before, under whatever name.
    pub here: Arc<Here>,
    /// Its clock.
    pub now: Arc<dyn Fn() -> UnixMicros + Send + Sync>,
    /// Who drives which actuator.
    pub owners: Owners,
}

impl Origin {
    /// A history with that name, which never had another.
    #[must_use]
    pub fn named(name: &str, now: impl Fn() -> UnixMicros + Send + Sync + 'static) -> Self {
        let own = name.to_owned();
        Self {
            history: name.into(),
            here: Arc::new(move |name, id| (name == own).then_some(id)),
            now: Arc::new(now),
            owners: Owners::default(),
        }
    }
}
