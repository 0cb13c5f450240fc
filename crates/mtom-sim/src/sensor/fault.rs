//! What goes wrong with a simulated sensor, on request and the same way each time for one seed.
//!
//! `offline=30s/5m,skew=+1h,reboot=10m,garbage=0.01,duplicate=0.01,late=0.05`

use crate::fault::{A_PART, FaultError, part_of_one};
use fastrand::Rng;
use mtom_protocol::time::parse_span;
use std::str::FromStr;
use std::time::Duration;

/// Everything that may go wrong; the default is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// No network for this long, once in so long.
    pub offline: Option<Offline>,
    /// The device's clock is wrong by so many microseconds.
    pub skew_micros: i64,
    /// The power goes once in about so long.
    pub reboot: Option<Duration>,
    /// The part of the messages whose payload is garbled on its way.
    pub garbage: f64,
    /// The part that arrives twice.
    pub duplicate: f64,
    /// The part that is overtaken by later ones.
    pub late: f64,
}

/// `offline=30s/5m`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offline {
    /// How long it lasts.
    pub lasts: Duration,
    /// How often it comes; when in that time is random.
    pub every: Duration,
}

const KINDS: &str =
    "offline=30s/5m, skew=+1h, reboot=10m, garbage=0.01, duplicate=0.01 or late=0.05";

impl FromStr for Faults {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let wrong = |expected| FaultError { part: part.to_owned(), expected };
            let (kind, value) = part.split_once('=').ok_or_else(|| wrong(KINDS))?;
            match kind {
                "offline" => {
                    let offline = offline(value);
                    faults.offline = Some(offline.ok_or_else(|| {
                        wrong("how long and how often, the first shorter, as in 30s/5m")
                    })?);
                }
                "skew" => {
                    faults.skew_micros =
                        skew(value).ok_or_else(|| wrong("a time with its sign, as in +1h"))?;
                }
                "reboot" => {
                    let every = parse_span(value).filter(|every| !every.is_zero());
                    faults.reboot = Some(every.ok_or_else(|| wrong("a time, as in 10m"))?);
                }
                "garbage" => faults.garbage = part_of_one(value).ok_or_else(|| wrong(A_PART))?,
                "duplicate" => {
                    faults.duplicate = part_of_one(value).ok_or_else(|| wrong(A_PART))?
                }
                "late" => faults.late = part_of_one(value).ok_or_else(|| wrong(A_PART))?,
                _ => return Err(wrong(KINDS)),
            }
        }
        Ok(faults)
    }
}

fn offline(text: &str) -> Option<Offline> {
    let (lasts, every) = text.split_once('/')?;
    let (lasts, every) = (parse_span(lasts)?, parse_span(every)?);
    (!lasts.is_zero() && lasts < every).then_some(Offline { lasts, every })
}

fn skew(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    i64::try_from(parse_span(rest)?.as_micros()).ok()?.checked_mul(sign)
}

/// When the network is away, as time since the start.
#[derive(Debug)]
pub(super) struct Spells {
    offline: Offline,
    rng: Rng,
    cycle: Duration,
    begins: Duration,
}

impl Spells {
    pub(super) fn new(offline: Offline, mut rng: Rng) -> Self {
        let begins = random(&mut rng, offline.every - offline.lasts);
        Self { offline, rng, cycle: Duration::ZERO, begins }
    }

    /// Whether the network is away at `now`, and when that changes next.
    pub(super) fn at(&mut self, now: Duration) -> (bool, Duration) {
        while now >= self.begins + self.offline.lasts {
            self.cycle += self.offline.every;
            let room = self.offline.every - self.offline.lasts;
            self.begins = self.cycle + random(&mut self.rng, room);
        }
        match now < self.begins {
            true => (false, self.begins),
            false => (true, self.begins + self.offline.lasts),
        }
    }
}

/// How long a run of the device lasts: around `every`, half of it at least.
pub(super) fn run_of(every: Duration, rng: &mut Rng) -> Duration {
    every / 2 + random(rng, every)
}

/// From nothing to `max`.
pub(super) fn random(rng: &mut Rng, max: Duration) -> Duration {
    max.mul_f64(rng.f64())
}

#[cfg(test)]
mod tests;
