//! The cases that stand beside rules, run for whoever asks over HTTP by a function that the binary gives,
//! because the dashboard knows no rules.

use crate::change::{RULES_NEXT, expect_kind, rules_text, whole};
#[cfg(test)]
use crate::openapi::answers;
use crate::problem::Problem;
use crate::routes::json;
use crate::server::Shared;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use mtom_gateway::control::Mistake;
use serde::Serialize;
use std::sync::Arc;

/// Runs the cases of a text of rules, or says what is wrong with the text.
pub type Trial = Arc<dyn Fn(&str) -> Result<Vec<Tried>, Vec<Mistake>> + Send + Sync>;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The rule that it stands beside.
    pub rule: String,
    /// Its own name.
    pub name: String,
    /// The line of the text that it begins in, from 1.
    pub line: usize,
    /// What was not as expected, a sentence each; none: it passed.
    pub failures: Vec<String>,
    /// The same on one axis of time, in lines of one width; none where it passed.
    pub picture: Vec<String>,
}

/// `POST /api/v1/rules/test`: the cases beside the rules, in their order.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleCases {
    cases: Vec<RuleCase>,
}

/// One `[[rule.test]]` and what came of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleCase {
    rule: String,
    name: String,
    /// The line of the text that it begins in, from 1.
    line: usize,
    passed: bool,
    /// What was not as expected, a sentence each.
    failures: Vec<String>,
    /// The same on one axis of time: lines for a font of one width.
    picture: Vec<String>,
}

/// The cases beside rules, run on a clock of their own; nothing is switched and nothing is stored.
///
/// The body is TOML, as in a file of rules.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/api/v1/rules/test",
    tag = "rules",
    request_body(content = String, content_type = "application/toml"),
    responses(
        (status = 200, description = "what came of each case", body = RuleCases),
        answers::BadRequest,
        answers::TooLong,
        answers::OtherKind,
        answers::Mistaken,
        answers::Unavailable,
    )
))]
pub(crate) async fn test(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    expect_kind(&headers, "application/toml")?;
    let text = rules_text(&whole(body)?)?.to_owned();
    let unavailable =
        || Problem::unavailable("no rules can be tried here", "ask the gateway itself");
    let trial = shared.trial.clone().ok_or_else(unavailable)?;
    // A long text keeps a thread busy, as a query of the history does.
    let _permit = shared.readers.acquire().await.expect("nobody closes it");
    let tried = tokio::task::spawn_blocking(move || trial(&text)).await;
    let tried = tried.map_err(|_| {
        Problem::unavailable(
            "the cases could not be run to their end",
            "look into the gateway's log",
        )
    })?;
    let tried = tried.map_err(|mistakes| {
        let detail = "the rules cannot be used";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail, RULES_NEXT).with(mistakes)
    })?;
    Ok(json(&RuleCases { cases: tried.into_iter().map(RuleCase::from).collect() }))
}

impl From<Tried> for RuleCase {
    fn from(tried: Tried) -> Self {
        let Tried { rule, name, line, failures, picture } = tried;
        Self { rule, name, line, passed: failures.is_empty(), failures, picture }
    }
}
