//! `GET /api/v1/rules/state`: how each rule is at this moment, and what it waits for. `/api/v1` only grows.

#[cfg(test)]
use crate::openapi::{answers, shapes};
use crate::problem::Problem;
use crate::routes::{Asked, json, limit, number, taken};
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_gateway::standing::{ActuatorOutlook, Effect, RuleOutlook, Standing, Timer, TimerKind};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `GET /api/v1/rules/state?after=&limit=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct StateQuery {
    /// The `next` of the page before; left out: the first rule.
    #[cfg_attr(test, param(minimum = 0, example = 100))]
    after: Option<u64>,
    /// How many rules at most.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000, default = 100, example = 20))]
    limit: Option<usize>,
}

/// `GET /api/v1/rules/state`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleStates {
    /// The gateway's clock, by which all of this is.
    now: String,
    now_micros: i64,
    /// In the order of the file.
    rules: Vec<RuleState>,
    /// All rules, not only those of this page.
    totals: RuleTotals,
    /// At most `limit` of those that wait or that a person has a word about; those that are due first.
    actuators: Vec<ActuatorState>,
    /// How many of them there are.
    actuators_len: usize,
    /// The `after` of the next page of rules; null: this is the last.
    next: Option<u64>,
}

/// How many rules want what.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleTotals {
    on: u64,
    off: u64,
    unknown: u64,
}

/// How one rule is.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleState {
    name: String,
    /// What it wants; `unknown`: it has decided nothing yet, or its schedule is not in force.
    state: StateWord,
    /// Since when it wants that; null where it is unknown.
    since: Option<String>,
    since_micros: Option<i64>,
    /// The journal number of the reading that this rests on; null: it rests on none.
    reading: Option<u64>,
    /// The condition that was true, with its values; empty where none is known.
    condition: String,
    /// No reading came for its `max_age`.
    silent: bool,
    /// Its schedule is in force, or it has none.
    in_force: bool,
    /// Since when it knows nothing of what it reads; null: it does, or reads nothing.
    blind_since: Option<String>,
    blind_since_micros: Option<i64>,
    /// What it waits for, the earliest first.
    pending: Vec<PendingTimer>,
}

/// What a rule wants.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum StateWord {
    On,
    Off,
    Unknown,
}

/// An actuator that waits, or that a person has a word about.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct ActuatorState {
    name: String,
    /// What a person said that it is to be; `unknown`: nobody did, the rules speak.
    manual: StateWord,
    /// What it waits for; null: until a person says `auto`.
    pending: Option<PendingTimer>,
}

/// A time that runs out, unless a reading or a person changes it before.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct PendingTimer {
    /// Which: the key of the rule, or `override` for a person's word. After `for` there may be a `dwell`.
    #[cfg_attr(
        test,
        ts(type = "\"for\" | \"dwell\" | \"max_age\" | \"schedule\" | \"override\""),
        schema(value_type = shapes::TimerWord)
    )]
    timer: &'static str,
    /// What is done then: it is or stays `on` or `off`, stays as it is (`hold`), or a schedule begins (`begin`).
    #[cfg_attr(
        test,
        ts(type = "\"on\" | \"off\" | \"hold\" | \"begin\""),
        schema(value_type = shapes::DoesWord)
    )]
    does: &'static str,
    at: String,
    at_micros: i64,
}

/// How each rule is at this moment, since when, and every time that it waits for.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/rules/state",
    tag = "rules",
    params(StateQuery),
    responses(
        (status = 200, description = "as asked", body = RuleStates),
        answers::BadRequest,
        answers::Unavailable,
    )
))]
pub(crate) async fn states(
    State(shared): State<Arc<Shared>>,
    query: Asked<StateQuery>,
) -> Result<Response, Problem> {
    let asked = taken(query)?;
    let (after, limit) = (number("after", asked.after)?.unwrap_or(0), limit(asked.limit)?);
    let control = crate::change::control(&shared)?;
    let standing = control.standing().await.map_err(crate::change::problem)?;
    let from = usize::try_from(after).unwrap_or(usize::MAX);
    Ok(json(&RuleStates::new(&standing, from, limit, (shared.clock)())))
}

impl RuleStates {
    fn new(standing: &Standing, from: usize, limit: usize, now: UnixMicros) -> Self {
        let totals = standing.totals();
        let [on, off, unknown] = [totals.on, totals.off, totals.unknown].map(|count| count as u64);
        let mut actuators = standing.actuators();
        let actuators_len = actuators.len();
        actuators.truncate(limit);
        let end = (from as u64).saturating_add(limit as u64);
        Self {
            now: now.rfc3339(),
            now_micros: now.0,
            rules: standing.rules(from, limit).into_iter().map(RuleState::from).collect(),
            totals: RuleTotals { on, off, unknown },
            actuators: actuators.into_iter().map(ActuatorState::from).collect(),
            actuators_len,
            next: (end < on + off + unknown).then_some(end),
        }
    }
}

impl From<RuleOutlook> for RuleState {
    fn from(rule: RuleOutlook) -> Self {
        Self {
            name: rule.name.to_string(),
            state: rule.led.into(),
            since: rule.since.map(UnixMicros::rfc3339),
            since_micros: rule.since.map(|at| at.0),
            reading: rule.reading,
            condition: rule.condition.to_string(),
            silent: rule.is_silent,
            in_force: rule.is_active,
            blind_since: rule.blind_since.map(UnixMicros::rfc3339),
            blind_since_micros: rule.blind_since.map(|at| at.0),
            pending: rule.timers.into_iter().map(PendingTimer::from).collect(),
        }
    }
}

impl From<ActuatorOutlook> for ActuatorState {
    fn from(one: ActuatorOutlook) -> Self {
        Self {
            name: one.name.to_string(),
            manual: one.manual.into(),
            pending: one.timer.map(PendingTimer::from),
        }
    }
}

impl From<Option<Led>> for StateWord {
    fn from(led: Option<Led>) -> Self {
        match led {
            Some(Led::On) => Self::On,
            Some(Led::Off) => Self::Off,
            None => Self::Unknown,
        }
    }
}

impl From<Timer> for PendingTimer {
    fn from(Timer { kind, effect, at }: Timer) -> Self {
        let timer = match kind {
            TimerKind::For => "for",
            TimerKind::Dwell => "dwell",
            TimerKind::MaxAge => "max_age",
            TimerKind::Schedule => "schedule",
            TimerKind::Override => "override",
        };
        let does = match effect {
            Effect::Led(Led::On) => "on",
            Effect::Led(Led::Off) => "off",
            Effect::Hold => "hold",
            Effect::Begin => "begin",
        };
        Self { timer, does, at: at.rfc3339(), at_micros: at.0 }
    }
}
