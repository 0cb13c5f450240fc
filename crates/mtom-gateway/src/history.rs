//! The pages of the original's history port, of replays and of those who lack readings, read from the store.

use mtom_forward::feed::ReadingPages;
use mtom_forward::history::{HistoryPages, PageError, Row};
use mtom_forward::replay::{Place, ReplayPage, ReplayPages};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::{History, IdQuery, PageQuery};
use mtom_store::record::{Cursor, Order};

/// Reads on a blocking thread: SQLite waits for the disk.
pub(crate) struct Pages(pub(crate) History);

impl HistoryPages for Pages {
    async fn page(&self, offset: u64) -> Result<Vec<Row>, PageError> {
        let history = self.0.clone();
        let read = tokio::task::spawn_blocking(move || history.original_page(offset));
        let rows = read.await.map_err(PageError::new)?.map_err(PageError::new)?;
        Ok(rows.iter().filter_map(row).collect())
    }
}

/// Rows that are read at once for a replay.
const REPLAY_LEN: usize = 500;

impl ReplayPages for Pages {
    async fn replay(
        &self,
        from: UnixMicros,
        until: UnixMicros,
        after: Option<Place>,
    ) -> Result<ReplayPage, PageError> {
        let history = self.0.clone();
        let query = PageQuery {
            from: Some(from),
            until: Some(until),
            after: after.map(|(at, id)| Cursor { at, id }),
            limit: REPLAY_LEN,
            ..PageQuery::default()
        };
        let read = tokio::task::spawn_blocking(move || history.page(&query));
        let page = read.await.map_err(PageError::new)?.map_err(PageError::new)?;
        Ok(ReplayPage {
            rows: page.rows.iter().filter_map(row).collect(),
            next: page.next.map(|next| (next.at, next.id)),
        })
    }
}

impl ReadingPages for Pages {
    async fn after(&self, after: u64, limit: usize) -> Result<Vec<StoredReading>, PageError> {
        let history = self.0.clone();
        let query = IdQuery { order: Order::Ascending, after: Some(after), limit };
        let read = tokio::task::spawn_blocking(move || history.page_by_id(query));
        read.await.map_err(PageError::new)?.map_err(PageError::new)
    }
}

fn row(stored: &StoredReading) -> Option<Row> {
    stored.reading.celsius().map(|celsius| Row { at: stored.at, celsius })
}
