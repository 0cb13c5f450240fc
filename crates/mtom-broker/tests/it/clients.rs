//! Who is let in by the embedded broker, and what it knows of who is there.

use crate::{delivery, everyone, progress, soon};
use mtom_broker::clients::{Admission, Client, Clients, RefusedBecause};
use mtom_broker::embedded::{Door, Embedded};
use mtom_broker::intake::{Delivery, Intake, Manner};
use mtom_broker::publisher::{Progress, Publisher};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Running {
    port: u16,
    door: Door,
    deliveries: mpsc::Receiver<Delivery>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

async fn running(listen: Ipv4Addr, clients: Clients) -> Running {
    let (intake, deliveries) = Intake::new(64, |topic| topic.starts_with("Environ/"));
    running_with(listen, clients, intake, deliveries).await
}

async fn running_with(
    listen: Ipv4Addr,
    clients: Clients,
    intake: Intake,
    deliveries: mpsc::Receiver<Delivery>,
) -> Running {
    let broker = Embedded::bind((listen, 0).into(), intake, clients).await.unwrap();
    let (port, door) = (broker.address().port(), broker.door());
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(broker.run(stop.clone()));
    Running { port, door, deliveries, stop, tasks }
}

impl Running {
    async fn stop(mut self) {
        self.stop.cancel();
        soon("the end", async { while self.tasks.join_next().await.is_some() {} }).await;
    }

    fn client(&self, name: &str) -> Option<Client> {
        self.door.everybody().clients.into_iter().find(|client| &*client.name == name)
    }
}

/// What another task of this process does soon.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    soon(what, async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// An address of this computer by which its own connections look like those of another; none where it is
/// in no network.
fn from_outside() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // No packet leaves: the system only chooses its own address.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[tokio::test]
async fn who_is_there_who_has_left_and_where_it_published_is_known() {
    let mut broker = running(Ipv4Addr::LOCALHOST, everyone()).await;
    let mut publisher = Publisher::new("esp32", "127.0.0.1", broker.port);
    progress(&mut publisher, Progress::Connected).await;
    until("the client", || broker.client("esp32").is_some_and(|client| client.left.is_none()))
        .await;
    publisher.publish("Environ/Temperature", "21 °C", true).unwrap();
    publisher.publish("elsewhere", "x", false).unwrap();
    let ((), ()) = tokio::join!(progress(&mut publisher, Progress::Acknowledged), async {
        delivery(&mut broker.deliveries).await.safe();
    });
    let topics = broker.client("esp32").unwrap().topics;
    assert_eq!(topics, ["Environ/Temperature".into()], "of readings alone");
    // Its connection is cut without a word.
    drop(publisher);
    until("the loss", || broker.client("esp32").is_some_and(|client| client.left.is_some())).await;
    let left = broker.client("esp32").and_then(|client| client.left).unwrap();
    assert!(!left.is_graceful, "{left:?}");
    broker.stop().await;
}

#[tokio::test]
async fn one_that_says_goodbye_and_hangs_up_at_once_is_not_lost() {
    const CONNECT: &[u8] = b"\x10\x12\0\x04MQTT\x04\x02\0\x3c\0\x06";
    const PUBLISH: &[u8] = b"\x30\x18\0\x13Environ/Temperature21\n";
    const DISCONNECT: &[u8] = b"\xe0\0";
    let mut broker = running(Ipv4Addr::LOCALHOST, everyone()).await;
    // Two names: a session that is just ending keeps its own busy for a moment.
    for (name, is_polite) in [("polite", true), ("abrupt", false)] {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, broker.port)).await.unwrap();
        socket.write_all(&[CONNECT, name.as_bytes()].concat()).await.unwrap();
        let mut answer = [0; 4];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0x20, 2, 0, 0]);
        let end = if is_polite { DISCONNECT } else { &[] };
        socket.write_all(&[PUBLISH, end].concat()).await.unwrap();
        drop(socket);
        delivery(&mut broker.deliveries).await.safe();
        until("its end", || broker.client(name).is_some_and(|it| it.left.is_some())).await;
        let left = broker.client(name).and_then(|client| client.left).unwrap();
        assert_eq!(left.is_graceful, is_polite, "{left:?}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_stranger_of_another_computer_is_let_in_when_somebody_allows_it_and_put_out_again() {
    let Some(ip) = from_outside() else {
        eprintln!("skipped: this computer is in no network");
        return;
    };
    let named = Clients::new(Admission::Named, [], Arc::new(|| 7));
    let mut broker = running(Ipv4Addr::UNSPECIFIED, named).await;
    let host = ip.to_string();
    // Of another name: a session that is just ending keeps its name busy for a moment.
    let mut here = Publisher::new("near", "127.0.0.1", broker.port);
    progress(&mut here, Progress::Connected).await;
    drop(here);

    let mut stranger = Publisher::new("esp32", &host, broker.port);
    let refused = soon("a refusal", stranger.next()).await;
    assert!(refused.is_err(), "{refused:?}");
    let found = broker.door.everybody().refused;
    let [entry] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*entry.name, entry.reason), ("esp32", RefusedBecause::NotAllowed));
    assert_eq!(entry.address.unwrap().ip(), ip);

    broker.door.allow("esp32").unwrap();
    let mut guest = Publisher::new("esp32", &host, broker.port);
    progress(&mut guest, Progress::Connected).await;
    guest.publish("Environ/Temperature", "21 °C", true).unwrap();
    let ((), ()) = tokio::join!(progress(&mut guest, Progress::Acknowledged), async {
        delivery(&mut broker.deliveries).await.safe();
    });

    assert!(broker.door.withdraw("esp32"));
    soon("its end", broker.door.put_out("esp32")).await;
    let ended = async { while guest.next().await.is_ok() {} };
    soon("its connection's end", ended).await;
    let mut again = Publisher::new("esp32", &host, broker.port);
    assert!(soon("a refusal", again.next()).await.is_err());
    broker.stop().await;
}

/// MQTT 3.1.1: CONNECT with a clean session and maybe a will, then CONNACK.
async fn connected(host: &str, port: u16, name: &str, will: Option<&str>) -> TcpStream {
    let will = will.map(|topic| (topic, "gone", 0));
    connected_with(host, port, name, will).await
}

/// The will: its topic, its payload, and the flags of its QoS and whether it is kept.
async fn connected_with(
    host: &str,
    port: u16,
    name: &str,
    will: Option<(&str, &str, u8)>,
) -> TcpStream {
    let text =
        |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let flags = will.map_or(0b10, |(_, _, flags)| 0b110 | flags);
    let mut body = [text("MQTT"), vec![4, flags, 0, 60], text(name)].concat();
    if let Some((topic, payload, _)) = will {
        body.extend([text(topic), text(payload)].concat());
    }
    let mut stream = TcpStream::connect((host, port)).await.unwrap();
    stream
        .write_all(&[&[0x10, u8::try_from(body.len()).unwrap()], &body[..]].concat())
        .await
        .unwrap();
    let mut answer = [0; 4];
    soon("CONNACK", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0]);
    stream
}

#[tokio::test]
async fn the_will_of_one_that_is_put_out_is_nobodys() {
    let Some(ip) = from_outside() else {
        eprintln!("skipped: this computer is in no network");
        return;
    };
    let allowed = ["bad", "good"].map(str::to_owned);
    let named = Clients::new(Admission::Named, allowed, Arc::new(|| 7));
    let broker = running(Ipv4Addr::UNSPECIFIED, named).await;
    let host = ip.to_string();
    let mut ear = connected("127.0.0.1", broker.port, "ear", None).await;
    ear.write_all(b"\x82\x0b\0\x01\0\x06will/#\0").await.unwrap();
    let mut answer = [0; 5];
    soon("SUBACK", ear.read_exact(&mut answer)).await.unwrap();
    let mut bad = connected(&host, broker.port, "bad", Some("will/bad")).await;
    let good = connected(&host, broker.port, "good", Some("will/good")).await;

    assert!(broker.door.withdraw("bad"));
    soon("its end", broker.door.put_out("bad")).await;
    let mut rest = Vec::new();
    let _ = soon("the end of its connection", bad.read_to_end(&mut rest)).await;
    until("that it has left", || broker.client("bad").is_some_and(|it| it.left.is_some())).await;
    // The same look at one that may stay and is cut off.
    drop(good);
    let mut heard = Vec::new();
    while !heard.ends_with(b"will/goodgone") {
        heard.push(soon("a will", ear.read_u8()).await.unwrap());
    }
    let heard = String::from_utf8_lossy(&heard);
    assert!(!heard.contains("will/bad"), "{heard:?}");
    broker.stop().await;
}

#[tokio::test]
async fn a_will_comes_once_and_one_that_clears_what_was_kept_is_nothing() {
    const AT_LEAST_ONCE: u8 = 0b1000;
    const KEPT: u8 = 0b10_0000;
    let mut broker = running(Ipv4Addr::LOCALHOST, everyone()).await;
    let host = "127.0.0.1";
    for (name, payload) in [("first", ""), ("second", "Offline")] {
        let topic = format!("Environ/{name}");
        let will = Some((&*topic, payload, AT_LEAST_ONCE | KEPT));
        drop(connected_with(host, broker.port, name, will).await);
        until("that it has left", || broker.client(name).is_some_and(|it| it.left.is_some())).await;
    }
    let will = delivery(&mut broker.deliveries).await;
    assert_eq!(
        (&*will.message.topic, &will.message.payload[..]),
        ("Environ/second", &b"Offline"[..])
    );
    assert!(!will.is_awaited(), "nobody sends it again");
    broker.stop().await;
}

#[tokio::test]
async fn what_is_put_aside_is_shown_a_will_too_and_goes_no_further() {
    let (intake, deliveries) = Intake::new(64, |topic| topic.starts_with("Environ/"));
    let (heard, mut hears) = mpsc::channel(1);
    let intake = intake.showing(move |topic, payload, manner| {
        let is_aside = topic == "Environ/status";
        if is_aside {
            heard.try_send((payload.to_vec(), manner)).unwrap();
        }
        is_aside
    });
    let listen = Ipv4Addr::LOCALHOST;
    let mut broker = running_with(listen, everyone(), intake, deliveries).await;
    for (name, payload) in [("status", "offline"), ("other", "gone")] {
        let topic = format!("Environ/{name}");
        drop(connected_with("127.0.0.1", broker.port, name, Some((&*topic, payload, 0))).await);
        until("that it has left", || broker.client(name).is_some_and(|it| it.left.is_some())).await;
    }
    let shown = soon("the will", hears.recv()).await.unwrap();
    assert_eq!(shown, (b"offline".to_vec(), Manner::Will));
    assert_eq!(&*delivery(&mut broker.deliveries).await.message.topic, "Environ/other");
    broker.stop().await;
}
