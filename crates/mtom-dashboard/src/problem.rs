//! Errors as problem details (RFC 9457): what is wrong, what was expected, what to do next.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mtom_gateway::control::{Mistake, Place};
use serde::Serialize;

/// One error for whoever asked.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    next: &'static str,
    mistakes: Vec<Mistake>,
}

/// `type` is left out, which means `about:blank`: the status says what kind it is.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[cfg_attr(test, ts(rename = "Problem"), schema(as = Problem))]
pub(crate) struct ProblemBody {
    title: &'static str,
    status: u16,
    detail: String,
    /// The next step.
    next: &'static str,
    /// What is wrong with the rules that were sent; left out where it is not about rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<RuleMistake>>"))]
    mistakes: Vec<RuleMistake>,
}

/// One thing that is wrong with a text of rules.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct RuleMistake {
    /// null: it stands nowhere in the text.
    place: Option<TextPlace>,
    message: String,
}

/// The word that is meant; lines and columns from 1, columns and lengths in characters.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct TextPlace {
    line: usize,
    column: usize,
    length: usize,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>, next: &'static str) -> Self {
        Self { status, detail: detail.into(), next, mistakes: Vec::new() }
    }

    pub(crate) fn bad_query(detail: impl Into<String>, next: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail, next)
    }

    pub(crate) fn forbidden(detail: &'static str, next: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail, next)
    }

    pub(crate) fn unavailable(detail: impl Into<String>, next: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail, next)
    }

    /// Says what is wrong with the rules that were sent.
    pub(crate) fn with(self, mistakes: Vec<Mistake>) -> Self {
        Self { mistakes, ..self }
    }

    pub(crate) fn body(self) -> ProblemBody {
        ProblemBody {
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            detail: self.detail,
            next: self.next,
            mistakes: self.mistakes.into_iter().map(RuleMistake::from).collect(),
        }
    }
}

impl From<Mistake> for RuleMistake {
    fn from(mistake: Mistake) -> Self {
        let place = |Place { line, column, length }| TextPlace { line, column, length };
        Self { place: mistake.place.map(place), message: mistake.text }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let body = serde_json::to_vec(&self.body());
        let body = body.expect("texts and numbers always have a JSON form");
        let kind = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}
