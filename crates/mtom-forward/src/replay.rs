//! `replay:<from>:<to>:<speed>` on the live port: history as it was, to the one who asked for it.
//!
//! A page is read when the one before it has been written, so a replay costs the store no more than a
//! reader of the history port. Whatever the client says next ends the replay: that is how it stops one. A ping says
//! nothing.

use crate::history::{PageError, Row};
use crate::socket::{Connection, End, Heard};
use jiff::tz::TimeZone;
use mtom_protocol::original::{self, CLOSE, EMPTY, Replay};
use mtom_protocol::time::UnixMicros;
use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

/// How many replays one port plays at a time; one more is refused.
const REPLAYS_MAX: usize = 32;

/// Behind a row: its time and number.
pub type Place = (UnixMicros, u64);

/// Some temperatures in ascending time.
#[derive(Clone, Debug, Default)]
pub struct ReplayPage {
    /// Them.
    pub rows: Vec<Row>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Place>,
}

/// Where a replay's rows come from.
pub trait ReplayPages: Send + Sync + 'static {
    /// Temperatures from `from` until before `until`; with `after` behind that place.
    fn replay(
        &self,
        from: UnixMicros,
        until: UnixMicros,
        after: Option<Place>,
    ) -> impl Future<Output = Result<ReplayPage, PageError>> + Send;
}

/// A port that has nothing to play back.
#[derive(Clone, Copy, Debug)]
pub struct NoHistory;

impl ReplayPages for NoHistory {
    async fn replay(
        &self,
        _: UnixMicros,
        _: UnixMicros,
        _: Option<Place>,
    ) -> Result<ReplayPage, PageError> {
        Ok(ReplayPage::default())
    }
}

/// Plays for all viewers of a port.
pub(crate) struct Player<P> {
    pages: Arc<P>,
    zone: TimeZone,
    patience: Duration,
    places: Semaphore,
}

impl<P: ReplayPages> Player<P> {
    pub(crate) fn new(pages: Arc<P>, zone: TimeZone, patience: Duration) -> Self {
        Self { pages, zone, patience, places: Semaphore::new(REPLAYS_MAX) }
    }

    pub(crate) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Plays to the end, or until the client says something, which comes back.
    pub(crate) async fn play(
        &self,
        connection: &mut Connection,
        replay: Replay,
    ) -> Result<Option<Heard>, End> {
        let Ok(_place) = self.places.try_acquire() else {
            let full = format!("{REPLAYS_MAX} replays are being played: ask again later");
            connection.say([original::error(&full)]).await?;
            return Ok(None);
        };
        let mut after = None;
        // When the first row was sent, and its time: all others keep their distance to it.
        let mut begun: Option<(Instant, UnixMicros)> = None;
        loop {
            let page = self.pages.replay(replay.from, replay.until, after);
            let read = connection.unless_stopped(timeout(self.patience, page)).await?;
            let page = match read {
                Ok(Ok(page)) => page,
                Ok(Err(PageError(cause))) => {
                    tracing::error!(cause, "cannot read the history for a replay");
                    let text = "the history cannot be read now: ask again later";
                    connection.say([original::error(text)]).await?;
                    return Ok(None);
                }
                Err(_) => {
                    let text = "the history took too long: ask again later";
                    connection.say([original::error(text)]).await?;
                    return Ok(None);
                }
            };
            if let Some(heard) = self.rows(connection, replay, &page.rows, &mut begun).await? {
                return Ok(Some(heard));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let end = if begun.is_none() { vec![EMPTY, CLOSE] } else { vec![CLOSE] };
        connection.say(end).await?;
        Ok(None)
    }

    async fn rows(
        &self,
        connection: &mut Connection,
        replay: Replay,
        rows: &[Row],
        begun: &mut Option<(Instant, UnixMicros)>,
    ) -> Result<Option<Heard>, End> {
        let frame = |row: &Row| original::new_data(&row.at.original(&self.zone), row.celsius);
        let Some(speed) = replay.speed else {
            if let Some(row) = rows.first() {
                begun.get_or_insert((Instant::now(), row.at));
            }
            let frames: Vec<_> = rows.iter().map(frame).collect();
            connection.say(frames).await?;
            return said_until(connection, ready(())).await;
        };
        for row in rows {
            let (start, first) = *begun.get_or_insert((Instant::now(), row.at));
            let due = Duration::try_from_secs_f64(row.at.since(first).as_secs_f64() / speed);
            let due = due.ok().and_then(|due| start.checked_add(due));
            let said = match due {
                Some(due) => said_until(connection, sleep_until(due)).await?,
                // Beyond all time.
                None => said_until(connection, pending()).await?,
            };
            if said.is_some() {
                return Ok(said);
            }
            connection.say([frame(row)]).await?;
        }
        Ok(None)
    }
}

/// What the client says until `due`; it may ask meanwhile whether we are there.
async fn said_until(
    connection: &mut Connection,
    due: impl Future<Output = ()>,
) -> Result<Option<Heard>, End> {
    let mut due = pin!(due);
    loop {
        tokio::select! {
            biased;
            heard = connection.hear() => match heard? {
                Heard::Sign => connection.flush().await?,
                heard => return Ok(Some(heard)),
            },
            () = &mut due => return Ok(None),
        }
    }
}
