//! From the original server, or its live port of ours: what is new.
//!
//! The live port says °C and a local time without its zone, so a reading counts from its arrival.
//! The one that a server sends at once after `realtime` may be of any age: it is passed on only when
//! it is fresh by our own zone. In another zone it is passed over; the next one follows soon.

use crate::Clock;
use crate::view::{Hop, LogEvent, View};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use mtom_broker::intake::{Intake, Message};
use mtom_forward::client::{Event, Means, Patience, Received, receive};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Where a forwarded temperature came from, as far as the format says.
const TOPIC: &str = "Environ/Temperature";
/// Full: the socket is not read, so the server skips ahead for us.
const EVENTS_LEN: usize = 64;
/// How old the first reading may be.
const FRESH: Duration = Duration::from_secs(10);

/// Receives until `stop`, or until the relay is gone.
pub(crate) async fn run(
    url: String,
    intake: Intake,
    view: View,
    clock: Clock,
    zone: TimeZone,
    stop: CancellationToken,
) {
    let (sender, mut events) = mpsc::channel(EVENTS_LEN);
    let means =
        Means { now: Arc::clone(&clock), jitter: fastrand::f64, patience: Patience::default() };
    let taking = async {
        while let Some(event) = events.recv().await {
            let said = match event {
                Event::Connected => LogEvent::BrokerConnected { url: url.clone() },
                Event::Lost { reason, .. } => LogEvent::BrokerLost { url: url.clone(), reason },
                Event::Complaint(reason) => {
                    tracing::warn!(url, reason, "the server complains");
                    continue;
                }
                Event::Reading(received) => {
                    if received.first && !is_fresh(&received, &zone) {
                        tracing::debug!(received.time, "the last known reading is old");
                    } else if !intake.offer(message(&received)).await {
                        return;
                    }
                    continue;
                }
            };
            view.log(clock(), Hop::Broker, said);
        }
    };
    let (outcome, ()) = tokio::join!(receive(&url, sender, means, stop), taking);
    if let Err(error) = outcome {
        tracing::error!(error = &error as &dyn std::error::Error, "nothing can be received");
    }
}

fn message(received: &Received) -> Message {
    Message {
        topic: Arc::from(TOPIC),
        payload: format!("{} °C", received.celsius).into(),
        retained_copy: false,
        properties: Vec::new(),
    }
}

fn is_fresh(received: &Received, zone: &TimeZone) -> bool {
    let said = received.time.parse::<DateTime>().ok().and_then(|time| zone.to_timestamp(time).ok());
    said.is_some_and(|said| {
        // Clocks that differ a little put it into the future as easily as into the past.
        let age = received.heard_at.0.saturating_sub(said.as_microsecond()).unsigned_abs();
        u128::from(age) <= FRESH.as_micros()
    })
}

#[cfg(test)]
mod tests;
