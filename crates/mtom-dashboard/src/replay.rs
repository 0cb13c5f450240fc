//! "What would these rules have done?": asked over HTTP, answered by a function that the binary gives,
//! because the dashboard knows no rules.
//!
//! One at a time; whoever asks meanwhile is refused. The answer is a line of JSON for each step of the way
//! and one for the end. It ends when nobody waits for it any more.

pub(crate) mod wire;

use crate::change::{RULES_NEXT, expect_kind, rules_text, whole};
#[cfg(test)]
use crate::openapi::{answers, shapes};
use crate::past::time;
use crate::problem::Problem;
use crate::routes::taken;
use crate::server::Shared;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use mtom_gateway::control::Mistake;
use mtom_protocol::link::Led;
use mtom_protocol::time::{UnixMicros, parse_span};
use mtom_store::history::History;
use serde::Deserialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use wire::{Line, Progress};

/// Plays the history through other rules. It is told how far it is (`done`, `of`) and ends early when the
/// function that it is given says false.
pub type Replay = Arc<
    dyn Fn(&History, &Question, &mut dyn FnMut(u64, u64) -> bool) -> Result<Comparison, ReplayError>
        + Send
        + Sync,
>;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The new rules, in TOML.
    pub text: String,
    /// The stretch begins.
    pub from: UnixMicros,
    /// It ends before.
    pub until: UnixMicros,
    /// How many parts of equal length a band has.
    pub columns: usize,
    /// How many differences are named; all are counted.
    pub differences_max: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The rules have mistakes.
    #[error("the rules cannot be used")]
    Rules(Vec<Mistake>),
    /// It was told to end.
    #[error("nobody waits for it any more")]
    Stopped,
    /// The history cannot be read.
    #[error("the history cannot be played: {0}")]
    Failed(String),
}

/// What really was decided beside what the new rules would have.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The stretch begins.
    pub from: UnixMicros,
    /// It ends before.
    pub until: UnixMicros,
    /// How many readings were read.
    pub readings: u64,
    /// How long it took.
    pub took: Duration,
    /// Commands that only the old rules gave.
    pub only_old: u64,
    /// Commands that only the new rules would have given.
    pub only_new: u64,
    /// Each that the new rules drive.
    pub actuators: Vec<Account>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// Actuators that were commanded and that no new rule drives.
    pub not_compared: Vec<String>,
}

/// One actuator over the stretch.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its name.
    pub actuator: String,
    /// As it was.
    pub old: Band,
    /// As it would have been.
    pub new: Band,
}

/// One side of an actuator.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// How often it changed.
    pub switches: u64,
    /// How long it was on.
    pub on: Duration,
    /// For each part the share of the time that it was on, 0 to 1; `None`: nothing was decided yet.
    pub shares: Vec<Option<f64>>,
}

/// A command that only one side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Only the new rules would have given it.
    pub is_new: bool,
    /// When.
    pub at: UnixMicros,
    /// To whom.
    pub actuator: String,
    /// What it was to be.
    pub led: Led,
    /// Which rule.
    pub rule: String,
    /// The journal number of the reading that led to it.
    pub reading: Option<u64>,
    /// Why, in words.
    pub cause: String,
}

/// Parts of a band: about as many as a wide page has room for.
const COLUMNS: usize = 240;
/// Differences that are named.
const DIFFERENCES_MAX: usize = 200;
/// Lines that wait for a slow socket. Full: steps of the way are left out; the end always has its place.
const LINES_LEN: usize = 8;
/// Where nobody says since when.
const SINCE_DEFAULT: &str = "7d";

const BUSY_NEXT: &str = "wait until it has ended, and ask again";
const SINCE_NEXT: &str = "write 24h or 7d, or a time as 2026-11-24T08:00:00Z";
const FAILED_NEXT: &str = "look into the gateway's log, and try again";

/// `POST /api/v1/rules/replay?since=&until=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayQuery {
    /// The stretch begins: so long ago, or at a time; left out: a week ago.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::SpanOrTime>, example = "24h"))]
    since: Option<String>,
    /// It ends before; left out: now. Later than `since`.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::SpanOrTime>, example = "2026-11-24T20:00:00Z"))]
    until: Option<String>,
}

/// What the thread that plays says.
enum Said {
    Progress(u64, u64),
    Ended(Result<Comparison, ReplayError>),
}

/// Lines of JSON while they come. Dropped, as when its socket closes, it ends what makes them.
struct Lines {
    /// What was waited for before the answer began.
    first: Option<Said>,
    said: mpsc::Receiver<Said>,
    _stop: DropGuard,
}

/// What these rules would have done, beside what really was decided: plays the history.
///
/// The answer is lines of JSON: how far it is, and last the comparison. The body is TOML.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/api/v1/rules/replay",
    tag = "rules",
    params(ReplayQuery),
    request_body(content = String, content_type = "application/toml"),
    responses(
        (status = 200, description = "as asked", body = Line<'static>, content_type = "application/x-ndjson"),
        answers::BadRequest,
        answers::TooLong,
        answers::OtherKind,
        answers::Mistaken,
        answers::Busy,
        answers::Unavailable,
    )
))]
pub(crate) async fn replay(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ReplayQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let (from, until) = taken(query)?.stretch((shared.clock)())?;
    expect_kind(&headers, "application/toml")?;
    let text = rules_text(&whole(body)?)?.to_owned();
    let replay = shared.replay.clone().ok_or_else(|| {
        Problem::unavailable("no history can be played here", "ask the gateway itself")
    })?;
    let place = Arc::clone(&shared.replays).try_acquire_owned().map_err(|_| {
        let detail = "the history is being played for somebody else";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail, BUSY_NEXT)
    })?;
    let question =
        Question { text, from, until, columns: COLUMNS, differences_max: DIFFERENCES_MAX };
    let (sender, mut said) = mpsc::channel(LINES_LEN);
    let (stop, history) = (shared.stop.child_token(), shared.history.clone());
    let stopped = stop.clone();
    shared.tasks.spawn_blocking(move || {
        let mut shown = None;
        let mut go_on = |done: u64, of: u64| {
            let percent = done.saturating_mul(100).checked_div(of);
            if shown.replace(percent) != Some(percent) && sender.capacity() > 1 {
                drop(sender.try_send(Said::Progress(done, of)));
            }
            !stopped.is_cancelled()
        };
        let ended = replay(&history, &question, &mut go_on);
        drop(place);
        // Nobody there any more: nobody wants to know.
        drop(sender.try_send(Said::Ended(ended)));
    });
    let stop = stop.drop_guard();
    // What is wrong with the rules is found before the first step: then it is a refusal of its own.
    let first = match said.recv().await {
        Some(Said::Ended(Err(error))) => return Err(problem(error)),
        None => return Err(problem(ReplayError::Failed("its thread failed".into()))),
        Some(first) => Some(first),
    };
    let kind = HeaderValue::from_static("application/x-ndjson");
    let lines = Lines { first, said, _stop: stop };
    Ok(([(header::CONTENT_TYPE, kind)], Body::new(lines)).into_response())
}

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let said = match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.said.poll_recv(context),
        };
        said.map(|said| said.map(|said| Ok(Frame::data(line(said)))))
    }
}

fn line(said: Said) -> Bytes {
    let text = match said {
        Said::Progress(done, of) => Line::Progress(Progress { done, of }).text(),
        Said::Ended(Ok(comparison)) => Line::Comparison((&comparison).into()).text(),
        Said::Ended(Err(error)) => Line::Problem(problem(error).body()).text(),
    };
    Bytes::from(text)
}

fn problem(error: ReplayError) -> Problem {
    match error {
        ReplayError::Rules(mistakes) => {
            let detail = "the rules cannot be used".to_owned();
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail, RULES_NEXT).with(mistakes)
        }
        error @ (ReplayError::Stopped | ReplayError::Failed(_)) => {
            tracing::warn!(cause = %error, "a replay ended early");
            Problem::unavailable(error.to_string(), FAILED_NEXT)
        }
    }
}

impl ReplayQuery {
    fn stretch(self, now: UnixMicros) -> Result<(UnixMicros, UnixMicros), Problem> {
        let instant = |name: &str, text: &str| match parse_span(text) {
            Some(span) => Ok(before(now, span)),
            None => time(name, text).map_err(|_| {
                Problem::bad_query(format!("`{name}` is no time: {text:?}"), SINCE_NEXT)
            }),
        };
        let from = instant("since", self.since.as_deref().unwrap_or(SINCE_DEFAULT))?;
        let until = self.until.map_or(Ok(now), |text| instant("until", &text))?;
        if from >= until {
            return Err(Problem::bad_query("`since` is not before `until`", "exchange the two"));
        }
        Ok((from, until))
    }
}

fn before(now: UnixMicros, span: Duration) -> UnixMicros {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    UnixMicros(now.0.saturating_sub(micros))
}

#[cfg(test)]
mod tests;
