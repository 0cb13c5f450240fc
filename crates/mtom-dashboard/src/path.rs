//! `GET /api/v1/path`: what passes each part of the way from sensor to actuator, and where it is broken.

use crate::events::brief;
use crate::routes::json;
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_gateway::view::flow::{self, Flow};
use mtom_protocol::time::UnixMicros;
use mtom_store::history::History;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How long a rule understands none of its readings before that is said: one of them may be of another kind.
const BLIND_MIN: Duration = Duration::from_secs(10);
/// How long the relay may take to say how its rules are.
const STANDING_MAX: Duration = Duration::from_millis(500);

/// `GET /api/v1/path`. Rates are over the last minute, latencies those of the newest that passed; null:
/// none did, or it cannot be known.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Path<'a> {
    /// Readings that reached the gateway.
    received_per_minute: u64,
    /// Readings that were stored.
    stored_per_minute: u64,
    /// Decisions of rules and persons.
    decided_per_minute: u64,
    /// Commands that devices said they obeyed.
    applied_per_minute: u64,
    /// From the device's own time to ours; clocks differ, so it can be wrong by as much.
    taken_to_arrived_micros: Option<u64>,
    /// From the arrival to the disk.
    arrived_to_stored_micros: Option<u64>,
    /// From the arrival to the decision.
    arrived_to_decided_micros: Option<u64>,
    /// From the decision to the device's answer.
    decided_to_applied_micros: Option<u64>,
    /// The external broker is away; null: it is not, or there is none.
    broker_lost: Option<BrokerLost<'a>>,
    /// How often an external broker had forgotten our session, and what it had queued for us, since the start.
    broker_sessions_lost: u64,
    /// Since when nothing can be stored; null: the disk takes readings.
    failing_since: Option<String>,
    failing_since_micros: Option<i64>,
    /// The rules that were applied last could not be used at the start; null: they run.
    rules_refused: Option<RulesRefused<'a>>,
    /// A rule understands none of the readings that it gets, for so long that it is no accident; null: none is so.
    rules_blind: Option<RulesBlind>,
    /// An alert was tried and not taken; null: none was.
    alerts_stuck: Option<AlertsStuck>,
}

/// Rules in whose place others run.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RulesRefused<'a> {
    version: u64,
    since: String,
    since_micros: i64,
    /// What is wrong with them.
    reason: &'a str,
}

/// Rules that cannot be evaluated.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RulesBlind {
    /// The one that is so longest.
    rule: String,
    since: String,
    since_micros: i64,
    /// How many others are so.
    more: usize,
}

/// Alerts that do not get to where they go.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct AlertsStuck {
    /// How many wait, for whatever reason.
    waiting: u64,
    /// Of the oldest that was tried: its rule, the topic or the server, and since when it is raised.
    rule: String,
    target: String,
    since: String,
    since_micros: i64,
    /// Why the last try failed.
    reason: String,
}

/// An external broker that is away.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct BrokerLost<'a> {
    url: &'a str,
    since: String,
    since_micros: i64,
    /// Why the last try came to nothing.
    reason: &'a str,
}

/// How much passes each part of the path, how long it takes, and where it is broken.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/path",
    tag = "health",
    responses((status = 200, description = "as asked", body = Path<'static>))
))]
pub(crate) async fn path(State(shared): State<Arc<Shared>>) -> Response {
    let now = (shared.clock)();
    let flow = shared.view.flow(now);
    let rules_blind = blind(&shared, now).await;
    let alerts_stuck = stuck(&shared).await;
    json(&Path { rules_blind, alerts_stuck, ..Path::from(&flow) })
}

/// A relay that waits for its disk is no reason to say nothing of the path.
async fn blind(shared: &Shared, now: UnixMicros) -> Option<RulesBlind> {
    let asked = shared.control.as_ref()?.standing();
    let standing = tokio::time::timeout(STANDING_MAX, asked).await.ok()?.ok()?;
    blind_of(standing.blind(), now)
}

/// The rule that is so longest comes first.
fn blind_of(mut found: Vec<(Arc<str>, UnixMicros)>, now: UnixMicros) -> Option<RulesBlind> {
    found.retain(|(_, since)| now.since(*since) >= BLIND_MIN);
    let (rule, since) = found.first()?;
    Some(RulesBlind {
        rule: rule.to_string(),
        since: since.rfc3339(),
        since_micros: since.0,
        more: found.len() - 1,
    })
}

async fn stuck(shared: &Shared) -> Option<AlertsStuck> {
    let waiting = shared.view.alert_counts().waiting;
    if waiting == 0 {
        return None;
    }
    // Where the history cannot be read, other parts of the path say so.
    let row = shared.read(History::alert_stuck).await.ok()??;
    let since = row.alert.raised_at;
    Some(AlertsStuck {
        waiting,
        target: brief(&row.alert.target.to_string()).to_owned(),
        rule: row.alert.rule,
        since: since.rfc3339(),
        since_micros: since.0,
        reason: brief(&row.last_error.unwrap_or_default()).to_owned(),
    })
}

impl<'a> From<&'a Flow> for Path<'a> {
    fn from(flow: &'a Flow) -> Self {
        Self {
            received_per_minute: flow.received_per_minute,
            stored_per_minute: flow.stored_per_minute,
            decided_per_minute: flow.decided_per_minute,
            applied_per_minute: flow.applied_per_minute,
            taken_to_arrived_micros: micros(flow.taken_to_arrived),
            arrived_to_stored_micros: micros(flow.arrived_to_stored),
            arrived_to_decided_micros: micros(flow.arrived_to_decided),
            decided_to_applied_micros: micros(flow.decided_to_applied),
            broker_lost: flow.broker_lost.as_ref().map(BrokerLost::from),
            broker_sessions_lost: flow.broker_sessions_lost,
            failing_since: flow.failing_since.map(UnixMicros::rfc3339),
            failing_since_micros: flow.failing_since.map(|at| at.0),
            rules_refused: flow.rules_refused.as_ref().map(RulesRefused::from),
            rules_blind: None,
            alerts_stuck: None,
        }
    }
}

impl<'a> From<&'a flow::BrokerLost> for BrokerLost<'a> {
    fn from(lost: &'a flow::BrokerLost) -> Self {
        Self {
            url: &lost.url,
            since: lost.since.rfc3339(),
            since_micros: lost.since.0,
            reason: brief(&lost.reason),
        }
    }
}

impl<'a> From<&'a flow::RulesRefused> for RulesRefused<'a> {
    fn from(refused: &'a flow::RulesRefused) -> Self {
        Self {
            version: refused.version,
            since: refused.since.rfc3339(),
            since_micros: refused.since.0,
            reason: brief(&refused.reason),
        }
    }
}

fn micros(span: Option<Duration>) -> Option<u64> {
    span.map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
