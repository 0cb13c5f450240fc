//! A hand on the simulated sensor's thermometer: what it measures, as long as somebody wants.
//!
//! The reading goes the way of any other: over MQTT, into the store, through the rules to the LED. Only where
//! sensors are simulated; the binary gives the two functions, because the dashboard knows no simulator.

use crate::change::{body_json, whole};
#[cfg(test)]
use crate::openapi::answers;
use crate::problem::Problem;
use crate::routes::json;
use crate::server::Shared;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The simulated sensor that can be held.
#[derive(Clone)]
pub struct Simulator {
    /// Where it publishes.
    pub topic: String,
    /// Holds it at so many °C, or lets it go.
    pub hold: Arc<dyn Fn(Option<f64>) + Send + Sync>,
    /// What it is held at.
    pub held: Arc<dyn Fn() -> Option<f64> + Send + Sync>,
}

/// What a DS18B20 can measure.
const CELSIUS: std::ops::RangeInclusive<f64> = -55.0..=125.0;

const RANGE_NEXT: &str = "send a temperature that a sensor can measure, or null to let it go";
const NONE_NEXT: &str = "start mtom up with simulate.sensors = 1";

/// `GET /api/v1/simulator`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Simulated<'a> {
    /// Where the sensor publishes that can be held; null: none is simulated.
    topic: Option<&'a str>,
    /// What somebody holds it at; null: it measures its own weather.
    celsius: Option<f64>,
}

/// `PUT /api/v1/simulator/temperature`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
struct Hold {
    /// null: its own weather again.
    #[cfg_attr(test, schema(minimum = -55, maximum = 125, example = 26.5))]
    celsius: Option<f64>,
}

/// The simulated sensor that can be held at a temperature.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/simulator",
    tag = "readings",
    responses((status = 200, description = "as asked", body = Simulated<'static>))
))]
pub(crate) async fn simulator(State(shared): State<Arc<Shared>>) -> Response {
    let found = shared.simulator.as_ref();
    let topic = found.map(|found| &*found.topic);
    json(&Simulated { topic, celsius: found.and_then(|found| (found.held)()) })
}

/// The simulated sensor measures that temperature from its next reading on; null: its own weather again.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/api/v1/simulator/temperature",
    tag = "readings",
    request_body(content = Hold),
    responses(
        (status = 204, description = "held, or let go"),
        answers::BadRequest,
        answers::NotFound,
        answers::TooLong,
        answers::OtherKind,
    )
))]
pub(crate) async fn hold(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let Hold { celsius } = body_json(&headers, &whole(body)?, "{\"celsius\": 26.5}")?;
    if celsius.is_some_and(|celsius| !CELSIUS.contains(&celsius)) {
        let (low, high) = (CELSIUS.start(), CELSIUS.end());
        let detail = format!("`celsius` is out of range: expected {low} to {high}");
        return Err(Problem::bad_query(detail, RANGE_NEXT));
    }
    (found(&shared)?.hold)(celsius);
    Ok(StatusCode::NO_CONTENT)
}

fn found(shared: &Shared) -> Result<&Simulator, Problem> {
    shared.simulator.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no sensor is simulated here", NONE_NEXT)
    })
}

#[cfg(test)]
mod tests;
