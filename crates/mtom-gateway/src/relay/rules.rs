//! The rules as the relay runs them: where they go on after a start, what is kept of them with each
//! batch, and how others take their place.

use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Alert, Decision, Engine, Event, Outputs, State, Target};
use mtom_store::batch::Batch;
use mtom_store::error::StoreError;
use mtom_store::history::History;
use mtom_store::history::play::{Played, SeriesName};
use mtom_store::journal::Journal;
use mtom_store::record::{AlertRecord, AlertTarget};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The key of the state of all rules together, as an older version kept it.
const WHOLE: &str = "";

/// Rules, and what they remember.
pub(super) struct Rules {
    /// Shared with whoever looks at the state that was handed out.
    pub(super) engine: Arc<Engine>,
    pub(super) state: State,
    /// What of the state is in the journal; `None`: nothing.
    kept: Option<u64>,
    /// Keys in the journal of rules that are gone.
    stale: BTreeSet<String>,
}

impl Rules {
    /// Goes on where the journal says they were.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn restore(
        journal: &Journal,
        engine: Engine,
        now: UnixMicros,
    ) -> Result<Self, StoreError> {
        let parts = journal.rule_states()?;
        let own: BTreeSet<String> = engine.part_keys().collect();
        let is_theirs =
            |key: &str| key == WHOLE || (key.starts_with("rule/") && !own.contains(key));
        let stale =
            parts.iter().map(|(key, _)| key).filter(|key| is_theirs(key)).cloned().collect();
        let restored = match parts.iter().find(|(key, _)| key == WHOLE) {
            Some((_, whole)) => engine.restore(whole, now),
            None if parts.is_empty() => Ok(engine.initial(now)),
            None => engine.restore_parts(parts.iter().map(|(_, bytes)| &**bytes), now),
        };
        let state = restored.unwrap_or_else(|error| {
            tracing::warn!(%error, "rules start anew: their state cannot be read");
            engine.initial(now)
        });
        let mut rules = Self { engine: Arc::new(engine), state, kept: None, stale };
        rules.warm(&journal.history(), now)?;
        Ok(rules)
    }

    /// Other rules in the place of these, which stay as they are. A rule that says what it said goes on; the
    /// others start afresh. Also what stands of rules that are gone, for actuators that none drives then.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(super) fn replaced(
        &self,
        engine: Engine,
        history: &History,
        now: UnixMicros,
    ) -> Result<(Self, Vec<Decision>), StoreError> {
        let parts: Vec<_> = self.state.parts().collect();
        let state = engine.restore_parts(parts.iter().map(|part| &*part.bytes), now);
        let own: BTreeSet<String> = engine.part_keys().collect();
        let state = state.unwrap_or_else(|error| {
            tracing::error!(%error, "rules start anew: their own state cannot be read");
            engine.initial(now)
        });
        let mut stale = self.stale.clone();
        stale.extend(self.engine.part_keys().filter(|key| !own.contains(key)));
        let mut rules = Self { engine: Arc::new(engine), state, kept: None, stale };
        rules.warm(history, now)?;
        let mut orphans = self.engine.standing(&self.state);
        orphans.retain(|decision| !own.contains(&format!("actuator/{}", decision.actuator)));
        Ok((rules, orphans))
    }

    /// Decides on a reading. One of the past fills windows alone.
    pub(super) fn meet(
        &mut self,
        stored: &StoredReading,
        is_past: bool,
        now: UnixMicros,
        out: &mut Outputs,
    ) {
        if is_past {
            self.engine.warm(&mut self.state, stored);
        } else {
            self.engine.step(&mut self.state, Event::Reading(stored), now, out);
        }
    }

    /// Writes down what has changed since [`Rules::kept`] was called last.
    pub(super) fn keep(&self, transaction: &mut Batch<'_>) -> Result<(), StoreError> {
        let mut write = |part: mtom_rules::Part| transaction.rule_state(&part.key, &part.bytes);
        match self.kept {
            Some(revision) => self.state.parts_since(revision).try_for_each(&mut write)?,
            None => self.state.parts().try_for_each(&mut write)?,
        }
        self.stale.iter().try_for_each(|key| transaction.forget_rule_state(key))
    }

    /// What was written is in the journal.
    pub(super) fn kept(&mut self) {
        self.kept = Some(self.state.revision());
        self.stale.clear();
    }

    /// Whether something waits to be written.
    pub(super) fn owes(&self) -> bool {
        !self.stale.is_empty()
            || self.kept.is_none_or(|revision| self.state.changed_since(revision))
    }

    /// Fills windows with what arrived of late: they are not kept, because the history has it all.
    fn warm(&mut self, history: &History, now: UnixMicros) -> Result<(), StoreError> {
        let Some(window) = self.engine.window_max() else { return Ok(()) };
        let from = UnixMicros(now.0.saturating_sub(micros(window)));
        let Self { engine, state, .. } = self;
        let wanted = |of: &SeriesName, topic: &str| engine.warms(&of.device, &of.quantity, topic);
        let take = |played: Played<'_>| {
            if let Played::Reading(stored) = played {
                engine.warm(state, stored);
            }
            Ok::<_, StoreError>(())
        };
        history.play(from..UnixMicros(i64::MAX), &wanted, take).map(drop)
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// What the journal keeps of an alert.
pub(super) fn alert_record(alert: Alert) -> AlertRecord {
    let target = match alert.target {
        Target::Publish { topic, qos, retain } => {
            let qos = u8::from(qos == mtom_rules::Qos::AtLeastOnce);
            AlertTarget::Topic { topic: topic.to_string(), qos, retain }
        }
        Target::Webhook { url } => AlertTarget::Url(url.to_string()),
    };
    AlertRecord {
        rule: alert.rule.to_string(),
        rule_version: alert.version.to_string(),
        target,
        body: alert.body,
        begins: alert.led == Led::On,
        reading: alert.cause.reading_id(),
        cause: alert.cause.to_string(),
        raised_at: alert.at,
    }
}
