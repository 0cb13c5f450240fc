//! Pictures of an actuator over time: one character per span of equal length.
//!
//! Pure. `█` on, `─` off, `░▒▓` both within the span by the share that it was on, blank where nothing
//! had been decided.

use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::time::Duration;

/// One actuator from one time to another. Its size does not grow with what happens.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    from: UnixMicros,
    until: UnixMicros,
    columns: Vec<Column>,
    /// What it is, and since when.
    shown: Option<(Led, UnixMicros)>,
    totals: Totals,
}

/// How often and how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Changes from one state to the other; what it is at first is none.
    pub(crate) switches: u64,
    /// How long it was on.
    pub(crate) on: Duration,
}

/// A band up to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    columns: Vec<Column>,
    pub(crate) totals: Totals,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Column {
    on_micros: u64,
    off_micros: u64,
}

impl Band {
    /// Nothing is decided yet.
    pub(crate) fn new(from: UnixMicros, until: UnixMicros, width: usize) -> Self {
        let columns = vec![Column::default(); width.max(1)];
        Self { from, until, columns, shown: None, totals: Totals::default() }
    }

    /// It is `led` from `at` on. Times do not go back.
    pub(crate) fn switch(&mut self, led: Led, at: UnixMicros) {
        let at = at.clamp(self.from, self.until);
        if let Some((before, since)) = self.shown {
            if before == led {
                return;
            }
            self.totals.switches += 1;
            self.fill(before, since, at);
        }
        self.shown = Some((led, at));
    }

    /// The band up to `end`; what is behind it is not known and blank.
    pub(crate) fn finish(mut self, end: UnixMicros) -> Drawn {
        if let Some((led, since)) = self.shown {
            self.fill(led, since, end.min(self.until));
        }
        Drawn { columns: self.columns, totals: self.totals }
    }

    fn fill(&mut self, led: Led, from: UnixMicros, until: UnixMicros) {
        if led == Led::On {
            self.totals.on += until.since(from);
        }
        let Some(first) = self.column_of(from) else { return };
        let last = self.column_of(until).unwrap_or(first);
        for index in first..=last {
            let (begin, end) =
                (self.start_of(index).max(from), self.start_of(index + 1).min(until));
            let micros = u64::try_from(end.since(begin).as_micros()).unwrap_or(u64::MAX);
            if let Some(column) = self.columns.get_mut(index) {
                match led {
                    Led::On => column.on_micros = column.on_micros.saturating_add(micros),
                    Led::Off => column.off_micros = column.off_micros.saturating_add(micros),
                }
            }
        }
    }

    fn column_of(&self, at: UnixMicros) -> Option<usize> {
        place(at, self.from, self.until, self.columns.len())
    }

    fn start_of(&self, index: usize) -> UnixMicros {
        let span = i128::from(self.until.0) - i128::from(self.from.0);
        let width = i128::try_from(self.columns.len()).unwrap_or(i128::MAX);
        let index = i128::try_from(index).unwrap_or(i128::MAX);
        // Rounded up, as `place` rounds down: a time lies behind the start of its own column.
        let after = (span * index + width - 1) / width;
        UnixMicros(self.from.0.saturating_add(i64::try_from(after).unwrap_or(i64::MAX)))
    }
}

impl Drawn {
    /// A character for each span.
    pub(crate) fn picture(&self) -> String {
        self.columns.iter().map(Column::sign).collect()
    }

    /// For each span the share of the time for which something was decided that it was on, from 0 to 1;
    /// `None`: nothing was decided.
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    pub(crate) fn shares(&self) -> impl Iterator<Item = Option<f64>> {
        self.columns.iter().map(|column| {
            let micros = column.on_micros.saturating_add(column.off_micros);
            (micros > 0).then(|| column.on_micros as f64 / micros as f64)
        })
    }
}

impl Column {
    fn sign(&self) -> char {
        const SHADES: [char; 3] = ['░', '▒', '▓'];
        match (self.on_micros, self.off_micros) {
            (0, 0) => ' ',
            (0, _) => '─',
            (_, 0) => '█',
            (on, off) => {
                let third = u128::from(on) * 3 / (u128::from(on) + u128::from(off));
                usize::try_from(third).ok().and_then(|at| SHADES.get(at)).copied().unwrap_or('▓')
            }
        }
    }
}

/// In which of `width` columns from `from` to `until` a time is; the end belongs to the last.
pub(crate) fn place(
    at: UnixMicros,
    from: UnixMicros,
    until: UnixMicros,
    width: usize,
) -> Option<usize> {
    if at < from || at > until || width == 0 {
        return None;
    }
    let span = u128::from(until.0.abs_diff(from.0)).max(1);
    let column = u128::from(at.0.abs_diff(from.0)) * width as u128 / span;
    usize::try_from(column).ok().map(|column| column.min(width - 1))
}

/// A line with a mark for each time; several at one place are shown as one.
pub(crate) fn marks(
    times: impl IntoIterator<Item = UnixMicros>,
    from: UnixMicros,
    until: UnixMicros,
    width: usize,
) -> String {
    let mut line = vec![' '; width];
    for at in times {
        if let Some(sign) = place(at, from, until, width).and_then(|at| line.get_mut(at)) {
            *sign = '│';
        }
    }
    line.into_iter().collect()
}

/// The two ends of the axis, at its two ends.
pub(crate) fn ends(left: &str, right: &str, width: usize) -> String {
    let gap = width.saturating_sub(left.chars().count() + right.chars().count()).max(1);
    format!("{left}{}{right}", " ".repeat(gap))
}

#[cfg(test)]
mod tests;
