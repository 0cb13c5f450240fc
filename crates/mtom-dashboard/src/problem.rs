//! Errors as problem details (RFC 9457): what is wrong, what was expected, what to do next.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// One error for whoever asked.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    next: &'static str,
}

/// `type` is left out, which means `about:blank`: the status says what kind it is.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(rename = "Problem"))]
pub(crate) struct ProblemBody<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The next step.
    next: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>, next: &'static str) -> Self {
        Self { status, detail: detail.into(), next }
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
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            next: self.next,
        };
        let body = serde_json::to_vec(&body).expect("texts and numbers always have a JSON form");
        let kind = HeaderValue::from_static("application/problem+json");
        (self.status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}
