//! What an operation may answer instead of what it is asked for, by status: only for the document, so only in
//! tests. Each handler names those that it has.

#![allow(dead_code, reason = "only their descriptions are used")]

use crate::problem::ProblemBody;
use utoipa::IntoResponses;

/// what `If-None-Match` names is still so; there is no body
#[derive(IntoResponses)]
#[response(
    status = 304,
    headers(("ETag" = String), ("Cache-Control" = String), ("Vary" = String))
)]
pub(crate) struct Unchanged;

/// what is asked cannot be read, or is out of range
#[derive(IntoResponses)]
#[response(status = 400, content_type = "application/problem+json")]
pub(crate) struct BadRequest(ProblemBody);

/// this name of the gateway is not served, or the page of another site asks; every address may say so
#[derive(IntoResponses)]
#[response(status = 403, content_type = "application/problem+json")]
pub(crate) struct Forbidden(ProblemBody);

/// there is nothing of that name or number
#[derive(IntoResponses)]
#[response(status = 404, content_type = "application/problem+json")]
pub(crate) struct NotFound(ProblemBody);

/// it stands otherwise than this needs: another goes on, or nothing is asked
#[derive(IntoResponses)]
#[response(status = 409, content_type = "application/problem+json")]
pub(crate) struct Conflict(ProblemBody);

/// what `If-Match` names is no longer what is there
#[derive(IntoResponses)]
#[response(status = 412, content_type = "application/problem+json")]
pub(crate) struct Changed(ProblemBody);

/// the body is longer than a mebibyte
#[derive(IntoResponses)]
#[response(status = 413, content_type = "application/problem+json")]
pub(crate) struct TooLong(ProblemBody);

/// the body's `Content-Type` is not the one that is expected
#[derive(IntoResponses)]
#[response(status = 415, content_type = "application/problem+json")]
pub(crate) struct OtherKind(ProblemBody);

/// the rules have mistakes; each is named with its place
#[derive(IntoResponses)]
#[response(status = 422, content_type = "application/problem+json")]
pub(crate) struct Mistaken(ProblemBody);

/// its link is none that can be paired
#[derive(IntoResponses)]
#[response(status = 422, content_type = "application/problem+json")]
pub(crate) struct NotPairable(ProblemBody);

/// the same is being done for somebody else
#[derive(IntoResponses)]
#[response(status = 429, content_type = "application/problem+json")]
pub(crate) struct Busy(ProblemBody);

/// the disk, the device or the part that it takes does not answer
#[derive(IntoResponses)]
#[response(status = 503, content_type = "application/problem+json")]
pub(crate) struct Unavailable(ProblemBody);
