//! What one rule remembers, and how it gets from wishes to decisions.
//!
//! Knows no expression and no topic: only wishes and times. Everything that is due is done in
//! [`Memory::settle`]; calling it more often than needed changes nothing.

use crate::decision::{Cause, Witness};
use crate::schedule::{Schedule, Turn};
use crate::series::SeriesMap;
use crate::spec::{RuleSpec, Silent};
use mtom_protocol::link::Led;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;

/// The times of a rule.
#[derive(Debug)]
pub(crate) struct Timing {
    hold_for: Duration,
    pub(crate) dwell: Duration,
    pub(crate) max_age: Option<Duration>,
    pub(crate) silent: Silent,
    schedule: Option<Schedule>,
}

/// What one rule remembers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Memory {
    /// The journal number of the newest reading looked at; 0 before the first.
    pub(crate) last_id: u64,
    /// The time of the newest reading that said something, or the start.
    pub(crate) heard: UnixMicros,
    /// Silence has been dealt with.
    pub(crate) silent: bool,
    /// The last decision, and so the claim to the actuators; `None` before the first, and outside the
    /// schedule.
    pub(crate) shown: Option<Shown>,
    /// The on of the rule was told, and its off was not yet.
    pub(crate) episode: bool,
    /// Whether the schedule is in force; `None`: there is no schedule.
    pub(crate) turn: Option<Turn>,
    /// Wished, and not yet for long enough (`for`).
    pub(crate) forming: Option<Wish>,
    /// To be done when `dwell` is over.
    pub(crate) settled: Option<Wish>,
    /// The newest time of each series.
    pub(crate) series: SeriesMap<()>,
}

/// A decision that stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) led: Led,
    pub(crate) since: UnixMicros,
    /// The reading that it rests on; `None`: silence.
    pub(crate) witness: Option<Witness>,
}

/// A state that readings ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    pub(crate) led: Led,
    pub(crate) since: UnixMicros,
    /// The first reading that asked.
    pub(crate) witness: Witness,
}

/// What a reading is to a rule, before its value is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// To be evaluated.
    News,
    /// Remembered, and never evaluated.
    Late,
    /// Seen before: nothing changed.
    Again,
}

/// What [`Memory::settle`] did.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The memory is not what it was.
    pub(crate) changed: bool,
    /// The rule's actuators are to be so now.
    pub(crate) decided: Option<(Led, Cause)>,
    /// The rule has no say any more since then: its schedule ended.
    pub(crate) left: Option<UnixMicros>,
}

/// When a turn ends that must be looked at at once.
const LOOK_AGAIN: UnixMicros = UnixMicros(i64::MIN);

/// When a turn ended that was to last until `until` at least; `None`: it has gone on up to `now`.
fn ended(schedule: &Schedule, until: UnixMicros, now: UnixMicros) -> Option<UnixMicros> {
    if until == LOOK_AGAIN {
        return (!schedule.at(now).is_active).then_some(now);
    }
    let mut at = until;
    // Turns are days long where they touch; a longer sleep than this may as well begin anew.
    for _ in 0..100 {
        let turn = schedule.at(at);
        if !turn.is_active {
            break;
        }
        if turn.until > now {
            return None;
        }
        at = turn.until;
    }
    Some(at)
}

impl Timing {
    pub(crate) const fn of(spec: &RuleSpec, schedule: Option<Schedule>) -> Self {
        let RuleSpec { hold_for, dwell, max_age, silent, .. } = *spec;
        Self { hold_for, dwell, max_age, silent, schedule }
    }
}

impl Memory {
    /// Knows nothing; silence counts from `now`.
    pub(crate) fn new(timing: &Timing, now: UnixMicros) -> Self {
        Self {
            turn: timing.schedule.as_ref().map(|schedule| schedule.at(now)),
            episode: false,
            last_id: 0,
            heard: now,
            silent: false,
            shown: None,
            forming: None,
            settled: None,
            series: SeriesMap::default(),
        }
    }

    /// Takes note of a reading.
    pub(crate) fn meet(
        &mut self,
        timing: &Timing,
        stored: &StoredReading,
        now: UnixMicros,
    ) -> Arrival {
        // A reading that could not be stored has no number yet, and comes once.
        if stored.id != 0 && stored.id <= self.last_id {
            return Arrival::Again;
        }
        self.last_id = self.last_id.max(stored.id);
        // At exactly `max_age` silence is due, so such a reading could not change anything either.
        let stale = timing.max_age.is_some_and(|max_age| now.since(stored.at) >= max_age);
        let in_order = self.series.note(stored, || ()).is_some();
        if in_order && !stale { Arrival::News } else { Arrival::Late }
    }

    /// What the newest reading wishes; `None` when it wishes no change.
    pub(crate) fn hear(
        &mut self,
        wish: Option<Led>,
        stored: &StoredReading,
        now: UnixMicros,
        told: impl FnOnce(Led) -> Arc<str>,
    ) {
        // A device whose clock is ahead must not put off its silence.
        self.heard = self.heard.max(stored.at.min(now));
        self.silent = false;
        match wish {
            Some(led) if Some(led) == self.stance() => self.forming = None,
            Some(led) => {
                if self.forming.as_ref().is_none_or(|forming| forming.led != led) {
                    let witness = Witness::of(stored, told(led));
                    self.forming = Some(Wish { led, since: now, witness });
                }
            }
            None => self.forming = None,
        }
    }

    /// Does what was due at `due`, at the time `now`.
    ///
    /// Silence goes before a wish that is due too: nothing old is done on input older than
    /// `max_age`, also when both ran out while nobody asked.
    pub(crate) fn settle(&mut self, timing: &Timing, due: UnixMicros, now: UnixMicros) -> Settled {
        let mut settled = self.turn(timing, now);
        if !self.is_active() {
            return settled;
        }
        if let (Some(max_age), Some(at)) = (timing.max_age, self.silence_at(timing))
            && at <= due
        {
            settled.changed = true;
            settled.decided = self.fall_silent(timing, max_age, now);
            return settled;
        }
        if self.forming_at(timing).is_some_and(|at| at <= due) {
            settled.changed = true;
            let shown = self.shown.as_ref().map(|shown| shown.led);
            self.settled = self.forming.take().filter(|wish| Some(wish.led) != shown);
        }
        if self.settled_at(timing).is_some_and(|at| at <= due)
            && let Some(wish) = self.settled.take()
        {
            settled.changed = true;
            let witness = Some(wish.witness.clone());
            self.shown = Some(Shown { led: wish.led, since: now, witness });
            let cause = Cause::Reading { held: now.since(wish.since), witness: wish.witness };
            settled.decided = Some((wish.led, cause));
        }
        settled
    }

    /// Outside its schedule a rule takes note of readings and does nothing.
    pub(crate) fn is_active(&self) -> bool {
        self.turn.is_none_or(|turn| turn.is_active)
    }

    /// Follows the schedule up to `now`. A turn that ends takes everything with it that was wished.
    fn turn(&mut self, timing: &Timing, now: UnixMicros) -> Settled {
        let (Some(schedule), Some(before)) = (&timing.schedule, self.turn) else {
            return Settled::default();
        };
        if now < before.until {
            return Settled::default();
        }
        let after = schedule.at(now);
        self.turn = Some(after);
        let mut settled = Settled { changed: true, ..Settled::default() };
        let ended = before.is_active.then(|| ended(schedule, before.until, now)).flatten();
        if ended.is_some() {
            self.forming = None;
            self.settled = None;
            settled.left = self.shown.take().and(ended);
        }
        if ended.is_some() || !before.is_active {
            // As at the start: nothing is known yet.
            self.heard = self.heard.max(now);
            self.silent = false;
        }
        settled
    }

    /// When [`Memory::settle`] will have something to do if nothing else happens.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<UnixMicros> {
        let turn = self.turn.map(|turn| turn.until);
        if !self.is_active() {
            return turn;
        }
        let silence = self.silence_at(timing);
        if self.forming.is_none() && self.settled.is_none() && turn.is_none() {
            return silence;
        }
        let times = [turn, silence, self.forming_at(timing), self.settled_at(timing)];
        times.into_iter().flatten().min()
    }

    /// When the schedule begins or ends; `None`: there is none, or it goes on for as long as anybody can tell.
    pub(crate) fn turn_ends(&self, timing: &Timing) -> Option<UnixMicros> {
        let (turn, schedule) = (self.turn?, timing.schedule.as_ref()?);
        if matches!(turn.until, LOOK_AGAIN | UnixMicros(i64::MAX)) {
            return None;
        }
        // Where turns touch it is only looked at again.
        (schedule.at(turn.until).is_active != turn.is_active).then_some(turn.until)
    }

    /// The clock was set back to `now`: nothing known lies after it, and every span starts again.
    pub(crate) fn set_back(&mut self, now: UnixMicros) {
        self.heard = self.heard.min(now);
        if let Some(shown) = &mut self.shown {
            shown.since = shown.since.min(now);
        }
        for wish in self.forming.iter_mut().chain(&mut self.settled) {
            wish.since = wish.since.min(now);
        }
        if let Some(turn) = &mut self.turn {
            turn.until = LOOK_AGAIN;
        }
        // By the new clock every reading would be late.
        self.series.clear();
    }

    /// What the last wish that counted asked for (hysteresis).
    fn stance(&self) -> Option<Led> {
        let settled = self.settled.as_ref().map(|wish| wish.led);
        settled.or_else(|| self.shown.as_ref().map(|shown| shown.led))
    }

    fn fall_silent(
        &mut self,
        timing: &Timing,
        max_age: Duration,
        now: UnixMicros,
    ) -> Option<(Led, Cause)> {
        self.silent = true;
        self.forming = None;
        self.settled = None;
        let led = match timing.silent {
            Silent::On => Led::On,
            Silent::Off => Led::Off,
            Silent::Hold => return None,
        };
        if self.shown.as_ref().is_some_and(|shown| shown.led == led) {
            return None;
        }
        self.shown = Some(Shown { led, since: now, witness: None });
        Some((led, Cause::Silence { max_age, since: self.heard }))
    }

    pub(crate) fn silence_at(&self, timing: &Timing) -> Option<UnixMicros> {
        let max_age = timing.max_age.filter(|_| !self.silent)?;
        Some(self.heard.saturating_add(max_age))
    }

    pub(crate) fn forming_at(&self, timing: &Timing) -> Option<UnixMicros> {
        Some(self.forming.as_ref()?.since.saturating_add(timing.hold_for))
    }

    pub(crate) fn settled_at(&self, timing: &Timing) -> Option<UnixMicros> {
        let wish = self.settled.as_ref()?;
        let shown = self.shown.as_ref();
        Some(shown.map_or(wish.since, |shown| shown.since.saturating_add(timing.dwell)))
    }
}
