//! What a sensor does, as its log tells it; the original's sketch told much the same.

use crate::record::Record;
use crate::remote::{Remote, RemoteError};
use core::fmt;
use embassy_time::Duration;
use heapless::String;
use minimq::ReasonCode;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// It tries to reach the broker.
    Connecting {
        /// The broker's name or address.
        host: &'a str,
        /// Its port.
        port: u16,
    },
    /// The broker accepted it.
    Connected,
    /// There is no connection, or it ended.
    Lost {
        /// Why.
        reason: &'a Lost,
    },
    /// It tries again after this long.
    Waiting {
        /// How long.
        delay: Duration,
    },
    /// A reading was taken.
    Measured {
        /// The reading.
        record: &'a Record,
    },
    /// The thermometer gave none.
    NoReading {
        /// Why.
        reason: &'a str,
    },
    /// A reading went out, perhaps not for the first time.
    Sent {
        /// The reading.
        record: &'a Record,
        /// Where to.
        topic: &'a str,
        /// As it went out.
        payload: &'a str,
    },
    /// The broker has it.
    Acknowledged {
        /// The reading.
        record: &'a Record,
    },
    /// There was no room left for it.
    GivenUp {
        /// The reading.
        record: &'a Record,
    },
    /// The broker refused something that is no reading; the connection goes on.
    Refused {
        /// Its reason.
        code: ReasonCode,
    },
    /// Settings came over MQTT.
    Settings {
        /// Those in force now.
        remote: &'a Remote,
        /// Why they could not be used, when they could not; nothing changed then.
        refused: Option<RemoteError>,
    },
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Lost {
    /// The stream could not be opened; the text is the [`super::Connector`]'s.
    #[error("{0}")]
    Unreachable(String<48>),
    /// No answer in time.
    #[error("the broker does not answer")]
    TimedOut,
    /// The broker closed the connection, or the network did.
    #[error("the connection was closed")]
    Closed,
    /// The broker said no [MQTT-5.0 2.4].
    #[error("the broker refused: {0:?}")]
    Refused(ReasonCode),
    /// What came was no MQTT 5.
    #[error("the broker does not speak MQTT 5")]
    NotMqtt,
    /// A message that the broker or our memory has no room for.
    #[error("a message is too large for the broker")]
    TooLarge,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting { host, port } => {
                write!(f, "connecting to the broker at {host}:{port}")
            }
            Self::Connected => f.write_str("connected to the broker"),
            Self::Lost { reason } => write!(f, "no broker: {reason}"),
            Self::Waiting { delay } => write!(f, "trying again in {} ms", delay.as_millis()),
            Self::Measured { record } => write!(f, "measured {} °C", record.celsius),
            Self::NoReading { reason } => write!(f, "no reading: {reason}"),
            Self::Sent { topic, payload, .. } => write!(f, "sent {topic} {payload}"),
            Self::Acknowledged { record } => write!(f, "acknowledged {} °C", record.celsius),
            Self::GivenUp { record } => write!(f, "no room: gave up {} °C", record.celsius),
            Self::Refused { code } => write!(f, "the broker refused: {code:?}"),
            Self::Settings { remote, refused: None } => write!(f, "settings: {remote}"),
            Self::Settings { refused: Some(error), .. } => write!(f, "settings refused: {error}"),
        }
    }
}
