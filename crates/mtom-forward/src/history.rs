//! The history port: pages of twenty rows in ascending time (`wire.md` §1.3).
//!
//! One page is outstanding per connection: further requests wait in the client's socket until it
//! has been written. What the client asks for reaches the store as a number and nothing else.

use crate::access::Access;
use crate::server::{Limits, serve};
use crate::socket::{Connection, End, Heard};
use crate::tally::Tally;
use jiff::tz::TimeZone;
use mtom_protocol::original::{self, CLOSE, EMPTY, HELLO, HistoryRequest, Malformed, PAGE_LEN};
use mtom_protocol::time::UnixMicros;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// One temperature of the history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The time it counts for.
    pub at: UnixMicros,
    /// °C
    pub celsius: f64,
}

/// The page could not be read. The client is told to ask again; the cause goes to the log only.
#[derive(Debug, thiserror::Error)]
#[error("cannot read a page of the history")]
pub struct PageError(#[source] pub(crate) Box<dyn Error + Send + Sync>);

impl PageError {
    /// Because of `cause`.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Where the rows come from.
pub trait HistoryPages: Send + Sync + 'static {
    /// The rows `offset` … `offset` + 19 in ascending time; empty beyond the last.
    fn page(&self, offset: u64) -> impl Future<Output = Result<Vec<Row>, PageError>> + Send;
}

/// Serves pages until `stop`; then each client gets the close frame 1001. Times are shown in `zone`. `tally` counts
/// who comes and who is closed.
///
/// # Errors
/// When the listener is none. A lack of file descriptors is waited out.
pub async fn serve_history(
    listener: TcpListener,
    pages: Arc<impl HistoryPages>,
    zone: TimeZone,
    access: Access,
    limits: Limits,
    tally: Arc<Tally>,
    stop: CancellationToken,
) -> io::Result<()> {
    let archive = Arc::new(Archive { pages, zone, patience: limits.page });
    let talk = move |connection| talk(connection, archive.clone());
    serve(listener, access, limits, tally, stop.child_token(), talk).await
}

struct Archive<P> {
    pages: Arc<P>,
    zone: TimeZone,
    patience: Duration,
}

async fn talk(
    mut connection: Connection,
    archive: Arc<Archive<impl HistoryPages>>,
) -> (Connection, End) {
    loop {
        if let Err(end) = answer(&mut connection, &archive).await {
            return (connection, end);
        }
    }
}

async fn answer(
    connection: &mut Connection,
    archive: &Archive<impl HistoryPages>,
) -> Result<(), End> {
    let request = match connection.hear().await? {
        Heard::Text(text) => HistoryRequest::parse(&text),
        Heard::Binary => Err(Malformed::Binary),
        Heard::Sign => return connection.flush().await,
    };
    match request {
        Ok(HistoryRequest::Hello) => connection.say(HELLO).await,
        Ok(HistoryRequest::Page { offset }) => {
            let frames = connection.unless_stopped(Box::pin(archive.frames(offset))).await?;
            connection.say(frames).await
        }
        Err(malformed) => connection.say([original::error(&malformed.to_string())]).await,
    }
}

impl<P: HistoryPages> Archive<P> {
    async fn frames(&self, offset: u64) -> Vec<String> {
        let rows = match timeout(self.patience, self.pages.page(offset)).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(PageError(cause))) => {
                tracing::error!(offset, cause, "cannot read a page of the history");
                return vec![original::error("the history cannot be read now: ask again later")];
            }
            Err(_) => {
                tracing::error!(offset, "reading a page of the history took too long");
                return vec![original::error("the history took too long: ask again later")];
            }
        };
        let mut frames: Vec<_> = rows
            .iter()
            .take(PAGE_LEN)
            .map(|row| original::old_data(&row.at.original(&self.zone), row.celsius))
            .collect();
        if frames.is_empty() {
            frames.push(EMPTY.into());
        }
        frames.push(CLOSE.into());
        frames
    }
}
