//! `GET /api/v1/discovered`: what devices have told Home Assistant about themselves, and what it leads to here.

use crate::routes::json;
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_gateway::discovery::{Counts, Shown, Standing};
use serde::Serialize;
use std::sync::Arc;

/// `GET /api/v1/discovered`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct DiscoveredThings {
    /// Where configs are listened to, as in `homeassistant`; null: nowhere.
    prefix: Option<String>,
    counts: DiscoveredCounts,
    /// Sensors, switches, and what is not understood, in the order in which their configs came.
    things: Vec<DiscoveredThing>,
}

/// How many things there are.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct DiscoveredCounts {
    configs: u64,
    /// Their readings come by themselves.
    sensors: u64,
    /// They can be actuators.
    switches: u64,
    /// Understood, and not read for another reason.
    not_read: u64,
    not_understood: u64,
    /// Neither sensors nor switches; they are not listed.
    others: u64,
    /// Configs that were not taken since the start, because there are too many.
    refused: u64,
}

/// One thing of a device.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct DiscoveredThing {
    /// The device, as its readings have it.
    device: String,
    /// Its key in the config.
    key: String,
    /// `sensor`, `switch`, `light`, …
    platform: String,
    /// The topic of the config.
    config: String,
    /// Which program has written the config.
    origin: Option<String>,
    standing: DiscoveredStanding,
    /// Where its messages come, of a sensor.
    topic: Option<String>,
    /// What its readings are called.
    quantity: Option<String>,
    /// What they count; empty: a plain number.
    unit: Option<&'static str>,
    /// The link of an actuator that is this switch, as `[[actuator]]` has it.
    link: Option<String>,
    /// Why it is not read or not understood: one stable word.
    code: Option<&'static str>,
    /// The same as a sentence.
    reason: Option<String>,
}

/// What a thing is here.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiscoveredStanding {
    /// Its readings come by themselves.
    Read,
    /// `ingest.topics` names its topic, which is read as it always was; with a quantity, messages that say nothing
    /// so are read as the config says.
    Named,
    /// It can be an actuator.
    Switch,
    /// It is understood, and something stands in its way.
    NotRead,
    /// It leads to nothing.
    NotUnderstood,
}

impl From<Counts> for DiscoveredCounts {
    fn from(counts: Counts) -> Self {
        let Counts { configs, sensors, switches, not_read, not_understood, others, refused } =
            counts;
        Self { configs, sensors, switches, not_read, not_understood, others, refused }
    }
}

impl From<Shown> for DiscoveredThing {
    fn from(Shown { config, device, origin, key, platform, standing }: Shown) -> Self {
        let bare = Self {
            device,
            key,
            platform,
            config,
            origin,
            standing: DiscoveredStanding::NotUnderstood,
            topic: None,
            quantity: None,
            unit: None,
            link: None,
            code: None,
            reason: None,
        };
        match standing {
            Standing::Read { topic, quantity, unit } => Self {
                standing: DiscoveredStanding::Read,
                topic: Some(topic),
                quantity: Some(quantity),
                unit: Some(unit),
                ..bare
            },
            Standing::Named { topic, second } => {
                let (quantity, unit) = second.unzip();
                let standing = DiscoveredStanding::Named;
                Self { standing, topic: Some(topic), quantity, unit, ..bare }
            }
            Standing::NotRead { code, reason } => {
                let standing = DiscoveredStanding::NotRead;
                Self { standing, code: Some(code), reason: Some(reason), ..bare }
            }
            Standing::Switch { link } => {
                Self { standing: DiscoveredStanding::Switch, link: Some(link), ..bare }
            }
            Standing::NotUnderstood { code, reason } => {
                Self { code: Some(code), reason: Some(reason), ..bare }
            }
        }
    }
}

/// What devices have told Home Assistant about themselves, and what it leads to here.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/discovered",
    tag = "health",
    responses((status = 200, description = "as asked", body = DiscoveredThings))
))]
pub(crate) async fn discovered(State(shared): State<Arc<Shared>>) -> Response {
    let found = shared.discovered.as_ref();
    let things = found.map(|found| found.list()).unwrap_or_default();
    json(&DiscoveredThings {
        prefix: found.and_then(|found| found.prefix()).map(str::to_owned),
        counts: found.map(|found| found.counts()).unwrap_or_default().into(),
        things: things.into_iter().map(DiscoveredThing::from).collect(),
    })
}
