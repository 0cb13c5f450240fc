//! `GET /api/v1/alerts`: what rules had to say, and whether it was taken. `/api/v1` only grows.

use crate::api::LedState;
use crate::events::brief;
#[cfg(test)]
use crate::openapi::answers;
use crate::past::OrderWord;
use crate::problem::Problem;
use crate::routes::{Asked, json, limit, number, taken};
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::{IdQuery, PAGE_LEN_MAX};
use mtom_store::record::{AlertRow, AlertTarget};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `GET /api/v1/alerts?order=asc|desc&after=&limit=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertsQuery {
    /// The newest first (left out: so), or the oldest.
    #[cfg_attr(test, param(inline, example = "asc"))]
    order: Option<OrderWord>,
    /// The `next` of the page before; left out: the first page.
    #[cfg_attr(test, param(minimum = 0, example = 42))]
    after: Option<u64>,
    /// How many at most.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000, default = 100, example = 20))]
    limit: Option<usize>,
}

/// `GET /api/v1/alerts`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Alerts<'a> {
    alerts: Vec<Alert<'a>>,
    /// The `after` of the next page; null: this is the last.
    next: Option<u64>,
}

/// A message of a rule and what has become of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Alert<'a> {
    /// Rising; a receiver finds it in `X-Mtom-Alert`.
    id: u64,
    rule: &'a str,
    /// What that rule said: 16 hexadecimal digits.
    rule_version: &'a str,
    /// `publish` or `webhook`.
    kind: &'static str,
    /// The topic, or the server of the URL without what may be secret.
    target: String,
    /// `on`: an episode begins; `off`: it ends.
    led: LedState,
    /// The beginning of what it says.
    body_head: &'a str,
    body_len: usize,
    /// The journal number of the reading that led to it; null when time did.
    reading: Option<u64>,
    cause: &'a str,
    raised_at: String,
    raised_at_micros: i64,
    /// How often it was tried.
    tries: u32,
    /// When it is tried again; null when nobody tries any more, or nobody has tried yet.
    next_try_at: Option<String>,
    next_try_at_micros: Option<i64>,
    delivered_at: Option<String>,
    delivered_at_micros: Option<i64>,
    given_up_at: Option<String>,
    given_up_at_micros: Option<i64>,
    /// Why the last try failed that did.
    last_error: Option<&'a str>,
}

/// What rules had to say, and whether it was taken.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/alerts",
    tag = "rules",
    params(AlertsQuery),
    responses(
        (status = 200, description = "as asked", body = Alerts<'static>),
        answers::BadRequest,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
pub(crate) async fn alerts(
    State(shared): State<Arc<Shared>>,
    query: Asked<AlertsQuery>,
) -> Result<Response, Problem> {
    let asked = taken(query)?;
    let (after, limit) = (number("after", asked.after)?, limit(asked.limit)?);
    let order = OrderWord::or_newest(asked.order);
    // One more than is shown tells whether there is a next page.
    let query = IdQuery { order, after, limit: limit + 1 };
    let rows = shared.read(move |history| history.alert_page(query)).await?;
    Ok(json(&Alerts::new(&rows, limit)))
}

impl<'a> Alerts<'a> {
    /// `rows` may hold one more than `limit`: then there is a next page. Where the store could not give one
    /// more, there may be one.
    fn new(rows: &'a [AlertRow], limit: usize) -> Self {
        let shown = rows.get(..limit).unwrap_or(rows);
        let more = rows.len() > shown.len() || rows.len() == PAGE_LEN_MAX;
        Self {
            alerts: shown.iter().map(Alert::from).collect(),
            next: shown.last().filter(|_| more).map(|row| row.id),
        }
    }
}

impl<'a> From<&'a AlertRow> for Alert<'a> {
    fn from(row: &'a AlertRow) -> Self {
        let alert = &row.alert;
        let text = |at: Option<UnixMicros>| at.map(UnixMicros::rfc3339);
        let is_waiting = row.delivered_at.is_none() && row.given_up_at.is_none();
        let next_try_at = (is_waiting && row.tries > 0).then_some(row.next_try_at);
        Self {
            id: row.id,
            rule: &alert.rule,
            rule_version: &alert.rule_version,
            kind: match alert.target {
                AlertTarget::Topic { .. } => "publish",
                AlertTarget::Url(_) => "webhook",
            },
            target: alert.target.to_string(),
            led: if alert.begins { LedState::On } else { LedState::Off },
            body_head: brief(&alert.body),
            body_len: alert.body.len(),
            reading: alert.reading,
            cause: &alert.cause,
            raised_at: alert.raised_at.rfc3339(),
            raised_at_micros: alert.raised_at.0,
            tries: row.tries,
            next_try_at: text(next_try_at),
            next_try_at_micros: next_try_at.map(|at| at.0),
            delivered_at: text(row.delivered_at),
            delivered_at_micros: row.delivered_at.map(|at| at.0),
            given_up_at: text(row.given_up_at),
            given_up_at_micros: row.given_up_at.map(|at| at.0),
            last_error: row.last_error.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests;
