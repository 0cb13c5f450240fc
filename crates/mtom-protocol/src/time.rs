//! Instants on the wire and in storage: UTC microseconds, nothing else.
//!
//! Zones exist only on a screen and in the original's messages. Nothing here reads a clock.

use core::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z. SQL and JSON name it with the suffix `_micros`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// This instant plus `span`; stays at the far end instead of overflowing.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole milliseconds since 1970, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

/// A span as people write it everywhere in mtom: `250ms`, `10s`, `5m`, `24h`, `7d`, `2w`, `1y`. `None` for
/// anything else; which spans make sense is the caller's to say.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    let digits = text.find(|each: char| !each.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number = number.parse::<u64>().ok()?;
    let seconds: u64 = match unit.trim_start() {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "y" => 365 * 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(feature = "alloc")]
mod text {
    use super::UnixMicros;
    use alloc::string::{String, ToString};
    use jiff::{
        Timestamp,
        civil::DateTime,
        fmt::temporal::{DateTimeParser, DateTimePrinter},
        tz::TimeZone,
    };

    impl UnixMicros {
        /// `2026-11-23 08:06:30` in `zone`, as the original writes times (`wire.md` §1.2).
        #[must_use]
        pub fn original(self, zone: &TimeZone) -> String {
            zone.to_datetime(self.timestamp()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        }

        /// Reads what [`UnixMicros::original`] writes. `None` for anything else, and for a local time that a
        /// change of clocks leaves out; of one that comes twice it is the first.
        #[must_use]
        pub fn parse_original(text: &str, zone: &TimeZone) -> Option<Self> {
            let local = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
            let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
            Some(Self(at.as_microsecond()))
        }

        /// RFC 3339 in UTC with microseconds: `2026-11-23T08:06:30.123456Z`.
        #[must_use]
        pub fn rfc3339(self) -> String {
            static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
            PRINTER.timestamp_to_string(&self.timestamp())
        }

        /// Reads RFC 3339 with `Z` or an offset. A time without a zone is refused: it names no instant.
        #[must_use]
        pub fn parse_rfc3339(text: &str) -> Option<Self> {
            static PARSER: DateTimeParser = DateTimeParser::new();
            PARSER.parse_timestamp(text).ok().map(|at| Self(at.as_microsecond()))
        }

        fn timestamp(self) -> Timestamp {
            let (min, max) = (Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
            Timestamp::from_microsecond(self.0.clamp(min, max)).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests;
