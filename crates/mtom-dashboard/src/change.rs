//! What may be changed: the rules, and what an actuator is to be for a while.
//!
//! The guard has refused foreign hosts and origins before. A body must say what it is: what a plain form of
//! another site can send is not taken.

use crate::api::{Applied, RuleSets};
use crate::problem::Problem;
use crate::routes::{json, limit, taken};
use crate::server::Shared;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use mtom_gateway::control::{Control, ControlError};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// The longest text of rules, in bytes.
pub(crate) const RULES_LEN_MAX: usize = 1024 * 1024;
/// The longest that a person's word stands, other than for ever.
const SECONDS_MAX: u64 = 366 * 24 * 3_600;
/// The longest name of who brings rules, in bytes.
const SOURCE_LEN_MAX: usize = 200;

pub(crate) const RULES_NEXT: &str = "correct what is named; mtom rules check FILE says the same";
const VERSIONS_NEXT: &str = "GET /api/v1/rules/versions lists them";
const ACTUATORS_NEXT: &str = "GET /api/v1/actuators lists them";
const BODY_NEXT: &str = "send what is expected, with its Content-Type";
const GATEWAY_NEXT: &str = "look into the gateway's log, and try again";

/// `PUT /api/v1/rules?source=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyQuery {
    source: Option<String>,
    /// Only look whether they could be taken.
    #[serde(default)]
    check: bool,
}

/// `GET /api/v1/rules/versions?limit=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionsQuery {
    limit: Option<usize>,
}

/// `POST /api/v1/rules/rollback`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
struct Rollback {
    version: u64,
}

/// `PUT /api/v1/actuators/{name}/set`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
struct Set {
    led: Wish,
    /// For how long; left out: until somebody says `auto`.
    seconds: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
enum Wish {
    On,
    Off,
    /// As the rules want it.
    Auto,
}

/// Other rules take the place of those that run, all or none; with `check` they are only looked at.
///
/// The body is TOML, as in a file of rules.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/api/v1/rules",
    tag = "rules",
    params(ApplyQuery),
    request_body(content = String, content_type = "application/toml"),
    responses((status = 200, description = "as asked", body = Applied))
))]
pub(crate) async fn apply(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ApplyQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let ApplyQuery { source, check } = taken(query)?;
    expect_kind(&headers, "application/toml")?;
    let text = rules_text(&body)?;
    let control = control(&shared)?;
    if check {
        control.check(text).map_err(problem)?;
        return Ok(json(&Applied { version: None }));
    }
    let source = source.unwrap_or_else(|| "the API".into());
    if source.len() > SOURCE_LEN_MAX || source.chars().any(char::is_control) {
        let detail = format!("`source`: expected at most {SOURCE_LEN_MAX} bytes without controls");
        return Err(Problem::bad_query(detail, BODY_NEXT));
    }
    let version = control.apply(text, &source).await.map_err(problem)?;
    Ok(json(&Applied { version: Some(version) }))
}

/// Versions of the rules, newest first: the first one runs.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/rules/versions",
    tag = "rules",
    params(VersionsQuery),
    responses((status = 200, description = "as asked", body = RuleSets<'static>))
))]
pub(crate) async fn versions(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<VersionsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let limit = limit(taken(query)?.limit)?;
    let rows = shared.read(move |history| history.rule_sets(limit)).await?;
    Ok(json(&RuleSets::new(&rows)))
}

/// An earlier version of the rules runs again, as a new version.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/api/v1/rules/rollback",
    tag = "rules",
    request_body(content = Rollback),
    responses((status = 200, description = "as asked", body = Applied))
))]
pub(crate) async fn rollback(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Rollback { version } = body_json(&headers, &body, "{\"version\": 3}")?;
    let control = control(&shared)?;
    let row = shared.read(move |history| history.rule_set(version)).await?;
    let row = row.ok_or_else(|| problem(ControlError::Version(version)))?;
    let source = format!("version {version}");
    let version = control.apply(&row.text, &source).await.map_err(problem)?;
    Ok(json(&Applied { version: Some(version) }))
}

/// A person says what an actuator is to be; `auto`: the rules speak again.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/api/v1/actuators/{name}/set",
    tag = "actuators",
    params(("name" = String, Path, description = "of the actuator")),
    request_body(content = Set),
    responses((status = 204, description = "said"))
))]
pub(crate) async fn set(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let Set { led, seconds } = body_json(&headers, &body, "{\"led\": \"on\", \"seconds\": 600}")?;
    if seconds.is_some_and(|seconds| !(1..=SECONDS_MAX).contains(&seconds)) {
        let detail = format!("`seconds` is out of range: expected 1 to {SECONDS_MAX}");
        return Err(Problem::bad_query(detail, BODY_NEXT));
    }
    let led = match led {
        Wish::On => Some(Led::On),
        Wish::Off => Some(Led::Off),
        Wish::Auto => None,
    };
    let now: UnixMicros = (shared.clock)();
    let until = seconds.map(|seconds| now.saturating_add(Duration::from_secs(seconds)));
    control(&shared)?.set(&name, led, until).await.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}

fn control(shared: &Shared) -> Result<Control, Problem> {
    shared.control.clone().ok_or_else(|| {
        Problem::unavailable("nothing can be changed here", "ask the gateway itself")
    })
}

pub(crate) fn problem(error: ControlError) -> Problem {
    let detail = error.to_string();
    match error {
        ControlError::Rules(mistakes) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail, RULES_NEXT).with(mistakes)
        }
        ControlError::Actuator { .. } => {
            Problem::new(StatusCode::NOT_FOUND, detail, ACTUATORS_NEXT)
        }
        ControlError::Version(_) => Problem::new(StatusCode::NOT_FOUND, detail, VERSIONS_NEXT),
        ControlError::Disk(_) | ControlError::Stopping => {
            Problem::unavailable(detail, GATEWAY_NEXT)
        }
    }
}

/// A body as the text of rules.
pub(crate) fn rules_text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body)
        .map_err(|_| Problem::bad_query("the rules are no UTF-8 text", BODY_NEXT))
}

pub(crate) fn expect_kind(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let found = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = found.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let detail = format!("Content-Type is {kind:?}: expected {expected}");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail, BODY_NEXT))
}

pub(crate) fn body_json<T: for<'de> Deserialize<'de>>(
    headers: &HeaderMap,
    body: &Bytes,
    example: &str,
) -> Result<T, Problem> {
    expect_kind(headers, "application/json")?;
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_query(format!("the body: {error}; expected {example}"), BODY_NEXT)
    })
}

#[cfg(test)]
mod tests;
