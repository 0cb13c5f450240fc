//! `replay:<from>:<to>:<speed>`: history to the one who asked, with its own spacing.

use crate::history::{CLOSE, EMPTY};
use crate::support::{MORNING, Port, hub, new_data, reading};
use crate::viewer::Viewer;
use mtom_forward::history::{PageError, Row};
use mtom_forward::live::LiveHub;
use mtom_forward::replay::{Place, ReplayPage, ReplayPages};
use mtom_forward::server::Limits;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::{Bytes, Message};

const SECOND: i64 = 1_000_000;

/// One row every ten seconds, the number is the temperature; pages of seven.
struct Rows {
    rows: u32,
    read: Arc<AtomicUsize>,
}

impl ReplayPages for Rows {
    async fn replay(
        &self,
        from: UnixMicros,
        until: UnixMicros,
        after: Option<Place>,
    ) -> Result<ReplayPage, PageError> {
        self.read.fetch_add(1, Ordering::SeqCst);
        if until.0 > MORNING + 1_000_000 * SECOND {
            return Err(PageError::new("disk I/O error: /secret/path"));
        }
        let all = (0..self.rows).map(|row| (row, MORNING + i64::from(row) * 10 * SECOND));
        let mut rows: Vec<_> = all
            .filter(|(row, at)| {
                (from.0..until.0).contains(at)
                    && after.is_none_or(|after| u64::from(*row) > after.1)
            })
            .collect();
        let has_more = rows.len() > 7;
        rows.truncate(7);
        let next = rows.last().filter(|_| has_more);
        Ok(ReplayPage {
            next: next.map(|(row, at)| (UnixMicros(*at), u64::from(*row))),
            rows: rows
                .iter()
                .map(|(row, at)| Row { at: UnixMicros(*at), celsius: f64::from(*row) })
                .collect(),
        })
    }
}

async fn port(rows: u32) -> (Port, LiveHub, Arc<AtomicUsize>) {
    let hub = hub();
    let read = Arc::new(AtomicUsize::new(0));
    let port = Port::live_of(&hub, Rows { rows, read: Arc::clone(&read) }, Limits::default()).await;
    (port, hub, read)
}

fn frame(row: u32) -> String {
    let seconds = 6 * 60 + 30 + row * 10;
    format!(
        r#"{{"state":"OK","type":"new_data","response":{{"time":"2026-11-23 08:{:02}:{:02}","temp":{row}.0}}}}"#,
        seconds / 60,
        seconds % 60,
    )
}

#[tokio::test]
async fn a_stretch_is_played_and_closed() {
    let (port, ..) = port(20).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say("replay:2026-11-23T08:06:40Z:2026-11-23 08:08:30:max").await;
    for row in 1..12 {
        viewer.expect(&[frame(row)]).await;
    }
    viewer.expect(&[CLOSE]).await;
    // The same connection again, and where nothing is.
    viewer.say("replay:2020-01-01 00:00:00:2020-01-02 00:00:00:1").await;
    viewer.expect(&[EMPTY]).await;
    viewer.expect(&[CLOSE]).await;
    port.ended().await;
}

#[tokio::test]
async fn readings_keep_their_distance() {
    let (port, ..) = port(20).await;
    let mut viewer = Viewer::connect(port.address).await;
    let begun = Instant::now();
    viewer.say("replay:2026-11-23T08:06:30Z:2026-11-23T08:08:20Z:200").await;
    for row in 0..11 {
        viewer.expect(&[frame(row)]).await;
        let due = Duration::from_millis(50) * row;
        assert!(begun.elapsed() >= due, "row {row} came after {:?}", begun.elapsed());
    }
    viewer.expect(&[CLOSE]).await;
    port.ended().await;
}

#[tokio::test]
async fn the_next_request_ends_a_replay_and_nothing_else_does() {
    let (port, hub, read) = port(20).await;
    let mut viewer = Viewer::connect(port.address).await;
    viewer.say("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:1").await;
    viewer.expect(&[frame(0)]).await;
    // Ten seconds are left before the next row.
    viewer.say("replay:2026-11-23T08:07:00Z:2026-11-23T08:07:10Z:1").await;
    viewer.expect(&[frame(3)]).await;
    viewer.expect(&[CLOSE]).await;
    // A live viewer misses nothing of what was offered meanwhile.
    viewer.say("realtime").await;
    hub.offer(&reading(1, 20.5));
    viewer.expect(&[new_data("08:06:31", "20.5")]).await;
    viewer.say("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:0.01").await;
    viewer.expect(&[frame(0)]).await;
    hub.offer(&reading(2, 21.5));
    viewer.say("realtime").await;
    viewer.expect(&[new_data("08:06:32", "21.5")]).await;
    assert!(read.load(Ordering::SeqCst) <= 3, "pages are read as they are played");
    // And a port that ends does not wait for it.
    viewer.say("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:0.01").await;
    viewer.expect(&[frame(0)]).await;
    port.ended().await;
}

/// As libraries do by themselves.
#[tokio::test]
async fn a_ping_ends_no_replay_and_brings_no_row_early() {
    let (port, ..) = port(20).await;
    let mut viewer = Viewer::connect(port.address).await;
    let ping = || Message::Ping(Bytes::from_static(b"there?"));
    let pong = Message::Pong(Bytes::from_static(b"there?"));
    viewer.say("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:max").await;
    viewer.send(ping()).await;
    let (mut rows, mut pongs) = (0, 0);
    loop {
        match viewer.message().await {
            Message::Text(text) if text == CLOSE => break,
            Message::Text(text) => {
                assert_eq!(text, frame(rows));
                rows += 1;
            }
            message => {
                assert_eq!(message, pong);
                pongs += 1;
            }
        }
    }
    assert_eq!((rows, pongs), (20, 1));
    // The next row is due much later.
    viewer.say("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:0.01").await;
    viewer.expect(&[frame(0)]).await;
    for _ in 0..2 {
        viewer.send(ping()).await;
        assert_eq!(viewer.message().await, pong);
    }
    viewer.expect_nothing_more().await;
    port.ended().await;
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_the_connection_stays() {
    let (port, ..) = port(2).await;
    let mut viewer = Viewer::connect(port.address).await;
    for request in
        ["replay:yesterday:today:1", "replay:2026-11-23T08:06:30Z:2126-11-23T09:06:30Z:1"]
    {
        viewer.say(request).await;
        let answer = viewer.hear().await;
        assert!(answer.starts_with(r#"{"state":"Error","type":"error""#), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }
    viewer.say("replay:2026-11-23T08:06:30Z:2026-11-23T09:06:30Z:max").await;
    viewer.expect(&[frame(0)]).await;
    port.ended().await;
}
