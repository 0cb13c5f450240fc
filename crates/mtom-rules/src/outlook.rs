//! How each rule and each actuator is, and what it waits for: for whoever watches. Changes nothing.
//!
//! A timer is what the machine itself goes by: what it says is done when its time has come, if no reading
//! and no person changes it before.

use crate::engine::Engine;
use crate::lamp::Lamp;
use crate::machine::{Memory, Timing};
use crate::spec::Silent;
use crate::state::State;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::ops::Range;
use std::sync::Arc;

/// How one rule is.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleOutlook {
    /// Its name.
    pub name: Arc<str>,
    /// What it wants; `None`: it has decided nothing yet, or its schedule is not in force.
    pub led: Option<Led>,
    /// Since when it wants that.
    pub since: Option<UnixMicros>,
    /// The reading that this rests on.
    pub reading: Option<u64>,
    /// The condition that was true, with its values; empty where none is known.
    pub condition: Arc<str>,
    /// There was no news for `max_age`.
    pub is_silent: bool,
    /// Its schedule is in force, or it has none.
    pub is_active: bool,
    /// Since when it knows nothing of what it reads; `None`: the newest reading told it something, or none came.
    pub blind_since: Option<UnixMicros>,
    /// What it waits for, the earliest first.
    pub timers: Vec<Timer>,
}

/// How one actuator is that a person has a word about, or that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct ActuatorOutlook {
    /// Its name.
    pub name: Arc<str>,
    /// What a person said that it is to be; `None`: the rules speak.
    pub manual: Option<Led>,
    /// What it waits for; `None`: until a person says so.
    pub timer: Option<Timer>,
}

/// Something that will be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Timer {
    /// Which time it is that runs out.
    pub kind: TimerKind,
    /// What is done then.
    pub effect: Effect,
    /// When.
    pub at: UnixMicros,
}

/// Which time runs out. The names are those of the keys in `mtom.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerKind {
    /// The condition has held for long enough; then `dwell` may have to be waited for.
    For,
    /// The present state has lasted for long enough.
    Dwell,
    /// No reading came for so long.
    MaxAge,
    /// The schedule begins or ends.
    Schedule,
    /// A person's word ends.
    Override,
}

/// What is done when a time has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is, or stays, that.
    Led(Led),
    /// It stays as it is.
    Hold,
    /// The rule looks at readings.
    Begin,
}

/// How many rules want what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// On.
    pub on: usize,
    /// Off.
    pub off: usize,
    /// Nothing.
    pub unknown: usize,
}

impl From<Silent> for Effect {
    fn from(silent: Silent) -> Self {
        match silent {
            Silent::On => Self::Led(Led::On),
            Silent::Off => Self::Led(Led::Off),
            Silent::Hold => Self::Hold,
        }
    }
}

impl Engine {
    /// How the rules of these places are, in the order in which they were given.
    #[must_use]
    pub fn outlook(&self, state: &State, places: Range<usize>) -> Vec<RuleOutlook> {
        let entries = state.entries.iter().enumerate();
        let some = entries.skip(places.start).take(places.len());
        some.filter_map(|(index, entry)| {
            let memory = &entry.memory;
            let shown = memory.shown.as_ref();
            let witness = shown.and_then(|shown| shown.witness.as_ref());
            Some(RuleOutlook {
                name: entry.name.clone(),
                led: shown.map(|shown| shown.led),
                since: shown.map(|shown| shown.since),
                reading: witness.map(|witness| witness.id).filter(|id| *id != 0),
                condition: witness.map_or_else(|| "".into(), |found| found.condition.clone()),
                is_silent: memory.silent,
                is_active: memory.is_active(),
                blind_since: entry.blind_since,
                timers: memory.timers(self.timing(index)?),
            })
        })
        .collect()
    }

    /// How many rules want what.
    #[must_use]
    pub fn totals(&self, state: &State) -> Totals {
        let mut totals = Totals::default();
        for entry in &state.entries {
            match entry.memory.shown.as_ref().map(|shown| shown.led) {
                Some(Led::On) => totals.on += 1,
                Some(Led::Off) => totals.off += 1,
                None => totals.unknown += 1,
            }
        }
        totals
    }

    /// Rules that know nothing of what they read, and since when; the one that is so longest first.
    #[must_use]
    pub fn blind(&self, state: &State) -> Vec<(Arc<str>, UnixMicros)> {
        let mut found: Vec<_> = state
            .entries
            .iter()
            .filter(|entry| entry.memory.is_active())
            .filter_map(|entry| Some((entry.name.clone(), entry.blind_since?)))
            .collect();
        found.sort_by_key(|(_, since)| *since);
        found
    }

    /// Actuators that wait or that a person has a word about, those that are due first; what has no time is last.
    #[must_use]
    pub fn actuators_outlook(&self, state: &State) -> Vec<ActuatorOutlook> {
        let lamps = state.lamps.iter().enumerate();
        let mut found: Vec<_> = lamps
            .filter_map(|(place, entry)| {
                let Lamp { name, manual, .. } = &entry.lamp;
                let timer = entry.lamp.timer(&self.drivers(place, &state.entries));
                let manual = manual.map(|manual| manual.led);
                (manual.is_some() || timer.is_some()).then(|| ActuatorOutlook {
                    name: name.clone(),
                    manual,
                    timer,
                })
            })
            .collect();
        found.sort_by_key(|one| one.timer.as_ref().map_or(UnixMicros(i64::MAX), |timer| timer.at));
        found
    }
}

impl Memory {
    /// What [`Memory::settle`] will do if nothing else happens, the earliest first.
    fn timers(&self, timing: &Timing) -> Vec<Timer> {
        let timer = |kind, effect, at: Option<UnixMicros>| at.map(|at| Timer { kind, effect, at });
        let turn = self.turn_ends(timing);
        if !self.is_active() {
            return timer(TimerKind::Schedule, Effect::Begin, turn).into_iter().collect();
        }
        let wished = |wish: Option<&crate::machine::Wish>| {
            wish.map_or(Effect::Hold, |wish| Effect::Led(wish.led))
        };
        let silent = Effect::from(timing.silent);
        let forming = wished(self.forming.as_ref());
        let settled = wished(self.settled.as_ref());
        let all = [
            timer(TimerKind::For, forming, self.forming_at(timing)),
            timer(TimerKind::Dwell, settled, self.settled_at(timing)),
            timer(TimerKind::MaxAge, silent, self.silence_at(timing)),
            timer(TimerKind::Schedule, silent, turn),
        ];
        let mut timers: Vec<_> = all.into_iter().flatten().collect();
        timers.sort_by_key(|timer| timer.at);
        timers
    }
}
