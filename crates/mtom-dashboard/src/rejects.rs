//! `GET /api/v1/rejects`: what was no reading, each with its reason. `/api/v1` only grows.

#[cfg(test)]
use crate::openapi::{answers, shapes};
use crate::past::{OrderWord, time};
use crate::problem::Problem;
use crate::routes::{Asked, json, limit, number, taken};
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_protocol::topic::check_filter;
use mtom_store::history::rejects::{RejectPage, RejectQuery};
use mtom_store::record::RejectRow;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const FILTER_NEXT: &str = "write a topic, or a topic filter as in the `when` of a rule";

/// `GET /api/v1/rejects?device=&topic=&code=&from=&until=&order=asc|desc&after=&limit=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectsQuery {
    /// Only on topics of this device: its name, and what stands below it.
    #[cfg_attr(test, param(example = "Environ"))]
    device: Option<String>,
    /// Only on topics that this MQTT topic filter names; `+` and `#` are allowed.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::TopicFilter>, example = "+/Temperature"))]
    topic: Option<String>,
    /// Only with this `code`.
    #[cfg_attr(test, param(example = "not_a_number"))]
    code: Option<String>,
    /// Only what arrived from this time on.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "2026-11-24T08:00:00Z"))]
    from: Option<String>,
    /// Only what arrived before this time.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "1795507200000000"))]
    until: Option<String>,
    /// The newest first (left out: so), or the oldest.
    #[cfg_attr(test, param(inline, example = "asc"))]
    order: Option<OrderWord>,
    /// The `next` of the page before; left out: the first page.
    #[cfg_attr(test, param(minimum = 0, example = 4_711))]
    after: Option<u64>,
    /// How many at most.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000, default = 100, example = 20))]
    limit: Option<usize>,
}

/// `GET /api/v1/rejects`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Rejects<'a> {
    rejects: Vec<Reject<'a>>,
    /// The `after` of the next page; null: this is the last. A page may be short, and even empty, and not be
    /// the last: there is an end to what is looked through at a time.
    next: Option<u64>,
}

/// Something that was no reading.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Reject<'a> {
    id: u64,
    topic: &'a str,
    /// The beginning of the payload; bytes that are no UTF-8 are shown as U+FFFD.
    payload_head: String,
    payload_len: u64,
    /// One stable word for the reason.
    code: &'a str,
    reason: &'a str,
    at: String,
    at_micros: i64,
}

/// What was no reading, with its reason; filtered.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/rejects",
    tag = "readings",
    params(RejectsQuery),
    responses(
        (status = 200, description = "as asked", body = Rejects<'static>),
        answers::BadRequest,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
pub(crate) async fn rejects(
    State(shared): State<Arc<Shared>>,
    query: Asked<RejectsQuery>,
) -> Result<Response, Problem> {
    let query = taken(query)?.into_query()?;
    let page = shared.read(move |history| history.reject_page(&query)).await?;
    Ok(json(&Rejects::from(&page)))
}

impl RejectsQuery {
    /// The same in the words of the store.
    fn into_query(self) -> Result<RejectQuery, Problem> {
        if let Some(filter) = &self.topic {
            check_filter(filter)
                .map_err(|error| Problem::bad_query(format!("`topic`: {error}"), FILTER_NEXT))?;
        }
        Ok(RejectQuery {
            device: self.device,
            topic: self.topic,
            code: self.code,
            from: self.from.as_deref().map(|text| time("from", text)).transpose()?,
            until: self.until.as_deref().map(|text| time("until", text)).transpose()?,
            order: OrderWord::or_newest(self.order),
            after: number("after", self.after)?,
            limit: limit(self.limit)?,
        })
    }
}

impl<'a> From<&'a RejectPage> for Rejects<'a> {
    fn from(page: &'a RejectPage) -> Self {
        Self { rejects: page.rows.iter().map(Reject::from).collect(), next: page.next }
    }
}

impl<'a> From<&'a RejectRow> for Reject<'a> {
    fn from(row: &'a RejectRow) -> Self {
        Self {
            id: row.id,
            topic: &row.topic,
            payload_head: String::from_utf8_lossy(&row.payload_head).into_owned(),
            payload_len: row.payload_len,
            code: &row.code,
            reason: &row.reason,
            at: row.arrived_at.rfc3339(),
            at_micros: row.arrived_at.0,
        }
    }
}

#[cfg(test)]
mod tests;
