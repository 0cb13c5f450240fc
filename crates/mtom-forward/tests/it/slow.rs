//! Slow viewers lose, and nobody else notices (`design.md` §6).

use crate::live::celsius;
use crate::support::{Port, hub, reading, reading_of, until};
use crate::viewer::{LIMIT, Viewer};
use futures_util::{SinkExt, StreamExt};
use jiff::tz::TimeZone;
use mtom_forward::live::LiveHub;
use mtom_forward::server::Limits;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// More than the buffers of both systems hold between us and a viewer that does not read.
const FLOOD: i32 = 20_000;

/// Offers until a viewer that does not read must be stuck.
pub(crate) async fn fill(hub: &LiveHub) {
    for number in 1..=FLOOD {
        hub.offer(&reading(0, f64::from(number)));
        if number % 64 == 0 {
            yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_viewer_that_never_reads_is_closed_and_the_others_miss_nothing() {
    let hub = LiveHub::new(TimeZone::UTC, Some(&reading(0, 0.0)));
    let limits = Limits { stall: Duration::from_millis(200), ..Limits::default() };
    let port = Port::live_with(&hub, limits).await;
    let mut stuck = Viewer::connect_narrow(port.address, 1).await;
    stuck.say("realtime").await;
    stuck.hear().await;
    let mut quick = Viewer::connect(port.address).await;
    quick.say("realtime").await;
    assert_eq!(celsius(&quick.hear().await), 0);
    let mut readers = JoinSet::new();
    readers.spawn(async move {
        for number in 1..=FLOOD {
            assert_eq!(celsius(&quick.hear().await), number);
        }
        quick
    });
    // As fast as the quick one reads: it may fall behind, but not out of the ring.
    for number in 1..=FLOOD {
        hub.offer(&reading(0, f64::from(number)));
        if number % 512 == 0 {
            let offered = u64::from(number.unsigned_abs());
            until("the quick one has them", || hub.stats().sent >= offered).await;
        }
    }
    let mut quick = timeout(LIMIT, readers.join_next()).await.expect("in time").unwrap().unwrap();
    until("the stuck one is closed", || hub.stats().port.closed_slow == 1).await;
    until("its place is free", || hub.stats().port.open == 1).await;
    quick.expect_nothing_more().await;
    // It is a reset: the system does not keep the unsent bytes for one who does not read.
    let broken = timeout(LIMIT, async {
        while let Some(message) = stuck.0.next().await {
            if message.is_err() {
                return true;
            }
        }
        false
    });
    assert!(broken.await.expect("ended"));
}

#[tokio::test]
async fn a_viewer_that_fell_behind_gets_the_newest_of_each_series() {
    let hub = LiveHub::with_room(TimeZone::UTC, Some(&reading(0, 0.0)), 64);
    let port = Port::live(&hub).await;
    let mut slow = Viewer::connect_narrow(port.address, 32 * 1024).await;
    slow.say("realtime").await;
    assert_eq!(celsius(&slow.hear().await), 0);
    // The quiet series speaks once, long before the viewer reads again.
    for number in 1..=FLOOD {
        let device = if number == FLOOD / 2 { "quiet" } else { "Environ" };
        hub.offer(&reading_of(device, 0, f64::from(number)));
        if number % 16 == 0 {
            yield_now().await;
        }
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&FLOOD) {
        heard.push(celsius(&slow.hear().await));
    }
    assert!(heard.is_sorted_by(|before, after| before < after), "rising, each once");
    assert!(heard.contains(&(FLOOD / 2)), "the quiet series is not lost");
    let stats = hub.stats();
    assert!(stats.skipped > 0);
    // With the last known reading, which is no offer.
    assert_eq!(stats.sent + stats.skipped, stats.offered + 1);
    assert_eq!(heard.len() as u64 + 1, stats.sent);
    // Caught up, it misses nothing again.
    hub.offer(&reading(0, 1.0));
    hub.offer(&reading(0, 2.0));
    assert_eq!(celsius(&slow.hear().await), 1);
    assert_eq!(celsius(&slow.hear().await), 2);
}

/// Shared frames are written past the library, which at the same time answers pings and requests.
/// With a socket that takes only parts of what is written, no frame may be torn by another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_shared_frames_never_tear_each_other() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut viewer = Viewer::connect_narrow(port.address, 32 * 1024).await;
    viewer.say("realtime").await;
    viewer.expect_nothing_more().await;
    let (mut sink, mut stream) = viewer.0.split();
    let (asks, mut to_ask) = mpsc::channel(1_000);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(number) = to_ask.recv().await {
            sink.send(Message::Ping(Bytes::from(u32::to_string(&number)))).await.unwrap();
            sink.send(Message::text("what?")).await.unwrap();
        }
    });
    tasks.spawn(async move { fill(&hub).await });
    let heard = timeout(LIMIT, async {
        let (mut last, mut frames, mut asked, mut pongs, mut errors) = (0, 0, 0, 0, 0);
        while last < FLOOD || pongs < asked || errors < asked {
            match stream.next().await.expect("open").expect("whole frames") {
                Message::Text(text) if text.contains("unknown request") => errors += 1,
                Message::Text(text) => {
                    let number = celsius(&text);
                    assert!(number > last);
                    last = number;
                    frames += 1;
                    // Never more than it hears, so that neither side waits for the other for ever.
                    if frames % 10 == 0 && asks.try_send(asked).is_ok() {
                        asked += 1;
                    }
                }
                Message::Pong(payload) => {
                    assert_eq!(payload, u32::to_string(&pongs));
                    pongs += 1;
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!(asked > 100, "{asked}");
    });
    heard.await.expect("all answers and the newest reading");
}
