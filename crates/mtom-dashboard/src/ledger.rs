//! `GET /api/v1/commands` and `/why`: what was decided, sent and answered, and which reading led to it.

use crate::api::{Commands, Why};
#[cfg(test)]
use crate::openapi::{answers, shapes};
use crate::past::time;
use crate::problem::Problem;
use crate::routes::{Asked, json, limit, number, taken};
use crate::server::Shared;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::IdQuery;
use mtom_store::history::ledger::LedgerQuery;
use mtom_store::record::Order;
use serde::Deserialize;
use std::sync::Arc;

/// `GET /api/v1/commands?actuator=&from=&until=&before=&limit=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandsQuery {
    /// Only to this one.
    #[cfg_attr(test, param(example = "TEMP_LED"))]
    actuator: Option<String>,
    /// Only what was decided from then on.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "2026-11-24T08:00:00Z"))]
    from: Option<String>,
    /// Only what was decided before.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "2026-11-25T08:00:00Z"))]
    until: Option<String>,
    /// The `next` of the page before; left out: the newest.
    #[cfg_attr(test, param(minimum = 0, example = 42))]
    before: Option<u64>,
    /// How many at most.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000, default = 100, example = 20))]
    limit: Option<usize>,
}

/// `GET /api/v1/why?actuator=&at=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyQuery {
    /// Whose state is asked about.
    #[cfg_attr(test, param(example = "TEMP_LED"))]
    actuator: String,
    /// When; left out: now.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "2026-11-24T08:00:00Z"))]
    at: Option<String>,
}

/// The ledger: every command with its cause and its times; newest first.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/commands",
    tag = "actuators",
    params(CommandsQuery),
    responses(
        (status = 200, description = "as asked", body = Commands<'static>),
        answers::BadRequest,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
pub(crate) async fn commands(
    State(shared): State<Arc<Shared>>,
    query: Asked<CommandsQuery>,
) -> Result<Response, Problem> {
    let CommandsQuery { actuator, from, until, before, limit: asked } = taken(query)?;
    let limit = limit(asked)?;
    let query = LedgerQuery {
        actuator,
        from: from.map(|from| time("from", &from)).transpose()?,
        until: until.map(|until| time("until", &until)).transpose()?,
        after: number("before", before)?,
        order: Order::Descending,
        limit: limit + 1,
    };
    let rows = shared.read(move |history| history.ledger(&query)).await?;
    Ok(json(&Commands::new(&rows, limit)))
}

/// The command that stood at a time, and the reading that led to it.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/why",
    tag = "actuators",
    params(WhyQuery),
    responses(
        (status = 200, description = "as asked", body = Why<'static>),
        answers::BadRequest,
        answers::NotFound,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
pub(crate) async fn why(
    State(shared): State<Arc<Shared>>,
    query: Asked<WhyQuery>,
) -> Result<Response, Problem> {
    let WhyQuery { actuator, at } = taken(query)?;
    let at = at.map(|at| time("at", &at)).transpose()?;
    // What was decided at that very moment stands.
    let until = at.map(|at| UnixMicros(at.0.saturating_add(1)));
    let name = actuator.clone();
    let query = LedgerQuery {
        actuator: Some(actuator),
        until,
        order: Order::Descending,
        limit: 1,
        ..LedgerQuery::default()
    };
    let found = shared
        .read(move |history| {
            let Some(row) = history.ledger(&query)?.pop() else { return Ok(None) };
            let after = row.command.reading.and_then(|id| id.checked_sub(1));
            let ask = IdQuery { after, limit: 1, ..IdQuery::default() };
            let reading = match row.command.reading {
                Some(id) => history.page_by_id(ask)?.pop().filter(|reading| reading.id == id),
                None => None,
            };
            Ok(Some((row, reading)))
        })
        .await?;
    let (row, reading) = found.ok_or_else(|| {
        let detail = format!("no command to an actuator {name:?} is in the ledger by then");
        Problem::new(StatusCode::NOT_FOUND, detail, "GET /api/v1/commands lists them")
    })?;
    Ok(json(&Why::new(&row, reading.as_ref())))
}
