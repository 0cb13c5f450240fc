//! The pages of the original's history port, read from the store.

use mtom_forward::history::{HistoryPages, PageError, Row};
use mtom_store::history::History;

/// Reads on a blocking thread: SQLite waits for the disk.
pub(crate) struct Pages(pub(crate) History);

impl HistoryPages for Pages {
    async fn page(&self, offset: u64) -> Result<Vec<Row>, PageError> {
        let history = self.0.clone();
        let read = tokio::task::spawn_blocking(move || history.original_page(offset));
        let rows = read.await.map_err(PageError::new)?.map_err(PageError::new)?;
        let row = |stored: &mtom_protocol::reading::StoredReading| {
            stored.reading.celsius().map(|celsius| Row { at: stored.at, celsius })
        };
        Ok(rows.iter().filter_map(row).collect())
    }
}
