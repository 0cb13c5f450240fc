//! `GET /api/v1/clients`: who is at the embedded broker, and who was not let in; `PUT` and `DELETE` of
//! `/clients/allowed` say who may come from other computers.
//!
//! What may be changed follows the rules of [`change`](crate::change).

use crate::change::{body_json, whole};
#[cfg(test)]
use crate::openapi::answers;
use crate::problem::Problem;
use crate::routes::{json, taken};
use crate::server::Shared;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mtom_gateway::guests::{GuestError, Guests};
use mtom_protocol::time::UnixMicros;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Clients that one answer names; those that are connected come first.
const CLIENTS_LEN_MAX: usize = 1_000;

/// Another broker decides.
const EXTERNAL: &str = "external";

const NAME_NEXT: &str = "send the name as GET /api/v1/clients tells it";
const LIST_NEXT: &str = "GET /api/v1/clients lists who is allowed";
const EXTERNAL_NEXT: &str = "ask the broker that broker.url names";
const DISK_NEXT: &str =
    "it holds until the gateway ends; make room, or move data.dir, and say it again";

/// `GET /api/v1/clients`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Clients<'a> {
    /// Who of other computers is let in: `everyone`, `allowed` ones, or `external`: another broker decides. Of its
    /// clients those are known that speak about themselves below `mtom/<id>/`.
    admission: &'static str,
    /// Those that are connected first, then those that left last; so many at most.
    clients: Vec<Client<'a>>,
    /// How many there are.
    clients_count: u64,
    /// Who was not let in; who knocked last comes first.
    refused: Vec<Refused<'a>>,
    /// How often somebody was not let in since the start.
    refused_count: u64,
    /// Names that may come from other computers, in order.
    allowed: &'a [String],
}

/// Somebody who is or was connected.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Client<'a> {
    /// Its MQTT client id.
    name: &'a str,
    address: Option<String>,
    connected_at: String,
    connected_at_micros: i64,
    /// When it left; null: it is connected.
    left_at: Option<String>,
    left_at_micros: Option<i64>,
    /// It left without a word: its connection was lost.
    lost: bool,
    /// It had left before anybody could see it: `left_at` is when that was learnt.
    left_at_latest: bool,
    /// The readings' topics on which it published, the newest last; a few.
    topics: Vec<&'a str>,
}

/// Somebody who was not let in.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Refused<'a> {
    /// The MQTT client id that it said.
    name: &'a str,
    address: Option<String>,
    /// When it last knocked.
    at: String,
    at_micros: i64,
    /// How often.
    count: u64,
    /// `not_allowed`: nobody has allowed its name. `name_too_long`: that cannot be allowed.
    reason: &'static str,
}

/// `PUT /api/v1/clients/allowed`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
struct Allow {
    /// Its MQTT client id.
    #[cfg_attr(test, schema(min_length = 1, max_length = 256, example = "esp32"))]
    name: String,
}

/// `DELETE /api/v1/clients/allowed?name=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawQuery {
    /// Its MQTT client id.
    #[cfg_attr(test, param(example = "esp32"))]
    name: String,
}

/// Who is at the broker, who has left, and who was not let in.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/clients",
    tag = "health",
    responses((status = 200, description = "as asked", body = Clients<'static>))
))]
pub(crate) async fn clients(State(shared): State<Arc<Shared>>) -> Response {
    let (admission, everybody) = match (&shared.guests, &shared.presence) {
        (Some(guests), _) => (guests.admission().word(), guests.everybody()),
        (None, Some(presence)) => (EXTERNAL, presence.everybody()),
        (None, None) => (EXTERNAL, Default::default()),
    };
    let mut clients: Vec<_> = everybody.clients.iter().collect();
    // The sort is stable: by name where they left together.
    clients.sort_by_key(|client| {
        std::cmp::Reverse(client.left.map_or(i64::MAX, |left| left.at_micros))
    });
    let named = clients.iter().take(CLIENTS_LEN_MAX).map(|client| {
        let left_at = client.left.map(|left| UnixMicros(left.at_micros));
        let connected_at = UnixMicros(client.connected_at_micros);
        Client {
            name: &client.name,
            address: client.address.map(|address| address.to_string()),
            connected_at: connected_at.rfc3339(),
            connected_at_micros: connected_at.0,
            left_at: left_at.map(UnixMicros::rfc3339),
            left_at_micros: left_at.map(|at| at.0),
            lost: client.left.is_some_and(|left| !left.is_graceful),
            left_at_latest: client.left.is_some_and(|left| left.is_learnt_late),
            topics: client.topics.iter().map(AsRef::as_ref).collect(),
        }
    });
    let refused = everybody.refused.iter().map(|refused| Refused {
        name: &refused.name,
        address: refused.address.map(|address| address.to_string()),
        at: UnixMicros(refused.last_at_micros).rfc3339(),
        at_micros: refused.last_at_micros,
        count: refused.count,
        reason: refused.reason.word(),
    });
    json(&Clients {
        admission,
        clients: named.collect(),
        clients_count: everybody.clients.len() as u64,
        refused: refused.collect(),
        refused_count: everybody.refused_count,
        allowed: &everybody.allowed,
    })
}

/// A client of that name may come from other computers, also after a restart.
///
/// A name is no proof: whoever says it is let in.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/api/v1/clients/allowed",
    tag = "health",
    request_body(content = Allow),
    responses(
        (status = 204, description = "allowed"),
        answers::BadRequest,
        answers::NotFound,
        answers::TooLong,
        answers::OtherKind,
        answers::Unavailable,
    )
))]
pub(crate) async fn allow(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let Allow { name } = body_json(&headers, &whole(body)?, "{\"name\": \"esp32\"}")?;
    guests(&shared)?.allow(&name).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A client of that name may not come from other computers any more; where it is connected it is put out.
#[cfg_attr(test, utoipa::path(
    delete,
    path = "/api/v1/clients/allowed",
    tag = "health",
    params(WithdrawQuery),
    responses(
        (status = 204, description = "withdrawn"),
        answers::BadRequest,
        answers::NotFound,
        answers::Unavailable,
    )
))]
pub(crate) async fn withdraw(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<WithdrawQuery>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let WithdrawQuery { name } = taken(query)?;
    guests(&shared)?.withdraw(&name).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever may change nothing may let nobody in.
fn guests(shared: &Shared) -> Result<&Guests, Problem> {
    if shared.control.is_none() {
        let next = "ask the gateway itself";
        return Err(Problem::unavailable("nothing can be changed here", next));
    }
    shared.guests.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "the broker is not in this process", EXTERNAL_NEXT)
    })
}

fn problem(error: GuestError) -> Problem {
    let detail = error.to_string();
    match error {
        GuestError::Name(_) => Problem::bad_query(detail, NAME_NEXT),
        GuestError::Unknown(_) => Problem::new(StatusCode::NOT_FOUND, detail, LIST_NEXT),
        GuestError::Disk(_) => Problem::unavailable(detail, DISK_NEXT),
    }
}

#[cfg(test)]
mod tests;
