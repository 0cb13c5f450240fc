//! Who decides about an actuator: a person, else the rule of the highest priority that has a claim.
//!
//! Rules claim; what comes of several claims is found here. A claim that comes to an end passes the
//! actuator on to the next; when there is none, the one that left says what its `silent` state is.

use crate::decision::{Cause, Decision, MANUAL};
use crate::machine::Shown;
use crate::outlook::{Effect, Timer, TimerKind};
use crate::spec::{RuleVersion, Silent};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::Duration;

/// What is remembered of one actuator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lamp {
    pub(crate) name: Arc<str>,
    pub(crate) manual: Option<Manual>,
    pub(crate) told: Option<Told>,
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Manual {
    pub(crate) led: Led,
    pub(crate) since: UnixMicros,
    pub(crate) until: Option<UnixMicros>,
}

/// The last decision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) led: Led,
    pub(crate) since: UnixMicros,
    pub(crate) rule: Arc<str>,
    pub(crate) version: RuleVersion,
    /// The rule has no claim any more, and this is how it left the actuator.
    pub(crate) has_left: bool,
}

/// One rule that drives an actuator.
pub(crate) struct Driver<'a> {
    /// Its place among the engine's rules.
    pub(crate) index: usize,
    pub(crate) rule: &'a Arc<str>,
    pub(crate) version: RuleVersion,
    pub(crate) dwell: Duration,
    pub(crate) silent: Silent,
    pub(crate) claim: Option<&'a Shown>,
}

impl Lamp {
    pub(crate) const fn new(name: Arc<str>) -> Self {
        Self { name, manual: None, told: None }
    }

    /// A person says what it is to be, or that the rules speak again.
    pub(crate) fn set(
        &mut self,
        led: Option<Led>,
        until: Option<UnixMicros>,
        now: UnixMicros,
    ) -> Option<Decision> {
        match led.filter(|_| until.is_none_or(|until| now < until)) {
            Some(led) => {
                self.manual = Some(Manual { led, since: now, until });
                let rule: Arc<str> = MANUAL.into();
                let version = RuleVersion(0);
                self.told =
                    Some(Told { led, since: now, rule: rule.clone(), version, has_left: false });
                let cause = Cause::Override { until };
                Some(Decision { actuator: self.name.clone(), led, rule, version, cause })
            }
            None => {
                if let Some(manual) = &mut self.manual {
                    manual.until = Some(now);
                }
                None
            }
        }
    }

    /// What follows from the claims of `drivers`, the highest priority first. `causes` are why rules decided
    /// just now, the newest last; `left` is when a schedule ended.
    pub(crate) fn arbitrate(
        &mut self,
        drivers: &[Driver<'_>],
        causes: &[(usize, Cause)],
        left: Option<UnixMicros>,
        now: UnixMicros,
    ) -> Option<Decision> {
        if let Some(manual) = &self.manual {
            return match manual.until {
                Some(until) if until <= now => self.release(drivers, now),
                _ => None,
            };
        }
        let Some((driver, claim)) = owner(drivers) else {
            return self.leave(drivers, left, now);
        };
        if !self.wants_change(claim) {
            // The same, and from now on this rule says so.
            if let Some(told) = &mut self.told {
                told.rule = driver.rule.clone();
                told.version = driver.version;
                told.has_left = false;
            }
            return None;
        }
        if self.due(driver, claim).is_some_and(|due| now < due) {
            return None;
        }
        let own = causes.iter().rev().find(|(index, _)| *index == driver.index);
        let cause = match (own, &claim.witness) {
            (Some((_, cause)), _) => cause.clone(),
            // It took over from a rule that still has a claim, and has waited for its dwell.
            (None, Some(witness)) if self.is_outranked(drivers) => {
                Cause::Reading { witness: witness.clone(), held: now.since(claim.since) }
            }
            (None, witness) => {
                let from = self.told.as_ref().map_or(driver.rule, |told| &told.rule).clone();
                Cause::Succession { from, since: claim.since, witness: witness.clone() }
            }
        };
        Some(self.tell(claim.led, driver, cause, false, now))
    }

    /// When there is something to do although nothing happens.
    pub(crate) fn deadline(&self, drivers: &[Driver<'_>]) -> Option<UnixMicros> {
        if let Some(manual) = &self.manual {
            return manual.until;
        }
        let (driver, claim) = owner(drivers)?;
        if self.wants_change(claim) { self.due(driver, claim) } else { None }
    }

    /// What there is to do although nothing happens, and when.
    pub(crate) fn timer(&self, drivers: &[Driver<'_>]) -> Option<Timer> {
        let at = self.deadline(drivers)?;
        let claimed = owner(drivers).map(|(_, claim)| Effect::Led(claim.led));
        let (kind, effect) = match (&self.manual, claimed) {
            (None, claimed) => (TimerKind::Dwell, claimed?),
            (Some(_), Some(claimed)) => (TimerKind::Override, claimed),
            (Some(_), None) => {
                let left = drivers.first().map(|driver| Effect::from(driver.silent));
                (TimerKind::Override, left.unwrap_or(Effect::Led(Led::Off)))
            }
        };
        Some(Timer { kind, effect, at })
    }

    /// Takes for told what the owner says, where nothing is known: states of an older version.
    pub(crate) fn assume(&mut self, drivers: &[Driver<'_>]) {
        if self.told.is_none()
            && self.manual.is_none()
            && let Some((driver, claim)) = owner(drivers)
        {
            let (rule, version) = (driver.rule.clone(), driver.version);
            let (led, since) = (claim.led, claim.since);
            self.told = Some(Told { led, since, rule, version, has_left: false });
        }
    }

    /// The clock was set back to `now`.
    pub(crate) fn set_back(&mut self, now: UnixMicros) {
        if let Some(told) = &mut self.told {
            told.since = told.since.min(now);
        }
        if let Some(manual) = &mut self.manual {
            manual.since = manual.since.min(now);
        }
    }

    fn wants_change(&self, claim: &Shown) -> bool {
        self.told.as_ref().is_none_or(|told| told.led != claim.led)
    }

    /// Whether the rule that decided last still has a claim.
    fn is_outranked(&self, drivers: &[Driver<'_>]) -> bool {
        let has_claim = |told: &Told| {
            drivers.iter().any(|driver| *driver.rule == told.rule && driver.claim.is_some())
        };
        self.told.as_ref().is_some_and(has_claim)
    }

    /// A change waits for the owner's dwell, whoever led to the present state; silence waits for nothing.
    fn due(&self, driver: &Driver<'_>, claim: &Shown) -> Option<UnixMicros> {
        let told = self.told.as_ref()?;
        claim.witness.as_ref()?;
        Some(told.since.saturating_add(driver.dwell))
    }

    /// A person's word is over.
    fn release(&mut self, drivers: &[Driver<'_>], now: UnixMicros) -> Option<Decision> {
        self.manual = None;
        if let Some((driver, claim)) = owner(drivers) {
            let (since, witness) = (Some(claim.since), claim.witness.clone());
            let cause = Cause::OverrideEnded { since, witness };
            return Some(self.tell(claim.led, driver, cause, false, now));
        }
        let cause = Cause::OverrideEnded { since: None, witness: None };
        let Some(driver) = drivers.first() else {
            // Nobody else will ever say anything, so it is left as a device leaves itself.
            self.told = None;
            let (actuator, rule) = (self.name.clone(), MANUAL.into());
            return Some(Decision {
                actuator,
                led: Led::Off,
                rule,
                version: RuleVersion(0),
                cause,
            });
        };
        match driver.silent {
            Silent::On => Some(self.tell(Led::On, driver, cause, true, now)),
            Silent::Off => Some(self.tell(Led::Off, driver, cause, true, now)),
            Silent::Hold => {
                if let Some(told) = &mut self.told {
                    told.rule = driver.rule.clone();
                    told.version = driver.version;
                    told.has_left = true;
                }
                None
            }
        }
    }

    /// No rule has a claim.
    fn leave(
        &mut self,
        drivers: &[Driver<'_>],
        left: Option<UnixMicros>,
        now: UnixMicros,
    ) -> Option<Decision> {
        let told = self.told.as_mut().filter(|told| !told.has_left)?;
        told.has_left = true;
        let driver = drivers.iter().find(|driver| *driver.rule == told.rule)?;
        let led = match driver.silent {
            Silent::On => Led::On,
            Silent::Off => Led::Off,
            Silent::Hold => return None,
        };
        if told.led == led {
            return None;
        }
        Some(self.tell(led, driver, Cause::ScheduleEnded { at: left.unwrap_or(now) }, true, now))
    }

    fn tell(
        &mut self,
        led: Led,
        driver: &Driver<'_>,
        cause: Cause,
        has_left: bool,
        now: UnixMicros,
    ) -> Decision {
        let (rule, version) = (driver.rule.clone(), driver.version);
        self.told = Some(Told { led, since: now, rule: rule.clone(), version, has_left });
        Decision { actuator: self.name.clone(), led, rule, version, cause }
    }
}

fn owner<'a, 'd>(drivers: &'d [Driver<'a>]) -> Option<(&'d Driver<'a>, &'a Shown)> {
    drivers.iter().find_map(|driver| Some((driver, driver.claim?)))
}
