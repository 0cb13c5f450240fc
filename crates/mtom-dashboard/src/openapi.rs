//! `GET /api/v1/openapi.json`: the API in OpenAPI 3.1, for people and programs that read that.
//!
//! `web/openapi.json` is made from the annotations of the handlers by `UPDATE_EXPECT=1 cargo test -p
//! mtom-dashboard`; a stale copy, and a route that is not in it, fail the tests.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

const DOCUMENT: &[u8] = include_bytes!("../../../web/openapi.json");

/// The API in OpenAPI 3.1.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "health",
    responses((status = 200, description = "an OpenAPI document", body = Object),
        answers::Unchanged,
    )
))]
pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT)
        .into_response()
}

#[cfg(test)]
pub(crate) mod answers;
#[cfg(test)]
pub(crate) mod shapes;
// The bounds of a number in the document are as wide as a pointer of the computer that makes it (utoipa's `Number`).
#[cfg(test)]
#[cfg(target_pointer_width = "64")]
mod tests;
