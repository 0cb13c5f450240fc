//! `GET /api/v1/rules`: the rules that run, or that ran at a time.

use crate::api::Rules;
use crate::change::{control, problem, tag_of};
#[cfg(test)]
use crate::openapi::{answers, shapes};
use crate::past::time;
use crate::problem::Problem;
use crate::routes::{Asked, json, taken};
use crate::server::Shared;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mtom_protocol::time::UnixMicros;
use mtom_store::history::IdQuery;
use mtom_store::record::Order;
use serde::Deserialize;
use std::sync::Arc;

/// `GET /api/v1/rules?at=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct RulesQuery {
    /// Those that ran then; left out: those that run.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "2026-11-24T08:00:00Z"))]
    at: Option<String>,
}

/// The rules that run, or that ran at a time, and their text.
///
/// The `ETag` of those that run is for `If-Match` of `PUT`. Before the first version there were none.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/rules",
    tag = "rules",
    params(RulesQuery),
    responses(
        (status = 200, description = "as asked", body = Rules<'static>),
        answers::BadRequest,
        answers::Mistaken,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
pub(crate) async fn rules(
    State(shared): State<Arc<Shared>>,
    query: Asked<RulesQuery>,
) -> Result<Response, Problem> {
    if let Some(at) = taken(query)?.at {
        return then(&shared, time("at", &at)?).await;
    }
    let newest = shared.read(|history| history.rule_sets(1)).await?;
    let answer = json(&Rules::new(&shared.view.snapshot().rules, newest.first()));
    let tag = newest.first().and_then(|set| HeaderValue::from_str(&tag_of(set)).ok());
    Ok(match tag {
        Some(tag) => ([(header::ETAG, tag)], answer).into_response(),
        None => answer,
    })
}

/// What ran at a time, read as rules are read today: what those could not say any more is a mistake.
async fn then(shared: &Shared, at: UnixMicros) -> Result<Response, Problem> {
    let (set, next) = shared
        .read(move |history| {
            let set = history.rule_set_at(at)?;
            let after = set.as_ref().map(|set| set.version);
            let query = IdQuery { order: Order::Ascending, after, limit: 1 };
            Ok((set, history.rule_set_page(query)?.pop()))
        })
        .await?;
    let rules = match &set {
        Some(set) => control(shared)?.rules_of(&set.text).map_err(problem)?,
        None => Vec::new(),
    };
    let until = next.map(|next| next.applied_at);
    Ok(json(&Rules::new(&rules, set.as_ref()).until(until)))
}

#[cfg(test)]
mod tests;
