//! What a connection is to the others: a visitor until its first request has a place, which it then keeps.
//!
//! A visitor has to go when there are too many (`doorstep.rs`). One that has asked is told so with 503; one that has
//! not is closed without a word.

use super::Limits;
use crate::problem::Problem;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mtom_forward::doorstep::Visitor;
use mtom_forward::tally::{Present, Tally};
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// When who has found no place may ask again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Of one connection.
pub(super) struct Place {
    // `std`: held for taking it out, never across an await.
    visitor: Mutex<Option<Visitor>>,
    has_asked: AtomicBool,
    /// Something has come since the last request was whole, or was answered.
    heard: Arc<AtomicBool>,
    places: Arc<Semaphore>,
    tally: Arc<Tally>,
    taken: OnceCell<Present>,
    must_go: CancellationToken,
}

impl Place {
    pub(super) fn new(visitor: Visitor, places: Arc<Semaphore>, tally: Arc<Tally>) -> Self {
        Self {
            must_go: visitor.end(),
            visitor: Mutex::new(Some(visitor)),
            has_asked: AtomicBool::new(false),
            heard: Arc::default(),
            places,
            tally,
            taken: OnceCell::new(),
        }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Is set whenever something has come.
    pub(super) fn heard(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.heard)
    }

    /// A request is whole.
    pub(super) fn asks(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
        self.heard.store(false, Ordering::Relaxed);
    }

    /// Its answer is there, and what came until now belongs to it.
    pub(super) fn is_answered(&self) {
        self.heard.store(false, Ordering::Relaxed);
    }

    /// Whether a request was ever whole.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Whether a request is owed or begun. Between two requests a connection may be silent.
    pub(super) fn is_asking(&self) -> bool {
        !self.has_asked() || self.heard.load(Ordering::Relaxed)
    }

    /// Waits for a place, unless it has one. Until it has it counts among the visitors, and may have to go as they.
    pub(super) async fn take(&self, limits: Limits) -> Result<(), Problem> {
        let taken = self.taken.get_or_try_init(async || {
            let place = timeout(limits.wait, Arc::clone(&self.places).acquire_owned());
            tokio::select! {
                biased;
                place = place => match place {
                    Ok(place) => {
                        let place = place.expect("nobody closes it");
                        Ok(Present::new(Arc::clone(&self.tally), place))
                    }
                    Err(_) => {
                        self.tally.refused();
                        Err(format!("{} connections are there already", limits.connections_max))
                    }
                },
                () = self.must_go.cancelled() => {
                    self.tally.crowded();
                    Err("too many wait for a place already".to_owned())
                }
            }
        });
        taken.await.map_err(|detail| Problem::unavailable(detail, "try again in a moment"))?;
        drop(self.visitor.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }

    /// It has to go and has asked for nothing. Who has asked is answered first, by [`Place::take`].
    pub(super) async fn must_go_unasked(&self) {
        self.must_go.cancelled().await;
        if self.has_asked() {
            pending::<()>().await;
        }
    }
}

/// The answer to one who finds no place, and the end of the connection.
pub(super) fn refused(problem: Problem) -> Response {
    let mut response = problem.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
    response
}
