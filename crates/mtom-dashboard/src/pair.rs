//! `/api/v1/actuators/{name}/pair`: a device over Bluetooth LE is paired with the gateway's computer, and the
//! person who sees what it shows is somewhere else.
//!
//! POST begins, GET tells how it stands, PUT answers what is asked, DELETE gives it up. A pairing ends by
//! itself after 120 s.

use crate::change::{body_json, named, whole};
#[cfg(test)]
use crate::openapi::answers;
use crate::problem::Problem;
use crate::routes::json;
use crate::server::Shared;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use mtom_gateway::pairing::{Answer, PairingError, PairingState, Pairings, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

const EXAMPLE: &str = "{\"passkey\": \"123456\"}, or {\"same\": true}";
const ANSWER_NEXT: &str = "GET tells what is asked: state passkey, or compare";
const ACTUATORS_NEXT: &str = "GET /api/v1/actuators lists them";
const BUSY_NEXT: &str = "answer that one with PUT, or give it up with DELETE";
const LINK_NEXT: &str = "pair one whose link begins with ble:";

/// `GET /api/v1/actuators/{name}/pair`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Pairing {
    state: PairingWord,
    /// Six digits: those that the device should show (`compare`), or that are to be typed there (`show`).
    number: Option<String>,
    /// The device that is paired, as a link has it: `ble:C6:55:44:33:22:11`.
    link: Option<String>,
    /// Why it is not paired, with the next step.
    reason: Option<String>,
}

/// How a pairing stands. `passkey`: the six digits that the device shows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum PairingWord {
    Never,
    Begun,
    Searching,
    Connecting,
    Passkey,
    Compare,
    Show,
    Paired,
    Failed,
}

/// `PUT /api/v1/actuators/{name}/pair`: one of them.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct PairingAnswer {
    /// What the device shows: six digits.
    #[cfg_attr(test, schema(pattern = "^[0-9]{6}$", example = "123456"))]
    passkey: Option<String>,
    /// Whether the device shows the same number.
    same: Option<bool>,
}

/// Begins a pairing; the link rests until it has ended.
///
/// The body is an empty JSON object.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/api/v1/actuators/{name}/pair",
    tag = "actuators",
    params(("name" = String, Path, description = "of the actuator", example = "TEMP_LED")),
    request_body(content = Object),
    responses(
        (status = 202, description = "begun", body = Pairing),
        answers::BadRequest,
        answers::NotFound,
        answers::Conflict,
        answers::TooLong,
        answers::OtherKind,
        answers::NotPairable,
        answers::Unavailable,
    )
))]
pub(crate) async fn begin(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let name = named(name)?;
    // A plain form of another site cannot say so.
    let _: Map<String, Value> = body_json(&headers, &whole(body)?, "{}")?;
    let pairings = pairings(&shared)?;
    pairings.begin(&name).map_err(problem)?;
    let state = pairings.state(&name).map_err(problem)?;
    Ok((StatusCode::ACCEPTED, json(&Pairing::from(state))).into_response())
}

/// How a pairing stands, or what came of the last one.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/actuators/{name}/pair",
    tag = "actuators",
    params(("name" = String, Path, description = "of the actuator", example = "TEMP_LED")),
    responses(
        (status = 200, description = "as asked", body = Pairing),
        answers::BadRequest,
        answers::NotFound,
        answers::Unavailable,
    )
))]
pub(crate) async fn state(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let name = named(name)?;
    Ok(json(&Pairing::from(pairings(&shared)?.state(&name).map_err(problem)?)))
}

/// Answers what a pairing asks.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/api/v1/actuators/{name}/pair",
    tag = "actuators",
    params(("name" = String, Path, description = "of the actuator", example = "TEMP_LED")),
    request_body(content = PairingAnswer),
    responses(
        (status = 204, description = "answered"),
        answers::BadRequest,
        answers::NotFound,
        answers::Conflict,
        answers::TooLong,
        answers::OtherKind,
        answers::Unavailable,
    )
))]
pub(crate) async fn answer(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let name = named(name)?;
    let answer =
        match body_json(&headers, &whole(body)?, EXAMPLE)? {
            PairingAnswer { passkey: Some(digits), same: None } => {
                let is_six = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
                let number = digits.parse().ok().filter(|_| is_six);
                Answer::Passkey(number.ok_or_else(|| {
                    Problem::bad_query("`passkey`: expected six digits", ANSWER_NEXT)
                })?)
            }
            PairingAnswer { passkey: None, same: Some(same) } => Answer::Same(same),
            _ => {
                let detail = format!("the body: expected {EXAMPLE}");
                return Err(Problem::bad_query(detail, ANSWER_NEXT));
            }
        };
    pairings(&shared)?.answer(&name, answer).map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a pairing up.
#[cfg_attr(test, utoipa::path(
    delete,
    path = "/api/v1/actuators/{name}/pair",
    tag = "actuators",
    params(("name" = String, Path, description = "of the actuator", example = "TEMP_LED")),
    responses(
        (status = 204, description = "none goes on any more"),
        answers::BadRequest,
        answers::NotFound,
        answers::Unavailable,
    )
))]
pub(crate) async fn give_up(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let name = named(name)?;
    pairings(&shared)?.give_up(&name).map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<PairingState> for Pairing {
    fn from(state: PairingState) -> Self {
        let of = |state| Self { state, number: None, link: None, reason: None };
        let digits = |number: u32| Some(format!("{number:06}"));
        match state {
            PairingState::Never => of(PairingWord::Never),
            PairingState::Begun => of(PairingWord::Begun),
            PairingState::Step(Step::Searching) => of(PairingWord::Searching),
            PairingState::Step(Step::Connecting) => of(PairingWord::Connecting),
            PairingState::Step(Step::PasskeyWanted) => of(PairingWord::Passkey),
            PairingState::Step(Step::Compare(number)) => {
                Self { number: digits(number), ..of(PairingWord::Compare) }
            }
            PairingState::Step(Step::Shown(number)) => {
                Self { number: digits(number), ..of(PairingWord::Show) }
            }
            PairingState::Paired { id } => {
                Self { link: Some(format!("ble:{id}")), ..of(PairingWord::Paired) }
            }
            PairingState::Failed { reason } => {
                Self { reason: Some(reason), ..of(PairingWord::Failed) }
            }
        }
    }
}

fn pairings(shared: &Shared) -> Result<&Pairings, Problem> {
    shared
        .pairings
        .as_ref()
        .ok_or_else(|| Problem::unavailable("nothing can be paired here", "ask the gateway itself"))
}

fn problem(error: PairingError) -> Problem {
    let detail = error.to_string();
    match error {
        PairingError::Actuator { .. } => {
            Problem::new(StatusCode::NOT_FOUND, detail, ACTUATORS_NEXT)
        }
        PairingError::Link(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail, LINK_NEXT),
        PairingError::Busy { .. } => Problem::new(StatusCode::CONFLICT, detail, BUSY_NEXT),
        PairingError::NotAsked { .. } => Problem::new(StatusCode::CONFLICT, detail, ANSWER_NEXT),
    }
}

#[cfg(test)]
mod tests;
