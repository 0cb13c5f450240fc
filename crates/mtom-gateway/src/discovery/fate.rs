//! What has become of one thing of a config.

use super::shown::Standing;
use mtom_protocol::discovery::{Meaning, NotUnderstood};
use std::sync::Arc;

/// Sensors on one topic: each looks into every message there.
pub(super) const PLANS_LEN_MAX: usize = 256;

/// What has become of a thing.
#[derive(Clone)]
pub(super) enum Fate {
    /// It is read, under that name.
    Read(Arc<str>),
    /// It is read where nothing else is understood, under that name.
    Second(Arc<str>),
    Named,
    Switch,
    Past,
    TooMany,
    /// The config of another has the same identifier.
    NotUnique,
}

impl Fate {
    pub(super) fn quantity(&self) -> Option<&Arc<str>> {
        match self {
            Self::Read(quantity) | Self::Second(quantity) => Some(quantity),
            _ => None,
        }
    }

    /// How that is shown; `of` is the config that has its identifier.
    pub(super) fn standing(&self, meaning: &Meaning, of: Option<&Arc<str>>) -> Option<Standing> {
        let not_read = |code, reason| Some(Standing::NotRead { code, reason });
        match (self, meaning) {
            (Self::NotUnique, _) => not_read(
                "unique_id",
                format!("the config on {} has the same unique_id, and came first", of?),
            ),
            (Self::TooMany, _) => not_read(
                "too_many",
                format!(
                    "its topic has {PLANS_LEN_MAX} sensors already, or there are too many topics"
                ),
            ),
            (Self::Past, _) => not_read(
                "spoken",
                "its topic is not listened to: it is an actuator's, a gateway's or Sparkplug's"
                    .into(),
            ),
            (Self::Switch, Meaning::Switch(switch)) => {
                Some(Standing::Switch { link: switch.link() })
            }
            (Self::Named, Meaning::Sensor(sensor)) => {
                Some(Standing::Named { topic: sensor.topic.clone(), second: None })
            }
            (Self::Second(quantity), Meaning::Sensor(sensor)) => Some(Standing::Named {
                topic: sensor.topic.clone(),
                second: Some((quantity.to_string(), sensor.unit.symbol())),
            }),
            (Self::Read(quantity), Meaning::Sensor(sensor)) => Some(Standing::Read {
                topic: sensor.topic.clone(),
                quantity: quantity.to_string(),
                unit: sensor.unit.symbol(),
            }),
            _ => None,
        }
    }
}

/// How what is not understood is shown.
pub(super) fn not_understood(reason: &NotUnderstood) -> Standing {
    Standing::NotUnderstood { code: reason.code(), reason: reason.to_string() }
}
