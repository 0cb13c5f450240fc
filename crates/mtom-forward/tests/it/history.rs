//! `wire.md` §1.3, frame for frame.

use crate::support::{MORNING, Port, until};
use crate::viewer::{GREETINGS, LIMIT, Viewer};
use futures_util::SinkExt;
use mtom_forward::history::{HistoryPages, PageError, Row};
use mtom_forward::server::Limits;
use mtom_forward::tally::{PortStats, Tally};
use mtom_protocol::time::UnixMicros;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

pub(crate) const EMPTY: &str = r#"{"state":"OK","type":"empty","response":""}"#;
pub(crate) const CLOSE: &str = r#"{"state":"OK","type":"close","response":""}"#;
/// Reading here fails, and there it never ends.
const DAMAGED: u64 = 1_000;
const ENDLESS: u64 = 2_000;

/// So many rows, one a second; the number is the temperature.
pub(crate) struct Rows {
    rows: u64,
    reading: Arc<AtomicUsize>,
    reading_max: Arc<AtomicUsize>,
}

impl Rows {
    pub(crate) fn new(rows: u64) -> Self {
        Self { rows, reading: Arc::default(), reading_max: Arc::default() }
    }
}

impl HistoryPages for Rows {
    async fn page(&self, offset: u64) -> Result<Vec<Row>, PageError> {
        let reading = self.reading.fetch_add(1, Ordering::SeqCst) + 1;
        self.reading_max.fetch_max(reading, Ordering::SeqCst);
        yield_now().await;
        self.reading.fetch_sub(1, Ordering::SeqCst);
        match offset {
            DAMAGED => return Err(PageError::new("disk I/O error: /secret/path")),
            ENDLESS => pending().await,
            _ => {}
        }
        let rows = offset..self.rows.min(offset.saturating_add(20));
        Ok(rows
            .map(|row| Row {
                at: UnixMicros(MORNING + i64::try_from(row).unwrap() * 1_000_000),
                celsius: f64::from(u32::try_from(row).unwrap()) / 2.0,
            })
            .collect())
    }
}

fn old_data(row: u32) -> String {
    let seconds = 30 + row;
    format!(
        r#"{{"state":"OK","type":"old_data","response":{{"time":"2026-11-23 08:{:02}:{:02}","temp":{:?}}}}}"#,
        6 + seconds / 60,
        seconds % 60,
        f64::from(row) / 2.0
    )
}

async fn expect_page(viewer: &mut Viewer, rows: std::ops::Range<u32>) {
    for row in rows {
        viewer.expect(&[old_data(row)]).await;
    }
    viewer.expect(&[CLOSE]).await;
}

#[tokio::test]
async fn the_original_page_gets_its_history() {
    let port = Port::history(Rows::new(45), Limits::default()).await;
    let first =
        r#"{"state":"OK","type":"old_data","response":{"time":"2026-11-23 08:06:30","temp":0.0}}"#;
    assert_eq!(old_data(0), first);
    // It opens a new connection for each page and drops it after `close`.
    for page in 0..3 {
        let mut viewer =
            Viewer::connect_with(port.address, "/", &[("Origin", "null")]).await.unwrap();
        viewer.say("hello").await;
        viewer.expect(&GREETINGS).await;
        viewer.say(&format!("database:{}", page * 20)).await;
        expect_page(&mut viewer, page * 20..(page * 20 + 20).min(45)).await;
    }
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say("database:60").await;
    viewer.expect(&[EMPTY, CLOSE]).await;
    port.ended().await;
}

#[tokio::test]
async fn a_connection_may_ask_again_after_close() {
    let port = Port::history(Rows::new(21), Limits::default()).await;
    let mut viewer = Viewer::connect(port.address).await;
    for _ in 0..3 {
        viewer.say("database:0").await;
        expect_page(&mut viewer, 0..20).await;
        viewer.say("database:20").await;
        expect_page(&mut viewer, 20..21).await;
        viewer.say("database:21").await;
        viewer.expect(&[EMPTY, CLOSE]).await;
    }
    viewer.expect_nothing_more().await;
}

#[tokio::test]
async fn pages_asked_at_once_come_in_order_and_are_read_one_by_one() {
    let rows = Rows::new(100);
    let reading_max = rows.reading_max.clone();
    let port = Port::history(rows, Limits::default()).await;
    let mut viewer = Viewer::connect(port.address).await;
    for request in
        ["database:40", "hello", "database:0", "database:20", "database:x", "database:80"]
    {
        viewer.say(request).await;
    }
    expect_page(&mut viewer, 40..60).await;
    viewer.expect(&GREETINGS).await;
    expect_page(&mut viewer, 0..20).await;
    expect_page(&mut viewer, 20..40).await;
    assert!(
        viewer
            .hear()
            .await
            .starts_with(r#"{"state":"Error","type":"error","response":"database:N"#)
    );
    expect_page(&mut viewer, 80..100).await;
    assert_eq!(reading_max.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_store_that_fails_is_said_without_its_secrets() {
    let port = Port::history(Rows::new(1), Limits::default()).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say(&format!("database:{DAMAGED}")).await;
    viewer
        .expect(&[r#"{"state":"Error","type":"error","response":"the history cannot be read now: ask again later"}"#])
        .await;
    viewer.say("database:0").await;
    expect_page(&mut viewer, 0..1).await;
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up() {
    let limits = Limits { page: Duration::from_millis(20), ..Limits::default() };
    let port = Port::history(Rows::new(1), limits).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say(&format!("database:{ENDLESS}")).await;
    viewer
        .expect(&[r#"{"state":"Error","type":"error","response":"the history took too long: ask again later"}"#])
        .await;
    viewer.say("database:0").await;
    expect_page(&mut viewer, 0..1).await;
}

#[tokio::test]
async fn the_end_is_said_even_while_a_page_is_read() {
    let port = Port::history(Rows::new(1), Limits::default()).await;
    let mut idle = Viewer::connect(port.address).await;
    idle.expect_nothing_more().await;
    let mut waiting = Viewer::connect(port.address).await;
    waiting.expect_nothing_more().await;
    waiting.say(&format!("database:{ENDLESS}")).await;
    port.stop();
    assert_eq!(idle.close_code().await, 1001);
    assert_eq!(waiting.close_code().await, 1001);
    drop((idle, waiting));
    port.ended().await;
}

#[tokio::test]
async fn who_reads_and_who_is_refused_or_closed_is_counted() {
    let limits = Limits { viewers_max: 1, stall: Duration::from_millis(100), ..Limits::default() };
    let tally = Arc::<Tally>::default();
    let port = Port::history_counted(Rows::new(45), limits, &tally).await;
    let mut stuck = Viewer::connect_narrow(port.address, 1).await;
    assert!(Viewer::connect_with(port.address, "/", &[]).await.is_err());
    assert_eq!(tally.stats(), PortStats { open: 1, refused: 1, ..PortStats::default() });
    // It asks for pages and reads none of them.
    let request = Message::text("database:0");
    let asked = timeout(LIMIT, async { while stuck.0.send(request.clone()).await.is_ok() {} });
    asked.await.expect("it is closed");
    until("it is counted", || tally.stats().closed_slow == 1).await;
    until("its place is free", || tally.stats().open == 0).await;
    port.ended().await;
}
