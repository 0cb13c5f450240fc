//! The live socket: what a viewer hears, in which order, and who is refused.

use super::gather::{CHANGES_LEN_MAX, PAUSE};
use crate::server::Limits;
use crate::testing::{LIMIT, NOW, Server, Watcher, limits, soon, unpacked};
use futures_util::{SinkExt, StreamExt};
use mtom_gateway::view::{Counts, Hop, LogEvent};
use std::sync::mpsc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Time stands still while it lives, but for what `advance` lets pass.
struct Still {
    _end: mpsc::Sender<()>,
}

impl Still {
    fn begin() -> Self {
        tokio::time::pause();
        let (end, ended) = mpsc::channel();
        // A paused clock runs ahead whenever nobody has anything to do, which a socket on its way looks like;
        // not so while this is at work. At the latest after the limit it runs again, and waiting fails.
        drop(tokio::task::spawn_blocking(move || ended.recv_timeout(LIMIT)));
        Self { _end: end }
    }

    /// Lets the server take all that it was given.
    async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    async fn advance(&self) {
        self.settle().await;
        // Timers go by whole milliseconds.
        tokio::time::advance(PAUSE + Duration::from_millis(1)).await;
    }
}

/// A viewer that has its snapshot and to whom nothing was said of late.
async fn rested(server: &Server) -> (Watcher, Still) {
    let mut viewer = server.watch_batches().await;
    assert_eq!(viewer.frame().await["type"], "snapshot");
    let still = Still::begin();
    still.advance().await;
    (viewer, still)
}

fn ids(frames: &[serde_json::Value]) -> Vec<u64> {
    frames.iter().map(|frame| frame["reading"]["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_change_after_a_pause_is_told_alone_and_at_once() {
    let mut server = Server::start().await;
    let (mut viewer, still) = rested(&server).await;
    for celsius in [20.0, 21.0] {
        server.store(&[celsius]);
        // Without a tick of the clock.
        let message = viewer.message().await;
        assert_eq!(message["type"], "reading");
        assert_eq!(message["reading"]["celsius"], celsius);
        still.advance().await;
    }
    drop(still);
    server.stop().await;
}

#[tokio::test]
async fn a_thousand_readings_come_in_a_few_messages_in_their_order() {
    let mut server = Server::start().await;
    let (mut viewer, still) = rested(&server).await;
    let stored = server.store(&[20.0; 1_000]);
    let mut got = Vec::new();
    let mut lens = Vec::new();
    while got.len() < stored.len() {
        let frames = unpacked(viewer.message().await);
        lens.push(frames.len());
        got.extend(ids(&frames));
        if lens.len() == 4 {
            // Fewer than a message holds: they wait for the clock.
            still.advance().await;
        }
    }
    assert_eq!(got, stored.iter().map(|reading| reading.id).collect::<Vec<_>>());
    let full = CHANGES_LEN_MAX;
    assert_eq!(lens, [1, full, full, full, 999 - 3 * full]);
    drop(still);
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_ask_for_batches_gets_each_change_as_a_message() {
    let mut server = Server::start().await;
    let mut viewer = server.watch().await;
    assert_eq!(viewer.message().await["type"], "snapshot");
    for reading in server.store(&[20.0; 300]) {
        assert_eq!(viewer.message().await["reading"]["id"], reading.id);
    }
    let wrong = server.get("/live?batch=often").await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_was_gathered_before_updates_were_lost_is_told_before_that() {
    let mut server = Server::start().await;
    let (mut viewer, still) = rested(&server).await;
    let first = server.store(&[20.0])[0].id;
    still.settle().await;
    let gathered = server.store(&[21.0, 22.0])[0].id;
    still.settle().await;
    // At once, so more than the queue holds.
    let lost = server.store(&[23.0; 2_000]);
    assert_eq!(ids(&[viewer.message().await]), [first]);
    assert_eq!(ids(&unpacked(viewer.message().await)), [gathered, gathered + 1]);
    assert_eq!(viewer.message().await["type"], "lagged");
    let snapshot = viewer.message().await;
    assert_eq!(snapshot["readings"][0]["id"], lost.last().unwrap().id);
    drop(still);
    server.stop().await;
}

#[tokio::test]
async fn what_was_gathered_before_the_end_is_told_before_the_goodbye() {
    let mut server = Server::start().await;
    let (mut viewer, still) = rested(&server).await;
    server.store(&[20.0]);
    still.settle().await;
    let last = server.store(&[21.0, 22.0])[1].id;
    still.settle().await;
    server.cancel();
    assert_eq!(viewer.message().await["type"], "reading");
    assert_eq!(ids(&unpacked(viewer.message().await))[1], last);
    assert_eq!(viewer.close_code().await, 1001);
    drop(still);
    server.stop().await;
}

#[tokio::test]
async fn a_viewer_gets_the_present_and_then_every_change_once() {
    let mut server = Server::start().await;
    server.store(&[20.0]);
    let mut viewer = server.watch().await;
    let snapshot = viewer.frame().await;
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["now_micros"], NOW.0);
    assert_eq!(snapshot["readings"][0]["celsius"], 20.0);
    server.store(&[21.0, 22.0]);
    for celsius in [21.0, 22.0] {
        let frame = viewer.frame().await;
        assert_eq!(
            (&frame["type"], &frame["reading"]["celsius"]),
            (&"reading".into(), &celsius.into())
        );
    }
    let event = LogEvent::Rejected { topic: "<b>".into(), code: "empty", reason: "no".into() };
    server.view.log(NOW, Hop::Gateway, event);
    let entry = &viewer.frame().await["entry"];
    assert_eq!((&entry["hop"], &entry["event"]["kind"]), (&"gateway".into(), &"rejected".into()));
    assert_eq!(entry["event"]["topic"], "<b>");
    server.stop().await;
}

#[tokio::test]
async fn the_account_follows_when_it_has_changed() {
    let server = Server::start().await;
    let mut viewer = server.watch().await;
    assert_eq!(viewer.frame().await["counts"]["rejected"], 0);
    server.view.counts(Counts { received: 4, rejected: 4, ..Counts::default() }, NOW);
    assert_eq!(viewer.frame_of("counts").await["counts"]["rejected"], 4);
    server.view.log(NOW, Hop::Broker, LogEvent::Skipped { count: 1 });
    server.view.counts(Counts { received: 5, rejected: 5, ..Counts::default() }, NOW);
    let next = [viewer.frame().await, viewer.frame().await];
    assert_eq!([&next[0]["type"], &next[1]["type"]], ["log", "counts"], "in their order");
    server.stop().await;
}

#[tokio::test]
async fn a_slow_viewer_is_told_what_it_lost_and_gets_the_present_again() {
    let mut server = Server::start().await;
    let mut slow = server.watch().await;
    assert_eq!(slow.frame().await["type"], "snapshot");
    // More than the sockets' buffers and the queue hold together.
    for number in 0..100_u32 {
        server.store(&[20.0; 400]);
        server.view.counts(Counts { stored: number.into(), ..Counts::default() }, NOW);
        // Lets the server run; without it the queue alone would overflow.
        tokio::task::yield_now().await;
    }
    // One second after all the others.
    let last = server.store(&[&[20.0; 400][..], &[42.0]].concat())[400].id;
    let lagged = slow.frame_of("lagged").await;
    assert!(lagged["lagged"].as_u64().unwrap() > 0);
    let mut frame = slow.frame().await;
    assert_eq!(frame["type"], "snapshot");
    // It may be too slow once more; the newest reading comes in any case, in a snapshot or by itself.
    while frame["readings"][0]["id"] != last && frame["reading"]["id"] != last {
        frame = slow.frame().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn the_page_may_watch_and_no_other_page() {
    let server = Server::start().await;
    let own = format!("http://{}", server.address);
    drop(server.watch_as(Some(&own)).await.unwrap());
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"] {
        match *server.watch_as(Some(origin)).await.unwrap_err() {
            Error::Http(answer) => assert_eq!(answer.status(), 403, "{origin}"),
            other => panic!("{other:?}"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn one_viewer_too_many_is_refused_and_told_so() {
    let server = Server::within(Limits { viewers_max: 1, ..limits() }, None).await;
    let mut first = server.watch().await;
    assert_eq!(first.frame().await["type"], "snapshot");
    match *server.watch_as(None).await.unwrap_err() {
        Error::Http(answer) => assert_eq!(answer.status(), 503),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.metric("mtom_page_viewers").await, 1);
    assert_eq!(server.metric("mtom_page_viewers_refused_total").await, 1);
    server.view.log(NOW, Hop::Broker, LogEvent::Skipped { count: 1 });
    assert_eq!(first.frame().await["type"], "log", "the first goes on undisturbed");
    server.stop().await;
}

#[tokio::test]
async fn viewers_hear_the_end() {
    let server = Server::start().await;
    let mut viewer = server.watch().await;
    assert_eq!(viewer.frame().await["type"], "snapshot");
    server.cancel();
    assert_eq!(viewer.close_code().await, 1001);
    server.stop().await;
}

#[tokio::test]
async fn whoever_says_something_is_closed() {
    let server = Server::start().await;
    for said in [Message::text("hello"), Message::binary(vec![0])] {
        let mut viewer = server.watch().await;
        viewer.socket.send(said).await.unwrap();
        assert_eq!(viewer.close_code().await, 1008);
    }
    // A message over the limit, and a goodbye.
    let mut loud = server.watch().await;
    let _ = loud.socket.send(Message::text("x".repeat(100_000))).await;
    soon("the end", async { while let Some(Ok(_)) = loud.socket.next().await {} }).await;
    let mut polite = server.watch().await;
    polite.socket.close(None).await.unwrap();
    soon("the end", async { while let Some(Ok(_)) = polite.socket.next().await {} }).await;
    server.stop().await;
}

#[tokio::test]
async fn endless_texts_from_outside_are_cut() {
    let server = Server::start().await;
    let mut viewer = server.watch().await;
    assert_eq!(viewer.frame().await["type"], "snapshot");
    let topic = "\u{20ac}".repeat(20_000);
    let event = LogEvent::Rejected { topic: topic.clone(), code: "topic_too_long", reason: topic };
    server.view.log(NOW, Hop::Gateway, event);
    let entry = &viewer.frame().await["entry"];
    for text in [&entry["text"], &entry["event"]["topic"], &entry["event"]["reason"]] {
        assert!((1..=512).contains(&text.as_str().unwrap().len()));
    }
    server.stop().await;
}

mod broken;
mod silence;
mod slow;
