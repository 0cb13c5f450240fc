//! The original system's WebSocket messages on ports 8765 and 8768 (`wire.md` §1.2 to §1.4).
//!
//! They never change: golden tests hold them byte for byte. Both sides are here, because the
//! controller is a client of the original server too.

use crate::time::UnixMicros;
use alloc::string::String;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// How many rows one `database:N` answers at most.
pub const PAGE_LEN: usize = 20;

/// What a client may say on the live port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LiveRequest {
    /// `hello`
    Hello,
    /// `realtime`
    Realtime,
    /// `replay:<from>:<to>:<speed>`, ours: history with its own spacing, then `close`.
    Replay(Replay),
}

/// A stretch of history to play.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replay {
    /// Its beginning, inclusive.
    pub from: UnixMicros,
    /// Its end, exclusive.
    pub until: UnixMicros,
    /// How many times as fast as it was; `None`: without a pause.
    pub speed: Option<f64>,
}

/// The slowest and the fastest replay that is not `max`.
pub const SPEED_MIN: f64 = 0.01;
/// See [`SPEED_MIN`].
pub const SPEED_MAX: f64 = 1_000_000.0;

/// What a client may say on the history port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRequest {
    /// `hello`
    Hello,
    /// `database:N`: the rows N … N+19 in ascending time.
    Page {
        /// N, at most 2^63-1.
        offset: u64,
    },
}

/// A request that means nothing. The text goes back to the client; the connection stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// On 8765.
    #[error("unknown request: expected hello, realtime or replay:<from>:<to>:<speed>")]
    Live,
    /// `replay:…` with anything else behind it.
    #[error(
        "replay:<from>:<to>:<speed> takes two times, as in 2026-11-23 08:06:30 or 2026-11-23T08:06:30Z, the first before the second, and max or a speed from 0.01 to 1000000"
    )]
    Replay,
    /// On 8768.
    #[error("unknown request: expected hello or database:N")]
    History,
    /// `database:x`, `database:-1`, `database:1.5`, …
    #[error("database:N takes a whole number from 0 to 9223372036854775807")]
    Offset,
    /// A binary frame.
    #[error("binary frame: expected a text frame")]
    Binary,
}

impl LiveRequest {
    /// Reads one text frame.
    ///
    /// # Errors
    /// Says what is wrong and what is expected.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, Malformed> {
        match text {
            "hello" => Ok(Self::Hello),
            "realtime" => Ok(Self::Realtime),
            text => match text.strip_prefix("replay:") {
                Some(rest) => Replay::parse(rest, zone).map(Self::Replay).ok_or(Malformed::Replay),
                None => Err(Malformed::Live),
            },
        }
    }
}

impl Replay {
    /// `<from>:<to>:<speed>`. Times have colons too: the border is where both sides are times.
    fn parse(text: &str, zone: &TimeZone) -> Option<Self> {
        let (times, speed) = text.rsplit_once(':')?;
        let time = |text: &str| {
            UnixMicros::parse_rfc3339(text).or_else(|| UnixMicros::parse_original(text, zone))
        };
        let (from, until) = times.match_indices(':').find_map(|(border, _)| {
            Some((time(times.get(..border)?)?, time(times.get(border + 1..)?)?))
        })?;
        let speed = match speed {
            "max" => None,
            number => Some(parse_speed(number)?),
        };
        (from < until).then_some(Self { from, until, speed })
    }
}

/// A speed that a replay may have.
#[must_use]
pub fn parse_speed(text: &str) -> Option<f64> {
    text.parse().ok().filter(|speed| (SPEED_MIN..=SPEED_MAX).contains(speed))
}

impl HistoryRequest {
    /// Reads one text frame.
    ///
    /// # Errors
    /// Says what is wrong and what is expected.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text == "hello" {
            return Ok(Self::Hello);
        }
        let digits = text.strip_prefix("database:").ok_or(Malformed::History)?;
        // `u64::from_str` alone would let `+5` through.
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Malformed::Offset);
        }
        match digits.parse::<i64>().map(u64::try_from) {
            Ok(Ok(offset)) => Ok(Self::Page { offset }),
            _ => Err(Malformed::Offset),
        }
    }
}

/// The three answers to `hello`, in their order.
pub const HELLO: [&str; 3] = [
    r#"{"state":"OK","type":"hello","response":"Hello, client!"}"#,
    r#"{"state":"OK","type":"hello","response":"connect successfully!"}"#,
    r#"{"state":"OK","type":"sending","response":"sending temperature data from esp32..."}"#,
];

/// The end of a page.
pub const CLOSE: &str = r#"{"state":"OK","type":"close","response":""}"#;

/// There are no rows there.
pub const EMPTY: &str = r#"{"state":"OK","type":"empty","response":""}"#;

/// One reading on the live port. `time` is local, `YYYY-MM-DD HH:MM:SS`.
#[must_use]
pub fn new_data(time: &str, celsius: f64) -> String {
    data("new_data", time, celsius)
}

/// One row on the history port. `time` is local, `YYYY-MM-DD HH:MM:SS`.
#[must_use]
pub fn old_data(time: &str, celsius: f64) -> String {
    data("old_data", time, celsius)
}

/// The answer to a request that means nothing.
#[must_use]
pub fn error(reason: &str) -> String {
    encode(&Frame { state: "Error", kind: "error", response: reason })
}

fn data(kind: &str, time: &str, temp: f64) -> String {
    encode(&Frame { state: "OK", kind, response: Row { time, temp } })
}

fn encode<R: Serialize>(frame: &Frame<'_, R>) -> String {
    serde_json::to_string(frame).expect("strings and numbers always have a JSON form")
}

/// Field order is the format's: `state`, `type`, `response`.
#[derive(Serialize)]
struct Frame<'a, R> {
    state: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    response: R,
}

#[derive(Serialize)]
struct Row<'a> {
    time: &'a str,
    temp: f64,
}

/// What a client hears from a server, ours or the original.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// `new_data` or `old_data`.
    Data {
        /// Local time of the server, `YYYY-MM-DD HH:MM:SS`.
        time: String,
        /// Degrees Celsius. The original sends this as a number or as a text; both are read.
        celsius: f64,
    },
    /// `hello`, `sending` and whatever else needs no reaction.
    Greeting(String),
    /// `empty`
    Empty,
    /// `close`
    Close,
    /// Any state but `OK`.
    Error(String),
}

/// A frame that no server of ours or of the original sends.
#[derive(Debug, thiserror::Error)]
#[error("not a server message: expected {{\"state\":…,\"type\":…,\"response\":…}}")]
pub struct NotAServerMessage;

impl ServerMessage {
    /// Reads one text frame of a server.
    ///
    /// # Errors
    /// When it is not JSON of that shape, or the temperature is not a finite number.
    pub fn parse(text: &str) -> Result<Self, NotAServerMessage> {
        let raw: RawMessage = serde_json::from_str(text).map_err(|_| NotAServerMessage)?;
        if raw.state != "OK" {
            return Ok(Self::Error(raw.response.into_text()));
        }
        match (raw.kind.as_str(), raw.response) {
            ("new_data" | "old_data", RawResponse::Row { time, temp }) => {
                let celsius = temp.number().ok_or(NotAServerMessage)?;
                Ok(Self::Data { time, celsius })
            }
            ("new_data" | "old_data", RawResponse::Text(_)) => Err(NotAServerMessage),
            ("empty", _) => Ok(Self::Empty),
            ("close", _) => Ok(Self::Close),
            (_, response) => Ok(Self::Greeting(response.into_text())),
        }
    }
}

#[derive(Deserialize)]
struct RawMessage {
    state: String,
    #[serde(rename = "type")]
    kind: String,
    response: RawResponse,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawResponse {
    Row { time: String, temp: RawTemp },
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawTemp {
    Number(f64),
    Text(String),
}

impl RawResponse {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Row { time, .. } => time,
        }
    }
}

impl RawTemp {
    fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            // The original forwarded the payload's text, at times with its unit.
            Self::Text(text) => text.trim().trim_end_matches("°C").trim_end().parse().ok(),
        }
        .filter(|number| number.is_finite())
    }
}

#[cfg(test)]
mod tests;
