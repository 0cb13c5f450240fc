//! A config that is understood, and what has become of its things. No I/O.

use super::fate::{Fate, not_understood};
use super::shown::Shown;
use mtom_protocol::discovery::there::There;
use mtom_protocol::discovery::{Component, Config, Meaning, Sensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A config that is understood.
pub(super) struct Known {
    pub(super) config: Config,
    pub(super) device: Arc<str>,
    /// The name is given to it: something of it is read.
    pub(super) is_given: bool,
    /// By the key of the thing; sensors and switches.
    pub(super) fates: BTreeMap<String, Fate>,
}

impl Known {
    /// Where it says whether it is there: its first sensor that is read speaks for it.
    pub(super) fn there(&self) -> Option<&Arc<There>> {
        let is_read =
            |component: &&Component| matches!(self.fates.get(&component.key), Some(Fate::Read(_)));
        self.config.components.iter().filter(is_read).find_map(|component| component.there.as_ref())
    }
}

pub(super) fn sensor(component: &Component) -> Option<&Sensor> {
    match &component.meaning {
        Ok(Meaning::Sensor(sensor)) => Some(sensor),
        _ => None,
    }
}

/// `of` is the config that has the identifier of the thing.
pub(super) fn shown(
    topic: &str,
    known: &Known,
    component: &Component,
    of: Option<&Arc<str>>,
) -> Option<Shown> {
    let standing = match (&component.meaning, known.fates.get(&component.key)) {
        (Err(reason), _) => not_understood(reason),
        (Ok(meaning), Some(fate)) => fate.standing(meaning, of)?,
        (Ok(_), None) => return None,
    };
    Some(Shown {
        config: topic.to_owned(),
        device: known.device.to_string(),
        origin: known.config.origin.clone(),
        key: component.key.clone(),
        platform: component.platform.clone(),
        standing,
    })
}
