//! Readings as lines, and what a client asks for with one: the words of the forwarding by TCP.
//!
//! A reading is one JSON object on one line. What a client says is one JSON object on one line too. What it says
//! wrong is answered with a line that has `error` and `next`.

use crate::owners::Claim;
use mtom_protocol::reading::{Reading, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic;
use mtom_protocol::unit::Unit;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The longest line that a client may say.
pub const LINE_LEN_MAX: usize = 16 * 1024;
const FILTERS_LEN_MAX: usize = 100;
/// So much of what was wrong with a line is told.
const REASON_LEN_MAX: usize = 200;

/// A topic has at most 256 bytes, a series is a device and the path of a key.
const NAME_LEN_MAX: usize = 1_024;

/// What a client may say first, as an example.
pub(crate) const EXAMPLE: &str = r#"{"subscribe":["Environ/#"],"after":17,"ack":true}"#;
/// And later, where it has asked for it.
pub(crate) const ACK_EXAMPLE: &str = r#"{"ack":18}"#;

#[derive(Serialize)]
struct Line<'a> {
    id: u64,
    /// `device/quantity`
    series: String,
    device: &'a str,
    topic: &'a str,
    time: String,
    value: f64,
    unit: &'static str,
    celsius: Option<f64>,
    fahrenheit: Option<f64>,
    /// When it arrived, where that is not `time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    arrived: Option<String>,
}

/// The line of a reading, with its end.
pub(crate) fn line(stored: &StoredReading) -> Vec<u8> {
    let reading = &stored.reading;
    let line = Line {
        id: stored.id,
        series: format!("{}/{}", reading.device, reading.quantity),
        device: &reading.device,
        topic: &reading.topic,
        time: stored.at.rfc3339(),
        value: reading.value,
        unit: reading.unit.symbol(),
        celsius: reading.celsius(),
        fahrenheit: reading.fahrenheit(),
        arrived: (stored.at != stored.arrived_at).then(|| stored.arrived_at.rfc3339()),
    };
    ended(&line)
}

/// The line that says what was wrong and what to do.
pub(crate) fn error(error: &str, next: &str) -> Vec<u8> {
    Wrong::new(error, next).line()
}

/// What was wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) next: String,
    /// Where a program may want to know what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<WrongCode>,
    /// The name of the history that is here, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<String>,
}

/// What is wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WrongCode {
    /// `after` is of a history that never was here.
    AnotherHistory,
    /// Another controller drives one of its actuators, or there are too many controllers.
    ControllerRefused,
    /// The same controller has connected again.
    ConnectedAgain,
    /// A later mtom says more.
    #[serde(other)]
    Other,
}

impl Wrong {
    pub(crate) fn new(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self { error: error.into(), next: next.into(), code: None, history: None }
    }

    pub(crate) fn coded(self, code: WrongCode) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(crate) fn line(&self) -> Vec<u8> {
        ended(self)
    }
}

/// What a gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The name of its history: what ids mean.
    pub(crate) history: String,
    /// The newest id.
    pub(crate) newest: u64,
    /// Its clock, UTC.
    pub(crate) now: String,
    /// Behind which id the readings begin; said once, first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<u64>,
    /// Up to which id everything that was asked for has been said; not said first, and not by UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
}

/// The line with it.
pub(crate) fn status(status: &Status) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        gateway: &'a Status,
    }
    ended(&Line { gateway: status })
}

/// What a client says first.
pub(crate) fn ask(request: &Request) -> Vec<u8> {
    ended(request)
}

/// What it says later: it has everything up to `id`.
pub(crate) fn ack(id: u64) -> Vec<u8> {
    ended(&Ack { ack: id })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Ack {
    ack: u64,
}

/// Anything of ours as a line, with its end.
pub(crate) fn ended(line: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(line).expect("our own types always have a JSON form");
    line.push(b'\n');
    line
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Request {
    /// Topic filters; every reading on a topic that one of them names.
    #[serde(default = "everything")]
    pub(crate) subscribe: Vec<String>,
    /// Begins behind this id; `None`: with what comes from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<u64>,
    /// The name of the history that `after` is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<String>,
    /// It will say up to which id it has everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ack: bool,
    /// It wants to know how the gateway is: first of all, and from time to time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) status: bool,
    /// It drives actuators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) controller: Option<Claim>,
}

fn everything() -> Vec<String> {
    vec!["#".to_owned()]
}

impl Default for Request {
    /// Everything, live.
    fn default() -> Self {
        Self {
            subscribe: everything(),
            after: None,
            history: None,
            ack: false,
            status: false,
            controller: None,
        }
    }
}

impl Request {
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, String> {
        let request: Self = serde_json::from_slice(line).map_err(|error| reason(&error))?;
        check_filters(&request.subscribe)?;
        if let Some(claim) = &request.controller {
            claim.check()?;
        }
        Ok(request)
    }

    /// Whether it asks for this reading.
    pub(crate) fn wants(&self, stored: &StoredReading) -> bool {
        self.subscribe.iter().any(|filter| topic::matches(filter, &stored.reading.topic))
    }
}

/// # Errors
/// Which of the topic filters is none, in words.
pub(crate) fn check_filters(filters: &[String]) -> Result<(), String> {
    if filters.len() > FILTERS_LEN_MAX {
        let count = filters.len();
        return Err(format!("{count} topic filters: expected at most {FILTERS_LEN_MAX}"));
    }
    if filters.is_empty() {
        return Err("subscribe: no topic filter: leave it out for everything".to_owned());
    }
    for filter in filters {
        topic::check_filter(filter).map_err(|error| cut(&format!("{filter:?}: {error}")))?;
    }
    Ok(())
}

/// The id up to which a client says that it has everything.
///
/// # Errors
/// What is wrong with the line, in words.
pub(crate) fn parse_ack(line: &[u8]) -> Result<u64, String> {
    serde_json::from_slice(line).map(|Ack { ack }| ack).map_err(|error| reason(&error))
}

/// What a gateway says, as whoever follows it hears it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Reading(Forwarded),
    /// With how many datagrams it has sent us, where it sends datagrams.
    Gateway(Status, Option<u64>),
    Wrong(Wrong),
    /// A later mtom says more.
    Other,
}

/// A reading of another gateway's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarded {
    /// Its number there.
    pub id: u64,
    /// What the device sent, with the time that it counts for there.
    pub reading: Reading,
    /// When it arrived there, by the clock there.
    pub arrived_at: UnixMicros,
    /// Which datagram to us it was, where it was one.
    pub seq: Option<u64>,
}

/// Reads one line of a gateway.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(line: &[u8]) -> Result<Said, String> {
    /// Which of them it is, so that a fault in it is told and not passed over.
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Kind {
        id: Option<IgnoredAny>,
        gateway: Option<Status>,
        error: Option<IgnoredAny>,
        sent: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Row {
        id: u64,
        series: String,
        device: String,
        topic: String,
        time: String,
        value: f64,
        unit: String,
        arrived: Option<String>,
        seq: Option<u64>,
    }
    let kind: Kind = serde_json::from_slice(line).map_err(|error| reason(&error))?;
    if let Some(gateway) = kind.gateway {
        return Ok(Said::Gateway(gateway, kind.sent));
    }
    if kind.error.is_some() {
        return serde_json::from_slice(line).map(Said::Wrong).map_err(|error| reason(&error));
    }
    if kind.id.is_none() {
        return Ok(Said::Other);
    }
    let row: Row = serde_json::from_slice(line).map_err(|error| reason(&error))?;
    for (key, text) in [("topic", &row.topic), ("series", &row.series), ("device", &row.device)] {
        if text.len() > NAME_LEN_MAX || text.chars().any(char::is_control) {
            return Err(format!(
                "{key}: expected at most {NAME_LEN_MAX} bytes without control characters"
            ));
        }
    }
    let time = |text: &str| {
        UnixMicros::parse_rfc3339(text)
            .ok_or_else(|| cut(&format!("time {text:?}: expected RFC 3339")))
    };
    let at = time(&row.time)?;
    let quantity = row.series.strip_prefix(&row.device).and_then(|rest| rest.strip_prefix('/'));
    let quantity = quantity
        .ok_or_else(|| cut(&format!("series {:?}: expected device/quantity", row.series)))?;
    let unit =
        Unit::parse(&row.unit).ok_or_else(|| cut(&format!("unit {:?} is unknown", row.unit)))?;
    let (min, max) = unit.range();
    if !(min..=max).contains(&row.value) {
        return Err(format!("value {}: expected {min} to {max} {}", row.value, unit.symbol()));
    }
    let reading = Reading {
        topic: row.topic.into(),
        device: row.device.into(),
        quantity: quantity.into(),
        value: row.value,
        unit,
        taken_at: Some(at),
        key: None,
    };
    let arrived_at = row.arrived.as_deref().map_or(Ok(at), time)?;
    Ok(Said::Reading(Forwarded { id: row.id, reading, arrived_at, seq: row.seq }))
}

/// What JSON says is wrong, as far as it is told.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    cut(&error.to_string())
}

fn cut(text: &str) -> String {
    text.chars().take(REASON_LEN_MAX).collect()
}

#[cfg(test)]
mod tests;
