//! From an MQTT message to readings.
//!
//! A payload is text (`23.4 °C`), a plain number, a JSON object whose numbers are readings, SenML or line
//! protocol. Where the topic is one of Tasmota, Zigbee2MQTT, Shelly or ESPHome it is read as they mean it.
//! What cannot be true is refused with its reason, number by number, and disturbs no other number
//! of the same message. The caller keeps what was refused.

use crate::reading::Reading;
use alloc::vec::Vec;

mod availability;
mod ecosystem;
mod json;
mod line_protocol;
mod properties;
mod senml;
mod series;
#[cfg(feature = "sparkplug")]
pub mod sparkplug;
mod text;

pub use availability::{
    Availability, Whose, availability, availability_again, availability_filters,
    availability_wishes,
};
pub use properties::describe;
pub use series::{Own, reading};
pub use text::{default_unit, number_with_unit, plausible};

/// The most readings that one message may carry.
pub const READINGS_LEN_MAX: usize = 64;
/// The longest topic that can name a series, in bytes.
pub const TOPIC_LEN_MAX: usize = 256;
/// The longest payload that is looked at, in bytes.
pub const PAYLOAD_LEN_MAX: usize = 64 * 1024;

/// Why something is not a reading. The message is for people; [`NotAReading::code`] is for counting.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum NotAReading {
    #[error("the payload is empty: expected a number with its unit, as in 23.4 °C, or JSON")]
    Empty,
    #[error("the payload is not UTF-8: expected text, as in 23.4 °C, or JSON")]
    NotUtf8,
    #[error("the payload has {len} bytes: expected at most {PAYLOAD_LEN_MAX}")]
    TooLong { len: usize },
    #[error("the topic has {len} bytes: expected at most {TOPIC_LEN_MAX}")]
    TopicTooLong { len: usize },
    #[error("the topic has a control character")]
    TopicControl,
    #[error("decimal comma: expected a point, as in 23.4")]
    DecimalComma,
    #[error("not a finite number: expected one like 23.4")]
    NotFinite,
    #[error("not a number: expected one like 23.4, with its unit or without")]
    NotANumber,
    #[error("unknown unit: expected °C, °F, K, %, Pa, hPa, V, A, W, lx, ppm or none")]
    UnknownUnit,
    #[error("outside the physical range: expected {min} to {max} {symbol}")]
    OutOfRange { min: f64, max: f64, symbol: &'static str },
    #[error("-127 °C is a DS18B20 that has lost its wire: check the sensor's cable")]
    SensorLost,
    #[error("not valid JSON: expected an object like {{\"temperature\":23.4}}")]
    NotJson,
    #[error("no number in the JSON: expected an object like {{\"temperature\":23.4}}")]
    NoNumber,
    #[error("more than {READINGS_LEN_MAX} numbers in one message")]
    TooMany,
    #[error("time cannot be read: expected RFC 3339 with a zone, as in 2026-11-23T08:06:30Z")]
    Time,
    #[error("seq and boot: expected both, seq a whole number from 0, boot a text of 1 to 64 bytes")]
    Key,
    #[error("device: expected a text of 1 to {TOPIC_LEN_MAX} bytes without control characters")]
    Device,
    #[error("quantity: expected a text of 1 to {TOPIC_LEN_MAX} bytes without control characters")]
    Quantity,
    #[error("SenML: expected {0}")]
    SenMl(&'static str),
    #[error("line protocol: expected {0}")]
    LineProtocol(&'static str),
    #[error("Sparkplug: expected {0}")]
    Sparkplug(&'static str),
    #[error("a whole number beyond 2^53: expected one that is exact")]
    Inexact,
    #[error("retained copy without a time of its own: when it was measured is unknown")]
    Retained,
}

impl NotAReading {
    /// One stable word per reason, for counters and for the column `code`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::TooLong { .. } => "too_long",
            Self::TopicTooLong { .. } => "topic_too_long",
            Self::TopicControl => "topic_control",
            Self::DecimalComma => "decimal_comma",
            Self::NotFinite => "not_finite",
            Self::NotANumber => "not_a_number",
            Self::UnknownUnit => "unknown_unit",
            Self::OutOfRange { .. } => "out_of_range",
            Self::SensorLost => "sensor_lost",
            Self::NotJson => "not_json",
            Self::NoNumber => "no_number",
            Self::TooMany => "too_many",
            Self::Time => "time",
            Self::Key => "key",
            Self::Device => "device",
            Self::Quantity => "quantity",
            Self::SenMl(_) => "senml",
            Self::LineProtocol(_) => "line_protocol",
            Self::Sparkplug(_) => "sparkplug",
            Self::Inexact => "inexact",
            Self::Retained => "retained",
        }
    }
}

/// Everything that one message says: readings and reasons. Nothing, where it is no reading and no mistake
/// either, as what a device says about itself (`Online` on `tele/plug/LWT`).
///
/// The text of a topic names the series: its last level is the quantity, what stands before it the
/// device (`Environ/Temperature`: device `Environ`, quantity `Temperature`).
#[must_use]
pub fn decode(topic: &str, payload: &[u8]) -> Vec<Result<Reading, NotAReading>> {
    match decode_message(topic, payload) {
        Ok(found) => found,
        Err(reason) => alloc::vec![Err(reason)],
    }
}

fn decode_message(
    topic: &str,
    payload: &[u8],
) -> Result<Vec<Result<Reading, NotAReading>>, NotAReading> {
    let text = text_of(topic, payload)?;
    if let Some(said) = ecosystem::decode(topic, text) {
        return said;
    }
    match text.as_bytes().first() {
        None => Err(NotAReading::Empty),
        Some(b'{') => json::decode(topic, text),
        Some(b'[') => senml::decode(topic, text),
        Some(_) => match text::decode(topic, text) {
            Err(_) if line_protocol::is_meant(text) => line_protocol::decode(topic, text),
            outcome => Ok(alloc::vec![outcome]),
        },
    }
}

/// The text of a message, without the blanks around it.
///
/// # Errors
/// When the topic or the payload is too long, or no text.
pub fn text_of<'a>(topic: &str, payload: &'a [u8]) -> Result<&'a str, NotAReading> {
    if topic.len() > TOPIC_LEN_MAX {
        return Err(NotAReading::TopicTooLong { len: topic.len() });
    }
    if topic.chars().any(char::is_control) {
        return Err(NotAReading::TopicControl);
    }
    if payload.len() > PAYLOAD_LEN_MAX {
        return Err(NotAReading::TooLong { len: payload.len() });
    }
    Ok(core::str::from_utf8(payload).map_err(|_| NotAReading::NotUtf8)?.trim())
}

#[cfg(test)]
mod tests;
