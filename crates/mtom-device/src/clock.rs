//! What time it is, and whether that is known.
//!
//! A device without a battery does not know the time until a time server has told it. Until then a
//! reading keeps how long after the start it was taken; once the clock is set, that is enough to
//! tell when it was. Only a reading from before a loss of power, taken by an unset clock, has no time.

use crate::record::{Record, Taken};
use core::cell::Cell;
use embassy_time::Instant;
use mtom_protocol::time::UnixMicros;

/// No device of ours ran before 2024-01-01T00:00:00Z: an earlier time is no time.
const EARLIEST: UnixMicros = UnixMicros(1_704_067_200_000_000);
/// Nor after 2100-01-01T00:00:00Z.
const LATEST: UnixMicros = UnixMicros(4_102_444_800_000_000);

/// The time of day, shared by those who set it and those who ask.
#[derive(Debug, Default)]
pub struct WallClock {
    /// Unix microseconds when the device started.
    started_at: Cell<Option<UnixMicros>>,
}

/// A time that no clock can show: the clock stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time outside 2024 to 2100: the clock stays as it was")]
pub struct Implausible;

impl WallClock {
    /// A clock that is not set.
    #[must_use]
    pub const fn new() -> Self {
        Self { started_at: Cell::new(None) }
    }

    /// It is `at` now; says by how many microseconds the clock jumped, 0 when it was not set before.
    ///
    /// # Errors
    /// When `at` cannot be true.
    pub fn set(&self, at: UnixMicros, now: Instant) -> Result<i64, Implausible> {
        if at < EARLIEST || at > LATEST {
            return Err(Implausible);
        }
        let started_at = UnixMicros(at.0.saturating_sub(signed(now.as_micros())));
        let before = self.started_at.replace(Some(started_at));
        Ok(before.map_or(0, |before| started_at.0.saturating_sub(before.0)))
    }

    /// Whether anybody has set it.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.started_at.get().is_some()
    }

    /// The time; `None` while it is not known.
    #[must_use]
    pub fn at(&self, now: Instant) -> Option<UnixMicros> {
        self.of_uptime(now.as_micros())
    }

    /// How a reading that is taken `now` remembers it.
    #[must_use]
    pub fn taken(&self, now: Instant) -> Taken {
        self.at(now).map_or(Taken::Uptime(now.as_micros()), Taken::At)
    }

    /// When `record` was taken, as far as it is known by now, in the run `boot` of the device.
    #[must_use]
    pub fn time_of(&self, record: &Record, boot: u64) -> Option<UnixMicros> {
        match record.taken {
            Taken::At(at) => Some(at),
            Taken::Uptime(micros) if record.boot == boot => self.of_uptime(micros),
            Taken::Uptime(_) => None,
        }
    }

    fn of_uptime(&self, micros: u64) -> Option<UnixMicros> {
        let started_at = self.started_at.get()?;
        Some(UnixMicros(started_at.0.saturating_add(signed(micros))))
    }
}

fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
