use super::{End, pump};
use crate::report::{Clock, Desired, Report};
use crate::session::{Memory, Session, Voice};
use crate::settings::{Protocol, Settings};
use mtom_protocol::link::Led::{Off, On};
use mtom_protocol::time::UnixMicros;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

struct Peer {
    link: DuplexStream,
    desired: watch::Sender<Option<Desired>>,
    stop: CancellationToken,
    /// The pump has ended.
    done: CancellationToken,
    reports: Arc<Mutex<Vec<Report>>>,
}

/// Runs a pump with a buffer of `room` bytes on its way to a peer. The time is paused.
async fn with<P: Future<Output = ()>>(
    protocol: Protocol,
    room: usize,
    peer_of: impl FnOnce(Peer) -> P,
) -> (End, Duration) {
    let settings = Settings { protocol, ..Settings::new("LED", "tcp:led:1".parse().unwrap()) };
    let (near, far) = duplex(room);
    let (sender, mut receiver) = watch::channel(None);
    let (stop, reports) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
    let clock: Clock = Arc::new(|| UnixMicros(7));
    let log = Arc::clone(&reports);
    let report = move |report: Report| log.lock().unwrap().push(report);
    let voice = Voice { report: &report, clock: &clock, draw: || None };
    let (mut memory, began) = (Memory::default(), Instant::now());
    let mut session = Session::new(&settings, &voice, &mut memory, began);
    let done = CancellationToken::new();
    let peer = Peer { link: far, desired: sender, stop: stop.clone(), done: done.clone(), reports };
    let pump = async {
        let (near, end) = pump(near, &mut session, &mut receiver, WRITE_TIMEOUT, &stop).await;
        drop(near);
        done.cancel();
        (end, began.elapsed())
    };
    let both = async { tokio::join!(pump, peer_of(peer)) };
    timeout(Duration::from_secs(3_600), both).await.expect("the pump ends").0
}

async fn read(link: &mut DuplexStream, len: usize) -> String {
    let mut bytes = vec![0; len];
    link.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

fn want(peer: &Peer, led: mtom_protocol::link::Led, number: u64) {
    peer.desired.send_replace(Some(Desired { led, number }));
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_the_write_call_without_any_waiting() {
    let (end, took) = with(Protocol::Original, 64, |mut peer| async move {
        let began = Instant::now();
        for number in 0..100 {
            let led = if number % 2 == 0 { On } else { Off };
            want(&peer, led, number);
            assert_eq!(read(&mut peer.link, 1).await.as_bytes(), [led.byte()]);
        }
        // The clock only moves when everybody waits for a timer: nobody did.
        assert_eq!(began.elapsed(), Duration::ZERO);
        peer.stop.cancel();
    })
    .await;
    assert_eq!((end, took), (End::Stopped, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_ends_the_connection() {
    // One byte fits, the line does not: it hangs half written.
    let (end, took) = with(Protocol::Second, 1, |peer| async move {
        want(&peer, On, 42);
        peer.done.cancelled().await;
    })
    .await;
    assert_eq!((end, took), (End::Broken("a write did not end within 2s".into()), WRITE_TIMEOUT));
}

/// Wants number 1 and, once it has left, 2 to 49; gives back what arrives after number 1.
async fn left_of_many(room: usize, len: usize) -> String {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    with(Protocol::Second, room, |mut peer| async move {
        want(&peer, On, 1);
        while peer.reports.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        for number in 2..50 {
            want(&peer, if number % 2 == 0 { Off } else { On }, number);
            tokio::task::yield_now().await;
        }
        assert_eq!(read(&mut peer.link, 6).await, "?\nh 1\n");
        sender.send(read(&mut peer.link, len).await).unwrap();
        peer.stop.cancel();
    })
    .await;
    receiver.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_waits_gives_way_to_a_newer_one() {
    // The question and number 1 fill the buffer: no byte of what comes next has left.
    assert_eq!(left_of_many(6, 5).await, "h 49\n");
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_has_begun_is_finished_and_then_the_newest_comes() {
    // Two bytes of the next one have left. Of all the others none ever does.
    let lines = left_of_many(8, 9).await;
    assert!(lines.ends_with("h 49\n") && lines.lines().count() == 2, "{lines}");
}

#[tokio::test(start_paused = true)]
async fn the_last_wish_still_leaves_after_stop() {
    let (end, _) = with(Protocol::Original, 64, |mut peer| async move {
        want(&peer, On, 1);
        assert_eq!(read(&mut peer.link, 1).await, "h");
        want(&peer, Off, 2);
        peer.stop.cancel();
        assert_eq!(read(&mut peer.link, 1).await, "c");
        assert_eq!(peer.link.read(&mut [0]).await.unwrap_or(0), 0);
    })
    .await;
    assert_eq!(end, End::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_takes_nothing_does_not_delay_stop() {
    let (end, took) = with(Protocol::Original, 1, |peer| async move {
        want(&peer, On, 1);
        while peer.reports.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
        want(&peer, Off, 2);
        peer.stop.cancel();
        peer.done.cancelled().await;
    })
    .await;
    assert_eq!(end, End::Stopped);
    assert!(took <= Duration::from_millis(250), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_other_end_closes() {
    let (end, _) = with(Protocol::Auto, 64, |peer| async move { drop(peer.link) }).await;
    assert_eq!(end, End::Broken("closed by the other end".into()));
}

#[tokio::test(start_paused = true)]
async fn the_state_stays_when_nobody_can_change_it_any_more() {
    let (end, took) = with(Protocol::Original, 64, |mut peer| async move {
        want(&peer, On, 1);
        drop(peer.desired);
        assert_eq!(read(&mut peer.link, 3).await, "hhh");
        peer.stop.cancel();
    })
    .await;
    // At once, after the first refresh, after the second.
    assert_eq!((end, took), (End::Stopped, Duration::from_secs(62)));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_noise_stops_neither_commands_nor_the_end() {
    let (end, _) = with(Protocol::Second, 4_096, |peer| async move {
        let Peer { link, desired, stop, reports, .. } = peer;
        let (mut reader, mut writer) = tokio::io::split(link);
        let flood = async { while writer.write_all(&[b'\n', 0xFF, b'x', b'\n']).await.is_ok() {} };
        let talk = async {
            desired.send_replace(Some(Desired { led: On, number: 1 }));
            let mut bytes = [0; 6];
            reader.read_exact(&mut bytes).await.unwrap();
            assert_eq!(&bytes, b"?\nh 1\n");
            stop.cancel();
        };
        tokio::select! {
            () = flood => {}
            () = talk => {}
        }
        assert!(reports.lock().unwrap().len() < 10);
    })
    .await;
    assert_eq!(end, End::Stopped);
}
