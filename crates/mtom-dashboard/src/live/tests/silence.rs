//! Viewers that say nothing: those whose machine has vanished are found out by asking, the others stay.

use super::{Still, soon};
use crate::live::socket::Socket;
use crate::live::wire::LiveWire;
use crate::server::{Limits, Tallies};
use crate::testing::{LIMIT, Server, celsius, limits};
use axum::http::{StatusCode, header};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use mtom_forward::feed::{Feed, ReadingPages};
use mtom_forward::follow::Desk;
use mtom_forward::history::PageError;
use mtom_forward::origin::Origin;
use mtom_forward::server::{self, tune};
use mtom_gateway::lines::{End, Wire};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The next frame of a server as it is on the wire: its first byte and its payload; `None`: the connection has ended.
pub(super) async fn raw_frame(tcp: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    tcp.read_exact(&mut head).await.ok()?;
    let len = match head[1] {
        126 => tcp.read_u16().await.ok()?.into(),
        127 => tcp.read_u64().await.ok()?,
        len => len.into(),
    };
    let mut payload = vec![0; usize::try_from(len).unwrap()];
    tcp.read_exact(&mut payload).await.ok()?;
    Some((head[0], payload))
}

/// One that has opened `/live` and got its first frame, whose machine answers nothing by itself.
pub(super) async fn raw_viewer(server: &Server) -> TcpStream {
    let mut tcp = opened(TcpStream::connect(server.address).await.unwrap()).await;
    let (first, snapshot) = soon("a snapshot", raw_frame(&mut tcp)).await.unwrap();
    assert!(first == 0x81 && snapshot.starts_with(b"{\"type\":\"snapshot\""));
    tcp
}

/// One that has opened `/live`.
pub(super) async fn opened(mut tcp: TcpStream) -> TcpStream {
    let address = tcp.peer_addr().unwrap();
    let request = format!(
        "GET /live HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("the handshake", tcp.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    tcp
}

/// Lets seconds pass one after the other.
pub(super) async fn pass(still: &Still, seconds: u64) {
    for _ in 0..seconds {
        still.settle().await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    still.settle().await;
}

const PING: u8 = 0x89;
/// An empty pong under the mask 0.
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

#[tokio::test]
async fn a_viewer_that_has_vanished_is_asked_twice_and_gone_after_45_seconds() {
    let limits = Limits { viewers_max: 1, ..limits() };
    let server = Server::within(limits, None).await;
    let viewer = raw_viewer(&server).await;
    let still = Still::begin();
    pass(&still, 43).await;
    assert_eq!(server.get("/live").await.status, 426);
    let mut buffer = [0; 16];
    let len = viewer.try_read(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], &[PING, 0, PING, 0], "asked twice, and still there");
    pass(&still, 2).await;
    // The end of the connection, and its place is free.
    assert_eq!(viewer.try_read(&mut buffer).unwrap(), 0);
    drop(still);
    tokio::time::resume();
    raw_viewer(&server).await;
    assert_eq!(server.metric("mtom_page_viewers_gone_total").await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_viewer_that_answers_when_it_is_asked_stays() {
    let mut server = Server::start().await;
    let mut viewer = raw_viewer(&server).await;
    let still = Still::begin();
    for _ in 0..8 {
        // A second more than until it is asked.
        pass(&still, 16).await;
        let mut asked = [0; 2];
        assert_eq!(viewer.try_read(&mut asked).unwrap(), 2);
        assert_eq!(asked, [PING, 0]);
        assert_eq!(viewer.try_write(PONG).unwrap(), PONG.len());
    }
    drop(still);
    tokio::time::resume();
    server.store(&[20.0]);
    let (first, text) = soon("a reading", raw_frame(&mut viewer)).await.unwrap();
    assert_eq!(first, 0x81);
    assert!(String::from_utf8(text).unwrap().starts_with("{\"type\":\"reading\""));
    drop(viewer);
    server.stop().await;
}

/// Serves `/live` to one, whom `talk` has.
pub(super) async fn served<F>(
    talk: impl Fn(Socket) -> F + Clone + Send + Sync + 'static,
) -> (TcpStream, JoinSet<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks = TaskTracker::new();
    let task = tasks.clone();
    let upgrade = move |Extension(on_upgrade): Extension<OnUpgrade>| async move {
        task.spawn(async move { talk(Socket::new(on_upgrade.await.unwrap()).await).await });
        let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "websocket")];
        (StatusCode::SWITCHING_PROTOCOLS, headers)
    };
    let router = TowerToHyperService::new(Router::new().route("/live", get(upgrade)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut served = JoinSet::new();
    served.spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        tune(&tcp, Duration::from_secs(3_600), 16 * 1024).unwrap();
        let served = http1::Builder::new().serve_connection(TokioIo::new(tcp), router);
        served.with_upgrades().await.unwrap();
        tasks.close();
        tasks.wait().await;
    });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    (opened(socket.connect(address).await.unwrap()).await, served)
}

/// Serves `/live` to one as to somebody who has asked for readings; what it says comes out at the other end.
pub(super) async fn follower() -> (TcpStream, mpsc::Receiver<Result<Vec<u8>, End>>, JoinSet<()>) {
    let (said, heard) = mpsc::channel(8);
    let (tcp, served) = served(move |socket| {
        let said = said.clone();
        async move {
            let tallies = Tallies::default();
            let mut wire = LiveWire::new(socket, &tallies);
            loop {
                let line = wire.line().await;
                let is_over = line.is_err();
                if said.send(line).await.is_err() || is_over {
                    return;
                }
            }
        }
    })
    .await;
    (tcp, heard, served)
}

#[tokio::test]
async fn one_who_follows_and_has_vanished_is_asked_twice_and_gone_after_45_seconds() {
    let (mut tcp, mut heard, mut served) = follower().await;
    let still = Still::begin();
    pass(&still, 43).await;
    let mut buffer = [0; 16];
    let len = tcp.try_read(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], &[PING, 0, PING, 0], "asked twice, and still there");
    assert!(heard.try_recv().is_err());
    pass(&still, 2).await;
    assert!(matches!(heard.try_recv(), Ok(Err(End::Gone))));
    drop(still);
    tokio::time::resume();
    assert_eq!(soon("the end", tcp.read(&mut buffer)).await.unwrap(), 0);
    while served.join_next().await.is_some() {}
}

#[tokio::test]
async fn one_who_follows_and_answers_when_it_is_asked_stays() {
    let (mut tcp, mut heard, mut served) = follower().await;
    let still = Still::begin();
    for _ in 0..8 {
        // A second more than until it is asked.
        pass(&still, 16).await;
        let mut asked = [0; 2];
        assert_eq!(tcp.try_read(&mut asked).unwrap(), 2);
        assert_eq!(asked, [PING, 0]);
        assert_eq!(tcp.try_write(PONG).unwrap(), PONG.len());
    }
    drop(still);
    tokio::time::resume();
    // `{}` as a text frame under the mask 0.
    tcp.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'{', b'}']).await.unwrap();
    let line = soon("a line", heard.recv()).await.unwrap();
    assert!(matches!(line, Ok(line) if line == b"{}"));
    drop(tcp);
    assert!(matches!(soon("the end", heard.recv()).await, Some(Err(End::Gone))));
    while served.join_next().await.is_some() {}
}

/// More bytes than a viewer that takes nothing may cost.
const HELD_LEN_MAX: usize = 1024 * 1024;

#[tokio::test]
async fn one_that_takes_nothing_is_closed_and_never_held_more_than_a_megabyte() {
    let limits = Limits { viewers_max: 1, stall: Duration::from_millis(300), ..limits() };
    let mut server = Server::within(limits, None).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut viewer = opened(socket.connect(server.address).await.unwrap()).await;
    // Three times as much, as fast as it is taken.
    for _ in 0..200 {
        server.store(&[20.0; 50]);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    // Its place is free when it is closed.
    let begun = Instant::now();
    while server.watch_as(None).await.is_err() {
        assert!(begun.elapsed() < LIMIT, "its place is never free");
    }
    // All that was kept for it is still on its way; more does not come.
    let mut held = Vec::new();
    let _ = soon("the end", viewer.read_to_end(&mut held)).await;
    assert!(held.len() < HELD_LEN_MAX, "{} bytes", held.len());
    assert_eq!(server.metric("mtom_page_viewers_slow_total").await, 1);
    server.stop().await;
}

/// A history without a page.
struct NoPages;

impl ReadingPages for NoPages {
    async fn after(&self, _: u64, _: usize) -> Result<Vec<StoredReading>, PageError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn one_who_follows_and_takes_nothing_is_counted_at_the_page() {
    const LEN: u64 = 20_000;
    let at = UnixMicros(0);
    let stored =
        |id| StoredReading { id, at, arrived_at: at, suspect: false, reading: celsius(20.0) };
    let origin = Origin::named("0123456789abcdef", || UnixMicros(0));
    // Far more than the buffers on both sides hold.
    let feed = Feed::with_room(origin, LEN, (1..=LEN).map(stored).collect(), 20_000);
    let stall = Duration::from_millis(200);
    let desk = Desk::new(
        feed.clone(),
        Arc::new(NoPages),
        server::Limits { stall, ..server::Limits::default() },
    );
    let tallies = Arc::<Tallies>::default();
    let counted = Arc::clone(&tallies);
    let (tcp, mut served) = served(move |socket| {
        let (desk, tallies) = (desk.clone(), Arc::clone(&counted));
        async move {
            let said = Some(br#"{"after":0}"#.to_vec());
            let stop = CancellationToken::new();
            desk.follow(LiveWire::new(socket, &tallies), [127, 0, 0, 1].into(), said, stop).await;
        }
    })
    .await;
    soon("the end", async { while served.join_next().await.is_some() {} }).await;
    assert_eq!(tallies.stats().viewers.closed_slow, 1);
    assert_eq!(feed.stats().port.closed_slow, 0);
    drop(tcp);
}
