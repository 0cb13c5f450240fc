//! A client that publishes: what a simulated sensor speaks MQTT with.

use bytes::Bytes;
use mtom_mqtt::connection::{Connection, Event, Options, Outgoing};
use mtom_mqtt::target::{Target, Versions};
use std::time::Duration;

const KEEP_ALIVE_SECONDS: u16 = 15;
/// Messages that wait for the connection; full: [`Publisher::publish`] refuses.
const REQUESTS_LEN: usize = 16;
const PACKET_LEN_MAX: u32 = 64 * 1024;

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
#[error("message on {topic} not taken: the queue to the broker is full")]
pub struct NotTaken {
    /// Its topic.
    pub topic: String,
}

/// A connection to a broker. [`Publisher::next`] drives it and must be called all the time.
pub struct Publisher(Connection);

/// What happened on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// CONNACK came.
    Connected,
    /// A QoS 1 message was acknowledged.
    Acknowledged,
    /// The broker has answered to [`Publisher::listen`].
    Listening,
    /// A message came on the topic that [`Publisher::listen`] named, perhaps our own.
    Heard {
        /// Its payload.
        payload: Bytes,
    },
    /// Nothing to act on.
    Other,
}

impl Publisher {
    /// A client of `host:port`, MQTT 3.1.1; connects when first driven.
    #[must_use]
    pub fn new(client_id: &str, host: &str, port: u16) -> Self {
        Self::to(client_id, &Target::plain(host, port))
    }

    /// A client of `target`; connects when first driven. Where any version is wanted it speaks the newest.
    #[must_use]
    pub fn to(client_id: &str, target: &Target) -> Self {
        let options = Options {
            client_id: client_id.into(),
            is_kept: false,
            acknowledges_by_hand: false,
            receive_max: u16::MAX,
            keep_alive_seconds: KEEP_ALIVE_SECONDS,
            packet_len_max: PACKET_LEN_MAX,
            requests_len: REQUESTS_LEN,
            unanswered_max: 100,
            will: None,
        };
        Self(Connection::new(target, Versions::new(target.version).next(), &options))
    }

    /// Queues a message, QoS 0 or 1, not retained.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn publish(&self, topic: &str, payload: &str, acknowledged: bool) -> Result<(), NotTaken> {
        self.publish_with(topic, payload, acknowledged, &[])
    }

    /// The same with user properties, names and values, which MQTT 3.1.1 leaves out.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn publish_with(
        &self,
        topic: &str,
        payload: &str,
        acknowledged: bool,
        properties: &[(&str, &str)],
    ) -> Result<(), NotTaken> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let outgoing = Outgoing {
            topic: topic.into(),
            payload: payload.to_owned().into(),
            acknowledged,
            retain: false,
            properties: properties.iter().map(owned).collect(),
        };
        // Its fate is told by `next`.
        self.0.publish(outgoing).map(drop).map_err(|_| NotTaken { topic: topic.into() })
    }

    /// Asks to hear `topic`, QoS 0; forgotten when the connection ends.
    ///
    /// # Errors
    /// When the queue is full.
    pub fn listen(&mut self, topic: &str) -> Result<(), NotTaken> {
        self.0.subscribe(&[topic], false).map_err(|_| NotTaken { topic: topic.into() })
    }

    /// Drives the connection by one event; after an error the next call connects again.
    ///
    /// # Errors
    /// Why the connection ended, or a message was refused, in words.
    pub async fn next(&mut self) -> Result<Progress, String> {
        match self.0.next().await {
            Ok(Event::Connected { .. }) => Ok(Progress::Connected),
            Ok(Event::Taken) => Ok(Progress::Acknowledged),
            Ok(Event::Message(message)) => Ok(Progress::Heard { payload: message.payload }),
            Ok(Event::Subscribed { .. }) => Ok(Progress::Listening),
            Ok(Event::NotTaken { reason }) => {
                Err(format!("the broker refuses a message: {reason}"))
            }
            Ok(Event::Unsubscribed { .. } | Event::Other) => Ok(Progress::Other),
            Err(fault) => Err(fault.to_string()),
        }
    }

    /// Says good-bye to the broker, after what is queued, within `limit`.
    pub async fn close(mut self, limit: Duration) {
        if self.0.disconnect().is_ok() {
            let drained = async { while self.next().await.is_ok() {} };
            // Out of time: the broker learns it from the socket.
            let _ = tokio::time::timeout(limit, drained).await;
        }
    }
}
