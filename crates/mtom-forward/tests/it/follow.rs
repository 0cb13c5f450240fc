//! One gateway follows another over real sockets: each reading once, whatever is cut, refused or silent.

use crate::house::{HISTORY, House, NOW, stored};
use crate::support::{listen_on, until};
use crate::viewer::LIMIT;
use mtom_forward::follow::{Desk, End, Wire};
use mtom_forward::follower::{Event, Kept, Means, Patience, Place, Refused, Wish, follow};
use mtom_forward::origin::Origin;
use mtom_forward::owners::Claim;
use mtom_forward::server::Limits;
use mtom_forward::udp::Targets;
use mtom_protocol::time::UnixMicros;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const HOUR: i64 = 3_600_000_000;

/// One that follows, and its own side.
pub(crate) struct Follower {
    events: mpsc::Receiver<Event>,
    kept: watch::Sender<Kept>,
    stop: CancellationToken,
    task: JoinSet<Result<(), Refused>>,
}

impl Follower {
    fn start(address: SocketAddr, wish: Wish) -> Self {
        Self::start_at(&format!("tcp://{address}"), wish, NOW, |_| {})
    }

    /// Its clock stands at `now`.
    pub(crate) fn start_at(
        address: &str,
        wish: Wish,
        now: UnixMicros,
        change: impl FnOnce(&mut Patience),
    ) -> Self {
        let (sender, events) = mpsc::channel(4);
        let (kept, stored) = watch::channel(Kept::default());
        let stop = CancellationToken::new();
        let mut patience = Patience {
            retry_min: Duration::from_millis(1),
            retry_max: Duration::from_millis(4),
            ..Patience::default()
        };
        change(&mut patience);
        let means = Means { now: Arc::new(move || now), jitter: || 1.0, patience };
        let address = address.parse().unwrap();
        let mut task = JoinSet::new();
        let ending = stop.clone();
        task.spawn(async move { follow(&address, wish, sender, stored, means, ending).await });
        Self { events, kept, stop, task }
    }

    pub(crate) async fn next(&mut self) -> Event {
        timeout(LIMIT, self.events.recv()).await.expect("an event in time").expect("it runs")
    }

    async fn connected(&mut self) -> (Place, i64) {
        match self.next().await {
            Event::Connected { from, ahead_micros, .. } => (from, ahead_micros),
            other => panic!("expected a connection, got {other:?}"),
        }
    }

    pub(crate) async fn lost(&mut self) -> String {
        match self.next().await {
            Event::Lost { reason, .. } => reason,
            other => panic!("expected a loss, got {other:?}"),
        }
    }

    /// The next reading, which is stored then.
    pub(crate) async fn reading(&mut self) -> (u64, bool) {
        match self.next().await {
            Event::Reading { place, fresh_until, .. } => {
                let id = place.id;
                self.kept.send_modify(|kept| kept.place = Some(place));
                (id, fresh_until < NOW)
            }
            other => panic!("expected a reading, got {other:?}"),
        }
    }

    async fn ended(mut self) -> Result<(), Refused> {
        timeout(LIMIT, self.task.join_next()).await.expect("ends in time").unwrap().unwrap()
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.ended().await.unwrap();
    }
}

fn tcp(address: SocketAddr) -> String {
    format!("tcp://{address}")
}

fn place(history: &str, id: u64) -> Place {
    Place { history: history.into(), id }
}

fn claim(name: &str, id: &str) -> Wish {
    let claim = Claim { name: name.into(), id: id.into(), actuators: vec!["TEMP_LED".to_owned()] };
    Wish { controller: Some(claim), ..Wish::default() }
}

#[tokio::test]
async fn it_begins_with_what_comes_and_goes_on_where_it_was() {
    let house = House::start(10, 4, Limits::default()).await;
    let mut follower = Follower::start(house.address, Wish::default());
    assert_eq!(follower.connected().await, (place(HISTORY, 10), 0));
    house.store(11);
    assert_eq!(follower.reading().await, (11, false));
    let kept = follower.kept.borrow().place.clone();
    follower.end().await;
    for id in 12..=30 {
        house.store(id);
    }
    let wish = Wish { known: kept.into_iter().collect(), ..Wish::default() };
    let mut follower = Follower::start(house.address, wish);
    assert_eq!(follower.connected().await, (place(HISTORY, 11), 0));
    for id in 12..=30 {
        assert_eq!(follower.reading().await.0, id);
    }
    follower.end().await;
    house.end().await;
}

#[tokio::test]
async fn where_little_is_wanted_of_much_the_next_connection_begins_behind_it() {
    let limits = Limits { status: Duration::from_millis(20), ..Limits::default() };
    let house = House::start(3, 100, limits).await;
    // Of the three one is wanted; nobody wants what comes then.
    let wish = || Wish { subscribe: vec!["attic/#".to_owned()], ..Wish::default() };
    let mut follower = Follower::start(house.address, wish());
    assert_eq!(follower.connected().await, (place(HISTORY, 3), 0));
    for id in (4..3_500).filter(|id| id % 3 > 0) {
        house.store(id);
    }
    // Only where it is worth it.
    let place = match follower.next().await {
        Event::Looked { place } if place.id >= 1_003 => place,
        other => panic!("expected a place, got {other:?}"),
    };
    follower.end().await;
    house.store(3_501);
    let mut follower =
        Follower::start(house.address, Wish { known: vec![place.clone()], ..wish() });
    assert_eq!(follower.connected().await.0, place);
    assert_eq!(follower.reading().await.0, 3_501);
    follower.end().await;
    house.end().await;
}

/// Passes connections on, and cuts each after so many bytes to the one who follows.
async fn cutting(listener: TcpListener, to: SocketAddr, mut after: impl FnMut() -> u64) {
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let Ok(far) = TcpStream::connect(to).await else { continue };
        let ((near_read, mut near_write), (far_read, mut far_write)) =
            (near.into_split(), far.into_split());
        let (mut near_read, mut far_read) = (near_read, far_read.take(after()));
        tokio::select! {
            _ = copy(&mut far_read, &mut near_write) => {}
            _ = copy(&mut near_read, &mut far_write) => {}
        }
    }
}

/// What is stored in the end, where connections are cut 200 times while 2,000 readings come. With `planted` what is
/// on its way is taken for stored.
async fn stored_over_cuts(planted: bool) -> Vec<u64> {
    const READINGS: u64 = 2_000;
    let house = House::start(0, 64, Limits::default()).await;
    let (listener, address) = listen_on("127.0.0.1:0").await;
    let mut cuts = JoinSet::new();
    let mut seed = 7_u64;
    let after = move || {
        // Somewhere in the first, or the hundredth line; never at a line's border for long.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % 6_000
    };
    cuts.spawn(cutting(listener, house.address, after));
    let wish = Wish { known: vec![place(HISTORY, 0)], ..Wish::default() };
    let mut follower = Follower::start(address, wish);
    let (mut ids, mut on_the_way, mut offered, mut breaks) = (vec![], vec![], 0, 0);
    while follower.kept.borrow().place.as_ref().is_none_or(|place| place.id < READINGS) {
        if offered < READINGS {
            offered += 1;
            house.store(offered);
        }
        match follower.next().await {
            Event::Reading { place, .. } => {
                on_the_way.push(place.id);
                // Stored three at a time, as a slow disk does it.
                if on_the_way.len() == 3 || place.id == READINGS {
                    ids.append(&mut on_the_way);
                    follower.kept.send_modify(|kept| kept.place = Some(place.clone()));
                } else if planted {
                    follower.kept.send_modify(|kept| kept.place = Some(place.clone()));
                }
            }
            Event::Lost { .. } => {
                breaks += 1;
                on_the_way.clear();
            }
            Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(breaks >= 200, "{breaks}");
    follower.end().await;
    cuts.shutdown().await;
    house.end().await;
    ids
}

#[tokio::test]
async fn every_reading_comes_once_over_two_hundred_cuts() {
    let everything: Vec<_> = (1..=2_000).collect();
    assert_eq!(stored_over_cuts(false).await, everything);
    // What this test is worth: one that acknowledges too early loses some.
    assert_ne!(stored_over_cuts(true).await, everything);
}

#[tokio::test]
async fn another_history_is_told_and_a_restored_one_goes_on_where_they_parted() {
    let origin = || Origin::named(HISTORY, || NOW);
    let restored = Origin {
        here: Arc::new(|name, id| match name {
            HISTORY => Some(id),
            "before" => Some(id.min(5)),
            _ => None,
        }),
        ..origin()
    };
    let house = House::start_as(restored, 9, 100, Limits::default()).await;
    let known = vec![place("before", 20)];
    let mut follower = Follower::start(house.address, Wish { known, ..Wish::default() });
    assert_eq!(follower.connected().await.0, place(HISTORY, 5));
    assert_eq!(follower.reading().await.0, 6);
    follower.end().await;

    // What it followed last never was here, what it followed before was.
    let known = vec![place("elsewhere", 3), place(HISTORY, 8)];
    let mut follower = Follower::start(house.address, Wish { known, ..Wish::default() });
    let lost = follower.lost().await;
    assert!(lost.starts_with("the gateway has another history than before"), "{lost}");
    assert_eq!(follower.connected().await.0, place(HISTORY, 8));
    assert_eq!(follower.reading().await.0, 9);
    follower.end().await;

    // One that it has never followed: from now on.
    let known = vec![place("elsewhere", 3)];
    let mut follower = Follower::start(house.address, Wish { known, ..Wish::default() });
    follower.lost().await;
    assert_eq!(follower.connected().await.0, place(HISTORY, 9));
    follower.end().await;
    house.end().await;
}

#[tokio::test]
async fn what_could_not_be_stored_is_asked_for_again() {
    let house = House::start(3, 100, Limits::default()).await;
    let known = vec![place(HISTORY, 0)];
    let mut follower = Follower::start(house.address, Wish { known, ..Wish::default() });
    follower.connected().await;
    assert_eq!(follower.reading().await.0, 1);
    assert!(matches!(follower.next().await, Event::Reading { .. }), "and the disk is full");
    follower.kept.send_modify(|kept| kept.failures += 1);
    loop {
        match follower.next().await {
            Event::Lost { reason, .. } => {
                assert_eq!(reason, "a reading could not be stored: it is asked for again");
                break;
            }
            Event::Reading { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(follower.connected().await.0, place(HISTORY, 1));
    assert_eq!(follower.reading().await.0, 2);
    follower.end().await;
    house.end().await;
}

#[tokio::test]
async fn two_controllers_for_one_actuator_are_refused_with_both_names() {
    let house = House::start(0, 100, Limits::default()).await;
    let mut first = Follower::start(house.address, claim("pc2", "a"));
    first.connected().await;
    let refused = Follower::start(house.address, claim("pc3", "b")).ended().await.unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.starts_with(
            r#"actuator "TEMP_LED" is driven by controller "pc2" at 127.0.0.1: controller "pc3" is refused: "#
        ),
        "{refused}"
    );
    house.store(1);
    assert_eq!(first.reading().await.0, 1);
    // A copy of it takes turns with it for a moment, then one of them ends: the first time it may be an old connection
    // that was long on its way.
    let mut copy = Follower::start(house.address, claim("pc2", "a"));
    let ended = loop {
        let (of_first, event) = tokio::select! {
            event = first.events.recv() => (true, event),
            event = copy.events.recv() => (false, event),
        };
        if event.is_none() {
            let (ended, other) = if of_first { (first, copy) } else { (copy, first) };
            other.stop.cancel();
            break ended.ended().await.unwrap_err().to_string();
        }
    };
    assert!(ended.starts_with("the same controller has connected again"), "{ended}");
    house.end().await;
}

#[tokio::test]
async fn another_history_after_readings_were_stored_is_followed_too() {
    let house = House::start(3, 100, Limits::default()).await;
    let (address, known) = (house.address, vec![place(HISTORY, 1)]);
    let mut follower = Follower::start(address, Wish { known, ..Wish::default() });
    follower.connected().await;
    assert_eq!([follower.reading().await.0, follower.reading().await.0], [2, 3]);
    house.end().await;
    // A new data folder: another name, and fewer readings.
    let other = || Origin::named("other", || NOW);
    let house = House::start_at(&address.to_string(), other(), 2, 100, Limits::default()).await;
    let (mut told, from) = (
        0,
        loop {
            match follower.next().await {
                Event::Connected { from, is_anew, .. } => {
                    assert!(is_anew);
                    break from;
                }
                Event::Lost { .. } => {}
                other => panic!("{other:?}"),
            }
        },
    );
    assert_eq!(from, place("other", 2));
    house.store(3);
    assert_eq!(follower.reading().await.0, 3);
    house.end().await;
    // The same name with fewer readings: its disk was rolled back. It is told once, not again and again.
    let house = House::start_at(&address.to_string(), other(), 1, 100, Limits::default()).await;
    let from = loop {
        match follower.next().await {
            Event::Connected { from, is_anew, .. } => {
                assert!(is_anew);
                break from;
            }
            Event::Lost { reason, .. } => told += usize::from(reason.contains("another history")),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((from, told), (place("other", 1), 2), "once for each history that was known");
    follower.end().await;
    house.end().await;
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_makes_nothing_late_and_times_are_by_ours() {
    let house = House::start_as(
        // Its readings are of the first seconds of this morning.
        Origin::named(HISTORY, || UnixMicros(NOW.0 + 20_000_000)),
        0,
        100,
        Limits::default(),
    )
    .await;
    house.store(5);
    house.store(15);
    let known = vec![place(HISTORY, 0)];
    let ours = UnixMicros(NOW.0 + 20_000_000 - HOUR);
    let mut follower =
        Follower::start_at(&tcp(house.address), Wish { known, ..Wish::default() }, ours, |_| {});
    assert_eq!(follower.connected().await.1, HOUR);
    for (id, late) in [(5, true), (15, false)] {
        match follower.next().await {
            Event::Reading { place, forwarded, fresh_until, .. } => {
                assert_eq!((place.id, fresh_until < ours), (id, late));
                let at = stored(id).at.0 - HOUR;
                assert_eq!(forwarded.reading.taken_at, Some(UnixMicros(at)));
            }
            other => panic!("{other:?}"),
        }
    }
    follower.end().await;
    house.end().await;
}

/// Says this to everybody, then nothing more, and does not close.
async fn saying(listener: TcpListener, words: &'static [u8]) {
    let mut kept = Vec::new();
    loop {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(words).await.unwrap();
        kept.push(tcp);
    }
}

#[tokio::test]
async fn one_that_is_no_gateway_or_falls_silent_is_left() {
    let hurry = |patience: &mut Patience| {
        patience.connect = Duration::from_millis(50);
        patience.silence = Duration::from_millis(50);
    };
    for (words, expected) in [
        (&b""[..], "no answer within 0.05 s"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "expected a line of a gateway: HTTP/1.1 400 Bad Request"),
        (b"\x1b[2J\xff\n", "expected a line of a gateway: \\u{1b}[2J\u{fffd}"),
        (b"{\"id\":1}\n", "expected a line of a gateway: {\"id\":1}"),
        (b"{\"error\":\"no\\nplace\",\"next\":\"wait\"}\n", "the gateway says: no\\nplace: wait"),
        (
            b"{\"gateway\":{\"history\":\"a\",\"newest\":1,\"now\":\"2026-11-23T08:06:30Z\",\"after\":1}}\n",
            "nothing was heard for 0.05 s",
        ),
    ] {
        let (listener, address) = listen_on("127.0.0.1:0").await;
        let mut server = JoinSet::new();
        server.spawn(saying(listener, words));
        let mut follower = Follower::start_at(&tcp(address), Wish::default(), NOW, hurry);
        let lost = loop {
            match follower.next().await {
                Event::Lost { reason, .. } => break reason,
                Event::Connected { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(lost, expected);
        follower.end().await;
        server.shutdown().await;
    }
}

/// Passes datagrams on between one who follows and a gateway, but for each tenth to the one who follows.
async fn losing(near: UdpSocket, gateway: SocketAddr) {
    let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    far.connect(gateway).await.unwrap();
    let (mut asked, mut told) = (vec![0; 65_536], vec![0; 65_536]);
    let (mut client, mut count) = (None, 0);
    loop {
        tokio::select! {
            Ok((len, from)) = near.recv_from(&mut asked) => {
                client = Some(from);
                far.send(&asked[..len]).await.unwrap();
            }
            Ok(len) = far.recv(&mut told) => {
                count += 1;
                let is_reading = told.starts_with(b"{\"seq\"");
                if !(is_reading && count % 10 == 0) {
                    near.send_to(&told[..len], client.unwrap()).await.unwrap();
                }
            }
        }
    }
}

#[tokio::test]
async fn by_udp_what_is_lost_is_counted() {
    let house = crate::udp::House::new().await;
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("udp://{}", near.local_addr().unwrap());
    let mut network = JoinSet::new();
    network.spawn(losing(near, house.address));
    let mut follower = Follower::start_at(&url, claim("pc2", "a"), NOW, |_| {});
    assert_eq!(follower.connected().await.0, place("test", 0));
    house.store(1..=500);
    let (mut ids, mut lost) = (Vec::new(), 0);
    while ids.len() as u64 + lost < 500 {
        match follower.next().await {
            Event::Reading { place, fresh_until, is_complete, .. } => {
                assert!(fresh_until >= NOW && !is_complete);
                ids.push(place.id);
            }
            Event::Missed(count) => lost += count,
            other => panic!("{other:?}"),
        }
    }
    assert!(ids.is_sorted() && lost > 0, "{lost}");
    assert_eq!(ids.len() as u64 + lost, 500);
    // It drives: another one is refused, by whatever way it comes.
    let other = claim("pc3", "b");
    let other = Follower::start_at(&format!("udp://{}", house.address), other, NOW, |_| {});
    let refused = other.ended().await.unwrap_err().to_string();
    assert!(refused.contains(r#"controller "pc2" at 127.0.0.1: controller "pc3" is refused"#));
    follower.end().await;
    network.shutdown().await;
    house.end().await;
}

#[tokio::test]
async fn a_gateway_that_begins_anew_is_found_again_by_udp() {
    let house = crate::udp::House::new().await;
    let (address, url) = (house.address.to_string(), format!("udp://{}", house.address));
    let mut follower = Follower::start_at(&url, Wish::default(), NOW, |_| {});
    follower.connected().await;
    house.store(1..=2);
    assert_eq!([follower.reading().await, follower.reading().await], [(1, false), (2, false)]);
    house.end().await;
    follower.lost().await;
    let house = crate::udp::House::start(&address, Targets::default()).await;
    let connected = loop {
        match follower.next().await {
            Event::Connected { from, .. } => break from,
            Event::Lost { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(connected, place("test", 0));
    house.store(1..=1);
    assert_eq!(follower.reading().await.0, 1);
    follower.end().await;
    until("it has said goodbye", || house.feed.udp_stats().subscribers == 0).await;
    house.end().await;
}

/// One that says what it wants, and from then on only listens.
struct Mute;

impl Wire for Mute {
    async fn line(&mut self) -> Result<Vec<u8>, End> {
        std::future::pending().await
    }

    async fn write(&mut self, _: &[u8], _: Duration) -> Result<(), End> {
        Ok(())
    }

    async fn close(self) {}

    fn abort(&mut self) {}
}

#[tokio::test]
async fn one_that_comes_while_everything_ends_is_let_go() {
    let house = House::start(3, 100, Limits::default()).await;
    let desk = Desk::new(house.feed.clone(), Arc::new(house.archive.clone()), Limits::default());
    let (ended, stop) = (CancellationToken::new(), CancellationToken::new());
    ended.cancel();
    // Its bell rings for the last time.
    desk.run(&ended).await;
    let following = desk.follow(Mute, [127, 0, 0, 1].into(), Some(b"{}".to_vec()), stop.clone());
    timeout(LIMIT, following).await.expect("it is told that everything ends");
    // And where it is not told, its own end is enough.
    let desk = Desk::new(house.feed.clone(), Arc::new(house.archive.clone()), Limits::default());
    let following = desk.follow(Mute, [127, 0, 0, 1].into(), Some(b"{}".to_vec()), stop.clone());
    stop.cancel();
    timeout(LIMIT, following).await.expect("it ends");
    house.end().await;
}
