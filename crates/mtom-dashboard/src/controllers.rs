//! `GET /api/v1/controllers`: which controllers follow this gateway, and what they drive.

use crate::routes::json;
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_gateway::lines::Controller as Follower;
use serde::Serialize;
use std::sync::Arc;
use tokio::time::Instant;

/// `GET /api/v1/controllers`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Controllers {
    /// Those that are connected, or were within the last minute: so long their actuators stay theirs.
    controllers: Vec<Controller>,
}

/// A second computer that drives actuators by the readings of this gateway.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Controller {
    /// What it calls itself.
    name: String,
    /// What tells it from others of that name, as long as the gateway runs.
    id: u64,
    /// Its IP address.
    address: String,
    /// What it drives; no other controller may.
    actuators: Vec<String>,
    since: String,
    since_micros: i64,
    /// Since when it is away; null: it is connected.
    away_since: Option<String>,
    away_since_micros: Option<i64>,
}

impl From<Follower> for Controller {
    fn from(Follower { number, claim, place, since, away_since }: Follower) -> Self {
        Self {
            name: claim.name,
            id: number,
            address: place,
            actuators: claim.actuators,
            since: since.rfc3339(),
            since_micros: since.0,
            away_since: away_since.map(|at| at.rfc3339()),
            away_since_micros: away_since.map(|at| at.0),
        }
    }
}

/// Which controllers follow this gateway, and which actuators each of them drives.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/controllers",
    tag = "health",
    responses((status = 200, description = "as asked", body = Controllers))
))]
pub(crate) async fn controllers(State(shared): State<Arc<Shared>>) -> Response {
    let lines = shared.lines.as_ref();
    let known = lines.map(|lines| lines.controllers(Instant::now())).unwrap_or_default();
    json(&Controllers { controllers: known.into_iter().map(Controller::from).collect() })
}
