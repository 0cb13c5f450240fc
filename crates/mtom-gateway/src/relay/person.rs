//! What persons ask for: other rules, and what an actuator is to be. One transaction each, then an answer.

use super::ledger::{abandon, newest, record_by};
use super::{Effects, Relay};
use crate::control::{ControlError, Request};
use crate::standing::Standing;
use crate::view::{Hop, LogEvent, RuleView};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Decision, Engine, Event, Outputs, RuleSpec};
use mtom_store::error::StoreError;
use mtom_store::maria::chain;
use mtom_store::record::RuleSetRow;
use std::ops::Range;
use std::sync::Arc;
use tokio::time::Instant;

impl Relay {
    /// Does what was asked for.
    ///
    /// # Errors
    /// [`StoreError::Unsynced`]; whoever asked hears that it is stopping.
    pub(super) fn obey(&mut self, request: Request) -> Result<(), StoreError> {
        let now = (self.clock)();
        match request {
            Request::Override { actuator, led, until, by, answer } => {
                let is_late = by.is_some_and(|by| by.until < Instant::now());
                let outcome = if is_late {
                    Err(Refused::Person(ControlError::Late))
                } else {
                    self.set((&actuator, by.map(|by| by.name)), led, until, now)
                };
                // Who no longer waits has no use for the answer.
                let _ = answer.send(told(outcome)?);
            }
            Request::Rules { engine, specs, text, source, instead_of, answer } => {
                let outcome = self
                    .expect_version(instead_of)
                    .and_then(|()| self.apply(*engine, &specs, &text, &source, now));
                let _ = answer.send(told(outcome)?);
            }
            Request::Standing { answer } => {
                let (engine, state) = (Arc::clone(&self.rules.engine), self.rules.state.clone());
                let _ = answer.send(Ok(Standing::new(engine, state)));
            }
        }
        Ok(())
    }

    fn set(
        &mut self,
        (actuator, by): (&str, Option<&str>),
        led: Option<Led>,
        until: Option<UnixMicros>,
        now: UnixMicros,
    ) -> Result<(), Refused> {
        let known = self.board.names();
        if !known.iter().any(|name| name == actuator) {
            let (name, known) = (actuator.to_owned(), known.join(", "));
            return Err(Refused::Person(ControlError::Actuator { name, known }));
        }
        let before = self.rules.state.clone();
        let mut out = Outputs::default();
        let event = Event::Override { actuator, led, until };
        self.rules.engine.step(&mut self.rules.state, event, now, &mut out);
        self.decide(out.decisions, by, now).inspect_err(|_| self.rules.state = before)?;
        Ok(())
    }

    /// Nobody else can bring rules between this look and what follows: all of them come through here.
    fn expect_version(&self, expected: Option<u64>) -> Result<(), Refused> {
        let Some(expected) = expected else { return Ok(()) };
        let newest = self.journal.history().rule_sets(1)?.pop();
        match newest.filter(|newest| newest.version != expected) {
            None => Ok(()),
            Some(RuleSetRow { version, source, .. }) => {
                Err(Refused::Person(ControlError::Changed { version, from: source }))
            }
        }
    }

    /// Other rules, or an error and everything as it was.
    fn apply(
        &mut self,
        engine: Engine,
        specs: &[RuleSpec],
        text: &str,
        source: &str,
        now: UnixMicros,
    ) -> Result<u64, Refused> {
        let (rules, orphans) = self.rules.replaced(engine, &self.journal.history(), now)?;
        let before = std::mem::replace(&mut self.rules, rules);
        let written = self.replace(orphans, text, source, now);
        let version = written.inspect_err(|_| self.rules = before)?;
        self.view.rules(specs.iter().map(RuleView::from).collect::<Vec<_>>());
        let event =
            LogEvent::RulesApplied { version, count: specs.len() as u64, source: source.into() };
        self.view.log(now, Hop::Rules, event);
        Ok(version)
    }

    /// Writes decisions and the state of the rules, then tells the actuators.
    fn decide(
        &mut self,
        decisions: Vec<Decision>,
        by: Option<&str>,
        now: UnixMicros,
    ) -> Result<(), StoreError> {
        self.reserve(0)?;
        let mut numbers = self.numbers.clone();
        let mut effects = Effects::default();
        let mut transaction = self.journal.begin()?;
        for decision in newest(decisions) {
            let number = numbers.next().expect("reserve made room for every actuator");
            record_by(&mut transaction, decision, number, by, now, &mut effects)?;
        }
        self.rules.keep(&mut transaction)?;
        transaction.write()?;
        self.written(numbers, effects)
    }

    /// Writes the version of the rules that are in place, their state, and that what stood by rules that
    /// are gone is switched off: all or nothing. Then tells the actuators.
    fn replace(
        &mut self,
        orphans: Vec<Decision>,
        text: &str,
        source: &str,
        now: UnixMicros,
    ) -> Result<u64, StoreError> {
        self.reserve(orphans.len())?;
        let mut numbers = self.numbers.clone();
        let mut effects = Effects::default();
        let mut transaction = self.journal.begin()?;
        let version = transaction.rule_set(source, text, now)?;
        for orphan in orphans.into_iter().filter(|orphan| orphan.led == Led::On) {
            let number = numbers.next().expect("reserve made room for every orphan");
            abandon(&mut transaction, orphan, number, now, &mut effects)?;
        }
        self.rules.keep(&mut transaction)?;
        transaction.write()?;
        self.written(numbers, effects)?;
        Ok(version)
    }

    /// What follows when a transaction is written.
    fn written(&mut self, numbers: Range<u64>, effects: Effects) -> Result<(), StoreError> {
        self.numbers = numbers;
        self.rules.kept();
        for (actuator, wanted) in effects.wanted {
            self.board.want(&actuator, wanted);
        }
        self.journal.sync()
    }
}

/// Why a person's wish was not done.
enum Refused {
    Person(ControlError),
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a person is told. Nobody can tell what is on a disk whose sync failed, so then there is no answer.
fn told<T>(outcome: Result<T, Refused>) -> Result<Result<T, ControlError>, StoreError> {
    match outcome {
        Ok(done) => Ok(Ok(done)),
        Err(Refused::Person(error)) => Ok(Err(error)),
        Err(Refused::Store(error @ StoreError::Unsynced(_))) => Err(error),
        Err(Refused::Store(error)) => Ok(Err(ControlError::Disk(chain(&error)))),
    }
}

#[cfg(test)]
mod tests;
