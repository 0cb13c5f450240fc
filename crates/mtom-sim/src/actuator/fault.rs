//! What goes wrong with a simulated actuator, on request and the same way each time for one seed.
//!
//! `drop=0.1,die-after=20,slow=300ms,legacy`. Faults are done to the bytes between the link and the device,
//! whose own code knows nothing of them. One that has died leaves its links open and says nothing more, on
//! none of them: what it was told last is what the LED stays.

use super::Compare;
use crate::fault::{A_PART, FaultError, part_of_one};
use embedded_io_async::{ErrorType, Read, Write};
use fastrand::Rng;
use mtom_device::actuator::{Actuator, Ended, Memory, Pairing, Pin, Served};
use mtom_device::flash::{Bond, Bonds, FlashError};
use mtom_protocol::time::parse_span;
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Everything that may go wrong; the default is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The part of the lines that get lost, of either direction.
    pub drop: f64,
    /// After so many lines it dies without a word.
    pub die_after: Option<u64>,
    /// Each line takes so long to the device.
    pub slow: Duration,
    /// It is an original device: bare bytes, no answers.
    pub legacy: bool,
}

const KINDS: &str = "drop=0.1, die-after=20, slow=300ms or legacy";

impl FromStr for Faults {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let wrong = |expected| FaultError { part: part.to_owned(), expected };
            match part.split_once('=') {
                None if part == "legacy" => faults.legacy = true,
                Some(("drop", value)) => {
                    faults.drop = part_of_one(value).ok_or_else(|| wrong(A_PART))?;
                }
                Some(("die-after", value)) => {
                    let lines = value.parse().ok();
                    faults.die_after =
                        Some(lines.ok_or_else(|| wrong("a number of lines, as in 20"))?);
                }
                Some(("slow", value)) => {
                    faults.slow = parse_span(value).ok_or_else(|| wrong("a time, as in 300ms"))?;
                }
                _ => return Err(wrong(KINDS)),
            }
        }
        Ok(faults)
    }
}

/// What is wrong with one device, on all of its links.
pub(super) struct Trouble {
    faults: Faults,
    // Never borrowed across an await.
    rng: RefCell<Rng>,
    lines: Cell<u64>,
    dead: CancellationToken,
}

impl Trouble {
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        let (rng, lines) = (RefCell::new(Rng::with_seed(seed)), Cell::new(0));
        let trouble = Self { faults, rng, lines, dead: CancellationToken::new() };
        if trouble.faults.die_after == Some(0) {
            trouble.dead.cancel();
        }
        trouble
    }

    /// The device and its person, as its links meet them.
    pub(super) fn around<'a, P: Pin, M: Memory>(
        &'a self,
        actuator: &'a Actuator<P, M>,
        compare: Compare,
    ) -> impl Served + 'a {
        Troubled { actuator, compare, trouble: self }
    }

    /// Returns when the device has died.
    pub(super) async fn dies(&self) {
        self.dead.cancelled().await;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    fn loses(&self) -> bool {
        self.rng.borrow_mut().f64() < self.faults.drop
    }

    /// A line is on its way to the device; whether it arrives.
    async fn brings(&self) -> bool {
        if self.is_dead() {
            return pending().await;
        }
        self.lines.update(|lines| lines + 1);
        if !self.faults.slow.is_zero() {
            sleep(self.faults.slow).await;
        }
        if self.loses() {
            return false;
        }
        if self.faults.die_after.is_some_and(|after| self.lines.get() > after) {
            tracing::info!(lines = self.faults.die_after, "dies without a word");
            self.dead.cancel();
            return pending().await;
        }
        true
    }
}

/// A device behind its trouble.
struct Troubled<'a, P, M> {
    actuator: &'a Actuator<P, M>,
    compare: Compare,
    trouble: &'a Trouble,
}

impl<P: Pin, M: Memory> Served for Troubled<'_, P, M> {
    fn name(&self) -> &str {
        self.actuator.name()
    }

    async fn serve(&self, rx: impl Read, tx: impl Write) -> Ended {
        let (rx, tx) = (Heard::new(rx, self.trouble), Said::new(tx, self.trouble));
        self.actuator.serve(rx, tx).await
    }

    fn pairing(&self) -> Option<Pairing> {
        self.actuator.pairing()
    }

    async fn is_same(&self) -> bool {
        match self.compare {
            Compare::Ask => self.actuator.is_same().await,
            Compare::Same => true,
            Compare::Different => false,
        }
    }

    async fn bonds(&self) -> Result<Bonds, FlashError> {
        self.actuator.bonds().await
    }

    async fn keep_bonds(&self, bonds: &[Bond]) -> Result<(), FlashError> {
        self.actuator.keep_bonds(bonds).await
    }
}

/// What comes over a link, as far as it comes.
pub(super) struct Heard<'a, R> {
    rx: R,
    trouble: &'a Trouble,
    /// Taken from the link and not yet given to the device.
    taken: Vec<u8>,
}

/// As much as a device reads at once.
const READ_LEN: usize = 64;
/// Half of what a device waits for the rest of a line.
const REST_WAIT: Duration = Duration::from_millis(25);

impl<'a, R> Heard<'a, R> {
    pub(super) fn new(rx: R, trouble: &'a Trouble) -> Self {
        Self { rx, trouble, taken: Vec::new() }
    }
}

impl<R: ErrorType> ErrorType for Heard<'_, R> {
    type Error = R::Error;
}

impl<R: Read> Read for Heard<'_, R> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, R::Error> {
        if self.trouble.faults == Faults::default() {
            return self.rx.read(bytes).await;
        }
        loop {
            if self.taken.is_empty() && self.take().await? == 0 {
                return Ok(0);
            }
            let end = loop {
                let end = self.taken.iter().position(|byte| *byte == b'\n');
                // The rest of a line follows at once; a bare byte has none.
                match end {
                    None if self.taken.len() < READ_LEN
                        && matches!(timeout(REST_WAIT, self.take()).await, Ok(Ok(1..))) => {}
                    end => break end,
                }
            };
            let len = end.map_or(self.taken.len(), |end| end + 1).min(bytes.len());
            let arrives = self.trouble.brings().await;
            for (byte, taken) in bytes.iter_mut().zip(self.taken.drain(..len)) {
                *byte = taken;
            }
            if arrives {
                return Ok(len);
            }
        }
    }
}

impl<R: Read> Heard<'_, R> {
    async fn take(&mut self) -> Result<usize, R::Error> {
        let mut piece = [0; READ_LEN];
        let len = self.rx.read(&mut piece).await?;
        self.taken.extend(piece.iter().take(len));
        Ok(len)
    }
}

/// What the device answers, as far as it leaves.
pub(super) struct Said<'a, W> {
    tx: W,
    trouble: &'a Trouble,
}

impl<'a, W> Said<'a, W> {
    pub(super) fn new(tx: W, trouble: &'a Trouble) -> Self {
        Self { tx, trouble }
    }
}

impl<W: ErrorType> ErrorType for Said<'_, W> {
    type Error = W::Error;
}

impl<W: Write> Write for Said<'_, W> {
    /// A device writes a line at a time.
    async fn write(&mut self, line: &[u8]) -> Result<usize, W::Error> {
        if self.trouble.loses() {
            return Ok(line.len());
        }
        self.tx.write_all(line).await.map(|()| line.len())
    }

    async fn flush(&mut self) -> Result<(), W::Error> {
        self.tx.flush().await
    }
}

#[cfg(test)]
mod tests;
