//! The client of a real mosquitto: acknowledged after `safe`, redelivered otherwise.

use crate::client::{Client, connected, settings};
use crate::mosquitto::{Mosquitto, program};
use crate::{delivery, progress, soon};
use mtom_broker::client::{Change, Settings, Wanted, Wishes};
use mtom_broker::outlet::Announcement;
use mtom_broker::publisher::{Progress, Publisher};
use mtom_mqtt::target::Target;
use std::collections::BTreeSet;
use tokio::sync::watch;

fn client(broker: &Mosquitto) -> Client {
    Client::of(Target::plain("127.0.0.1", broker.address.port()))
}

async fn publish(broker: &Mosquitto, payload: &str) {
    let mut publisher = Publisher::new("device", "127.0.0.1", broker.address.port());
    publisher.publish("Environ/Temperature", payload, true).unwrap();
    progress(&mut publisher, Progress::Acknowledged).await;
}

#[tokio::test]
async fn what_was_not_safe_is_delivered_again_and_what_was_is_not() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let mut first = client(&broker);
    assert_eq!(first.change().await, connected(false));
    publish(&broker, "1").await;
    let arrived = delivery(&mut first.deliveries).await;
    assert_eq!(&arrived.message.payload[..], b"1");
    arrived.safe();
    publish(&broker, "2").await;
    let unsafe_yet = delivery(&mut first.deliveries).await;
    assert_eq!(&unsafe_yet.message.payload[..], b"2");
    // Given up: the connection is made anew and the broker delivers it again, with what follows.
    drop(unsafe_yet);
    publish(&broker, "3").await;
    let again = delivery(&mut first.deliveries).await;
    assert_eq!(&again.message.payload[..], b"2");
    again.safe();
    let next = delivery(&mut first.deliveries).await;
    assert_eq!(&next.message.payload[..], b"3");
    next.safe();
    first.end().await;
}

#[tokio::test]
async fn a_restarted_broker_is_found_again_with_the_session() {
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let mut client = client(&broker);
    assert_eq!(client.change().await, connected(false));
    broker.restart(program);
    assert!(matches!(client.change().await, Change::Lost { .. }));
    loop {
        match client.change().await {
            Change::Lost { .. } | Change::Refused { .. } => {}
            Change::Connected { session_lost, .. } => {
                assert!(!session_lost);
                break;
            }
        }
    }
    publish(&broker, "after").await;
    let arrived = delivery(&mut client.deliveries).await;
    assert_eq!(&arrived.message.payload[..], b"after");
    arrived.safe();
    client.end().await;
}

#[tokio::test]
async fn what_a_broker_has_kept_is_told_again_where_that_is_wanted_and_nothing_comes_twice() {
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let mut settings = settings(Target::plain("127.0.0.1", broker.address.port()));
    settings.filters_again = vec!["Environ/+/LWT".into()];
    let mut client = Client::start(settings);
    assert_eq!(client.change().await, connected(false));
    let said = |topic: &str, payload: &'static str, retain| {
        let payload = payload.as_bytes().into();
        Announcement { topic: topic.to_owned(), payload, acknowledged: true, retain }
    };
    for (topic, payload) in [("Environ/a/LWT", "Online"), ("Environ/a", "1")] {
        client.outlet.publish(said(topic, payload, true)).await.unwrap();
        let heard = delivery(&mut client.deliveries).await;
        assert!(!heard.message.retained_copy);
        heard.safe();
    }
    broker.restart(program);
    // What the broker did not know to be safe comes first.
    let again = loop {
        let heard = delivery(&mut client.deliveries).await;
        if heard.message.retained_copy {
            break heard;
        }
        heard.safe();
    };
    assert_eq!(&*again.message.topic, "Environ/a/LWT");
    again.safe();
    for (topic, payload) in [("Environ/a/LWT", "Offline"), ("Environ/b", "2")] {
        client.outlet.publish(said(topic, payload, false)).await.unwrap();
        let heard = delivery(&mut client.deliveries).await;
        assert_eq!(
            (&*heard.message.topic, &heard.message.payload[..]),
            (topic, payload.as_bytes())
        );
        heard.safe();
    }
    client.end().await;
}

fn announcement(payload: &'static str, acknowledged: bool) -> Announcement {
    let (topic, payload) = ("alarm/heat".to_owned(), payload.as_bytes().into());
    Announcement { topic, payload, acknowledged, retain: true }
}

#[tokio::test]
async fn what_the_gateway_says_reaches_the_broker_also_when_it_comes_back() {
    let Some(program) = program() else { return };
    let mut broker = Mosquitto::start(program);
    let mut client = client(&broker);
    assert_eq!(client.change().await, connected(false));
    for acknowledged in [false, true] {
        let said = client.outlet.publish(announcement("on", acknowledged));
        assert_eq!(soon("an answer", said).await, Ok(()));
    }
    broker.restart(program);
    assert!(matches!(client.change().await, Change::Lost { .. }));
    let said = client.outlet.publish(announcement("off", true));
    assert_eq!(soon("an answer", said).await, Ok(()));
    let mut listener = Publisher::new("listener", "127.0.0.1", broker.address.port());
    progress(&mut listener, Progress::Connected).await;
    listener.listen("alarm/heat").unwrap();
    progress(&mut listener, Progress::Heard { payload: "off".into() }).await;
    client.end().await;
}

#[tokio::test]
async fn a_topic_over_which_the_broker_closes_the_connection_is_set_aside_and_the_others_are_heard()
{
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let filters = vec!["Other/#".to_owned()];
    let target = Target::plain("127.0.0.1", broker.address.port());
    let deep = "a/".repeat(201);
    let wanted = ["Environ/Temperature", &deep, "z"].map(|filter| (filter.to_owned(), false));
    let (_change, changed) = watch::channel(0);
    let wishes = Wishes::new(changed, move || Wanted::from(wanted.clone()));
    let aside = wishes.set_aside();
    let mut client = Client::wishing(Settings { filters, ..settings(target) }, wishes);
    soon("the topic is set aside", async {
        while aside.filters().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut publisher = Publisher::new("device", "127.0.0.1", broker.address.port());
    let heard = soon(
        "a message",
        Box::pin(async {
            loop {
                publisher.publish("Environ/Temperature", "1", true).unwrap();
                progress(&mut publisher, Progress::Acknowledged).await;
                if let Ok(delivery) = client.deliveries.try_recv() {
                    return delivery;
                }
            }
        }),
    )
    .await;
    heard.safe();
    assert_eq!(aside.filters(), [deep]);
    client.end().await;
}

#[tokio::test]
async fn what_is_given_up_may_be_more_than_a_connection_takes_at_once() {
    let Some(program) = program() else { return };
    let broker = Mosquitto::start(program);
    let target = Target::plain("127.0.0.1", broker.address.port());
    let noted: BTreeSet<_> = (0..66_100).map(|number| format!("old/{number}")).collect();
    let (_change, changed) = watch::channel(0);
    let (note, mut written) = watch::channel(noted.len());
    let wishes = Wishes::new(changed, Wanted::new).noting(noted, BTreeSet::new(), move |all| {
        note.send_replace(all.len());
        Ok(())
    });
    let mut client = Client::wishing(settings(target), wishes);
    assert_eq!(client.change().await, connected(false));
    soon("all is given up", written.wait_for(|len| *len == 0)).await.unwrap();
    client.end().await;
}
