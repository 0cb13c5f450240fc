//! Windows of a series: average, smallest, largest, change per hour and number of its last readings.
//!
//! Each costs the same per reading, however long it is: sums and extremes are kept, never looked for.
//! Nothing is ever subtracted, so nothing drifts: when the oldest leaves, what is behind it has its sum
//! already (two stacks that make a queue).
//!
//! A window ends at its newest reading, and counts by the readings' own times: what it holds does not
//! depend on when anybody asks. It is divided into [`PARTS`] parts of time; readings of one part are
//! kept as one and leave together with the newest of them. So a window is exact where readings are
//! further apart than a part (0.15 s of five minutes, 43 s of a day), and may else reach up to a part
//! further back. It holds at most `PARTS + 1` parts.
//!
//! Windows are not in the stored state: they are rebuilt from the journal.

use crate::condition::inputs::Stat;
use crate::series::SeriesMap;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Into how many parts a window is divided.
pub(crate) const PARTS: i64 = 2_048;

const HOUR_MICROS: f64 = 3.6e9;

/// A value of another series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) at: UnixMicros,
    pub(crate) value: f64,
}

/// The windows of one rule, of each series that it looks at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows {
    series: SeriesMap<Arc<Vec<Window>>>,
}

/// The last readings of a series.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    span: i64,
    part: i64,
    /// The parts that no reading joins any more, oldest first.
    closed: VecDeque<Part>,
    /// Of the first so many of them: what each and those behind it come to, the oldest last.
    suffixes: Vec<Sum>,
    /// What the other closed ones come to.
    rest: Sum,
    /// The part of the newest reading.
    open: Option<Part>,
}

/// Readings close together.
#[derive(Clone, Copy, Debug)]
struct Part {
    number: i64,
    first: Known,
    last: Known,
    sum: Sum,
}

#[derive(Clone, Copy, Debug)]
struct Sum {
    count: i64,
    total: f64,
    smallest: f64,
    largest: f64,
}

/// The number that windows and `other` count with: °C of a temperature, else as it came.
pub(crate) fn number(stored: &StoredReading) -> f64 {
    stored.reading.celsius().unwrap_or(stored.reading.value)
}

/// How far back a window of `span` may reach.
pub(crate) fn reach(span: Duration) -> Duration {
    span + Duration::from_micros(part(span).unsigned_abs())
}

fn part(span: Duration) -> i64 {
    (micros(span) / PARTS).max(1)
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl Windows {
    /// Takes a reading into the windows of its series; one that is older than its newest is left out.
    pub(crate) fn take(&mut self, spans: &[Duration], stored: &StoredReading) {
        let make = || Arc::new(spans.iter().map(|span| Window::new(*span)).collect());
        let Some(windows) = self.series.note(stored, make) else { return };
        let known = Known { at: stored.at, value: number(stored) };
        for window in Arc::make_mut(windows) {
            window.take(known);
        }
    }

    /// The windows of the reading's series.
    pub(crate) fn of(&self, stored: &StoredReading) -> &[Window] {
        self.series.get(&stored.reading).map_or(&[], |windows| windows)
    }

    pub(crate) fn clear(&mut self) {
        self.series.clear();
    }
}

impl Window {
    fn new(span: Duration) -> Self {
        Self {
            span: micros(span),
            part: part(span),
            closed: VecDeque::new(),
            suffixes: Vec::new(),
            rest: Sum::NOTHING,
            open: None,
        }
    }

    /// How many readings; unknown in an empty window.
    pub(crate) fn count(&self) -> Option<i64> {
        self.open.map(|_| self.sum().count)
    }

    /// Unknown in an empty window; a rate also where all readings are of one moment.
    pub(crate) fn stat(&self, stat: Stat) -> Option<f64> {
        let open = self.open.as_ref()?;
        match stat {
            Stat::Average => {
                let sum = self.sum();
                Some(sum.total / sum.count as f64)
            }
            Stat::Minimum => Some(self.sum().smallest),
            Stat::Maximum => Some(self.sum().largest),
            Stat::Rate => {
                let oldest = self.closed.front().unwrap_or(open).first;
                let hours = (open.last.at.0.saturating_sub(oldest.at.0)) as f64 / HOUR_MICROS;
                (hours > 0.0).then(|| (open.last.value - oldest.value) / hours)
            }
        }
    }

    fn sum(&self) -> Sum {
        let oldest = self.suffixes.last().copied().unwrap_or(Sum::NOTHING);
        let newest = self.open.map_or(Sum::NOTHING, |open| open.sum);
        oldest.and(self.rest).and(newest)
    }

    /// `known` is not older than what is there.
    fn take(&mut self, known: Known) {
        let number = known.at.0.div_euclid(self.part);
        let one = Sum { count: 1, total: known.value, smallest: known.value, largest: known.value };
        match &mut self.open {
            Some(open) if open.number == number => {
                open.last = known;
                open.sum = open.sum.and(one);
            }
            open => {
                let part = Part { number, first: known, last: known, sum: one };
                if let Some(done) = open.replace(part) {
                    self.rest = self.rest.and(done.sum);
                    self.closed.push_back(done);
                }
            }
        }
        let since = known.at.0.saturating_sub(self.span);
        while self.closed.front().is_some_and(|oldest| oldest.last.at.0 <= since) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if self.suffixes.is_empty() {
            let mut behind = Sum::NOTHING;
            for part in self.closed.iter().rev() {
                behind = part.sum.and(behind);
                self.suffixes.push(behind);
            }
            self.rest = Sum::NOTHING;
        }
        self.suffixes.pop();
        self.closed.pop_front();
    }
}

impl Sum {
    const NOTHING: Self =
        Self { count: 0, total: 0.0, smallest: f64::INFINITY, largest: f64::NEG_INFINITY };

    fn and(self, later: Self) -> Self {
        Self {
            count: self.count + later.count,
            total: self.total + later.total,
            smallest: self.smallest.min(later.smallest),
            largest: self.largest.max(later.largest),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
