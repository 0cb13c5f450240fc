//! What may be changed: the rules, and what an actuator is to be for a while.
//!
//! The guard has refused foreign hosts and origins before. A body must say what it is: what a plain form of
//! another site can send is not taken.

use crate::api::{Applied, RuleSets};
#[cfg(test)]
use crate::openapi::answers;
use crate::past::OrderWord;
use crate::problem::Problem;
use crate::routes::{json, limit, number, taken};
use crate::server::Shared;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use mtom_gateway::control::{Control, ControlError};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::IdQuery;
use mtom_store::record::RuleSetRow;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;
use std::time::Duration;

/// The longest text of rules, in bytes.
pub(crate) const RULES_LEN_MAX: usize = 1024 * 1024;
/// The longest that a person's word stands, other than for ever.
const SECONDS_MAX: u64 = 366 * 24 * 3_600;
/// The longest name of who brings rules, in characters.
const SOURCE_LEN_MAX: usize = 200;

pub(crate) const RULES_NEXT: &str = "correct what is named; mtom rules check FILE says the same";
const CHANGED_NEXT: &str =
    "GET /api/v1/rules, bring your change into those, and send them with the ETag of that answer";
const VERSIONS_NEXT: &str = "GET /api/v1/rules/versions lists them";
const ACTUATORS_NEXT: &str = "GET /api/v1/actuators lists them";
const BODY_NEXT: &str = "send what is expected, with its Content-Type";
const GATEWAY_NEXT: &str = "look into the gateway's log, and try again";

/// `PUT /api/v1/rules?source=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyQuery {
    /// Who brings them, for the list of versions; no control characters.
    #[cfg_attr(
        test,
        param(max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "Ada")
    )]
    source: Option<String>,
    /// Only look whether they could be taken.
    #[serde(default)]
    #[cfg_attr(test, param(default = false, example = true))]
    check: bool,
}

/// `GET /api/v1/rules/versions?order=asc|desc&after=&limit=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionsQuery {
    /// The newest first (left out: so), or the oldest.
    #[cfg_attr(test, param(inline, example = "asc"))]
    order: Option<OrderWord>,
    /// The `next` of the page before; left out: the first page.
    #[cfg_attr(test, param(minimum = 0, example = 3))]
    after: Option<u64>,
    /// How many at most.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000, default = 100, example = 20))]
    limit: Option<usize>,
}

/// `POST /api/v1/rules/rollback`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
struct Rollback {
    /// The version whose text runs again.
    #[serde(deserialize_with = "whole_number")]
    #[cfg_attr(test, schema(minimum = 0, example = 3))]
    version: u64,
}

/// `PUT /api/v1/actuators/{name}/set`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
struct Set {
    led: Wish,
    /// For how long; left out: until somebody says `auto`.
    #[serde(default, deserialize_with = "whole_number_or_none")]
    #[cfg_attr(test, schema(minimum = 1, maximum = 31_622_400, example = 600))]
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
    params(
        ApplyQuery,
        (
            "If-Match" = Option<String>,
            Header,
            description = "The `ETag` of `GET /api/v1/rules`: taken only while those rules run.",
            example = "*"
        )
    ),
    request_body(content = String, content_type = "application/toml"),
    responses(
        (status = 200, description = "as asked", body = Applied),
        answers::BadRequest,
        answers::Changed,
        answers::TooLong,
        answers::OtherKind,
        answers::Mistaken,
        answers::Unavailable,
    )
))]
pub(crate) async fn apply(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ApplyQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let ApplyQuery { source, check } = taken(query)?;
    expect_kind(&headers, "application/toml")?;
    let body = whole(body)?;
    let text = rules_text(&body)?;
    let instead_of = named_version(&shared, &headers).await?;
    let control = control(&shared)?;
    if check {
        control.check(text).map_err(problem)?;
        return Ok(json(&Applied { version: None }));
    }
    let source = source.unwrap_or_else(|| "the API".into());
    if source.chars().count() > SOURCE_LEN_MAX || source.chars().any(char::is_control) {
        let detail =
            format!("`source`: expected at most {SOURCE_LEN_MAX} characters, none of control");
        return Err(Problem::bad_query(detail, BODY_NEXT));
    }
    let version = control.apply(text, &source, instead_of).await.map_err(problem)?;
    Ok(json(&Applied { version: Some(version) }))
}

/// The version that `If-Match` names, if it is the one that runs; `None`: it names nothing, or anything.
async fn named_version(shared: &Shared, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let asked: Vec<_> = headers.get_all(header::IF_MATCH).iter().collect();
    if asked.is_empty() {
        return Ok(None);
    }
    let newest = shared.read(|history| history.rule_sets(1)).await?.pop();
    let tags =
        || asked.iter().filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
    let Some(newest) = newest else {
        return Err(changed("no rules ran yet"));
    };
    if tags().any(|tag| tag.trim() == "*") {
        return Ok(None);
    }
    let own = tag_of(&newest);
    // Behind it stands which bytes they were, which is no matter here.
    let is_own = |tag: &str| {
        let tag = tag.trim().strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        tag.and_then(|tag| tag.strip_prefix(&*own))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    if tags().any(is_own) {
        return Ok(Some(newest.version));
    }
    let RuleSetRow { version, source, .. } = newest;
    Err(problem(ControlError::Changed { version, from: source }))
}

/// What tells a version of the rules from every other one, also of another journal.
pub(crate) fn tag_of(set: &RuleSetRow) -> String {
    format!("{}-{}", set.version, set.applied_at.0)
}

fn changed(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, detail, CHANGED_NEXT)
}

/// Versions of the rules: the newest one runs.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/rules/versions",
    tag = "rules",
    params(VersionsQuery),
    responses(
        (status = 200, description = "as asked", body = RuleSets<'static>),
        answers::BadRequest,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
pub(crate) async fn versions(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<VersionsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let asked = taken(query)?;
    let (after, limit) = (number("after", asked.after)?, limit(asked.limit)?);
    let order = OrderWord::or_newest(asked.order);
    // One more than is shown tells whether there is a next page.
    let query = IdQuery { order, after, limit: limit + 1 };
    let rows = shared.read(move |history| history.rule_set_page(query)).await?;
    Ok(json(&RuleSets::new(&rows, limit)))
}

/// An earlier version of the rules runs again, as a new version.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/api/v1/rules/rollback",
    tag = "rules",
    request_body(content = Rollback),
    responses(
        (status = 200, description = "as asked", body = Applied),
        answers::BadRequest,
        answers::NotFound,
        answers::TooLong,
        answers::OtherKind,
        answers::Mistaken,
        answers::Unavailable,
    )
))]
pub(crate) async fn rollback(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Rollback { version } = body_json(&headers, &whole(body)?, "{\"version\": 3}")?;
    let control = control(&shared)?;
    let row = shared.read(move |history| history.rule_set(version)).await?;
    let row = row.ok_or_else(|| problem(ControlError::Version(version)))?;
    let source = format!("version {version}");
    let version = control.apply(&row.text, &source, None).await.map_err(problem)?;
    Ok(json(&Applied { version: Some(version) }))
}

/// A person says what an actuator is to be; `auto`: the rules speak again.
#[cfg_attr(test, utoipa::path(
    put,
    path = "/api/v1/actuators/{name}/set",
    tag = "actuators",
    params(("name" = String, Path, description = "of the actuator", example = "TEMP_LED")),
    request_body(content = Set),
    responses(
        (status = 204, description = "said"),
        answers::BadRequest,
        answers::NotFound,
        answers::TooLong,
        answers::OtherKind,
        answers::Unavailable,
    )
))]
pub(crate) async fn set(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let name = named(name)?;
    let Set { led, seconds } =
        body_json(&headers, &whole(body)?, "{\"led\": \"on\", \"seconds\": 600}")?;
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

pub(crate) fn control(shared: &Shared) -> Result<Control, Problem> {
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
        ControlError::Changed { .. } => changed(detail),
        ControlError::Version(_) => Problem::new(StatusCode::NOT_FOUND, detail, VERSIONS_NEXT),
        ControlError::Disk(_) | ControlError::Late | ControlError::Stopping => {
            Problem::unavailable(detail, GATEWAY_NEXT)
        }
    }
}

/// The name in an address.
pub(crate) fn named(name: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let next = "write names in addresses as UTF-8, percent-encoded";
    name.map(|Path(name)| name).map_err(|error| Problem::bad_query(error.body_text(), next))
}

/// A body that came to its end.
pub(crate) fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("the body is too long: expected at most {RULES_LEN_MAX} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail, "send less")
        }
        _ => Problem::bad_query(error.body_text(), BODY_NEXT),
    })
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

/// JSON has one kind of number: `3.0` is 3, as its schemas say too, and many programs write it so.
fn whole_number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let float = || number.as_f64().filter(|float| float.fract() == 0.0);
    let whole = number.as_u64().or_else(|| format!("{:.0}", float()?).parse().ok());
    whole.ok_or_else(|| D::Error::custom(format!("{number} is no whole number from 0 on")))
}

fn whole_number_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole_number")] u64);
    Ok(Option::<Whole>::deserialize(from)?.map(|whole| whole.0))
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
