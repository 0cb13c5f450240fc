//! A client that publishes: what a simulated sensor speaks MQTT with.

use bytes::Bytes;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS};
use std::time::Duration;

const KEEP_ALIVE_SECONDS: u16 = 15;
/// Messages that wait for the connection; full: [`Publisher::publish`] refuses.
const REQUESTS_LEN: usize = 16;

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
#[error("message on {topic} not taken: the queue to the broker is full")]
pub struct NotTaken {
    /// Its topic.
    pub topic: String,
}

/// A connection to a broker. [`Publisher::next`] drives it and must be called all the time.
pub struct Publisher {
    client: AsyncClient,
    events: EventLoop,
}

/// What happened on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// CONNACK came.
    Connected,
    /// A QoS 1 message was acknowledged.
    Acknowledged,
    /// A message came on the topic that [`Publisher::listen`] named, perhaps our own.
    Heard {
        /// Its payload.
        payload: Bytes,
    },
    /// Nothing to act on.
    Other,
}

impl Publisher {
    /// A client of `host:port`; connects when first driven.
    #[must_use]
    pub fn new(client_id: &str, host: &str, port: u16) -> Self {
        let mut options = MqttOptions::new(client_id, (host, port));
        options.set_keep_alive(KEEP_ALIVE_SECONDS);
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS_LEN).build();
        Self { client, events }
    }

    /// Queues a message, QoS 0 or 1, not retained.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn publish(&self, topic: &str, payload: &str, acknowledged: bool) -> Result<(), NotTaken> {
        let qos = if acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        self.client
            .try_publish(topic, payload.to_owned(), PublishOptions::new(qos))
            .map_err(|_| NotTaken { topic: topic.into() })
    }

    /// Asks to hear `topic`, QoS 0; forgotten when the connection ends.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn listen(&self, topic: &str) -> Result<(), NotTaken> {
        self.client
            .try_subscribe(topic, QoS::AtMostOnce)
            .map_err(|_| NotTaken { topic: topic.into() })
    }

    /// Drives the connection by one event; after an error the next call connects again.
    ///
    /// # Errors
    /// Why the connection ended, in words.
    pub async fn next(&mut self) -> Result<Progress, String> {
        match self.events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => Ok(Progress::Connected),
            Ok(Event::Incoming(Incoming::PubAck(_))) => Ok(Progress::Acknowledged),
            Ok(Event::Incoming(Incoming::Publish(message))) => {
                Ok(Progress::Heard { payload: message.payload })
            }
            Ok(_) => Ok(Progress::Other),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Says good-bye to the broker, after what is queued, within `limit`.
    pub async fn close(mut self, limit: Duration) {
        if self.client.try_disconnect().is_ok() {
            let drained = async { while self.next().await.is_ok() {} };
            // Out of time: the broker learns it from the socket.
            let _ = tokio::time::timeout(limit, drained).await;
        }
    }
}
