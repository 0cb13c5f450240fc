//! States: the first one, and those that come back after a restart.

use super::Engine;
use crate::lamp::Lamp;
use crate::machine::Memory;
use crate::spec::RuleVersion;
use crate::state::raw::{self, lamp_key, rule_key};
use crate::state::{Entry, Kept, LampEntry, State, StateError};
use crate::window::Windows;
use mtom_protocol::time::UnixMicros;
use std::collections::HashMap;
use std::sync::Arc;

/// How many actuators are remembered that persons drive and no rule does. Full: what else was said by
/// hand is forgotten.
const STRANGERS_MAX: usize = 256;

impl Engine {
    /// The state before anything has happened; `max_age` counts from `now`.
    #[must_use]
    pub fn initial(&self, now: UnixMicros) -> State {
        self.revive(Kept::NOTHING, now)
    }

    /// The state that [`State::encode`] wrote, for these rules; also that of older versions.
    ///
    /// A rule keeps its memory when its name and everything it says are as they were; else it
    /// starts afresh. Timers keep their time: what ran out meanwhile is done by the first
    /// [`crate::Event::Time`]. Nothing is decided here; [`Engine::standing`] says what stands.
    ///
    /// # Errors
    /// When the bytes are no state, or one of a later version. The caller may go on with
    /// [`Engine::initial`], which forgets.
    pub fn restore(&self, bytes: &[u8], now: UnixMicros) -> Result<State, StateError> {
        Ok(self.revive(raw::decode(bytes)?, now))
    }

    /// As [`Engine::restore`], from the bytes of [`State::parts`] in any order. Those that belong to no rule
    /// and no actuator of this engine are passed over.
    ///
    /// # Errors
    /// As [`Engine::restore`].
    pub fn restore_parts<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a [u8]>,
        now: UnixMicros,
    ) -> Result<State, StateError> {
        let mut kept = Kept::NOTHING;
        for part in parts {
            raw::decode_part(part, &mut kept)?;
        }
        Ok(self.revive(kept, now))
    }

    /// The keys of all parts that this engine's states have, but for actuators that only persons drive.
    pub fn part_keys(&self) -> impl Iterator<Item = String> {
        let rules = self.rules.iter().map(|rule| rule_key(&rule.name));
        rules.chain(self.lamps.iter().map(|lamp| lamp_key(&lamp.name)))
    }

    fn revive(&self, kept: Kept, now: UnixMicros) -> State {
        let mut memories: HashMap<(Arc<str>, RuleVersion), Memory> = kept
            .rules
            .into_iter()
            .map(|(name, version, memory)| ((name, version), memory))
            .collect();
        let entries = self.rules.iter().map(|rule| {
            let (name, version) = (rule.name.clone(), rule.version);
            let memory = memories.remove(&(name.clone(), version));
            let memory = memory.unwrap_or_else(|| Memory::new(&rule.timing, now));
            let windows = Windows::default();
            Arc::new(Entry { name, version, memory, windows, blind_since: None, revision: 0 })
        });
        let mut lamps: HashMap<Arc<str>, Lamp> =
            kept.lamps.into_iter().map(|lamp| (lamp.name.clone(), lamp)).collect();
        let mut own: Vec<Lamp> = self
            .lamps
            .iter()
            .map(|plan| lamps.remove(&plan.name).unwrap_or_else(|| Lamp::new(plan.name.clone())))
            .collect();
        let mut strangers: Vec<Lamp> =
            lamps.into_values().filter(|lamp| lamp.manual.is_some()).collect();
        strangers.sort_by(|a, b| a.name.cmp(&b.name));
        strangers.truncate(STRANGERS_MAX);
        own.extend(strangers);
        let entries: Vec<Arc<Entry>> = entries.collect();
        for (place, lamp) in own.iter_mut().enumerate() {
            self.forget_strangers_word(lamp);
            lamp.assume(&self.drivers(place, &entries));
        }
        let lamps = own.into_iter().map(|lamp| Arc::new(LampEntry { lamp, revision: 0 })).collect();
        let mut state = State::new(kept.clock, entries, lamps, self.others_len);
        state.advance(now);
        self.schedule(&mut state);
        state
    }

    /// What a rule said that is gone, or says something else now, stands no longer.
    fn forget_strangers_word(&self, lamp: &mut Lamp) {
        let is_known = |told: &crate::lamp::Told| {
            self.rules.iter().any(|rule| rule.name == told.rule && rule.version == told.version)
        };
        if lamp.manual.is_none() {
            lamp.told.take_if(|told| !is_known(told));
        }
    }

    /// Where an actuator is in the state; it is added when no rule drives it. `None`: there are too many.
    pub(super) fn lamp_place(&self, state: &mut State, name: &str) -> Option<usize> {
        let known = state.lamps.iter().position(|entry| *entry.lamp.name == *name);
        if known.is_some() {
            return known;
        }
        let entry = Arc::new(LampEntry { lamp: Lamp::new(name.into()), revision: 0 });
        if state.lamps.len() < self.lamps.len() + STRANGERS_MAX {
            state.lamps.push(entry);
            return Some(state.lamps.len() - 1);
        }
        // The place of one about which nobody says anything any more.
        let is_free = |entry: &Arc<LampEntry>| entry.lamp.manual.is_none();
        let free = state.lamps.iter().skip(self.lamps.len()).position(is_free)?;
        let place = self.lamps.len() + free;
        *state.lamps.get_mut(place)? = entry;
        Some(place)
    }
}
