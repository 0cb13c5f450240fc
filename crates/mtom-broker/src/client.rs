//! The client of an external broker: subscribes, hands messages over, acknowledges when they are safe.
//!
//! Each connection is a client of its own with the same session, so an acknowledgement can never
//! reach another connection than the one its message came on. What was not acknowledged is
//! delivered again by the broker. It reconnects for ever, with a growing, jittered delay.

use crate::intake::{Intake, Message, Receipt};
use crate::outlet::{NotTaken, Outgoing, Outgoings};
use futures_util::StreamExt;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use rumqttc::{AckMode, AsyncClient, Event, EventLoop, Incoming, MqttOptions, Publish, QoS};
use rumqttc::{PublishOptions, SubscribeReasonCode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bounds the requests of one connection: every packet id may be acknowledged, plus subscriptions and what
/// we say ourselves.
const REQUESTS_LEN: usize = 66_000;
/// Messages of our own that the broker has not answered. Full: the next waits.
const UNANSWERED_MAX: usize = 16;
const PACKET_LEN_MAX: usize = 2 * 1024 * 1024;
const KEEP_ALIVE_SECONDS: u16 = 15;
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Where the broker is and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Fixed, so that the broker keeps our session while we are away.
    pub client_id: String,
    /// User and password, where the broker wants them.
    pub credentials: Option<(String, String)>,
    /// Topic filters to subscribe to, QoS 1.
    pub filters: Vec<String>,
    /// Further ones, that the broker may refuse.
    pub filters_wished: Vec<String>,
}

impl fmt::Debug for Settings {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("client_id", &self.client_id)
            .field("filters", &self.filters)
            .finish_non_exhaustive()
    }
}

/// What happens to the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Connected and subscribed. `session_lost`: the broker no longer knew us, so what it queued
    /// is gone.
    Connected {
        /// True when a session was expected and the broker had none.
        session_lost: bool,
    },
    /// The connection ended or could not be made; it is tried again.
    Lost {
        /// Why, in words.
        reason: String,
    },
}

/// Receives, and sends what comes out of `outgoings`, until `stop`.
///
/// `jitter` gives a number from 0 to 1 for each delay.
pub async fn run(
    settings: Settings,
    intake: Intake,
    mut outgoings: Outgoings,
    changed: impl Fn(Change),
    jitter: impl Fn() -> f64,
    stop: CancellationToken,
) {
    let mut retry = RETRY_MIN;
    let mut known = false;
    loop {
        let mut connection = Connection::new(&settings, known);
        let outcome = tokio::select! {
            () = stop.cancelled() => break,
            outcome = connection.serve(&intake, &mut outgoings, &changed) => outcome,
        };
        if connection.up {
            known = true;
            retry = RETRY_MIN;
        }
        changed(Change::Lost { reason: outcome });
        let delay = retry.mul_f64(0.5 + jitter().clamp(0.0, 1.0) / 2.0);
        retry = (retry * 2).min(RETRY_MAX);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(delay) => {}
        }
    }
}

/// One connection, from CONNECT to its end.
struct Connection<'a> {
    settings: &'a Settings,
    client: AsyncClient,
    events: EventLoop,
    /// This process has been connected before, so the broker should know us.
    known: bool,
    up: bool,
}

impl<'a> Connection<'a> {
    fn new(settings: &'a Settings, known: bool) -> Self {
        let mut options =
            MqttOptions::new(&settings.client_id, (settings.host.as_str(), settings.port));
        options
            .set_keep_alive(KEEP_ALIVE_SECONDS)
            .set_clean_session(false)
            .set_ack_mode(AckMode::Manual)
            .set_max_packet_size(PACKET_LEN_MAX, PACKET_LEN_MAX);
        if let Some((user, password)) = &settings.credentials {
            options.set_credentials(user, password.clone());
        }
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS_LEN).build();
        Self { settings, client, events, known, up: false }
    }

    /// Serves until the connection ends; returns why.
    async fn serve(
        &mut self,
        intake: &Intake,
        outgoings: &mut Outgoings,
        changed: &impl Fn(Change),
    ) -> String {
        // Dropped with the connection: whoever waits hears that it ended.
        let mut published = FuturesUnordered::new();
        // In order, as the messages came [MQTT-4.6.0-2]. The broker's window bounds it.
        let mut unsafe_yet = FuturesOrdered::new();
        let mut unanswered = 0;
        loop {
            tokio::select! {
                event = self.events.poll() => match event {
                    Ok(Event::Incoming(Incoming::ConnAck(ack))) => {
                        match self.connected(ack.session_present) {
                            Ok(0) => changed(Change::Connected { session_lost: false }),
                            Ok(filters) => unanswered = filters,
                            Err(reason) => return reason,
                        }
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        match hand_over(intake, &publish).await {
                            Handed::Awaited(receipt) => unsafe_yet.push_back(async move {
                                (receipt.is_safe().await, publish)
                            }),
                            Handed::Done => if let Err(reason) = self.acknowledge(&publish) {
                                return reason;
                            },
                            Handed::Ended => return "the gateway is ending".into(),
                        }
                    }
                    Ok(Event::Incoming(Incoming::SubAck(ack))) => {
                        // Those that are only wished for are asked for last.
                        if unanswered == 0 {
                            continue;
                        }
                        if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                            return format!("refused a subscription among {:?}", self.settings.filters);
                        }
                        unanswered = unanswered.saturating_sub(1);
                        if unanswered == 0 {
                            changed(Change::Connected { session_lost: self.known });
                        }
                    }
                    Ok(_) => {}
                    Err(error) => return error.to_string(),
                },
                Some((safe, publish)) = unsafe_yet.next(), if !unsafe_yet.is_empty() => {
                    if !safe {
                        return "a message could not be stored: it will be delivered again".into();
                    }
                    if let Err(reason) = self.acknowledge(&publish) {
                        return reason;
                    }
                }
                Some(outgoing) = outgoings.next(), if self.up && published.len() < UNANSWERED_MAX => {
                    published.push(self.publish(outgoing));
                }
                Some(()) = published.next(), if !published.is_empty() => {}
            }
        }
    }

    /// Returns how many subscriptions wait for their answer; none when the session holds them.
    fn connected(&mut self, session_present: bool) -> Result<usize, String> {
        self.up = true;
        // The first time always: the filters may have changed since the session was made.
        if self.known && session_present {
            return Ok(0);
        }
        for filter in self.settings.filters.iter().chain(&self.settings.filters_wished) {
            self.client
                .try_subscribe(filter.as_str(), QoS::AtLeastOnce)
                .map_err(|error| format!("cannot subscribe to {filter}: {error}"))?;
        }
        Ok(self.settings.filters.len())
    }

    /// Sends a message of our own; the future ends when the broker has it, or never will.
    fn publish(&self, outgoing: Outgoing) -> impl Future<Output = ()> + use<> {
        let Outgoing { announcement, answer } = outgoing;
        let qos = if announcement.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let options = PublishOptions::new(qos).retain(announcement.retain);
        let sent =
            self.client.try_publish_tracked(announcement.topic, announcement.payload, options);
        async move {
            let outcome = match sent {
                Ok(notice) => notice.wait_completion_async().await.map_err(NotTaken::new),
                Err(error) => Err(NotTaken::new(error)),
            };
            // Who no longer waits has no use for the answer.
            let _ = answer.send(outcome);
        }
    }

    fn acknowledge(&self, publish: &Publish) -> Result<(), String> {
        if publish.qos == QoS::AtMostOnce {
            return Ok(());
        }
        self.client.try_ack(publish).map_err(|error| format!("cannot acknowledge: {error}"))
    }
}

enum Handed {
    Awaited(Receipt),
    Done,
    Ended,
}

async fn hand_over(intake: &Intake, publish: &Publish) -> Handed {
    let Ok(topic) = std::str::from_utf8(&publish.topic) else { return Handed::Done };
    if intake.is_aside(topic, &publish.payload, publish.retain) || !intake.wants(topic) {
        return Handed::Done;
    }
    let message = Message {
        topic: Arc::from(topic),
        payload: publish.payload.clone(),
        retained_copy: publish.retain,
        // MQTT 3.1.1 has none.
        properties: Vec::new(),
    };
    if publish.qos == QoS::AtMostOnce {
        return if intake.offer(message).await { Handed::Done } else { Handed::Ended };
    }
    match intake.offer_awaited(message).await {
        Some(receipt) => Handed::Awaited(receipt),
        None => Handed::Ended,
    }
}
