//! How long to wait before the next attempt: longer each time, never for ever, never all at once.
//!
//! A thousand devices that lose one broker must not come back in one instant, so each wait is a
//! random part, at least half, of the full one ("equal jitter").

use embassy_time::Duration;

/// Doubles from `min` to `max`, with jitter.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Between `min` and `max`.
    #[must_use]
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// It worked: the next wait is short again.
    pub fn reset(&mut self) {
        self.next = self.min;
    }

    /// The wait before the next attempt; `random` decides between half and all of it.
    pub fn next_delay(&mut self, random: u32) -> Duration {
        let full = self.next;
        self.next = Duration::from_ticks(full.as_ticks().saturating_mul(2)).min(self.max);
        let half = full.as_ticks() / 2;
        let part = u128::from(half) * u128::from(random) / u128::from(u32::MAX);
        Duration::from_ticks(full.as_ticks() - half + u64::try_from(part).unwrap_or(half))
    }
}

#[cfg(test)]
mod tests;
