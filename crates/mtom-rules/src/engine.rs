//! Compiles rules, finds those that a reading concerns, and turns what they wish into decisions.

use crate::condition::{Condition, Language, Subject, Truth};
use crate::decision::{Cause, Decision, Event, Outputs};
use crate::machine::{Arrival, Memory, Settled, Timing};
use crate::spec::{RuleError, RuleSpec, RuleVersion};
use crate::state::{Entry, State, StateError};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic;
use std::collections::HashMap;
use std::sync::Arc;

mod compile;

/// Compiled rules. Never changes; shared by reference.
pub struct Engine {
    language: Language,
    rules: Vec<Rule>,
    /// Rules whose filter is one topic, by it.
    exact: HashMap<Box<str>, Vec<usize>>,
    /// Rules whose filter has wildcards.
    wild: Vec<usize>,
}

struct Rule {
    name: Arc<str>,
    version: RuleVersion,
    when: Box<str>,
    on: Condition,
    off: Option<Condition>,
    timing: Timing,
    actuators: Vec<Arc<str>>,
}

impl Engine {
    /// Compiles rules, all or none.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its rule, its key and what is expected.
    pub fn compile(specs: &[RuleSpec]) -> Result<Self, Vec<RuleError>> {
        let language = Language::new();
        let rules = compile::rules(specs, &language)?;
        let mut exact: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let mut wild = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            if rule.when.contains(['+', '#']) {
                wild.push(index);
            } else {
                exact.entry(rule.when.clone()).or_default().push(index);
            }
        }
        Ok(Self { language, rules, exact, wild })
    }

    /// The state before anything has happened; `max_age` counts from `now`.
    #[must_use]
    pub fn initial(&self, now: UnixMicros) -> State {
        let fresh = |rule: &Rule| Entry {
            name: rule.name.clone(),
            version: rule.version,
            memory: Memory::new(now),
        };
        State::new(now, self.rules.iter().map(fresh).collect())
    }

    /// The state that [`State::encode`] wrote, for these rules.
    ///
    /// A rule keeps its memory when its name and everything it says are as they were; else it
    /// starts afresh. Timers keep their time: what ran out meanwhile is done by the first
    /// [`Event::Time`]. Nothing is decided here; [`Engine::standing`] says what stands.
    ///
    /// # Errors
    /// When the bytes are no state, or one of a later version. The caller may go on with
    /// [`Engine::initial`], which forgets.
    pub fn restore(&self, bytes: &[u8], now: UnixMicros) -> Result<State, StateError> {
        let mut state = State::decode(bytes)?;
        state.advance(now);
        let mut found: HashMap<_, _> = state
            .take_entries()
            .into_iter()
            .map(|entry| ((entry.name, entry.version), entry.memory))
            .collect();
        let entries = self.rules.iter().map(|rule| {
            let (name, version) = (rule.name.clone(), rule.version);
            let memory = found.remove(&(name.clone(), version));
            Entry { name, version, memory: memory.unwrap_or_else(|| Memory::new(now)) }
        });
        Ok(State::new(now, entries.collect()))
    }

    /// Looks at one event at the time `now` and appends what is to be done, at most one decision
    /// per actuator and due time.
    ///
    /// `now` is the present, not the reading's arrival. When it goes back by up to a second it is
    /// taken as not having moved; by more, the clock was set back and every span starts again.
    /// `state` is of this engine; with another's nothing sensible comes out.
    pub fn step(&self, state: &mut State, event: Event<'_>, now: UnixMicros, out: &mut Outputs) {
        let now = state.advance(now);
        match event {
            Event::Reading(stored) => {
                let about = Subject { stored, now };
                let topic = &*stored.reading.topic;
                let exact = self.exact.get(topic).into_iter().flatten().copied();
                for index in exact.chain(self.wild.iter().copied()) {
                    if let Some(rule) = self.rules.get(index)
                        && topic::matches(&rule.when, topic)
                    {
                        state.change(index, |memory| self.read(rule, memory, &about, out));
                    }
                }
            }
            Event::Time => {
                for (index, rule) in self.rules.iter().enumerate() {
                    state.change(index, |memory| {
                        rule.tell(memory.settle(&rule.timing, now, now), out)
                    });
                }
            }
            Event::Report { .. } | Event::Availability { .. } | Event::Override { .. } => {}
        }
    }

    /// When [`Event::Time`] must be given next, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self, state: &State) -> Option<UnixMicros> {
        let memories = self.rules.iter().zip(state.memories());
        memories.filter_map(|(rule, memory)| memory.deadline(&rule.timing)).min()
    }

    /// What stands: the last decision for each actuator, with [`Cause::Start`]. For use after
    /// [`Engine::restore`], so that every actuator can be told again.
    #[must_use]
    pub fn standing(&self, state: &State) -> Vec<Decision> {
        let mut out = Outputs::default();
        for (rule, memory) in self.rules.iter().zip(state.memories()) {
            if let Some(shown) = memory.shown {
                rule.decide(shown.led, &Cause::Start { since: shown.since }, &mut out);
            }
        }
        out.decisions
    }

    /// Says whether anything changed that must be kept.
    fn read(
        &self,
        rule: &Rule,
        memory: &mut Memory,
        about: &Subject<'_>,
        out: &mut Outputs,
    ) -> bool {
        let (timing, now) = (&rule.timing, about.now);
        // What was due before this reading comes before it; what is due right now, behind it: a
        // reading every 10 s is never silent for 10 s.
        let before = UnixMicros(now.0.saturating_sub(1));
        let mut changed = rule.tell(memory.settle(timing, before, now), out);
        let arrival = memory.meet(timing, about.stored, now);
        changed |= arrival != Arrival::Again;
        if arrival == Arrival::News
            && let Some(wish) = self.wish(rule, about)
        {
            memory.hear(wish, about.stored, now);
        }
        changed | rule.tell(memory.settle(timing, now, now), out)
    }

    /// What a reading wishes; `Some(None)` is no change, `None` that the rule knows nothing of it.
    fn wish(&self, rule: &Rule, about: &Subject<'_>) -> Option<Option<Led>> {
        let on = self.language.evaluate(&rule.on, about);
        let off = match &rule.off {
            Some(off) => self.language.evaluate(off, about),
            None => on.negation(),
        };
        match (on, off) {
            // Both at once, as with overlapping thresholds, is as good a reason to stay as neither.
            (Truth::True, Truth::True) | (Truth::False, Truth::False) => Some(None),
            (Truth::True, _) => Some(Some(Led::On)),
            (_, Truth::True) => Some(Some(Led::Off)),
            _ => None,
        }
    }
}

impl Rule {
    fn tell(&self, settled: Settled, out: &mut Outputs) -> bool {
        if let Some((led, cause)) = &settled.decided {
            self.decide(*led, cause, out);
        }
        settled.changed
    }

    fn decide(&self, led: Led, cause: &Cause, out: &mut Outputs) {
        out.decisions.extend(self.actuators.iter().map(|actuator| Decision {
            actuator: actuator.clone(),
            led,
            rule: self.name.clone(),
            version: self.version,
            cause: cause.clone(),
        }));
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.name)).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;
