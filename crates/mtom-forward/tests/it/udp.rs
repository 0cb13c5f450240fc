//! Readings as datagrams over real sockets: who gets them, who does not, and what is lost is seen.

use crate::support::{MORNING, reading_of, until};
use crate::viewer::LIMIT;
use mtom_forward::feed::Feed;
use mtom_forward::origin::Origin;
use mtom_forward::udp::{LEASE, Secret, TTL, Targets, serve_udp};
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use serde_json::{Value, json};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// So long a request that it is answered.
const LONG: usize = 64;

fn stored(id: u64) -> StoredReading {
    let device = if id.is_multiple_of(3) { "attic" } else { "cellar" };
    reading_of(device, i64::try_from(id).unwrap(), 20.5)
}

fn feed() -> Feed {
    Feed::new(Origin::named("test", || UnixMicros(MORNING)), 0, vec![])
}

/// A gateway as far as UDP sees it.
pub(crate) struct House {
    pub(crate) feed: Feed,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    served: JoinSet<()>,
}

impl House {
    pub(crate) async fn start(listen: &str, targets: Targets) -> Self {
        let (feed, stop) = (feed(), CancellationToken::new());
        let socket = UdpSocket::bind(listen).await.unwrap();
        let address = socket.local_addr().unwrap();
        let (mut served, secret) = (JoinSet::new(), Secret::new([7; 32]));
        served.spawn(serve_udp(Some(socket), targets, feed.clone(), secret, stop.clone()));
        Self { feed, address, stop, served }
    }

    pub(crate) async fn new() -> Self {
        Self::start("127.0.0.1:0", Targets::default()).await
    }

    pub(crate) fn store(&self, ids: RangeInclusive<u64>) {
        let batch: Vec<_> = ids.map(stored).map(Arc::new).collect();
        self.feed.offer(&batch);
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        let ended = timeout(LIMIT, self.served.join_next()).await;
        ended.expect("ends within the limit").unwrap().unwrap();
        assert_eq!(self.feed.udp_stats().subscribers, 0);
    }
}

struct Receiver {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl Receiver {
    async fn of(house: &House) -> Self {
        let any = if house.address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let socket = UdpSocket::bind(any).await.unwrap();
        Self { socket, gateway: house.address }
    }

    async fn say(&self, request: &Value) {
        let datagram = format!("{:LONG$}", request.to_string());
        self.send(datagram.as_bytes()).await;
    }

    async fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.gateway).await.unwrap();
    }

    async fn hear(&self) -> Value {
        let mut datagram = vec![0; 65_536];
        let heard = timeout(LIMIT, self.socket.recv(&mut datagram)).await;
        let len = heard.expect("a datagram in time").unwrap();
        serde_json::from_slice(&datagram[..len]).unwrap()
    }

    /// What is there already.
    fn heard(&self) -> Option<Value> {
        let mut datagram = vec![0; 65_536];
        let len = self.socket.try_recv(&mut datagram).ok()?;
        Some(serde_json::from_slice(&datagram[..len]).unwrap())
    }

    async fn ask(&self, request: &Value) -> Value {
        self.say(request).await;
        self.hear().await
    }

    /// It proves its address and says that.
    async fn prove(&self, mut request: Value) -> Value {
        request["cookie"] = self.ask(&json!({})).await["cookie"].take();
        self.ask(&request).await
    }

    async fn expect(&self, seqs_and_ids: impl IntoIterator<Item = (u64, u64)>) {
        for (seq, id) in seqs_and_ids {
            let said = self.hear().await;
            assert_eq!((&said["seq"], &said["id"]), (&json!(seq), &json!(id)), "{said}");
        }
    }
}

#[tokio::test]
async fn who_asks_and_proves_its_address_hears_each_reading() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let house = House::start(listen, Targets::default()).await;
        let [first, second] = [Receiver::of(&house).await, Receiver::of(&house).await];
        house.store(1..=2);
        assert_eq!(first.prove(json!({"subscribe": ["attic/#"]})).await["subscribed"], 60);
        assert_eq!(second.prove(json!({})).await["sent"], 0);
        house.store(3..=7);
        first.expect([(1, 3), (2, 6)]).await;
        second.expect([(1, 3), (2, 4), (3, 5), (4, 6), (5, 7)]).await;
        assert_eq!(first.prove(json!({"subscribe": ["attic/#"]})).await["sent"], 2);
        let gone = first.prove(json!({"unsubscribe": true})).await;
        assert_eq!(gone, json!({"subscribed": 0, "sent": 2}));
        house.store(8..=9);
        second.expect([(6, 8), (7, 9)]).await;
        assert_eq!(first.heard(), None);
        house.end().await;
        assert_eq!(second.hear().await, json!({"subscribed": 0, "sent": 7}));
    }
}

#[tokio::test]
async fn a_datagram_is_a_line_of_tcp_with_its_number_in_front() {
    let house = House::new().await;
    let receiver = Receiver::of(&house).await;
    receiver.prove(json!({})).await;
    house.store(1..=1);
    let mut datagram = vec![0; 1_024];
    let len = timeout(LIMIT, receiver.socket.recv(&mut datagram)).await.unwrap().unwrap();
    let expected = r#"{"seq":1,"id":1,"series":"cellar/Temperature","device":"cellar","topic":"cellar/Temperature","time":"2026-11-23T08:06:31.000000Z","value":20.5,"unit":"°C","celsius":20.5,"fahrenheit":68.9}"#;
    assert_eq!(String::from_utf8_lossy(&datagram[..len]), format!("{expected}\n"));
    house.end().await;
}

#[tokio::test]
async fn who_asks_no_more_is_sent_no_more_when_its_lease_has_ended() {
    let house = House::new().await;
    let [silent, faithful] = [Receiver::of(&house).await, Receiver::of(&house).await];
    silent.prove(json!({})).await;
    let answer = faithful.prove(json!({})).await;
    tokio::time::pause();
    tokio::time::advance(LEASE - Duration::from_secs(1)).await;
    tokio::time::resume();
    house.store(1..=1);
    silent.expect([(1, 1)]).await;
    faithful.expect([(1, 1)]).await;
    let request = json!({"cookie": answer["cookie"]});
    assert_eq!(faithful.ask(&request).await["subscribed"], 60);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    until("its lease has ended", || house.feed.udp_stats().subscribers == 1).await;
    house.store(2..=2);
    faithful.expect([(2, 2)]).await;
    assert_eq!(silent.heard(), None);
    // And its cookie is too old in a minute.
    tokio::time::pause();
    tokio::time::advance(LEASE).await;
    tokio::time::resume();
    let answer = faithful.ask(&request).await;
    assert_eq!((&answer["subscribed"], answer.get("sent")), (&json!(0), None));
    house.end().await;
}

#[tokio::test]
async fn an_address_that_proves_nothing_gets_no_more_bytes_than_it_sent() {
    let house = House::new().await;
    let [stranger, victim] = [Receiver::of(&house).await, Receiver::of(&house).await];
    let of_victim = victim.ask(&json!({})).await["cookie"].take();
    let mut random = 7_u64;
    let mut draw = move |count: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((random >> 33) % count).unwrap()
    };
    let (mut out, mut back, mut datagram) = (0, 0, vec![0; 65_536]);
    // No more than are answered within a second.
    for _ in 0..48 {
        let request = match draw(5) {
            0 => (0..draw(300)).map(|_| u8::try_from(draw(256)).unwrap()).collect(),
            1 => format!("{:1$}", "{}", draw(300)).into_bytes(),
            2 => format!(r#"{{"subscribe":["Environ/#"],"cookie":{of_victim}}}"#).into_bytes(),
            3 => format!(r#"{{"unsubscribe":true,"cookie":"{:032x}"}}"#, draw(1_000)).into_bytes(),
            _ => format!(r#"{{"subscribe":["a#"]}}{:1$}"#, "", draw(100)).into_bytes(),
        };
        stranger.send(&request).await;
        out += request.len();
        // The next answer tells that this one was heard.
        let answer = stranger.ask(&json!({"subscribe": ["#"]})).await;
        out += LONG;
        back += answer.to_string().len() + 1;
        while let Ok(len) = stranger.socket.try_recv(&mut datagram) {
            back += len;
        }
        assert!(back <= out, "{back} > {out}");
    }
    assert_eq!(house.feed.udp_stats().subscribers, 0);
    assert_eq!(victim.prove(json!({})).await["subscribed"], 60);
    house.end().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_costs_its_lease_and_nobody_else_notices() {
    let house = House::new().await;
    let [gone, here] = [Receiver::of(&house).await, Receiver::of(&house).await];
    gone.prove(json!({})).await;
    here.prove(json!({})).await;
    // What is sent to it from now on comes back as unreachable.
    drop(gone);
    for id in 1..=100 {
        house.store(id..=id);
        here.expect([(id, id)]).await;
    }
    assert_eq!(here.prove(json!({})).await["sent"], 100);
    assert_eq!(house.feed.udp_stats().subscribers, 2);
    house.end().await;
}

#[tokio::test]
async fn what_a_receiver_does_not_take_is_lost_and_it_can_count_that() {
    let house = House::new().await;
    let receiver = Receiver::of(&house).await;
    SockRef::from(&receiver.socket).set_recv_buffer_size(8 * 1024).unwrap();
    receiver.prove(json!({})).await;
    house.store(1..=1_000);
    until("all of it went out", || house.feed.udp_stats().sent == 1_000).await;
    let (mut got, mut last) = (0, 0);
    while let Some(said) = receiver.heard() {
        let seq = said["seq"].as_u64().unwrap();
        assert!(seq > last && said["id"] == seq);
        (got, last) = (got + 1, seq);
    }
    let sent = receiver.prove(json!({})).await["sent"].as_u64().unwrap();
    assert_eq!(sent, 1_000);
    assert!((1..500).contains(&got), "{got}");
    // The gateway has no part in this loss.
    assert_eq!(house.feed.udp_stats().dropped, 0);
    house.end().await;
}

#[tokio::test]
async fn a_reading_too_long_for_a_datagram_is_lost_alone() {
    let house = House::new().await;
    let receiver = Receiver::of(&house).await;
    receiver.prove(json!({})).await;
    let device = "d".repeat(40_000);
    house.feed.offer(&[Arc::new(reading_of(&device, 1, 20.5))]);
    house.store(2..=2);
    receiver.expect([(2, 2)]).await;
    let stats = house.feed.udp_stats();
    assert_eq!((stats.sent, stats.dropped), (1, 1));
    house.end().await;
}

#[tokio::test]
async fn what_is_in_memory_is_sent_before_the_end() {
    let house = House::new().await;
    let receiver = Receiver::of(&house).await;
    receiver.prove(json!({})).await;
    house.store(1..=150);
    house.end().await;
    receiver.expect((1..=150).map(|id| (id, id))).await;
    assert_eq!(receiver.hear().await, json!({"subscribed": 0, "sent": 150}));
}

#[tokio::test]
async fn garbage_of_any_length_leaves_it_working() {
    let house = House::new().await;
    let receiver = Receiver::of(&house).await;
    for datagram in [vec![], vec![0], vec![b'{'; 20_000], vec![b' '; 65_507], vec![0xff; 65_507]] {
        receiver.send(&datagram).await;
    }
    assert_eq!(receiver.prove(json!({})).await["subscribed"], 60);
    assert_eq!(house.feed.udp_stats().unanswered, 5);
    house.end().await;
}

#[tokio::test]
async fn targets_are_sent_each_reading_unasked() {
    let [v4, v6] = ["127.0.0.1:0", "[::1]:0"];
    let [v4, v6] = [UdpSocket::bind(v4).await.unwrap(), UdpSocket::bind(v6).await.unwrap()];
    let addresses = [&v4, &v6].map(|socket| socket.local_addr().unwrap());
    let targets = Targets::bind(&addresses, None, TTL).unwrap();
    let (feed, stop) = (feed(), CancellationToken::new());
    let mut served = JoinSet::new();
    // Also where nobody can ask.
    served.spawn(serve_udp(None, targets, feed.clone(), Secret::new([7; 32]), stop.clone()));
    feed.offer(&[Arc::new(stored(1))]);
    until("both are sent it", || feed.udp_stats().sent == 2).await;
    for socket in [v4, v6] {
        let gateway = socket.local_addr().unwrap();
        Receiver { socket, gateway }.expect([(1, 1)]).await;
    }
    stop.cancel();
    timeout(LIMIT, served.join_next()).await.expect("ends within the limit").unwrap().unwrap();
}

#[tokio::test]
async fn a_multicast_group_is_sent_each_reading() {
    let group = Ipv4Addr::new(239, 255, 77, 66);
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).unwrap();
    if let Err(error) = socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST) {
        eprintln!("SKIPPED: no multicast here: {error}");
        return;
    }
    let socket = UdpSocket::from_std(socket.into()).unwrap();
    let target = SocketAddr::from((group, socket.local_addr().unwrap().port()));
    let from = Some("127.0.0.1".parse().unwrap());
    let targets = Targets::bind(&[target], from, TTL).unwrap();
    let house = House::start("127.0.0.1:0", targets).await;
    let receiver = Receiver { socket, gateway: house.address };
    for id in 1..=3 {
        house.store(id..=id);
        receiver.expect([(id, id)]).await;
        yield_now().await;
    }
    assert_eq!(
        receiver.prove(json!({})).await["sent"],
        0,
        "the same socket asks under its own address"
    );
    house.end().await;
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_no_place_to_send_from() {
    let target = "192.0.2.77:9000".parse().unwrap();
    let from = Some("198.51.100.1".parse().unwrap());
    assert!(Targets::bind(&[target], from, TTL).is_err());
    assert!(Targets::bind(&[target], Some("::1".parse().unwrap()), TTL).is_ok());
}
