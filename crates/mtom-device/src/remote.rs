//! Settings that a device takes over MQTT: a JSON object, retained on `mtom/<id>/set`.
//!
//! `{"period":"10s","topic":"Environ/Temperature","format":"json"}`; what is left out stays as it is.
//! Nothing is applied unless everything in it can be.

use crate::settings::{Format, PERIOD_MILLIS, Settings, TOPIC_LEN_MAX, is_topic};
use core::fmt;
use heapless::String;
use mtom_protocol::time::parse_span;
use serde::Deserialize;

/// The longest message that is looked at, in bytes.
pub const LEN_MAX: usize = 192;

/// What can be set from afar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// How often the sensor measures, in milliseconds.
    pub period_millis: u32,
    /// Where readings are published.
    pub topic: String<TOPIC_LEN_MAX>,
    /// What a reading looks like.
    pub format: Format,
}

/// Why settings were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No object, a key that there is not, or a value that is no text.
    #[error("expected a JSON object with period, topic or format, all texts")]
    NotSettings,
    /// The period.
    #[error("period: expected 200ms to 24h, as in 10s")]
    Period,
    /// The topic.
    #[error("topic: expected 1 to {TOPIC_LEN_MAX} bytes without +, # and control characters")]
    Topic,
    /// The format.
    #[error("format: expected text or json")]
    Format,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    period: Option<&'a str>,
    topic: Option<&'a str>,
    format: Option<&'a str>,
}

impl Remote {
    /// Those of `settings`.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            period_millis: settings.period_millis,
            topic: settings.topic.clone(),
            format: settings.format,
        }
    }

    /// Puts them into `settings`.
    pub fn put_into(&self, settings: &mut Settings) {
        settings.period_millis = self.period_millis;
        settings.topic = self.topic.clone();
        settings.format = self.format;
    }
}

/// Reads what came on `set` over the settings in force.
///
/// # Errors
/// The first thing that cannot be used; nothing has changed then.
pub fn parse(payload: &[u8], now: &Remote) -> Result<Remote, RemoteError> {
    let (raw, rest) =
        serde_json_core::from_slice::<Raw<'_>>(payload).map_err(|_| RemoteError::NotSettings)?;
    if payload.get(rest..).is_none_or(|rest| !rest.iter().all(u8::is_ascii_whitespace)) {
        return Err(RemoteError::NotSettings);
    }
    let mut new = now.clone();
    if let Some(text) = raw.period {
        new.period_millis = period_millis(text).ok_or(RemoteError::Period)?;
    }
    if let Some(text) = raw.topic {
        // An escape of JSON stands here as it came: a topic with a backslash is none.
        let topic = String::try_from(text).ok().filter(|_| is_topic(text));
        new.topic = topic.ok_or(RemoteError::Topic)?;
    }
    if let Some(text) = raw.format {
        new.format = Format::parse(text).ok_or(RemoteError::Format)?;
    }
    Ok(new)
}

/// `500ms`, `10s`, `5m` or `1h`, within [`PERIOD_MILLIS`].
#[must_use]
pub fn period_millis(text: &str) -> Option<u32> {
    let period = u32::try_from(parse_span(text)?.as_millis()).ok()?;
    let (min, max) = PERIOD_MILLIS;
    (min..=max).contains(&period).then_some(period)
}

/// The JSON that [`parse`] reads.
impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.members())
    }
}

impl Remote {
    /// What stands between the braces.
    pub(crate) fn members(&self) -> impl fmt::Display {
        Members(self)
    }
}

struct Members<'a>(&'a Remote);

impl fmt::Display for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Remote { period_millis, topic, format } = self.0;
        let (number, unit) = match period_millis {
            millis if millis % 3_600_000 == 0 => (millis / 3_600_000, "h"),
            millis if millis % 60_000 == 0 => (millis / 60_000, "m"),
            millis if millis % 1_000 == 0 => (millis / 1_000, "s"),
            millis => (*millis, "ms"),
        };
        write!(f, "\"period\":\"{number}{unit}\",\"topic\":\"{topic}\",\"format\":\"{format}\"")
    }
}

#[cfg(test)]
mod tests;
