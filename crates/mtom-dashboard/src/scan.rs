//! "Which devices are in reach?": asked over HTTP, answered by a function that the binary gives, because the
//! dashboard knows no Bluetooth.
//!
//! One at a time; whoever asks meanwhile is refused. A search ends when nobody waits for it any more.

#[cfg(test)]
use crate::openapi::answers;
use crate::problem::Problem;
use crate::routes::{json, taken};
use crate::server::Shared;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Searches with an adapter, or the system's first, for so long: what is in reach, the strongest first, or
/// what keeps this computer from searching, with the next step. Dropped, it stops searching.
pub type Scan = Arc<dyn Fn(Option<String>, Duration) -> Scanning + Send + Sync>;

/// A search.
pub type Scanning = Pin<Box<dyn Future<Output = Result<Vec<Device>, String>> + Send>>;

/// A device in reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What to write to drive it: `ble:C6:55:44:33:22:11`.
    pub link: String,
    /// What it calls itself, once it has said so.
    pub name: Option<String>,
    /// It speaks classic Bluetooth, else Bluetooth LE.
    pub is_classic: bool,
    /// The strength of its signal.
    pub signal_dbm: Option<i16>,
    /// It offers what a link needs; `None`: it does not say.
    pub has_service: Option<bool>,
}

/// Classic devices need ten seconds to be heard.
const SECONDS_DEFAULT: u64 = 12;
const SECONDS_MAX: u64 = 60;

const BUSY_NEXT: &str = "wait until that search has ended, and ask again";
const SECONDS_NEXT: &str = "ask for fewer seconds, again and again";
const TROUBLE_NEXT: &str = "do what it says; mtom doctor looks whether that has helped";

/// `GET /api/v1/actuators/scan?adapter=&seconds=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct ScanQuery {
    /// With which adapter; left out: the system's first.
    #[cfg_attr(test, param(example = "hci0"))]
    adapter: Option<String>,
    /// For how long.
    #[cfg_attr(test, param(minimum = 1, maximum = 60, default = 12, example = 12))]
    seconds: Option<u64>,
}

/// `GET /api/v1/actuators/scan`: the strongest first.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Reach<'a> {
    devices: Vec<InReach<'a>>,
}

/// A device in reach.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct InReach<'a> {
    /// What to write to drive it: `ble:C6:55:44:33:22:11`.
    link: &'a str,
    /// What it calls itself; null until it has said so.
    name: Option<&'a str>,
    kind: BluetoothKind,
    /// In dBm; null while it is not heard.
    signal_dbm: Option<i16>,
    /// It offers what a link needs; null: it does not say.
    has_service: Option<bool>,
}

/// Which Bluetooth a device speaks: `le` is driven by `ble:`, `classic` by `spp:`.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum BluetoothKind {
    Le,
    Classic,
}

/// Searches for devices in reach that could be driven over Bluetooth; one search at a time.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/actuators/scan",
    tag = "actuators",
    params(ScanQuery),
    responses(
        (status = 200, description = "the strongest first", body = Reach<'static>),
        answers::BadRequest,
        answers::Busy,
        answers::Unavailable,
    )
))]
pub(crate) async fn scan(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ScanQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let ScanQuery { adapter, seconds } = taken(query)?;
    let seconds = seconds.unwrap_or(SECONDS_DEFAULT);
    if !(1..=SECONDS_MAX).contains(&seconds) {
        let detail = format!("`seconds` is out of range: expected 1 to {SECONDS_MAX}");
        return Err(Problem::bad_query(detail, SECONDS_NEXT));
    }
    let scan = shared.scan.clone().ok_or_else(|| {
        Problem::unavailable("nothing can be searched here", "ask the gateway itself")
    })?;
    let _place = shared.scans.try_acquire().map_err(|_| {
        let detail = "a search for somebody else goes on";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail, BUSY_NEXT)
    })?;
    let found = scan(adapter, Duration::from_secs(seconds)).await;
    let devices = found.map_err(|trouble| Problem::unavailable(trouble, TROUBLE_NEXT))?;
    Ok(json(&Reach { devices: devices.iter().map(InReach::from).collect() }))
}

impl<'a> From<&'a Device> for InReach<'a> {
    fn from(device: &'a Device) -> Self {
        Self {
            link: &device.link,
            name: device.name.as_deref(),
            kind: if device.is_classic { BluetoothKind::Classic } else { BluetoothKind::Le },
            signal_dbm: device.signal_dbm,
            has_service: device.has_service,
        }
    }
}

#[cfg(test)]
mod tests;
