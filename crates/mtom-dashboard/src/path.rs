//! `GET /api/v1/path`: what passes each part of the way from sensor to actuator, and where it is broken.

use crate::events::brief;
use crate::routes::json;
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_gateway::view::flow::{self, Flow};
use mtom_protocol::time::UnixMicros;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// `GET /api/v1/path`. Rates are over the last minute, latencies those of the newest that passed; null:
/// none did, or it cannot be known.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Path<'a> {
    /// Readings that reached the gateway.
    received_per_minute: u64,
    /// Readings that were stored.
    stored_per_minute: u64,
    /// Decisions of rules and persons.
    decided_per_minute: u64,
    /// Commands that devices said they obeyed.
    applied_per_minute: u64,
    /// From the device's own time to ours; clocks differ, so it can be wrong by as much.
    taken_to_arrived_micros: Option<u64>,
    /// From the arrival to the disk.
    arrived_to_stored_micros: Option<u64>,
    /// From the arrival to the decision.
    arrived_to_decided_micros: Option<u64>,
    /// From the decision to the device's answer.
    decided_to_applied_micros: Option<u64>,
    /// The external broker is away; null: it is not, or there is none.
    broker_lost: Option<BrokerLost<'a>>,
    /// Since when nothing can be stored; null: the disk takes readings.
    failing_since: Option<String>,
    failing_since_micros: Option<i64>,
}

/// An external broker that is away.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct BrokerLost<'a> {
    url: &'a str,
    since: String,
    since_micros: i64,
    /// Why the last try came to nothing.
    reason: &'a str,
}

/// How much passes each part of the path, how long it takes, and where it is broken.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/path",
    tag = "health",
    responses((status = 200, description = "as asked", body = Path<'static>))
))]
pub(crate) async fn path(State(shared): State<Arc<Shared>>) -> Response {
    json(&Path::from(&shared.view.flow((shared.clock)())))
}

impl<'a> From<&'a Flow> for Path<'a> {
    fn from(flow: &'a Flow) -> Self {
        Self {
            received_per_minute: flow.received_per_minute,
            stored_per_minute: flow.stored_per_minute,
            decided_per_minute: flow.decided_per_minute,
            applied_per_minute: flow.applied_per_minute,
            taken_to_arrived_micros: micros(flow.taken_to_arrived),
            arrived_to_stored_micros: micros(flow.arrived_to_stored),
            arrived_to_decided_micros: micros(flow.arrived_to_decided),
            decided_to_applied_micros: micros(flow.decided_to_applied),
            broker_lost: flow.broker_lost.as_ref().map(BrokerLost::from),
            failing_since: flow.failing_since.map(UnixMicros::rfc3339),
            failing_since_micros: flow.failing_since.map(|at| at.0),
        }
    }
}

impl<'a> From<&'a flow::BrokerLost> for BrokerLost<'a> {
    fn from(lost: &'a flow::BrokerLost) -> Self {
        Self {
            url: &lost.url,
            since: lost.since.rfc3339(),
            since_micros: lost.since.0,
            reason: brief(&lost.reason),
        }
    }
}

fn micros(span: Option<Duration>) -> Option<u64> {
    span.map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
