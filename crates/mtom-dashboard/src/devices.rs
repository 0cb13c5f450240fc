//! `GET /api/v1/devices` and `/series`: who has ever said what, and when last. `/api/v1` only grows.

use crate::api::{Availability, Reading};
#[cfg(test)]
use crate::openapi::answers;
use crate::routes::json;
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_gateway::availability;
use mtom_protocol::reading::StoredReading;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `GET /api/v1/devices`, in the order of their names.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Devices<'a> {
    devices: Vec<Device<'a>>,
}

/// Whoever sends readings.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Device<'a> {
    name: &'a str,
    /// When its last reading reached the gateway.
    heard_at: String,
    heard_at_micros: i64,
    /// Whether it is there; null: nobody has said that, so it is known by its readings alone.
    availability: Option<Availability<'a>>,
    /// The newest reading of each of its series.
    readings: Vec<Reading<'a>>,
}

/// `GET /api/v1/series`, in the order of device and quantity.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct SeriesList<'a> {
    series: Vec<Series<'a>>,
}

/// One quantity of one device: what a chart or a page of the history is asked about.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Series<'a> {
    device: &'a str,
    quantity: &'a str,
    /// Of its newest reading: `°C`, `%`, …; empty for a plain number.
    unit: &'static str,
    /// Where its newest reading came from.
    topic: &'a str,
    /// The time that its newest reading counts for.
    last_at: String,
    last_at_micros: i64,
}

/// Whoever sends readings, with the newest of each series.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/devices",
    tag = "readings",
    responses((status = 200, description = "in the order of their names", body = Devices<'static>),
        answers::Unchanged,
    )
))]
pub(crate) async fn devices(State(shared): State<Arc<Shared>>) -> Response {
    let snapshot = shared.view.snapshot();
    json(&Devices::new(snapshot.latest.iter().map(AsRef::as_ref), &snapshot.availability))
}

/// What is measured where.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/series",
    tag = "readings",
    responses((status = 200, description = "in the order of device and quantity", body = SeriesList<'static>),
        answers::Unchanged,
    )
))]
pub(crate) async fn series(State(shared): State<Arc<Shared>>) -> Response {
    let snapshot = shared.view.snapshot();
    json(&SeriesList::new(snapshot.latest.iter().map(AsRef::as_ref)))
}

/// By device and quantity.
fn ordered<'a>(
    latest: impl Iterator<Item = &'a StoredReading>,
) -> BTreeMap<(&'a str, &'a str), &'a StoredReading> {
    latest.map(|stored| ((&*stored.reading.device, &*stored.reading.quantity), stored)).collect()
}

impl<'a> Devices<'a> {
    /// `availability` is in the order of names.
    pub(crate) fn new(
        latest: impl Iterator<Item = &'a StoredReading>,
        availability: &'a [availability::Availability],
    ) -> Self {
        let said = |name: &str| {
            let found = availability.binary_search_by(|said| (*said.device).cmp(name)).ok()?;
            availability.get(found).map(Availability::from)
        };
        let mut devices: BTreeMap<&str, Vec<&StoredReading>> = BTreeMap::new();
        for ((name, _), stored) in ordered(latest) {
            devices.entry(name).or_default().push(stored);
        }
        let device = |(name, series): (&'a str, Vec<&'a StoredReading>)| {
            let heard_at = series.iter().map(|stored| stored.arrived_at).max().unwrap_or_default();
            Device {
                name,
                heard_at: heard_at.rfc3339(),
                heard_at_micros: heard_at.0,
                availability: said(name),
                readings: series.into_iter().map(Reading::from).collect(),
            }
        };
        Self { devices: devices.into_iter().map(device).collect() }
    }
}

impl<'a> SeriesList<'a> {
    pub(crate) fn new(latest: impl Iterator<Item = &'a StoredReading>) -> Self {
        let series = ordered(latest).into_iter().map(|((device, quantity), stored)| Series {
            device,
            quantity,
            unit: stored.reading.unit.symbol(),
            topic: &stored.reading.topic,
            last_at: stored.at.rfc3339(),
            last_at_micros: stored.at.0,
        });
        Self { series: series.collect() }
    }
}

#[cfg(test)]
mod tests;
