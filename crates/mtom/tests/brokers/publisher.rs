//! Publishes numbered readings at QoS 1 straight to the broker, each again until the broker has acknowledged it.
//!
//! In MQTT 3.1.1 a reading says its number in JSON, in MQTT 5 beside a text as user properties.

use crate::packets::celsius;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mtom_mqtt::connection::{Connection, Event, Options, Outgoing, Untaken};
use mtom_mqtt::target::{Spoken, Target};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

pub(crate) const TOPIC: &str = "Environ/Temperature";
/// Not acknowledged yet, at most.
const WINDOW: usize = 20;
/// What may wait at the broker: more would show nothing that this does not show.
const BACKLOG: u64 = 1_000;
/// Between two readings: a link that was cut has to catch up.
const PACE: Duration = Duration::from_millis(2);

/// Publishes number after number while the broker is `up`; when `stop` is set it waits for the acknowledgements of
/// all. What it gives back was acknowledged: all numbers from 1.
pub(crate) async fn publish(
    broker: SocketAddr,
    spoken: Spoken,
    (mut up, stop): (watch::Receiver<bool>, watch::Receiver<bool>),
    through: watch::Receiver<u64>,
) -> BTreeSet<u64> {
    let (waiting, done) = (BTreeSet::new(), BTreeSet::new());
    let mut work = Work { spoken, next: 1, waiting, done, stop, through };
    loop {
        up.wait_for(|up| *up).await.unwrap();
        let target = Target::plain(&broker.ip().to_string(), broker.port());
        let connection = Connection::new(&target, spoken, &options());
        if work.on(connection).await {
            return work.done;
        }
        // It may be on its way down: whoever ends it says so.
        tokio::task::yield_now().await;
    }
}

struct Work {
    spoken: Spoken,
    next: u64,
    waiting: BTreeSet<u64>,
    done: BTreeSet<u64>,
    stop: watch::Receiver<bool>,
    /// The highest number that is stored.
    through: watch::Receiver<u64>,
}

impl Work {
    /// True when everything is acknowledged and nothing more is wanted.
    async fn on(&mut self, mut connection: Connection) -> bool {
        while match connection.next().await {
            Ok(Event::Connected { .. }) => false,
            Ok(_) => true,
            Err(_) => return false,
        } {}
        let mut takings = FuturesUnordered::new();
        let mut again: Vec<_> = self.waiting.iter().copied().rev().collect();
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_over = *self.stop.borrow();
            let is_ahead = self.next > *self.through.borrow_and_update() + BACKLOG;
            let is_wanted = !again.is_empty() || !(is_over || is_ahead);
            if is_over && self.waiting.is_empty() {
                return true;
            }
            tokio::select! {
                changed = self.through.changed(), if is_ahead => changed.unwrap(),
                event = connection.next() => if event.is_err() { return false },
                Some((number, taken)) = takings.next(), if !takings.is_empty() => {
                    let taken: Result<(), Untaken> = taken;
                    // Refused by a broker that goes down: again, on the next connection.
                    if taken.is_err() {
                        return false;
                    }
                    self.waiting.remove(&number);
                    self.done.insert(number);
                }
                _ = ticks.tick(), if takings.len() < WINDOW && is_wanted => {
                    let number = again.pop().unwrap_or_else(|| {
                        self.next += 1;
                        self.next - 1
                    });
                    self.waiting.insert(number);
                    let Ok(taking) = connection.publish(reading(number, self.spoken)) else {
                        return false;
                    };
                    takings.push(async move { (number, taking.await) });
                }
            }
        }
    }
}

fn options() -> Options {
    Options {
        client_id: "mtom-test-device".into(),
        is_kept: false,
        acknowledges_by_hand: false,
        receive_max: 1,
        keep_alive_seconds: 30,
        packet_len_max: 64 * 1024,
        requests_len: 2 * WINDOW,
        unanswered_max: 20,
        will: None,
    }
}

fn reading(number: u64, spoken: Spoken) -> Outgoing {
    let value = celsius(number);
    let (payload, properties) = match spoken {
        Spoken::V3 => {
            (format!(r#"{{"temperature":{value},"boot":"b","seq":{number}}}"#), Vec::new())
        }
        Spoken::V5 => {
            // A digit last would run into the payload, for those who look at bytes.
            let said = [("mtom-seq", number.to_string()), ("mtom-boot", "b".to_owned())];
            let said = said.map(|(name, value)| (name.to_owned(), value));
            (format!("{value} °C"), said.into())
        }
    };
    Outgoing {
        topic: TOPIC.into(),
        payload: payload.into(),
        acknowledged: true,
        retain: false,
        properties,
    }
}
