//! The production engine on a clock that goes as fast as its events.
//!
//! Pure: the caller gives events in the order of time; between them every deadline of the engine is
//! visited at its own time, as a gateway that is never late would do. This is the only place of the
//! commands that knows how the engine is driven.

use super::compare::{Command, Reason};
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{
    Alert, Cause, Consequence, Decision, Engine, Event, Outputs, RuleSpec, State, StateError,
    Target,
};
use std::sync::Arc;

/// What stands before the topic of an alert.
const PUBLISH: &str = "publish ";
/// What stands before the address of one.
const WEBHOOK: &str = "webhook ";

/// One run of an engine.
#[derive(Debug)]
pub(crate) struct Run<'e> {
    engine: &'e Engine,
    state: State,
    outputs: Outputs,
    /// The engine's next deadline.
    due: Option<UnixMicros>,
}

impl<'e> Run<'e> {
    /// A run that begins at `start`; silence counts from there.
    pub(crate) fn new(engine: &'e Engine, start: UnixMicros) -> Self {
        let state = engine.initial(start);
        let due = engine.next_deadline(&state);
        Self { engine, state, outputs: Outputs::default(), due }
    }

    /// Lets the time go on to `until` and gives what is decided on the way.
    pub(crate) fn pass(&mut self, until: UnixMicros, take: &mut impl FnMut(Command)) {
        while let Some(due) = self.due
            && due <= until
        {
            self.time(due, take);
            // What is not done at its time would be asked for ever.
            if self.due == Some(due) {
                break;
            }
        }
    }

    /// Gives a reading at the time of its arrival.
    pub(crate) fn reading(&mut self, stored: &StoredReading, take: &mut impl FnMut(Command)) {
        let now = stored.arrived_at;
        // What is due right now is done behind the reading, as the engine itself does it.
        if self.due.is_some_and(|due| due < now) {
            self.pass(UnixMicros(now.0.saturating_sub(1)), take);
        }
        self.engine.step(&mut self.state, Event::Reading(stored), now, &mut self.outputs);
        self.after(now, take);
    }

    /// The process ended and is there again at `back_at`: what ran out meanwhile is done then. `stored`
    /// is what has come so far; windows are filled from it, as from the journal.
    ///
    /// # Errors
    /// When the engine does not read what it wrote.
    pub(crate) fn restart(
        &mut self,
        back_at: UnixMicros,
        stored: &[StoredReading],
        take: &mut impl FnMut(Command),
    ) -> Result<(), StateError> {
        self.state = self.engine.restore(&self.state.encode(), back_at)?;
        if let Some(window_max) = self.engine.window_max() {
            for reading in stored.iter().filter(|reading| back_at.since(reading.at) <= window_max) {
                self.engine.warm(&mut self.state, reading);
            }
        }
        self.time(back_at, take);
        Ok(())
    }

    /// A person says at `now` what an actuator is to be, until a time; `None`: the rules speak again.
    pub(crate) fn override_by_hand(
        &mut self,
        actuator: &str,
        led: Option<Led>,
        until: Option<UnixMicros>,
        now: UnixMicros,
        take: &mut impl FnMut(Command),
    ) {
        self.pass(now, take);
        let event = Event::Override { actuator, led, until };
        self.engine.step(&mut self.state, event, now, &mut self.outputs);
        self.after(now, take);
    }

    /// When something will be decided if nothing else happens, at the earliest.
    pub(crate) fn due(&self) -> Option<UnixMicros> {
        self.due
    }

    fn time(&mut self, now: UnixMicros, take: &mut impl FnMut(Command)) {
        self.engine.step(&mut self.state, Event::Time, now, &mut self.outputs);
        self.after(now, take);
    }

    fn after(&mut self, now: UnixMicros, take: &mut impl FnMut(Command)) {
        self.due = self.engine.next_deadline(&self.state);
        for alert in self.outputs.alerts.drain(..) {
            take(command_of_alert(alert, now));
        }
        for decision in self.outputs.decisions.drain(..) {
            take(command(decision, now));
        }
    }
}

fn command(decision: Decision, at: UnixMicros) -> Command {
    let Decision { actuator, led, rule, cause, .. } = decision;
    told(at, actuator, led, false, rule, &cause)
}

fn command_of_alert(alert: Alert, at: UnixMicros) -> Command {
    let Alert { rule, target, led, cause, .. } = alert;
    let target = match target {
        Target::Publish { topic, .. } => format!("{PUBLISH}{topic}"),
        Target::Webhook { url } => format!("{WEBHOOK}{url}"),
    };
    told(at, target.into(), led, true, rule, &cause)
}

fn told(
    at: UnixMicros,
    actuator: Arc<str>,
    led: Led,
    is_alert: bool,
    rule: Arc<str>,
    cause: &Cause,
) -> Command {
    let reason = match cause {
        Cause::Reading { .. } => Reason::Reading,
        Cause::Silence { .. } => Reason::Silent,
        Cause::Start { .. } => Reason::Start,
        Cause::Override { .. } | Cause::OverrideEnded { .. } => Reason::Override,
        Cause::ScheduleEnded { .. } => Reason::Schedule,
        _ => Reason::Other,
    };
    let reading = cause.reading_id();
    // With the condition and its values, as far as the engine knows them.
    let cause = match cause.witness().filter(|witness| !witness.condition.is_empty()) {
        Some(witness) => format!("{cause}; {}", witness.condition),
        None => cause.to_string(),
    };
    Command { at, actuator, led, is_alert, reason: Some(reason), rule, cause, reading }
}

/// What a rule may tell beside its actuators, in the words of [`Command::actuator`].
pub(crate) fn alerts(spec: &RuleSpec) -> impl Iterator<Item = String> {
    spec.then.iter().filter_map(|consequence| match consequence {
        Consequence::Actuator(_) => None,
        Consequence::Publish { topic, .. } => Some(format!("{PUBLISH}{topic}")),
        Consequence::Webhook { url, .. } => Some(format!("{WEBHOOK}{url}")),
    })
}

/// Whether a name in a case means an alert. No name of an actuator has a space.
pub(crate) fn is_alert(name: &str) -> bool {
    name.starts_with(PUBLISH) || name.starts_with(WEBHOOK)
}

#[cfg(test)]
mod tests;
