//! What persons ask for: other rules, and what an actuator is to be. One transaction each, then an answer.

use super::ledger::{newest, record};
use super::{Effects, Relay};
use crate::control::{ControlError, Request};
use crate::view::{Hop, LogEvent, RuleView, Wanted};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Decision, Engine, Event, Outputs, RuleSpec};
use mtom_store::error::StoreError;
use mtom_store::maria::chain;
use mtom_store::record::CommandRecord;

impl Relay {
    /// Does what was asked for.
    ///
    /// # Errors
    /// [`StoreError::Unsynced`]; whoever asked hears that it is stopping.
    pub(super) fn obey(&mut self, request: Request) -> Result<(), StoreError> {
        let now = (self.clock)();
        match request {
            Request::Override { actuator, led, until, answer } => {
                let outcome = self.set(&actuator, led, until, now);
                // Who no longer waits has no use for the answer.
                let _ = answer.send(told(outcome)?);
            }
            Request::Rules { engine, specs, text, source, answer } => {
                let outcome = self.apply(*engine, &specs, &text, &source, now);
                let _ = answer.send(told(outcome)?);
            }
        }
        Ok(())
    }

    fn set(
        &mut self,
        actuator: &str,
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
        self.decide(out.decisions, Vec::new(), now).inspect_err(|_| self.rules.state = before)?;
        Ok(())
    }

    fn apply(
        &mut self,
        engine: Engine,
        specs: &[RuleSpec],
        text: &str,
        source: &str,
        now: UnixMicros,
    ) -> Result<u64, Refused> {
        let version = self.journal.add_rule_set(source, text, now)?;
        let orphans = self.rules.replace(engine, &self.journal.history(), now)?;
        self.view.rules(specs.iter().map(RuleView::from).collect::<Vec<_>>());
        let event =
            LogEvent::RulesApplied { version, count: specs.len() as u64, source: source.into() };
        self.view.log(now, Hop::Rules, event);
        self.decide(Vec::new(), orphans, now)?;
        Ok(version)
    }

    /// Writes decisions and the state of the rules, then tells the actuators. `orphans` stood by rules that
    /// are gone: what they drove is switched off.
    fn decide(
        &mut self,
        decisions: Vec<Decision>,
        orphans: Vec<Decision>,
        now: UnixMicros,
    ) -> Result<(), Refused> {
        self.reserve(0)?;
        let mut numbers = self.numbers.clone();
        let mut effects = Effects::default();
        let mut transaction = self.journal.begin()?;
        for decision in newest(decisions) {
            let number = numbers.next().expect("reserve made room for every actuator");
            record(&mut transaction, decision, number, now, &mut effects)?;
        }
        for orphan in orphans.into_iter().filter(|orphan| orphan.led == Led::On) {
            let Some(number) = numbers.next() else { break };
            let cause = "its rule is gone".to_owned();
            transaction.command(&CommandRecord {
                number,
                actuator: orphan.actuator.to_string(),
                on: false,
                rule: orphan.rule.to_string(),
                rule_version: Some(orphan.version.to_string()),
                reading: None,
                cause: cause.clone(),
                condition: None,
                decided_at: now,
            })?;
            let wanted = Wanted { led: Led::Off, number, at: now, rule: orphan.rule, cause };
            effects.wanted.push((orphan.actuator, wanted));
        }
        self.rules.keep(&mut transaction)?;
        transaction.write()?;
        self.numbers = numbers;
        self.rules.kept();
        for (actuator, wanted) in effects.wanted {
            self.board.want(&actuator, wanted);
        }
        self.journal.sync()?;
        Ok(())
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
