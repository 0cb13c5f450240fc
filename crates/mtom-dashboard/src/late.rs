//! Bodies of requests that do not come to their end in time: 408 (RFC 9110 §15.5.9), whichever handler waits for it.

use crate::problem::Problem;
use crate::server::Shared;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep};

/// Answers 408 when the body was waited for longer than the limit allows, and ends the connection.
pub(crate) async fn bodies(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let limit = shared.limits.body;
    let is_late = Arc::new(AtomicBool::new(false));
    let timed = |body| {
        let end = Box::pin(sleep(limit));
        Body::new(Timed { body, end, is_late: Arc::clone(&is_late) })
    };
    let response = next.run(request.map(timed)).await;
    if !is_late.load(Ordering::Relaxed) {
        return response;
    }
    shared.tallies.body_late();
    let detail = format!("the body is not complete after {} s", limit.as_secs_f64());
    let next = "send as many bytes as Content-Length says, at once";
    let mut response = Problem::new(StatusCode::REQUEST_TIMEOUT, detail, next).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body that fails when it has not ended in time.
struct Timed {
    body: Body,
    end: Pin<Box<Sleep>>,
    is_late: Arc<AtomicBool>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The time first: one that comes byte by byte ends too.
        if self.end.as_mut().poll(cx).is_ready() {
            self.is_late.store(true, Ordering::Relaxed);
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
