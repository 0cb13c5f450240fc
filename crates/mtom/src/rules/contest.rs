//! New rules against what was really decided, while both go by in the order of time.
//!
//! Pure, and of a size that does not grow with the length of the stretch. Only actuators that the new
//! rules drive are compared. Before the stretch begins the new rules may see some readings, so that
//! they know by then what state they are in.

use super::compare::{Command, Comparer, Difference, Side};
use super::run::Run;
use super::timeline::{Band, Drawn};
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Engine, RuleSpec};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Live, a timer fires when the process wakes; a command is the same when it comes within this.
pub(crate) const SLACK: Duration = Duration::from_secs(1);
/// How long the new rules look at readings before the stretch begins, and their own times.
const LEAD: Duration = Duration::from_mins(10);

/// Two sides while they are compared.
#[derive(Debug)]
pub(crate) struct Contest<'e> {
    run: Run<'e>,
    tally: Tally,
}

/// One actuator over the whole stretch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) actuator: Arc<str>,
    /// What was really decided.
    pub(crate) old: Drawn,
    /// What the new rules would have.
    pub(crate) new: Drawn,
}

#[derive(Debug)]
struct Tally {
    from: UnixMicros,
    until: UnixMicros,
    comparer: Comparer,
    bands: BTreeMap<Arc<str>, [Band; 2]>,
    /// What the new rules wanted before the stretch begins.
    before: BTreeMap<Arc<str>, Led>,
}

/// When the new rules must begin to look, so that they know their state at `from`.
pub(crate) fn lead(engine: &Engine, specs: &[RuleSpec], from: UnixMicros) -> UnixMicros {
    let own = |spec: &RuleSpec| spec.hold_for + spec.dwell + spec.max_age.unwrap_or_default();
    let own = specs.iter().map(own).max().unwrap_or_default();
    let lead = LEAD + own + engine.window_max().unwrap_or_default();
    let micros = i64::try_from(lead.as_micros()).unwrap_or(i64::MAX);
    UnixMicros(from.0.saturating_sub(micros).max(0))
}

impl<'e> Contest<'e> {
    /// A contest from `from` to `until` with bands of `width` columns; readings are given from
    /// [`lead`] on.
    pub(crate) fn new(
        engine: &'e Engine,
        specs: &[RuleSpec],
        (from, until): (UnixMicros, UnixMicros),
        width: usize,
    ) -> Self {
        let band = Band::new(from, until, width);
        let names = specs.iter().flat_map(RuleSpec::actuators);
        let bands = names.map(|name| (Arc::from(name), [band.clone(), band.clone()])).collect();
        let comparer = Comparer::new(SLACK);
        let tally = Tally { from, until, comparer, bands, before: BTreeMap::new() };
        Self { run: Run::new(engine, lead(engine, specs, from)), tally }
    }

    /// What an actuator was told last before the stretch begins.
    pub(crate) fn begin(&mut self, actuator: &Arc<str>, led: Led) {
        self.tally.begin(Side::Old, actuator, led);
    }

    /// A command that was really decided, given before the readings that arrived after it.
    pub(crate) fn decided(&mut self, command: Command) {
        self.run.pass(UnixMicros(command.at.0.saturating_sub(1)), &mut |new| self.tally.wish(new));
        self.tally.push(Side::Old, command);
    }

    /// A reading at the time of its arrival.
    pub(crate) fn reading(&mut self, stored: &StoredReading) {
        self.run.reading(stored, &mut |command| self.tally.wish(command));
    }

    /// The next command that only one side has, as far as that is settled at `now`.
    pub(crate) fn difference(&mut self, now: UnixMicros) -> Option<Difference> {
        self.tally.comparer.pop(now)
    }

    /// The rest of the differences, and the account of each actuator.
    pub(crate) fn finish(mut self) -> (Vec<Difference>, Vec<Account>) {
        let last = UnixMicros(self.tally.until.0.saturating_sub(1));
        self.run.pass(last, &mut |command| self.tally.wish(command));
        self.tally.enter();
        let Tally { until, comparer, bands, .. } = self.tally;
        let account = |(actuator, [old, new]): (Arc<str>, [Band; 2])| Account {
            actuator,
            old: old.finish(until),
            new: new.finish(until),
        };
        (comparer.finish().collect(), bands.into_iter().map(account).collect())
    }
}

impl Tally {
    fn begin(&mut self, side: Side, actuator: &Arc<str>, led: Led) {
        if let Some(bands) = self.bands.get_mut(actuator) {
            self.comparer.begin(side, actuator, led);
            bands[side as usize].switch(led, self.from);
        }
    }

    fn wish(&mut self, command: Command) {
        if command.at < self.from {
            self.before.insert(command.actuator, command.led);
        } else {
            self.enter();
            self.push(Side::New, command);
        }
    }

    /// The stretch begins: what the new rules wanted before is what they want.
    fn enter(&mut self) {
        for (actuator, led) in std::mem::take(&mut self.before) {
            self.begin(Side::New, &actuator, led);
        }
    }

    fn push(&mut self, side: Side, command: Command) {
        if let Some(bands) = self.bands.get_mut(&command.actuator) {
            bands[side as usize].switch(command.led, command.at);
            self.comparer.push(side, command);
        }
    }
}

#[cfg(test)]
mod tests;
