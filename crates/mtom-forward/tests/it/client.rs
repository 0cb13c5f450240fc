//! The receiver against our own port, against the original's server, and against broken ones.

use crate::support::{Port, hub, reading};
use crate::viewer::{GREETINGS, LIMIT, Viewer};
use mtom_forward::client::{BadUrl, Event, Means, Patience, Received, receive};
use mtom_forward::server::Limits;
use mtom_protocol::time::UnixMicros;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

struct Receiver {
    events: mpsc::Receiver<Event>,
    stop: CancellationToken,
    task: JoinSet<Result<(), BadUrl>>,
}

impl Receiver {
    fn start(address: SocketAddr) -> Self {
        Self::start_with(address, |_| {})
    }

    fn start_with(address: SocketAddr, change: impl FnOnce(&mut Patience)) -> Self {
        let (sender, events) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let mut patience = Patience {
            retry_min: Duration::from_millis(2),
            retry_max: Duration::from_millis(8),
            ..Patience::default()
        };
        change(&mut patience);
        let means = Means { now: Arc::new(|| UnixMicros(7)), jitter: || 1.0, patience };
        let mut task = JoinSet::new();
        let url = format!("ws://{address}");
        let ending = stop.clone();
        task.spawn(async move { receive(&url, sender, means, ending).await });
        Self { events, stop, task }
    }

    async fn next(&mut self) -> Event {
        timeout(LIMIT, self.events.recv()).await.expect("an event in time").expect("it runs")
    }

    async fn lost(&mut self) -> String {
        match self.next().await {
            Event::Lost { reason, .. } => reason,
            other => panic!("expected a loss, got {other:?}"),
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = timeout(LIMIT, self.task.join_next()).await.expect("ends in time");
        ended.unwrap().unwrap().unwrap();
    }
}

fn received(time: &str, celsius: f64, first: bool) -> Event {
    let time = format!("2026-11-23 {time}");
    Event::Reading(Received { time, celsius, heard_at: UnixMicros(7), first })
}

#[tokio::test]
async fn our_own_port_is_heard_and_heard_again_after_it_was_away() {
    let hub = hub();
    hub.offer(&reading(0, 24.5));
    let port = Port::live(&hub).await;
    let address = port.address;
    let mut receiver = Receiver::start(address);
    assert_eq!(receiver.next().await, Event::Connected);
    assert_eq!(receiver.next().await, received("08:06:30", 24.5, true));
    hub.offer(&reading(2, 25.0));
    assert_eq!(receiver.next().await, received("08:06:32", 25.0, false));
    port.ended().await;
    assert_eq!(
        receiver.lost().await,
        "the server closed the connection with 1001, the gateway is ending"
    );
    let reason = receiver.lost().await;
    assert!(reason.starts_with("cannot connect: "), "{reason}");
    receiver.end().await;
}

/// Plays `server.py`: greets, waits for `realtime`, sends the payload's text as `temp`.
#[tokio::test]
async fn the_original_server_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::start(listener.local_addr().unwrap());
    for round in 0..2 {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut server = Viewer(accept_async(tcp).await.unwrap());
        assert_eq!(server.hear().await, "hello");
        for greeting in GREETINGS {
            server.say(&greeting.replace("\":", "\": ").replace("\",", "\", ")).await;
        }
        assert_eq!(server.hear().await, "realtime");
        assert_eq!(receiver.next().await, Event::Connected);
        for (temp, first) in [(r#""24.5""#, true), (r#""24.5 °C""#, false), ("24.5", false)] {
            server
                .say(&format!(
                    r#"{{"state": "OK", "type": "new_data", "response": {{"time": "2026-11-23 08:06:30", "temp": {temp}}}}}"#
                ))
                .await;
            assert_eq!(receiver.next().await, received("08:06:30", 24.5, first), "{round}");
        }
        // It falls over without a word.
        drop(server);
        assert_eq!(receiver.lost().await, "the server closed the connection without a word");
    }
    receiver.end().await;
}

/// Accepts one receiver and lets it ask for `realtime`.
async fn greet(listener: &TcpListener) -> Viewer {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut server = Viewer(accept_async(tcp).await.unwrap());
    assert_eq!(server.hear().await, "hello");
    for greeting in GREETINGS {
        server.say(greeting).await;
    }
    assert_eq!(server.hear().await, "realtime");
    server
}

#[tokio::test]
async fn a_server_that_does_not_greet_is_asked_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let greeting = |patience: &mut Patience| patience.greeting = Duration::from_millis(20);
    let mut receiver = Receiver::start_with(listener.local_addr().unwrap(), greeting);
    let (tcp, _) = listener.accept().await.unwrap();
    let mut server = Viewer(accept_async(tcp).await.unwrap());
    assert_eq!(server.hear().await, "hello");
    assert_eq!(server.hear().await, "realtime");
    assert_eq!(receiver.next().await, Event::Connected);
}

#[tokio::test]
async fn strange_frames_are_reported_and_disturb_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::start(listener.local_addr().unwrap());
    let mut server = greet(&listener).await;
    assert_eq!(receiver.next().await, Event::Connected);
    for (frame, complaint) in [
        ("hello", "not a server message: expected {\"state\":…,\"type\":…,\"response\":…}: hello"),
        (
            r#"{"state":"OK","type":"new_data","response":{"time":"x","temp":"NaN"}}"#,
            "not a server message: expected {\"state\":…,\"type\":…,\"response\":…}: \
             {\"state\":\"OK\",\"type\":\"new_data\",\"response\":{\"time\":\"x\",\"temp\":\"NaN\"}}",
        ),
        (r#"{"state":"Error","type":"error","response":"line\nline"}"#, "line\\nline"),
    ] {
        server.say(frame).await;
        assert_eq!(receiver.next().await, Event::Complaint(complaint.into()));
    }
    server.send(Message::binary("24.5")).await;
    assert!(matches!(receiver.next().await, Event::Complaint(_)));
    server.send(Message::Ping("are you there".into())).await;
    assert_eq!(server.message().await, Message::Pong("are you there".into()));
    server.say(r#"{"state":"OK","type":"close","response":""}"#).await;
    server
        .say(r#"{"state":"OK","type":"new_data","response":{"time":"2026-11-23 08:06:30","temp":1}}"#)
        .await;
    assert_eq!(receiver.next().await, received("08:06:30", 1.0, true));
}

#[tokio::test]
async fn a_server_that_has_vanished_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pings = |patience: &mut Patience| {
        patience.ping_after = Duration::from_millis(20);
        patience.pong_within = Duration::from_millis(50);
    };
    let mut receiver = Receiver::start_with(listener.local_addr().unwrap(), pings);
    // From now on it reads nothing, so it answers no ping.
    let _server = greet(&listener).await;
    assert_eq!(receiver.next().await, Event::Connected);
    assert_eq!(receiver.lost().await, "no answer to a ping within 0.05 s");
}

#[tokio::test]
async fn a_silent_server_that_answers_pings_is_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pings = |patience: &mut Patience| patience.ping_after = Duration::from_millis(5);
    let mut receiver = Receiver::start_with(listener.local_addr().unwrap(), pings);
    let mut server = greet(&listener).await;
    assert_eq!(receiver.next().await, Event::Connected);
    for _ in 0..5 {
        assert!(matches!(server.message().await, Message::Ping(_)));
    }
    server
        .say(r#"{"state":"OK","type":"new_data","response":{"time":"2026-11-23 08:06:30","temp":1}}"#)
        .await;
    assert_eq!(receiver.next().await, received("08:06:30", 1.0, true));
}

#[tokio::test]
async fn a_refusal_is_told_with_the_servers_sentence() {
    let limits = Limits { viewers_max: 0, ..Limits::default() };
    let port = Port::live_with(&hub(), limits).await;
    let mut receiver = Receiver::start(port.address);
    let reason = receiver.lost().await;
    assert_eq!(reason, "refused with 503: all places for viewers are taken: try again later");
    receiver.end().await;
}

#[tokio::test]
async fn what_is_no_websocket_server_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::start(listener.local_addr().unwrap());
    for _ in 0..2 {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut request = [0; 16];
        tcp.read_exact(&mut request).await.unwrap();
        tcp.write_all(b"220 mail.example ESMTP\r\n\r\n").await.unwrap();
        let reason = receiver.lost().await;
        assert!(reason.starts_with("cannot connect: "), "{reason}");
    }
}

#[tokio::test]
async fn stopping_says_goodbye() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::start(listener.local_addr().unwrap());
    let mut server = greet(&listener).await;
    assert_eq!(receiver.next().await, Event::Connected);
    receiver.stop.cancel();
    assert!(matches!(server.message().await, Message::Close(_)));
    drop(server);
    receiver.end().await;
}

#[tokio::test]
async fn a_listener_that_has_gone_ends_it() {
    let hub = hub();
    let port = Port::live(&hub).await;
    let mut receiver = Receiver::start(port.address);
    assert_eq!(receiver.next().await, Event::Connected);
    let Receiver { events, mut task, .. } = receiver;
    drop(events);
    hub.offer(&reading(0, 1.0));
    timeout(LIMIT, task.join_next()).await.expect("ends in time").unwrap().unwrap().unwrap();
}
