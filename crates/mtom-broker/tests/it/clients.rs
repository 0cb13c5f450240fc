//! Who is let in by the embedded broker, and what it knows of who is there.

use crate::{delivery, everyone, progress, soon};
use mtom_broker::clients::{Admission, Client, Clients, RefusedBecause};
use mtom_broker::embedded::{Door, Embedded};
use mtom_broker::intake::{Delivery, Intake};
use mtom_broker::publisher::{Progress, Publisher};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
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
async fn a_stranger_of_another_computer_is_let_in_when_somebody_allows_it_and_put_out_again() {
    let Some(ip) = from_outside() else {
        eprintln!("skipped: this computer is in no network");
        return;
    };
    let named = Clients::new(Admission::Named, [], Arc::new(|| 7));
    let mut broker = running(Ipv4Addr::UNSPECIFIED, named).await;
    let host = ip.to_string();
    let mut here = Publisher::new("esp32", "127.0.0.1", broker.port);
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

    assert!(broker.door.withdraw("esp32").await);
    let ended = async { while guest.next().await.is_ok() {} };
    soon("its connection's end", ended).await;
    let mut again = Publisher::new("esp32", &host, broker.port);
    assert!(soon("a refusal", again.next()).await.is_err());
    broker.stop().await;
}
