//! Two clocks that need not agree: how far another gateway's is ahead, and what its times are worth here.
//!
//! Pure. A time that it says is older when it is heard, by as long as it was on its way, never younger; so of the last
//! few the one that is most ahead is nearest to the truth.

use mtom_protocol::time::UnixMicros;
use std::collections::VecDeque;
use std::time::Duration;

/// Clocks that differ by no more are taken for the same: each may be a little off.
pub(crate) const SAME: Duration = Duration::from_secs(2);
/// What reached the gateway longer ago is late.
pub(crate) const LATE: Duration = Duration::from_secs(10);
/// Times that count: those of a minute. A clock that is set back is followed after that.
const TIMES_LEN: usize = 12;

/// What is known of the other clock.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// Microseconds ahead, the newest last.
    ahead: VecDeque<i64>,
}

impl Clocks {
    /// It said that it is `theirs`, which was heard at `ours`.
    pub(crate) fn note(&mut self, theirs: UnixMicros, ours: UnixMicros) {
        if self.ahead.len() == TIMES_LEN {
            self.ahead.pop_front();
        }
        self.ahead.push_back(theirs.0.saturating_sub(ours.0));
    }

    /// How far it is ahead of ours.
    pub(crate) fn ahead_micros(&self) -> i64 {
        self.ahead.iter().copied().max().unwrap_or(0)
    }

    /// Until when, by our clock, one may act on what arrived there at `arrived_at`, by its own.
    pub(crate) fn fresh_until(&self, arrived_at: UnixMicros) -> UnixMicros {
        UnixMicros(arrived_at.0.saturating_sub(self.ahead_micros())).saturating_add(LATE)
    }

    /// One of its times by our clock.
    pub(crate) fn by_ours(&self, theirs: UnixMicros) -> UnixMicros {
        let ahead = self.ahead_micros();
        if u128::from(ahead.unsigned_abs()) <= SAME.as_micros() {
            return theirs;
        }
        UnixMicros(theirs.0.saturating_sub(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::Clocks;
    use mtom_protocol::time::UnixMicros;

    const NOW: UnixMicros = UnixMicros(1_795_421_190_000_000);
    const HOUR: i64 = 3_600_000_000;

    const fn after(micros: i64) -> UnixMicros {
        UnixMicros(NOW.0 + micros)
    }

    #[test]
    fn of_several_times_the_one_that_was_on_its_way_the_shortest_counts() {
        let mut clocks = Clocks::default();
        assert_eq!(clocks.ahead_micros(), 0);
        clocks.note(after(HOUR - 900_000), NOW);
        clocks.note(after(HOUR), NOW);
        clocks.note(after(HOUR - 7_000_000), NOW);
        assert_eq!(clocks.ahead_micros(), HOUR);
        assert_eq!(clocks.by_ours(after(HOUR + 5)), after(5));
        // Set back by an hour: after a minute it is believed.
        for _ in 0..12 {
            clocks.note(after(-10), NOW);
        }
        assert_eq!((clocks.ahead_micros(), clocks.by_ours(after(7))), (-10, after(7)));
    }

    #[test]
    fn late_is_what_arrived_there_more_than_ten_seconds_ago_whatever_our_clock_says() {
        for ahead in [0, HOUR, -HOUR, 1_500_000] {
            let mut clocks = Clocks::default();
            clocks.note(after(ahead), NOW);
            let fresh_until =
                |seconds_ago: i64| clocks.fresh_until(after(ahead - seconds_ago * 1_000_000));
            assert_eq!([fresh_until(0), fresh_until(10)], [after(10_000_000), NOW]);
            assert!(fresh_until(11) < NOW && clocks.fresh_until(UnixMicros(i64::MIN)) < NOW);
            assert!(clocks.fresh_until(UnixMicros(i64::MAX)) > NOW, "ahead: not late");
        }
    }
}
