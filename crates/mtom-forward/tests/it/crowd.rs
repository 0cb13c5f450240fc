//! Many viewers to whom one task writes, a few at a time, while others come and go.

use crate::live::celsius;
use crate::support::{Port, hub, reading, until};
use crate::viewer::{LIMIT, Viewer};
use jiff::tz::TimeZone;
use mtom_forward::live::LiveHub;
use mtom_forward::server::Limits;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

/// Two at a time, so that few viewers are many turns.
fn limits() -> Limits {
    Limits { turn_len: 2, ..Limits::default() }
}

/// Hears from its first number on every one, until `is_enough` says so.
async fn every_number(viewer: &mut Viewer, mut is_enough: impl FnMut(i32) -> bool) {
    let mut before = None;
    loop {
        let value = celsius(&viewer.hear().await);
        assert!(before.is_none_or(|before: i32| value == before + 1), "{before:?} {value}");
        before = Some(value);
        if is_enough(value) {
            return;
        }
    }
}

/// Comes, stays for some readings and goes, again and again.
async fn come_and_go(address: SocketAddr, number: i32, stays: &AtomicUsize) {
    for stay in 0..STAYS {
        let mut viewer = Viewer::connect(address).await;
        viewer.say("realtime").await;
        let mut left = 1 + (number * 7 + stay * 13) % 200;
        every_number(&mut viewer, |_| {
            left -= 1;
            left == 0
        })
        .await;
        stays.fetch_add(1, Ordering::Relaxed);
    }
}

const STAYS: i32 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_in_a_flood_gets_every_number_once_and_rising_and_so_do_those_who_stay()
{
    const STAYING: usize = 11;
    const COMING: i32 = 9;
    // Nobody falls out of it.
    let hub = LiveHub::with_room(TimeZone::UTC, Some(&reading(0, 0.0)), 1 << 20);
    let port = Port::live_with(&hub, limits()).await;
    let (last, stays) = (Arc::new(AtomicI32::new(i32::MAX)), Arc::new(AtomicUsize::new(0)));
    let heard: Arc<[AtomicI32]> = (0..STAYING).map(|_| AtomicI32::new(0)).collect();
    let mut tasks = JoinSet::new();
    for number in 0..STAYING {
        let (address, last, heard) = (port.address, Arc::clone(&last), Arc::clone(&heard));
        tasks.spawn(async move {
            let mut viewer = match number % 5 {
                // Takes some writes in parts alone.
                4 => Viewer::connect_narrow(address, 32 * 1024).await,
                _ => Viewer::connect(address).await,
            };
            viewer.say("realtime").await;
            every_number(&mut viewer, |value| {
                heard[number].store(value, Ordering::Relaxed);
                value == last.load(Ordering::Relaxed)
            })
            .await;
        });
    }
    for number in 0..COMING {
        let (address, stays) = (port.address, Arc::clone(&stays));
        tasks.spawn(async move { come_and_go(address, number, &stays).await });
    }
    let source = hub.clone();
    tasks.spawn(async move {
        let all = usize::try_from(COMING * STAYS).unwrap();
        for number in 1.. {
            if stays.load(Ordering::Relaxed) == all {
                last.store(number, Ordering::Relaxed);
            }
            source.offer(&reading(0, f64::from(number)));
            if last.load(Ordering::Relaxed) == number {
                return;
            }
            let slowest = || heard.iter().map(|heard| heard.load(Ordering::Relaxed)).min();
            yield_now().await;
            until("the slowest has nearly all", || slowest() > Some(number - 500)).await;
        }
    });
    let all = async { while tasks.join_next().await.transpose().unwrap().is_some() {} };
    timeout(LIMIT, all).await.expect("all have what they are due");
    assert_eq!(hub.stats().skipped, 0);
    port.ended().await;
    assert_eq!(hub.stats().port.open, 0);
}

#[tokio::test]
async fn what_was_offered_before_the_end_is_shown_to_all_before_they_are_told_to_go() {
    let hub = hub();
    let port = Port::live_with(&hub, limits()).await;
    let mut viewers = Vec::new();
    for _ in 0..9 {
        let mut viewer = Viewer::connect(port.address).await;
        viewer.say("realtime").await;
        viewer.expect_nothing_more().await;
        viewers.push(viewer);
    }
    for number in 1..=50 {
        hub.offer(&reading(0, f64::from(number)));
    }
    // In the middle of a round.
    until("some have them", || hub.stats().sent > 0).await;
    hub.offer(&reading(0, 51.0));
    port.stop();
    for viewer in &mut viewers {
        for number in 1..=51 {
            assert_eq!(celsius(&viewer.hear().await), number);
        }
        assert_eq!(viewer.close_code().await, 1001);
    }
    drop(viewers);
    port.ended().await;
}
