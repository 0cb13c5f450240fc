//! What whoever asks may keep of an answer, and how small it travels.
//!
//! Answers that are a function of what is stored ([`revalidate`]) have a tag over their bytes. They may be kept by
//! whoever asked and must be asked for each time; who names the tag of what there still is gets 304 and no body,
//! so somebody who asks again and again pays for changes alone. The work of making the answer is not saved. All
//! others stay as the guard has them: `no-store`.
//!
//! Texts travel gzipped to those who take that ([`compress`]), once they are long enough to gain by it. Streams,
//! sockets, and what is packed already pass as they are. A tag is weak, because the plain and the packed bytes
//! share it (RFC 9110 §8.8.3), and is compared weakly, as `If-None-Match` asks for (§13.1.2). It holds for one
//! run of the program: its key is drawn at the start, so that nobody can make two answers with one tag. What can
//! be changed with `If-Match`, which compares strongly, has a strong tag: its handler says what it is of in
//! `ETag`, without quotes, and that is what is compared; the packed bytes have a tag of their own.

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;

/// Ours alone, and only after asking whether it still holds.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");
/// Stands at the end of a strong tag of packed bytes.
const PACKED: &str = "-gzip";
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
/// Below it, gzip gains less than one packet.
const GZIP_LEN_MIN: u64 = 1_024;
/// No answer of known length comes near; one that did would pass as it is.
const BODY_LEN_MAX: usize = 64 * 1024 * 1024;

/// Draws the key of tags.
#[derive(Clone, Default)]
pub(crate) struct Tags(RandomState);

impl Tags {
    fn of(&self, body: &[u8]) -> HeaderValue {
        let tag = format!("W/\"{:016x}\"", self.0.hash_one(body));
        HeaderValue::from_str(&tag).expect("hexadecimal digits and quotes are visible ASCII")
    }

    /// A strong tag that begins with what the handler says that it is of; `None`: it says nothing.
    fn named(&self, headers: &HeaderMap, body: &[u8]) -> Option<HeaderValue> {
        let name = headers.get(header::ETAG)?.to_str().ok()?;
        let tag = format!("\"{name}-{:016x}\"", self.0.hash_one(body));
        HeaderValue::from_str(&tag).ok()
    }
}

/// Tags what was found, and says 304 to those who have it.
pub(crate) async fn revalidate(State(tags): State<Tags>, request: Request, next: Next) -> Response {
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let asked = request.headers().clone();
    let response = next.run(request).await;
    if !is_reading || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = match known(response).await {
        Ok(known) => known,
        Err(response) => return response,
    };
    let tag = tags.named(&parts.headers, &body).unwrap_or_else(|| tags.of(&body));
    let is_kept = is_known(&asked, &tag);
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, REVALIDATED), (header::VARY, VARY)];
    if is_kept {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    for (name, value) in common {
        parts.headers.insert(name, value);
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether `If-None-Match` names `tag` (RFC 9110 §13.1.2), which is weak or strong.
pub(crate) fn is_known(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let opaque = |tag: &str| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        // Both tell of the same plain bytes.
        tag.replace(&format!("{PACKED}\""), "\"")
    };
    let Ok(tag) = tag.to_str().map(opaque) else { return false };
    let values = asked.get_all(header::IF_NONE_MATCH).iter();
    // A comma within quotes parts a tag that is not ours: ours have none.
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || opaque(known) == tag
    })
}

/// Packs texts for those who take gzip.
pub(crate) async fn compress(request: Request, next: Next) -> Response {
    let takes_gzip = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers();
    if headers.contains_key(header::CONTENT_ENCODING) || !is_text(headers) {
        return response;
    }
    let len = response.body().size_hint().exact();
    if len.is_none() {
        return response;
    }
    response.headers_mut().insert(header::VARY, VARY);
    if !takes_gzip || len < Some(GZIP_LEN_MIN) {
        return response;
    }
    let (mut parts, body) = match known(response).await {
        Ok(known) => known,
        Err(response) => return response,
    };
    let plain = body.clone();
    // A long text takes milliseconds.
    let Ok(Ok(packed)) = tokio::task::spawn_blocking(move || gzip(&body)).await else {
        return Response::from_parts(parts, Body::from(plain));
    };
    parts.headers.insert(header::CONTENT_ENCODING, GZIP);
    if let Some(tag) = parts.headers.get(header::ETAG).and_then(of_packed) {
        parts.headers.insert(header::ETAG, tag);
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}

/// A strong tag is of the plain bytes or of the packed ones; a weak one of both.
fn of_packed(tag: &HeaderValue) -> Option<HeaderValue> {
    let plain = tag.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')?;
    HeaderValue::from_str(&format!("\"{plain}{PACKED}\"")).ok()
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(body)?;
    gzip.finish()
}

/// An answer whose length is known, with its bytes; any other as it was.
async fn known(response: Response) -> Result<(axum::http::response::Parts, Bytes), Response> {
    let len = response.body().size_hint().exact().and_then(|len| usize::try_from(len).ok());
    if len.is_none_or(|len| len > BODY_LEN_MAX) {
        return Err(response);
    }
    let (parts, body) = response.into_parts();
    match to_bytes(body, BODY_LEN_MAX).await {
        Ok(bytes) => Ok((parts, bytes)),
        Err(cause) => {
            tracing::warn!(%cause, "an answer could not be read to its end");
            Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/") || kind.ends_with("json") || kind == "image/svg+xml"
}

/// `gzip` among the encodings, and not with a weight of zero (RFC 9110 §12.5.3).
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let zero = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !zero
    })
}

#[cfg(test)]
mod tests;
