//! The embedded broker acknowledges after `safe` and never before.

use crate::{delivery, everyone, not_yet, progress, soon};
use mtom_broker::embedded::{BindError, Embedded};
use mtom_broker::intake::{Delivery, Intake};
use mtom_broker::outlet::{Announcement, Outlet};
use mtom_broker::publisher::{Progress, Publisher};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Running {
    address: SocketAddr,
    intake: Intake,
    deliveries: mpsc::Receiver<Delivery>,
    outlet: Outlet,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

async fn running() -> Running {
    let (intake, deliveries) = Intake::new(64, |topic| topic.starts_with("Environ/"));
    let broker =
        Embedded::bind(([127, 0, 0, 1], 0).into(), intake.clone(), everyone()).await.unwrap();
    let (address, outlet) = (broker.address(), broker.outlet());
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(broker.run(stop.clone()));
    Running { address, intake, deliveries, outlet, stop, tasks }
}

impl Running {
    async fn publisher(&self, id: &str) -> Publisher {
        let mut publisher = Publisher::new(id, "127.0.0.1", self.address.port());
        progress(&mut publisher, Progress::Connected).await;
        publisher
    }

    async fn stop(mut self) {
        self.stop.cancel();
        soon("the end", async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}

#[tokio::test]
async fn a_qos_1_message_is_acknowledged_when_it_is_safe_and_not_before() {
    let mut broker = running().await;
    let mut slow = broker.publisher("slow").await;
    slow.publish("Environ/Temperature", "23.4 °C", true).unwrap();
    let not_safe_yet = {
        let next = delivery(&mut broker.deliveries);
        tokio::pin!(next);
        loop {
            tokio::select! {
                held = &mut next => break held,
                event = slow.next() => assert_ne!(event, Ok(Progress::Acknowledged)),
            }
        }
    };
    assert_eq!(&*not_safe_yet.message.topic, "Environ/Temperature");
    assert_eq!(&not_safe_yet.message.payload[..], "23.4 °C".as_bytes());
    // The witness: another device's message goes all the way while the first is held.
    let mut quick = broker.publisher("quick").await;
    quick.publish("Environ/Temperature", "24 °C", true).unwrap();
    let witness = async {
        tokio::join!(progress(&mut quick, Progress::Acknowledged), async {
            delivery(&mut broker.deliveries).await.safe();
        })
    };
    assert!(Box::pin(not_yet(&mut slow, Progress::Acknowledged, witness)).await);
    not_safe_yet.safe();
    progress(&mut slow, Progress::Acknowledged).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_made_safe_is_not_acknowledged() {
    let mut broker = running().await;
    let mut publisher = broker.publisher("device").await;
    publisher.publish("Environ/Temperature", "23.4 °C", true).unwrap();
    let ended = soon("the end of the connection", async {
        loop {
            tokio::select! {
                given_up = broker.deliveries.recv() => drop(given_up),
                event = publisher.next() => match event {
                    Ok(event) => assert_ne!(event, Progress::Acknowledged),
                    Err(reason) => break reason,
                },
            }
        }
    });
    assert!(!ended.await.is_empty());
    broker.stop().await;
}

#[tokio::test]
async fn topics_that_nobody_listens_to_are_served_and_counted() {
    let broker = running().await;
    let mut publisher = broker.publisher("device").await;
    publisher.publish("outTopic", "hello world", true).unwrap();
    progress(&mut publisher, Progress::Acknowledged).await;
    assert_eq!(broker.intake.tally().ignored(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn stopping_lets_messages_in_flight_become_safe() {
    let mut broker = running().await;
    let mut publisher = broker.publisher("device").await;
    publisher.publish("Environ/Temperature", "23.4 °C", true).unwrap();
    let in_flight = tokio::select! {
        held = delivery(&mut broker.deliveries) => held,
        () = async { loop { publisher.next().await.unwrap(); } } => unreachable!(),
    };
    broker.stop.cancel();
    soon("the closed port", async {
        while TcpStream::connect(broker.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    in_flight.safe();
    progress(&mut publisher, Progress::Acknowledged).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let (intake, _deliveries) = Intake::new(1, |_| true);
    match Embedded::bind(address, intake, everyone()).await {
        Err(BindError::Listen { address: named, cause }) => {
            assert_eq!((named, cause.kind()), (address, ErrorKind::AddrInUse));
        }
        other => panic!("{:?}", other.map(|broker| broker.address())),
    }
}

fn announcement(topic: &str, payload: &'static str) -> Announcement {
    let payload = payload.as_bytes().into();
    Announcement { topic: topic.into(), payload, acknowledged: true, retain: true }
}

#[tokio::test]
async fn what_the_gateway_says_is_kept_and_heard_like_any_message() {
    let broker = running().await;
    let say = |payload| broker.outlet.publish(announcement("alarm/heat", payload));
    assert_eq!(soon("an answer", say("on")).await, Ok(()));
    let mut listener = broker.publisher("listener").await;
    listener.listen("alarm/heat").unwrap();
    progress(&mut listener, Progress::Heard { payload: "on".into() }).await;
    assert_eq!(soon("an answer", say("off")).await, Ok(()));
    progress(&mut listener, Progress::Heard { payload: "off".into() }).await;
    assert_eq!(broker.intake.tally().ignored(), 0, "it is no stranger");
    broker.stop().await;
}

#[tokio::test]
async fn what_the_gateway_says_on_a_topic_of_readings_becomes_one() {
    let mut broker = running().await;
    let outlet = broker.outlet.clone();
    let said = outlet.publish(announcement("Environ/Mean", "21 °C"));
    let stored = async { delivery(&mut broker.deliveries).await.safe() };
    assert_eq!(tokio::join!(said, stored).0, Ok(()));
    broker.stop().await;
    let said = outlet.publish(announcement("Environ/Mean", "22 °C"));
    assert!(soon("an answer", said).await.is_err(), "the broker has ended");
}
