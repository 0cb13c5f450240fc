//! A time as people type it: so long ago, or a date.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use mtom_protocol::time::{UnixMicros, parse_span};
use std::str::FromStr;
use std::time::Duration;

/// What `--since` and `--until` take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Before now.
    Ago(Duration),
    /// A date and time in the zone of this computer.
    Local(DateTime),
    /// An instant.
    At(UnixMicros),
}

const EXPECTED: &str = "expected how long ago, as in 2h or 7d, or a time, as in 2026-11-24, \
                        \"2026-11-24 08:00\" or 2026-11-24T08:00:00Z";

impl When {
    /// The instant that is meant.
    pub(crate) fn instant(self, now: UnixMicros, zone: &TimeZone) -> UnixMicros {
        match self {
            Self::Ago(span) => {
                let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
                UnixMicros(now.0.saturating_sub(micros))
            }
            // Where clocks are put forward or back there are none or two: as calendars take it.
            Self::Local(local) => {
                let at = zone.to_ambiguous_timestamp(local).compatible();
                UnixMicros(at.map_or(now.0, |at| at.as_microsecond()))
            }
            Self::At(at) => at,
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(span) = parse_span(text) {
            return Ok(Self::Ago(span));
        }
        if let Some(at) = UnixMicros::parse_rfc3339(text) {
            return Ok(Self::At(at));
        }
        // A space between date and time is how people write it.
        let civil = text.replacen(' ', "T", 1);
        if let Ok(local) = civil.parse::<DateTime>() {
            return Ok(Self::Local(local));
        }
        match text.parse::<Date>() {
            Ok(date) => Ok(Self::Local(date.to_datetime(jiff::civil::Time::midnight()))),
            Err(_) => Err(EXPECTED.into()),
        }
    }
}

#[cfg(test)]
mod tests;
