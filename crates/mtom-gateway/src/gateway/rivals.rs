//! Whether another broker takes our two connections for one, so that each that is made ends the other. No I/O.
//!
//! Some brokers give a client the name of its user or certificate, whatever it calls itself. There a second connection
//! costs the session of the first one, with the readings that wait in it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// One has ended because of the other when that was made so shortly before or after.
const CAUSED_WITHIN: Duration = Duration::from_secs(1);
/// A broker that goes away ends both at once; one of two rivals was gone for longer before it ended the other.
const APART_MIN: Duration = Duration::from_millis(100);
/// What has stood side by side for so long are no rivals.
const PEACE: Duration = Duration::from_secs(3);
/// So many times in succession are no chance.
const BLOWS_MAX: u32 = 4;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Readings,
    House,
}

/// Looks at both. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Rivals(Arc<Mutex<Ring>>);

#[derive(Debug, Default)]
struct Ring {
    readings: One,
    house: One,
    blows: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct One {
    /// `Some`: it is up.
    up_since: Option<Instant>,
    lost_at: Option<Instant>,
    /// The other one may have ended it: that one is made, and has not ended with it.
    is_beaten: bool,
}

impl Rivals {
    /// One is made. True: they are rivals.
    pub(super) fn connected(&self, side: Side, now: Instant) -> bool {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (one, other) = ring.of(side);
        one.up_since = Some(now);
        beat(one, other);
        ring.blows >= BLOWS_MAX
    }

    /// One has ended, or could not be made. True: they are rivals.
    pub(super) fn lost(&self, side: Side, now: Instant) -> bool {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let both = ring.readings.up_since.zip(ring.house.up_since);
        if both.is_some_and(|(one, other)| now.duration_since(one.max(other)) >= PEACE) {
            ring.blows = 0;
            (ring.readings.is_beaten, ring.house.is_beaten) = (false, false);
        }
        let (one, other) = ring.of(side);
        if one.up_since.take().is_some() {
            one.lost_at = Some(now);
            let is_apart = other.lost_at.is_some_and(|lost| lost + APART_MIN <= now);
            let is_blow = std::mem::take(&mut other.is_beaten) && is_apart;
            beat(other, one);
            ring.blows += u32::from(is_blow);
        }
        ring.blows >= BLOWS_MAX
    }
}

impl Ring {
    /// That one and the other.
    fn of(&mut self, side: Side) -> (&mut One, &mut One) {
        match side {
            Side::Readings => (&mut self.readings, &mut self.house),
            Side::House => (&mut self.house, &mut self.readings),
        }
    }
}

/// Notes where the one that is up may have ended the other by being made.
fn beat(victor: &One, loser: &mut One) {
    let (Some(made), Some(lost)) = (victor.up_since, loser.lost_at) else { return };
    let is_near = made.max(lost).duration_since(made.min(lost)) <= CAUSED_WITHIN;
    let is_apart = victor.lost_at.is_none_or(|gone| gone + APART_MIN <= lost);
    loser.is_beaten |= is_near && is_apart && loser.up_since.is_none();
}

#[cfg(test)]
mod tests {
    use super::{BLOWS_MAX, Rivals, Side};
    use std::time::Duration;
    use tokio::time::Instant;

    const fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn two_that_end_each_other_are_rivals() {
        let (rivals, mut now) = (Rivals::default(), Instant::now());
        assert!(!rivals.connected(Side::House, now));
        let mut sides = [Side::Readings, Side::House];
        // A blow shows when its victor is beaten in turn.
        for blow in 1..=BLOWS_MAX + 1 {
            let [made, ended] = sides;
            now += millis(200);
            // In whichever order both are heard.
            let is_found = if blow % 2 == 0 {
                rivals.connected(made, now) | rivals.lost(ended, now + millis(5))
            } else {
                rivals.lost(ended, now) | rivals.connected(made, now + millis(5))
            };
            assert_eq!(is_found, blow > BLOWS_MAX, "{blow}");
            sides.reverse();
        }
    }

    #[test]
    fn a_broker_that_goes_away_again_and_again_makes_no_rivals() {
        let (rivals, mut now) = (Rivals::default(), Instant::now());
        for _ in 0..20 {
            now += millis(300);
            assert!(!rivals.connected(Side::House, now));
            assert!(!rivals.connected(Side::Readings, now + millis(20)));
            assert!(!rivals.lost(Side::Readings, now + millis(200)));
            assert!(!rivals.lost(Side::House, now + millis(203)));
        }
    }

    #[test]
    fn what_has_stood_side_by_side_is_forgiven() {
        let (rivals, mut now) = (Rivals::default(), Instant::now());
        for _ in 0..20 {
            rivals.connected(Side::House, now);
            assert!(!rivals.connected(Side::Readings, now + millis(100)));
            now += Duration::from_secs(60);
            assert!(!rivals.lost(Side::House, now));
            now += millis(200);
            assert!(!rivals.connected(Side::House, now));
            assert!(!rivals.lost(Side::Readings, now + millis(1)));
            now += millis(200);
        }
    }
}
