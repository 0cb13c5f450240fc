//! The addresses and their answers. What is read is here, what is changed in [`change`].

use crate::access::{self, Access};
use crate::api::{Actuator, Actuators, Counts, Frame, Latest, Log, ReadingPage, Status};
use crate::caching::Tags;
#[cfg(test)]
use crate::openapi::answers;
use crate::past::{Chart, ChartAsked, ReadingsQuery, Storage};
use crate::problem::Problem;
use crate::server::Shared;
use crate::{
    alerts, assets, caching, change, clients, controllers, devices, discovered, homeassistant,
    late, ledger, live, metrics, openapi, pair, path, reach, rejects, replay, ruled, scan,
    simulator, standing, trial,
};
use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use mtom_gateway::control::ControlError;
use mtom_store::error::StoreError;
use mtom_store::history::{History, PAGE_LEN_MAX};
use serde::Serialize;
use std::sync::Arc;

/// Rows of a page where the query names no `limit`.
const LIMIT_DEFAULT: usize = 100;

const STORE_NEXT: &str = "look into the gateway's log; what is acknowledged is not lost";
const INDEX_NEXT: &str = "start at /, or at /api/v1/";

pub(crate) fn router(shared: Arc<Shared>, access: Access) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/worker.js", get(worker))
        .route("/a/{hash}/{*name}", get(asset))
        .route("/live", get(live::upgrade))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/api/v1", get(reference))
        .route("/api/v1/", get(reference))
        .route("/api/v1/status", get(status))
        .route("/api/v1/actuators", get(actuators))
        .route("/api/v1/rules/state", get(standing::states))
        .route("/api/v1/rules/replay", post(replay::replay))
        .route("/api/v1/rules/test", post(trial::test))
        .route("/api/v1/rules/rollback", post(change::rollback))
        .route("/api/v1/actuators/scan", get(scan::scan))
        .route("/api/v1/actuators/{name}/status", get(actuator))
        .route("/api/v1/actuators/{name}/set", put(change::set))
        .route("/api/v1/actuators/{name}/pair", get(pair::state).post(pair::begin))
        .route("/api/v1/actuators/{name}/pair", put(pair::answer).delete(pair::give_up))
        .route("/api/v1/storage", get(storage))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/path", get(path::path))
        .route("/api/v1/clients", get(clients::clients))
        .route("/api/v1/controllers", get(controllers::controllers))
        .route("/api/v1/discovered", get(discovered::discovered))
        .route("/api/v1/homeassistant", get(homeassistant::homeassistant))
        .route("/api/v1/clients/allowed", put(clients::allow).delete(clients::withdraw))
        .route("/api/v1/simulator", get(simulator::simulator))
        .route("/api/v1/simulator/temperature", put(simulator::hold))
        .route("/metrics", get(metrics))
        .route("/api/v1/audit", get(audit))
        .merge(kept())
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(change::RULES_LEN_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), late::bodies))
        .layer(middleware::from_fn(caching::compress))
        .layer(middleware::from_fn_with_state((access, Arc::clone(&shared)), access::guard))
        .with_state(shared)
}

/// What is a function of what is stored. How things are at this moment is not among it: that is never kept.
fn kept() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/api/v1/latest", get(latest))
        .route("/api/v1/devices", get(devices::devices))
        .route("/api/v1/series", get(devices::series))
        .route("/api/v1/rules", get(ruled::rules).put(change::apply))
        .route("/api/v1/rules/versions", get(change::versions))
        .route("/api/v1/why", get(ledger::why))
        .route("/api/v1/log", get(log))
        .route("/api/v1/readings", get(readings))
        .route("/api/v1/chart", get(chart))
        .route("/api/v1/rejects", get(rejects::rejects))
        .route("/api/v1/commands", get(ledger::commands))
        .route("/api/v1/alerts", get(alerts::alerts))
        .route_layer(middleware::from_fn_with_state(Tags::default(), caching::revalidate))
}

pub(crate) type Asked<T> = Result<Query<T>, QueryRejection>;

async fn index(headers: HeaderMap) -> Response {
    page("index.html", &headers)
}

/// Keeps the page in the browser. Its address is above all that it keeps, as browsers want it.
async fn worker(headers: HeaderMap) -> Response {
    page("worker.js", &headers)
}

/// What the document of the API says, for people.
async fn reference(headers: HeaderMap) -> Response {
    page("api.html", &headers)
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    assets::page(name, headers).unwrap_or_else(|| {
        let detail = format!("this build has no page: web/{name} was missing");
        Problem::new(StatusCode::NOT_FOUND, detail, "build mtom from a complete source tree")
            .into_response()
    })
}

async fn asset(
    part: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let found = part.ok().and_then(|Path((hash, name))| assets::file(&hash, &name, &headers));
    found.unwrap_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no such file in this build", "load / again")
            .into_response()
    })
}

async fn unknown(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("nothing is at {}", uri.path()), INDEX_NEXT)
}

async fn other_method() -> Problem {
    let detail = "this address does not answer that method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail, INDEX_NEXT)
}

/// The process runs.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    responses((status = 200, description = "as asked", body = String, content_type = "text/plain; charset=utf-8"))
))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: the history can be read.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, description = "as asked", body = String, content_type = "text/plain; charset=utf-8"),
        answers::Unavailable,
    )
))]
async fn readyz(State(shared): State<Arc<Shared>>) -> Result<&'static str, Problem> {
    shared.read(|history| history.counts()).await.map(|_| "ready\n")
}

/// The installation: version, clock, where it listens, what is unsafe about it.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "health",
    responses((status = 200, description = "as asked", body = Status<'static>))
))]
async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let reach = reach::of(&shared.info.mqtt, reach::own);
    json(&Status::new(&shared.info, &reach, (shared.clock)()))
}

/// The newest reading of each series.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/latest",
    tag = "readings",
    responses((status = 200, description = "as asked", body = Latest<'static>),
        answers::Unchanged,
    )
))]
async fn latest(State(shared): State<Arc<Shared>>) -> Response {
    let snapshot = shared.view.snapshot();
    json(&Latest::new(snapshot.latest.iter().map(AsRef::as_ref)))
}

/// Everything as it is at this moment, as `/live` says it first.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/snapshot",
    tag = "health",
    responses((status = 200, description = "one frame, of the type `snapshot`", body = Frame<'static>))
))]
async fn snapshot(State(shared): State<Arc<Shared>>) -> Response {
    json(&Frame::snapshot(&shared.view.snapshot(), (shared.clock)()))
}

/// Each actuator: desired, sent and reported state, and its link.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/actuators",
    tag = "actuators",
    responses((status = 200, description = "as asked", body = Actuators<'static>))
))]
async fn actuators(State(shared): State<Arc<Shared>>) -> Response {
    json(&Actuators::new(&shared.view.snapshot().actuators))
}

/// One actuator.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/actuators/{name}/status",
    tag = "actuators",
    params(("name" = String, Path, description = "of the actuator", example = "TEMP_LED")),
    responses(
        (status = 200, description = "as asked", body = Actuator<'static>),
        answers::BadRequest,
        answers::NotFound,
    )
))]
async fn actuator(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let name = change::named(name)?;
    let actuators = shared.view.snapshot().actuators;
    let Some(found) = actuators.iter().find(|actuator| actuator.name == name) else {
        let names: Vec<&str> = actuators.iter().map(|actuator| &*actuator.name).collect();
        let known = names.join(", ");
        return Err(change::problem(ControlError::Actuator { name, known }));
    };
    Ok(json(&Actuator::from(found)))
}

/// The newest lines of the communication log, oldest first.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/log",
    tag = "health",
    responses((status = 200, description = "as asked", body = Log<'static>),
        answers::Unchanged,
    )
))]
async fn log(State(shared): State<Arc<Shared>>) -> Response {
    json(&Log::new(&shared.view.snapshot().log))
}

/// The account: received = stored + duplicate + rejected + in flight.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "health",
    responses((status = 200, description = "as asked", body = Counts))
))]
async fn audit(State(shared): State<Arc<Shared>>) -> Response {
    json(&Counts::from(shared.view.account()))
}

/// A page of the history, filtered.
///
/// The next page is asked for with `after` = the `next` of this one.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/readings",
    tag = "readings",
    params(ReadingsQuery),
    responses(
        (status = 200, description = "as asked", body = ReadingPage<'static>),
        answers::BadRequest,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
async fn readings(
    State(shared): State<Arc<Shared>>,
    query: Asked<ReadingsQuery>,
) -> Result<Response, Problem> {
    let asked = taken(query)?;
    let limit = limit(asked.limit)?;
    let query = asked.into_query(limit)?;
    let page = shared.read(move |history| history.page(&query)).await?;
    Ok(json(&ReadingPage::new(&page)))
}

/// A stretch of one series in few points, from the level that is fine enough.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/chart",
    tag = "readings",
    params(ChartAsked),
    responses(
        (status = 200, description = "as asked", body = Chart),
        answers::BadRequest,
        answers::Unavailable,
        answers::Unchanged,
    )
))]
async fn chart(
    State(shared): State<Arc<Shared>>,
    query: Asked<ChartAsked>,
) -> Result<Response, Problem> {
    let query = taken(query)?.into_query()?;
    let chart = shared.read(move |history| history.chart(&query)).await?;
    Ok(json(&Chart::from(chart)))
}

/// How much is kept, and whether the other database has it.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/storage",
    tag = "health",
    responses(
        (status = 200, description = "as asked", body = Storage),
        answers::Unavailable,
    )
))]
async fn storage(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let size = shared.read(History::size).await?;
    Ok(json(&Storage::new(size, &shared.view.snapshot(), (shared.clock)())))
}

/// For Prometheus, in its text format.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (status = 200, description = "as asked", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"),
        answers::Unavailable,
    )
))]
async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let size = shared.read(History::size).await?;
    let found = shared.discovered.as_ref().filter(|found| found.prefix().is_some());
    let house = metrics::House {
        standing: shared.talk.standing(),
        discovered: found.map(|found| found.counts()),
    };
    let pages = (shared.tallies.stats(), &house);
    let text = metrics::text(&shared.view.snapshot(), pages, size, (shared.clock)());
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

impl Shared {
    /// Asks the history on a thread that may block. As many as there are permits ask at a time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&History) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = self.readers.acquire().await.expect("nobody closes it");
        let history = self.history.clone();
        let answer = tokio::task::spawn_blocking(move || ask(&history)).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(cause)) => {
                tracing::warn!(%cause, "the history cannot be read");
                Err(Problem::unavailable("the history cannot be read", STORE_NEXT))
            }
            Err(_) => Err(Problem::unavailable("the history's reader failed", STORE_NEXT)),
        }
    }
}

pub(crate) fn taken<T>(query: Asked<T>) -> Result<T, Problem> {
    query.map(|Query(query)| query).map_err(|error| {
        Problem::bad_query(
            error.body_text(),
            "correct the part of the query that is named, or leave it out",
        )
    })
}

pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(limit) if (1..=PAGE_LEN_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::bad_query(
            format!("`limit` is out of range: expected 1 to {PAGE_LEN_MAX}"),
            "ask for fewer and follow `next`",
        )),
    }
}

/// SQL's integers end there, and so does every number that we have given.
pub(crate) fn number(name: &str, asked: Option<u64>) -> Result<Option<u64>, Problem> {
    if asked.is_some_and(|number| i64::try_from(number).is_err()) {
        let detail = format!("`{name}` is out of range: expected 0 to {}", i64::MAX);
        return Err(Problem::bad_query(detail, "take the `next` of an earlier page"));
    }
    Ok(asked)
}

pub(crate) fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("our own types always have a JSON form");
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}
