//! A simulated sensor: an MQTT client that publishes the original's payload, `23.4 °C` (`wire.md` §1.1).
//!
//! It can give way: when somebody else is heard on its topic it keeps silent, because a real
//! device is there and an invented temperature beside a measured one is worse than none.

use mtom_broker::publisher::{Progress, Publisher};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long it keeps silent after a real device was heard.
pub const SILENT_FOR: Duration = Duration::from_secs(30);
/// Our own messages that have not come back yet; full: the oldest is taken as lost.
const OWN_LEN_MAX: usize = 16;
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// A minute from the coldest to the coldest: the LED changes twice a minute.
const WAVE: Duration = Duration::from_secs(60);

/// Which sensor to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The broker's host.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// MQTT client id.
    pub client_id: String,
    /// Where it publishes.
    pub topic: String,
    /// How often it measures.
    pub period: Duration,
    /// Keep silent while another device publishes on the same topic.
    pub gives_way: bool,
}

/// What the sensor says it does, as on its serial log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The broker accepted it.
    Connected,
    /// The broker is away; it tries again.
    Lost {
        /// Why.
        reason: String,
    },
    /// It sent a reading.
    Published {
        /// The payload.
        payload: String,
    },
    /// Somebody else measures here.
    GaveWay,
}

/// Measures and publishes until `stop`; `temperature` gives °C for the time since the start.
///
/// A reading that cannot be handed to the connection is lost, as with the original sketch.
pub async fn run(
    settings: Settings,
    temperature: impl Fn(Duration) -> f64,
    say: impl Fn(Said),
    stop: CancellationToken,
) {
    let started = Instant::now();
    let mut sensor = Sensor {
        publisher: Publisher::new(&settings.client_id, &settings.host, settings.port),
        settings,
        own: VecDeque::new(),
        silent_until: None,
        connected: false,
    };
    let mut measure = interval(sensor.settings.period);
    measure.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut retry = RETRY_MIN;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = measure.tick(), if sensor.connected => {
                sensor.measure(temperature(started.elapsed()), &say);
            }
            event = sensor.publisher.next() => match event {
                Ok(event) => {
                    retry = RETRY_MIN;
                    sensor.react(event, &say);
                }
                Err(reason) => {
                    sensor.connected = false;
                    say(Said::Lost { reason });
                    if timeout(retry, stop.cancelled()).await.is_ok() {
                        break;
                    }
                    retry = (retry * 2).min(RETRY_MAX);
                }
            }
        }
    }
    if sensor.connected {
        sensor.publisher.close(CLOSE_MAX).await;
    }
}

/// A slow wave around the original's threshold: 21 °C to 29 °C and back in a minute, in tenths.
#[must_use]
pub fn wave(since_start: Duration) -> f64 {
    let turn = since_start.as_secs_f64() / WAVE.as_secs_f64() * std::f64::consts::TAU;
    (250.0 - 40.0 * turn.cos()).round() / 10.0
}

struct Sensor {
    publisher: Publisher,
    settings: Settings,
    /// Payloads that we sent and the broker has not sent back yet.
    own: VecDeque<String>,
    silent_until: Option<Instant>,
    connected: bool,
}

impl Sensor {
    fn measure(&mut self, celsius: f64, say: &impl Fn(Said)) {
        if self.silent_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let payload = format!("{celsius:.1} °C");
        if self.publisher.publish(&self.settings.topic, &payload, true).is_ok() {
            if self.own.len() == OWN_LEN_MAX {
                self.own.pop_front();
            }
            self.own.push_back(payload.clone());
            say(Said::Published { payload });
        }
    }

    fn react(&mut self, event: Progress, say: &impl Fn(Said)) {
        match event {
            Progress::Connected => {
                self.connected = true;
                self.own.clear();
                // Full only when nothing moves; then there is nobody to give way to either.
                if self.settings.gives_way && self.publisher.listen(&self.settings.topic).is_err() {
                    say(Said::Lost { reason: "the queue to the broker is full".into() });
                }
                say(Said::Connected);
            }
            Progress::Heard { payload } => {
                match self.own.iter().position(|own| own.as_bytes() == &payload[..]) {
                    Some(at) => {
                        self.own.remove(at);
                    }
                    None => {
                        if self.silent_until.is_none_or(|until| until < Instant::now()) {
                            say(Said::GaveWay);
                        }
                        self.silent_until = Some(Instant::now() + SILENT_FOR);
                    }
                }
            }
            Progress::Acknowledged | Progress::Other => {}
        }
    }
}

/// Spreads `count` sensors over one period, so that a fleet does not measure in one instant.
pub async fn stagger(index: u32, count: u32, period: Duration, stop: &CancellationToken) {
    let wait = period.mul_f64(f64::from(index) / f64::from(count.max(1)));
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(wait) => {}
    }
}

#[cfg(test)]
mod tests;
