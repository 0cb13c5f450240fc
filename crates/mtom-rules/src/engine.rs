//! Compiles rules, finds those that an event concerns, and turns what they wish into decisions and
//! alerts.
//!
//! An event costs what the rules cost that it concerns, however many there are: rules are found by
//! topic, and what is due by time.

use crate::condition::inputs::Needs;
use crate::condition::{Condition, Subject, Truth};
use crate::decision::{Alert, Cause, Decision, Event, Outputs, Target};
use crate::lamp::Driver;
use crate::machine::{Arrival, Settled, Timing};
use crate::spec::{Edge, RuleError, RuleSpec, RuleVersion, Silent};
use crate::state::{Entry, State};
use crate::template::{Facts, Template};
use crate::topics::Topics;
use crate::window::{Known, Windows, number, reach};
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

mod compile;
mod cycles;
mod restore;

/// How far back `other` looks in rules that never fall silent, when it is rebuilt after a restart.
const OTHER_REACH: Duration = Duration::from_secs(86_400);

/// How late readings may be, for windows to be what they were before a restart, in such rules.
const LATE_REACH: Duration = Duration::from_secs(3_600);

/// Compiled rules. Never changes; shared by reference.
pub struct Engine {
    rules: Vec<Rule>,
    topics: Topics,
    lamps: Vec<LampPlan>,
    /// Where in [`State::others`] each series is that rules name, by device and quantity.
    others: HashMap<Box<str>, HashMap<Box<str>, usize>>,
    others_len: usize,
}

struct Rule {
    name: Arc<str>,
    version: RuleVersion,
    on: Condition,
    off: Option<Condition>,
    needs: Needs,
    /// Where in [`State::others`] those of `needs` are.
    other_places: Vec<usize>,
    timing: Timing,
    /// Its actuators, by place.
    lamps: Vec<usize>,
    alerts: Vec<AlertPlan>,
}

struct LampPlan {
    name: Arc<str>,
    /// The rules that drive it, the highest priority first.
    rules: Vec<usize>,
}

struct AlertPlan {
    edge: Edge,
    target: Target,
    body: Template,
}

/// What the rules of one step did that actuators with several rules have to be asked about.
#[derive(Default)]
struct Pending {
    lamps: Vec<usize>,
    causes: Vec<(usize, Cause)>,
    left: Option<UnixMicros>,
}

impl Engine {
    /// Compiles rules, all or none.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its rule, its key and what is expected.
    pub fn compile(specs: &[RuleSpec]) -> Result<Self, Vec<RuleError>> {
        compile::engine(specs)
    }

    /// Looks at one event at the time `now` and appends what is to be done, at most one decision
    /// per actuator and due time.
    ///
    /// `now` is the present, not the reading's arrival. When it goes back by up to a second it is
    /// taken as not having moved; by more, the clock was set back and every span starts again.
    /// `state` is of this engine; with another's nothing sensible comes out.
    pub fn step(&self, state: &mut State, event: Event<'_>, now: UnixMicros, out: &mut Outputs) {
        let now = self.advance(state, now);
        let mut pending = Pending::default();
        match event {
            Event::Reading(stored) => {
                self.remember(state, stored);
                self.topics.visit(&stored.reading.topic, |index| {
                    self.read(index, state, stored, now, &mut pending, out);
                });
            }
            Event::Time => self.pass(state, now, &mut pending, out),
            Event::Override { actuator, led, until } => {
                if let Some(place) = self.lamp_place(state, actuator) {
                    let decision = state.change_lamp(place, |lamp, _| lamp.set(led, until, now));
                    out.decisions.extend(decision.flatten());
                    pending.lamps.push(place);
                }
            }
            Event::Report { .. } | Event::Availability { .. } => {}
        }
        pending.lamps.sort_unstable();
        pending.lamps.dedup();
        for place in std::mem::take(&mut pending.lamps) {
            self.arbitrate(place, state, &pending, now, out);
        }
    }

    /// When [`Event::Time`] must be given next, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self, state: &State) -> Option<UnixMicros> {
        state.deadlines.first().map(|(_, due)| due)
    }

    /// What stands: the last decision for each actuator, with [`Cause::Start`] where a rule decided. For
    /// use after [`Engine::restore`], so that every actuator can be told again.
    #[must_use]
    pub fn standing(&self, state: &State) -> Vec<Decision> {
        let decision = |lamp: &crate::lamp::Lamp| {
            let told = lamp.told.as_ref()?;
            let cause = match &lamp.manual {
                Some(manual) => Cause::Override { until: manual.until },
                None => Cause::Start { since: told.since },
            };
            let (actuator, rule) = (lamp.name.clone(), told.rule.clone());
            Some(Decision { actuator, led: told.led, rule, version: told.version, cause })
        };
        state.lamps.iter().filter_map(|entry| decision(&entry.lamp)).collect()
    }

    /// How far back the readings must go that [`Engine::warm`] is given; `None`: no rule needs any. Windows
    /// end at their newest reading, so this is longer than the longest of them by how late a reading may be
    /// that a rule still looks at.
    #[must_use]
    pub fn window_max(&self) -> Option<Duration> {
        self.rules.iter().filter_map(Rule::reach).max()
    }

    /// Whether [`Engine::warm`] looks at readings of a series that come on a topic.
    #[must_use]
    pub fn warms(&self, device: &str, quantity: &str, topic: &str) -> bool {
        let mut is_one = self.others.get(device).is_some_and(|of| of.contains_key(quantity));
        self.topics.visit(topic, |index| {
            is_one |= self.rules.get(index).is_some_and(|rule| !rule.needs.windows.is_empty());
        });
        is_one
    }

    /// Fills windows and `other` after [`Engine::initial`] or [`Engine::restore`]: give it the readings of
    /// the last [`Engine::window_max`] in the order of their numbers, before the first step. Decides nothing
    /// and changes nothing that is kept.
    pub fn warm(&self, state: &mut State, stored: &StoredReading) {
        self.remember(state, stored);
        self.topics.visit(&stored.reading.topic, |index| {
            if let (Some(rule), Some(entry)) = (self.rules.get(index), state.entries.get_mut(index))
                && !rule.needs.windows.is_empty()
            {
                Arc::make_mut(entry).windows.take(&rule.needs.windows, stored);
            }
        });
    }

    /// Takes note of the time and returns the one to go by.
    fn advance(&self, state: &mut State, now: UnixMicros) -> UnixMicros {
        let (now, is_set_back) = state.advance(now);
        if is_set_back {
            self.schedule(state);
        }
        now
    }

    /// Sets every deadline.
    fn schedule(&self, state: &mut State) {
        for index in 0..self.rules.len() {
            self.schedule_rule(index, state);
        }
        for place in 0..state.lamps.len() {
            self.schedule_lamp(place, state);
        }
    }

    fn schedule_rule(&self, index: usize, state: &mut State) {
        if let (Some(rule), Some(entry)) = (self.rules.get(index), state.entries.get(index)) {
            state.deadlines.set(index, entry.memory.deadline(&rule.timing));
        }
    }

    fn schedule_lamp(&self, place: usize, state: &mut State) {
        if let Some(entry) = state.lamps.get(place) {
            let due = entry.lamp.deadline(&self.drivers(place, &state.entries));
            state.deadlines.set(self.rules.len() + place, due);
        }
    }

    /// Does what is due.
    fn pass(&self, state: &mut State, now: UnixMicros, pending: &mut Pending, out: &mut Outputs) {
        // Each once: at the far end of time what is done may be due again at once.
        for _ in 0..self.rules.len() + state.lamps.len() {
            let Some((item, _)) = state.deadlines.first().filter(|(_, due)| *due <= now) else {
                break;
            };
            if let (Some(rule), Some(entry)) = (self.rules.get(item), state.entries.get_mut(item)) {
                let settled = Arc::make_mut(entry).memory.settle(&rule.timing, now, now);
                self.follow(item, state, settled, now, pending, out);
                self.schedule_rule(item, state);
            } else {
                // Asked, and set anew, when all rules have had their say.
                state.deadlines.set(item, None);
                pending.lamps.push(item - self.rules.len());
            }
        }
    }

    /// Takes note of a series that rules name.
    fn remember(&self, state: &mut State, stored: &StoredReading) {
        if self.others_len == 0 {
            return;
        }
        let reading = &stored.reading;
        let place = self.others.get(&*reading.device).and_then(|of| of.get(&*reading.quantity));
        if let Some(other) = place.and_then(|place| state.others.get_mut(*place))
            && other.is_none_or(|known| known.at <= stored.at)
        {
            *other = Some(Known { at: stored.at, value: number(stored) });
        }
    }

    /// Gives a reading to a rule.
    fn read(
        &self,
        index: usize,
        state: &mut State,
        stored: &StoredReading,
        now: UnixMicros,
        pending: &mut Pending,
        out: &mut Outputs,
    ) {
        let (Some(rule), Some(entry)) = (self.rules.get(index), state.entries.get_mut(index))
        else {
            return;
        };
        // What was due before this reading comes before it; what is due right now, behind it: a
        // reading every 10 s is never silent for 10 s.
        let before = UnixMicros(now.0.saturating_sub(1));
        let settled = Arc::make_mut(entry).memory.settle(&rule.timing, before, now);
        self.follow(index, state, settled, now, pending, out);
        let State { entries, others, .. } = &mut *state;
        let Some(entry) = entries.get_mut(index) else { return };
        let Entry { memory, windows, blind_since, .. } = Arc::make_mut(entry);
        let arrival = memory.meet(&rule.timing, stored, now);
        if arrival != Arrival::Again {
            if !rule.needs.windows.is_empty() {
                windows.take(&rule.needs.windows, stored);
            }
            if arrival == Arrival::News && memory.is_active() {
                let about = rule.subject(stored, windows, others, now);
                if let Some(wish) = rule.wish(&about) {
                    *blind_since = None;
                    memory.hear(wish, stored, now, |led| rule.told(led, &about));
                } else {
                    blind_since.get_or_insert(now);
                }
            }
        }
        let mut settled = memory.settle(&rule.timing, now, now);
        settled.changed |= arrival != Arrival::Again;
        self.follow(index, state, settled, now, pending, out);
        self.schedule_rule(index, state);
    }

    /// What comes of what a rule did.
    fn follow(
        &self,
        index: usize,
        state: &mut State,
        settled: Settled,
        now: UnixMicros,
        pending: &mut Pending,
        out: &mut Outputs,
    ) {
        if !settled.changed {
            return;
        }
        state.rule_changed(index);
        let Some(rule) = self.rules.get(index) else { return };
        if let Some(at) = settled.left {
            pending.left = Some(at);
            if rule.timing.silent == Silent::Off {
                let cause = Cause::ScheduleEnded { at };
                self.episode(rule, index, state, Led::Off, &cause, now, out);
            }
        }
        if let Some((led, cause)) = &settled.decided {
            self.episode(rule, index, state, *led, cause, now, out);
            pending.causes.push((index, cause.clone()));
        }
        if settled.left.is_none() && settled.decided.is_none() {
            return;
        }
        for place in &rule.lamps {
            if self.lamps.get(*place).is_some_and(|plan| plan.rules.len() > 1) {
                pending.lamps.push(*place);
            } else {
                self.arbitrate(*place, state, pending, now, out);
            }
        }
    }

    /// Tells of the begin and the end of an episode, once each.
    #[allow(clippy::too_many_arguments, reason = "a step of `follow`, which has them all")]
    fn episode(
        &self,
        rule: &Rule,
        index: usize,
        state: &mut State,
        led: Led,
        cause: &Cause,
        at: UnixMicros,
        out: &mut Outputs,
    ) {
        let Some(entry) = state.entries.get_mut(index) else { return };
        let is_on = led == Led::On;
        if entry.memory.episode == is_on {
            return;
        }
        Arc::make_mut(entry).memory.episode = is_on;
        let facts = Facts { rule: &rule.name, led, cause, at };
        for alert in &rule.alerts {
            let is_wanted = match alert.edge {
                Edge::On => is_on,
                Edge::Off => !is_on,
                Edge::Both => true,
            };
            if is_wanted {
                out.alerts.push(Alert {
                    rule: rule.name.clone(),
                    version: rule.version,
                    target: alert.target.clone(),
                    body: alert.body.render(&facts),
                    led,
                    cause: cause.clone(),
                    at,
                });
            }
        }
    }

    fn arbitrate(
        &self,
        place: usize,
        state: &mut State,
        pending: &Pending,
        now: UnixMicros,
        out: &mut Outputs,
    ) {
        let decision = state.change_lamp(place, |lamp, entries| {
            let drivers = self.drivers(place, entries);
            lamp.arbitrate(&drivers, &pending.causes, pending.left, now)
        });
        out.decisions.extend(decision.flatten());
        self.schedule_lamp(place, state);
    }

    pub(crate) fn timing(&self, index: usize) -> Option<&Timing> {
        self.rules.get(index).map(|rule| &rule.timing)
    }

    pub(crate) fn drivers<'a>(
        &'a self,
        place: usize,
        entries: &'a [Arc<Entry>],
    ) -> Vec<Driver<'a>> {
        let rules = self.lamps.get(place).map_or(&[][..], |plan| &plan.rules);
        let driver = |index: &usize| {
            let (rule, entry) = (self.rules.get(*index)?, entries.get(*index)?);
            Some(Driver {
                index: *index,
                rule: &rule.name,
                version: rule.version,
                dwell: rule.timing.dwell,
                silent: rule.timing.silent,
                claim: entry.memory.shown.as_ref(),
            })
        };
        rules.iter().filter_map(driver).collect()
    }
}

impl Rule {
    /// How far back it looks, if it looks back.
    fn reach(&self) -> Option<Duration> {
        let late = self.timing.max_age;
        let windows = self.needs.windows.iter().copied().map(reach).max();
        let windows = windows.map(|reach| reach + late.unwrap_or(LATE_REACH));
        let others = (!self.needs.others.is_empty()).then(|| late.unwrap_or(OTHER_REACH));
        windows.max(others)
    }

    fn subject<'a>(
        &'a self,
        stored: &'a StoredReading,
        windows: &'a Windows,
        others: &'a [Option<Known>],
        now: UnixMicros,
    ) -> Subject<'a> {
        let windows = if self.needs.windows.is_empty() { &[] } else { windows.of(stored) };
        let (other_places, max_age) = (self.other_places.as_slice(), self.timing.max_age);
        Subject { stored, now, windows, others, other_places, max_age }
    }

    /// What a reading wishes; `Some(None)` is no change, `None` that the rule knows nothing of it.
    fn wish(&self, about: &Subject<'_>) -> Option<Option<Led>> {
        let on = self.on.evaluate(about);
        let off = match &self.off {
            Some(off) => off.evaluate(about),
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

    /// The condition that wishes it, with its values.
    fn told(&self, led: Led, about: &Subject<'_>) -> Arc<str> {
        match (led, &self.off) {
            (Led::On, _) => self.on.told(false, about),
            (Led::Off, Some(off)) => off.told(false, about),
            (Led::Off, None) => self.on.told(true, about),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.name)).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;
