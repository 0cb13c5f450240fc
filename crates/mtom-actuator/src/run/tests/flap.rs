//! Two hundred connections that end in every way there is. Whatever is wanted while there is none,
//! only the newest of it may ever arrive.

use super::{LIMIT, NOW, Peer, accept, quick, tcp};
use crate::address::LinkAddress;
use crate::report::Desired;
use crate::run::run;
use crate::settings::{Protocol, Settings};
use mtom_protocol::link::{Led, Request};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const FLAPS: u64 = 200;

/// What the device saw.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Connections whose first command was not the newest one.
    late_first: u64,
    /// Commands that were older than the newest one when their connection began.
    stale: u64,
    /// Commands at all.
    commands: u64,
}

type Wanted = watch::Receiver<Option<Desired>>;

/// Drives `client` through the flaps, from the device's side.
async fn flap<C: Future<Output = ()> + Send + 'static>(
    client: impl FnOnce(Settings, Wanted, CancellationToken) -> C,
) -> Seen {
    let (first, settings) = tcp().await;
    let address = first.local_addr().unwrap();
    drop(first);
    let (desired, wanted) = watch::channel(None);
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(client(settings, wanted, stop.clone()));
    let (mut seen, mut number) = (Seen::default(), 0);
    let mut want = || {
        number += 1;
        let led = if number % 2 == 0 { Led::Off } else { Led::On };
        desired.send_replace(Some(Desired { led, number }));
        number
    };
    for flap in 0..FLAPS {
        // Nobody listens: this is wanted while there is no connection.
        for _ in 0..flap % 4 {
            want();
            yield_now().await;
        }
        let newest = want();
        let listener = TcpListener::bind(address).await.unwrap();
        let mut device = accept(&listener).await;
        drop(listener);
        let mut judge = |number| {
            seen.commands += 1;
            seen.stale += u64::from(number < newest);
            number
        };
        if flap % 5 == 0 {
            // Goes in the middle of a frame.
            device.bytes(1).await;
        } else {
            let first = judge(command(&mut device).await);
            seen.late_first += u64::from(first != newest);
            if flap % 5 > 1 {
                device.say(&format!("= c {first} FLAP 1\n")).await;
            }
            if flap % 5 > 2 {
                let newer = want();
                while judge(command(&mut device).await) < newer {}
            }
        }
        if flap % 2 == 0 {
            device.0.set_zero_linger().unwrap();
        }
    }
    stop.cancel();
    timeout(LIMIT, tasks.join_next()).await.expect("it ends").unwrap().unwrap();
    seen
}

/// The number of the next command; questions are passed over.
async fn command(device: &mut Peer<TcpStream>) -> u64 {
    loop {
        if let Ok(Request::Set { number, .. }) =
            Request::parse(device.line().await.trim_end().as_bytes())
        {
            return number;
        }
    }
}

#[tokio::test]
async fn two_hundred_flaps_bring_the_newest_state_first_and_nothing_stale() {
    let seen = flap(|settings, wanted, stop| async move {
        let settings = Settings { protocol: Protocol::Second, ..settings };
        run(settings, wanted, drop, Arc::new(|| NOW), stop).await;
    })
    .await;
    assert!(seen.commands > FLAPS, "{seen:?}");
    assert_eq!((seen.late_first, seen.stale), (0, 0), "{seen:?}");
}

/// The planted fault: a client that keeps what it could not send, and sends it all in order.
async fn queueing(settings: Settings, mut wanted: Wanted, stop: CancellationToken) {
    let LinkAddress::Tcp { host, port } = settings.link else { unreachable!() };
    let mut queue = VecDeque::new();
    let talk = async {
        loop {
            while let Ok(mut tcp) = TcpStream::connect((host.as_str(), port)).await {
                let (mut reader, mut writer) = tcp.split();
                let mut buffer = [0; 64];
                if queue.is_empty() {
                    queue.extend(*wanted.borrow_and_update());
                }
                loop {
                    while let Some(Desired { led, number }) = queue.front().copied() {
                        if writer.write_all(format!("{led} {number}\n").as_bytes()).await.is_err() {
                            break;
                        }
                        queue.pop_front();
                    }
                    tokio::select! {
                        _ = wanted.changed() => queue.extend(*wanted.borrow_and_update()),
                        read = reader.read(&mut buffer) => if read.unwrap_or(0) == 0 { break },
                    }
                }
            }
            // Like the real one it hears of changes while it is away.
            queue.extend(*wanted.borrow_and_update());
            yield_now().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = talk => {}
    }
}

#[tokio::test]
async fn the_flaps_catch_a_client_that_queues() {
    let seen = flap(queueing).await;
    assert!(seen.stale > 0 && seen.late_first > 0, "{seen:?}");
}

#[tokio::test]
async fn an_original_device_gets_one_byte_for_each_connection() {
    let (listener, settings) = tcp().await;
    let link = settings.link.to_string();
    let settings = Settings { protocol: Protocol::Original, ..quick(&link) };
    let (desired, wanted) = watch::channel(None);
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(run(settings, wanted, drop, Arc::new(|| NOW), stop.clone()));
    for number in 1..=100 {
        let led = if number % 3 == 0 { Led::Off } else { Led::On };
        let mut device = accept(&listener).await;
        desired.send_replace(Some(Desired { led, number }));
        let was = if (number - 1) % 3 == 0 { Led::Off } else { Led::On };
        // What was wanted last before it connected, and the change: nothing else, in this order.
        let mut got = device.bytes(1).await;
        if number > 1 && got.as_bytes() != [led.byte()] {
            assert_eq!(got.as_bytes(), [was.byte()]);
            got = device.bytes(1).await;
        }
        assert_eq!(got.as_bytes(), [led.byte()], "{number}");
    }
    stop.cancel();
    timeout(LIMIT, tasks.join_next()).await.expect("it ends").unwrap().unwrap();
}
