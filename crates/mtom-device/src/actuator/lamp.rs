//! The LED itself: what it is, which command made it so, and until when that holds.
//!
//! Pure: the pin and the time are arguments. A number is above another one when it is among the
//! 2^63 numbers that follow it, around the end of `u64` too: so no number, however large, locks the
//! LED for ever. All the numbers that a gateway gives out in its life are ordered as numbers are.
//!
//! Numbers are kept in blocks: before one is applied that is above all kept ones, the end of a block
//! of [`BLOCK_LEN`] that begins with it is kept. After a loss of power the LED takes that end for its
//! last number, which is never below the one it applied: an old command stays old. Up to
//! [`BLOCK_LEN`] − 1 new commands look old as well then; the gateway learns that from the first
//! answer and says its last one again under a higher number.

use super::Pin;
use embassy_time::{Duration, Instant};
use mtom_protocol::link::{Led, Request};

/// How many commands cost one write of the flash.
pub const BLOCK_LEN: u64 = 64;

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The LED is so because of this command.
    Applied { led: Led, number: u64 },
    /// How things are.
    State { led: Led, number: u64 },
    /// An original command is not answered.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Lamp<P> {
    pin: P,
    led: Led,
    safe: Led,
    lease: Option<Duration>,
    /// When the lease began.
    heard_at: Instant,
    /// The last command applied; after a start the last that may have been.
    number: u64,
    /// The last number that counts as applied after a loss of power.
    kept: u64,
    /// How often it has changed unasked: a lease ended, or somebody pressed the button.
    lapses: u32,
}

impl<P: Pin> Lamp<P> {
    /// In its safe state, the pin too.
    pub(super) fn new(
        mut pin: P,
        safe: Led,
        lease: Option<Duration>,
        kept: u64,
        now: Instant,
    ) -> Self {
        pin.set(safe);
        Self { pin, led: safe, safe, lease, heard_at: now, number: kept, kept, lapses: 0 }
    }

    /// What must be kept before `request` is applied, if anything.
    pub(super) fn to_keep(&self, request: Request) -> Option<u64> {
        match request {
            Request::Set { number, .. }
                if is_above(number, self.number) && is_above(number, self.kept) =>
            {
                Some(number.wrapping_add(BLOCK_LEN - 1))
            }
            Request::Set { .. } | Request::Bare(_) | Request::Ask => None,
        }
    }

    /// `number` counts as applied from now on, whether the flash took it or not: a worn flash costs
    /// its promise and not the light.
    pub(super) fn kept(&mut self, number: u64) {
        self.kept = number;
    }

    /// Does what is asked for. Any request renews the lease, an old one too.
    pub(super) fn hear(&mut self, request: Request, now: Instant) -> Answer {
        self.heard_at = now;
        match request {
            Request::Set { led, number } if is_above(number, self.number) => {
                self.number = number;
                self.set(led);
                Answer::Applied { led, number }
            }
            Request::Set { .. } | Request::Ask => self.state(),
            Request::Bare(led) => {
                self.set(led);
                Answer::Nothing
            }
        }
    }

    /// Returns to the safe state when the lease is over.
    pub(super) fn poll(&mut self, now: Instant) {
        if self.ends_at().is_some_and(|at| at <= now) {
            self.set(self.safe);
            self.lapses = self.lapses.wrapping_add(1);
        }
    }

    /// Somebody has pressed the button. The lease begins anew, or a light by hand would go out at once.
    pub(super) fn press(&mut self, now: Instant) {
        self.heard_at = now;
        self.set(if self.led == Led::On { Led::Off } else { Led::On });
        self.lapses = self.lapses.wrapping_add(1);
    }

    /// When the lease ends; a LED in its safe state has none.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.lease_end(self.heard_at).filter(|_| self.led != self.safe)
    }

    /// When somebody who sees the LED `now`, and not what happens to it, must look again so as to be
    /// there when its lease ends.
    pub(super) fn look_again_at(&self, now: Instant) -> Option<Instant> {
        self.ends_at().or_else(|| self.lease_end(now))
    }

    /// Changes when it changes unasked.
    pub(super) fn lapses(&self) -> u32 {
        self.lapses
    }

    pub(super) fn state(&self) -> Answer {
        Answer::State { led: self.led, number: self.number }
    }

    fn lease_end(&self, from: Instant) -> Option<Instant> {
        self.lease.map(|lease| from.saturating_add(lease))
    }

    fn set(&mut self, led: Led) {
        if self.led != led {
            self.led = led;
            self.pin.set(led);
        }
    }
}

fn is_above(number: u64, other: u64) -> bool {
    number.wrapping_sub(other).cast_signed() > 0
}

#[cfg(feature = "model")]
pub mod model;
#[cfg(test)]
mod tests;
