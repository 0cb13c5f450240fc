//! The pauses between attempts to connect: longer each time, with a random part, so that many
//! links that broke together do not come back together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    current: Duration,
    random: u64,
}

impl Backoff {
    /// Pauses from `min` to `max`; equal seeds give equal pauses.
    pub(crate) fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self { min, max: max.max(min), current: min, random: seed }
    }

    /// A seed that differs from link to link and from run to run.
    pub(crate) fn seed() -> u64 {
        RandomState::new().hash_one(0)
    }

    /// The next pause: from a half to the whole of the present step.
    pub(crate) fn pause(&mut self) -> Duration {
        let step = self.current;
        self.current = step.saturating_mul(2).min(self.max);
        let half = step / 2;
        // The upper 32 bits as a fraction: any spread will do, it only has to differ.
        self.random =
            self.random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        half + half.mul_f64((self.random >> 32) as f64 / f64::from(u32::MAX))
    }

    /// The other end wants nothing of us: the longest pause is next.
    pub(crate) fn refused(&mut self) {
        self.current = self.max;
    }

    /// Tells how long the last connection held: one that outlived the pause starts over.
    pub(crate) fn held(&mut self, span: Duration) {
        if span >= self.current {
            self.current = self.min;
        }
    }
}

#[cfg(test)]
mod tests;
