//! Readings as lines, and what a client asks for with one: the words of the forwarding by TCP.
//!
//! A reading is one JSON object on one line. What a client says is one JSON object on one line too. What it says
//! wrong is answered with a line that has `error` and `next`.

use mtom_protocol::reading::StoredReading;
use mtom_protocol::topic;
use serde::{Deserialize, Serialize};

/// The longest line that a client may say.
pub(crate) const LINE_LEN_MAX: usize = 16 * 1024;
const FILTERS_LEN_MAX: usize = 100;
/// So much of what was wrong with a line is told.
const REASON_LEN_MAX: usize = 200;

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
    };
    ended(&line)
}

/// The line that says what was wrong and what to do.
pub(crate) fn error(error: &str, next: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        error: &'a str,
        next: &'a str,
    }
    ended(&Line { error, next })
}

fn ended(line: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(line).expect("our own types always have a JSON form");
    line.push(b'\n');
    line
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Request {
    /// Topic filters; every reading on a topic that one of them names.
    #[serde(default = "everything")]
    pub(crate) subscribe: Vec<String>,
    /// Begins behind this id; `None`: with what comes from now on.
    #[serde(default)]
    pub(crate) after: Option<u64>,
    /// It will say up to which id it has everything.
    #[serde(default)]
    pub(crate) ack: bool,
}

fn everything() -> Vec<String> {
    vec!["#".to_owned()]
}

impl Default for Request {
    /// Everything, live.
    fn default() -> Self {
        Self { subscribe: everything(), after: None, ack: false }
    }
}

impl Request {
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, String> {
        let request: Self = serde_json::from_slice(line).map_err(|error| reason(&error))?;
        if request.subscribe.len() > FILTERS_LEN_MAX {
            let count = request.subscribe.len();
            return Err(format!("{count} topic filters: expected at most {FILTERS_LEN_MAX}"));
        }
        if request.subscribe.is_empty() {
            return Err("subscribe: no topic filter: leave it out for everything".to_owned());
        }
        for filter in &request.subscribe {
            topic::check_filter(filter).map_err(|error| cut(&format!("{filter:?}: {error}")))?;
        }
        Ok(request)
    }

    /// Whether it asks for this reading.
    pub(crate) fn wants(&self, stored: &StoredReading) -> bool {
        self.subscribe.iter().any(|filter| topic::matches(filter, &stored.reading.topic))
    }
}

/// The id up to which a client says that it has everything.
///
/// # Errors
/// What is wrong with the line, in words.
pub(crate) fn parse_ack(line: &[u8]) -> Result<u64, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Ack {
        ack: u64,
    }
    serde_json::from_slice(line).map(|Ack { ack }| ack).map_err(|error| reason(&error))
}

fn reason(error: &serde_json::Error) -> String {
    cut(&error.to_string())
}

fn cut(text: &str) -> String {
    text.chars().take(REASON_LEN_MAX).collect()
}

#[cfg(test)]
mod tests;
