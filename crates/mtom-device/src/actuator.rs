//! The actuator: one LED that does what the newest command says (`wire.md` §1.5 and §2), on any
//! number of links at once.
//!
//! ```text
//! UART ── serve ──┐                    ┌── Pin: the LED
//! USB  ── serve ──┼── Actuator (lamp) ─┼── Memory: the last number, in flash
//! BLE  ── serve ──┘                    └── supervise ── Watchdog
//! ```
//! A board makes one [`Actuator`] and joins on one executor: [`Actuator::serve_always`] for each
//! serial port, `ble::run` for the radio (feature `ble`), and [`Actuator::supervise`], which ends the
//! lease while nobody is connected and feeds the watchdog. A link that comes and goes is served with
//! [`Actuator::serve`].
//!
//! Both versions of the link are understood at once: a bare `h`, `c` or `s` with no newline within
//! [`BARE_WAIT`] is an original command, applied and not answered; a line is answered, on the link
//! that it came from. A line that means nothing is refused and changes nothing. A number that is not
//! above the last one is an old command that came late: it is answered with the present state and
//! changes nothing either. A device that has a key obeys nobody who has it not, and tells him nothing
//! ([`mtom_protocol::link::keyed`]). The LED starts in its safe state and returns to it when nothing was asked
//! on any link for a whole lease; that is said on all of them, and so is it when somebody presses the
//! button of the device ([`Actuator::attend`]), whose word stands until a command or the end of the lease.
//!
//! What surprises: a bare byte is applied [`BARE_WAIT`] late, because until then it may be the
//! beginning of a line. Of several bare bytes that come together the last one wins. After a loss of
//! power the last number is up to 63 above the last one that was applied (see [`BLOCK_LEN`]).

mod button;
mod lamp;
mod line;
mod serve;
mod talk;

pub use button::{BOUNCE, COMPARE_WAIT, Contact};
pub use lamp::BLOCK_LEN;
#[cfg(feature = "model")]
pub use lamp::model;
pub use line::{BARE_WAIT, LINE_WAIT};
pub use serve::{Ended, RETRY, Served, WRITE_MAX};
pub use talk::CONVERSATION_WAIT;

use crate::flash::{Bond, Bonds, FlashError, Keep};
use crate::settings::{Passkey, Settings};
use button::Question;
use core::cell::{Cell, RefCell};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::waitqueue::MultiWakerRegistration;
use embassy_time::{Duration, Instant, Timer};
use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use lamp::{Answer, Lamp};
use mtom_protocol::link::keyed::{Draw, Key};
use mtom_protocol::link::{Led, Request};

/// The version that a device says it runs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How often the watchdog is fed; its own limit must be longer, and longer than [`STUCK_MAX`] is wise.
pub const FEED_EVERY: Duration = Duration::from_secs(1);
/// A request that takes longer than this is stuck, and the watchdog is not fed any more.
pub const STUCK_MAX: Duration = Duration::from_secs(5);

/// As many links as a board has: two serial ports and the radio.
const LINKS_LEN: usize = 4;

/// How a device is paired.
#[derive(Clone, Copy, Debug)]
pub struct Pairing {
    /// What is typed at the other end; `None`: a new one each time.
    pub passkey: Option<Passkey>,
    /// Both ends show a number, which is compared here and there.
    pub is_compared: bool,
    /// Nobody is let in any more from then on.
    pub until: Instant,
}

/// The pin of the LED.
pub trait Pin {
    /// Sets it. Called at the start, and then only when the state changes.
    fn set(&mut self, led: Led);
}

/// Where the last number, and whom the device was paired with, survive a loss of power.
#[allow(async_fn_in_trait, reason = "one executor thread on every target")]
pub trait Memory {
    /// Keeps it: after a loss of power at any moment the old one stands there or this.
    ///
    /// # Errors
    /// When the flash fails. The command is obeyed all the same.
    async fn keep(&mut self, number: u64) -> Result<(), FlashError>;

    /// Whom the device was paired with; nobody where that is not kept.
    ///
    /// # Errors
    /// When the flash fails.
    async fn bonds(&mut self) -> Result<Bonds, FlashError> {
        Ok(Bonds::new())
    }

    /// Keeps whom the device is paired with.
    ///
    /// # Errors
    /// When the flash fails: they are forgotten with the power then.
    async fn keep_bonds(&mut self, _bonds: &[Bond]) -> Result<(), FlashError> {
        Ok(())
    }
}

impl<F: NorFlash> Memory for Keep<F> {
    async fn keep(&mut self, number: u64) -> Result<(), FlashError> {
        self.set_last_number(number).await
    }

    async fn bonds(&mut self) -> Result<Bonds, FlashError> {
        Self::bonds(self).await
    }

    async fn keep_bonds(&mut self, bonds: &[Bond]) -> Result<(), FlashError> {
        self.set_bonds(bonds).await
    }
}

/// A device without flash: after a loss of power any number is new.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetful;

impl Memory for Forgetful {
    async fn keep(&mut self, _number: u64) -> Result<(), FlashError> {
        Ok(())
    }
}

/// Restarts the device when it is not fed.
pub trait Watchdog {
    /// Holds it off for another while.
    fn feed(&mut self);
}

/// One LED, shared by all of its links on one executor.
#[derive(Debug)]
pub struct Actuator<P, M> {
    name: String<20>,
    key: Option<Key>,
    draw: Draw,
    pairing: Option<Pairing>,
    question: Question,
    // Never borrowed across an await.
    lamp: RefCell<Lamp<P>>,
    /// Links that wait for something to do. Full: all are woken, and those that still wait come again.
    // Never borrowed across an await.
    waiting: RefCell<MultiWakerRegistration<LINKS_LEN>>,
    memory: Mutex<NoopRawMutex, M>,
    work: Work,
}

impl<P: Pin, M: Memory> Actuator<P, M> {
    /// An actuator with the name, the key, the lease and the safe state of `settings`; sets the pin.
    ///
    /// `last_number` is what [`Memory`] kept last, 0 before the first. `draw` is asked only when there is a key.
    pub fn new(settings: &Settings, last_number: u64, pin: P, memory: M, draw: Draw) -> Self {
        let lease = u64::from(settings.lease_millis);
        let lease = (lease > 0).then(|| Duration::from_millis(lease));
        let now = Instant::now();
        let lamp = Lamp::new(pin, settings.safe, lease, last_number, now);
        let window = Duration::from_secs(settings.pairing_seconds.into());
        let until = now.saturating_add(window);
        let (passkey, is_compared) = (settings.passkey, settings.pairing_compare);
        let pairing = (until > now).then_some(Pairing { passkey, is_compared, until });
        Self {
            name: settings.name.clone(),
            key: settings.key.clone(),
            draw,
            pairing,
            question: Question::default(),
            lamp: RefCell::new(lamp),
            waiting: RefCell::new(MultiWakerRegistration::new()),
            memory: Mutex::new(memory),
            work: Work::default(),
        }
    }

    /// The name it is found under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Somebody has pressed the button: the LED is the other way now, and every link says so at once. While
    /// numbers are compared ([`Served::is_same`]) it says yes instead.
    pub fn press(&self) {
        if self.question.is_answered() {
            return;
        }
        self.lamp.borrow_mut().press(Instant::now());
        self.waiting.borrow_mut().wake();
    }

    /// Ends the lease when it is over, whoever is connected, and feeds `watchdog` as long as no request
    /// is stuck. An executor that is stuck does not come here either.
    pub async fn supervise(&self, mut watchdog: impl Watchdog) -> ! {
        loop {
            let now = Instant::now();
            self.lamp.borrow_mut().poll(now);
            if !self.work.is_stuck(now) {
                watchdog.feed();
            }
            let feed_at = now.saturating_add(FEED_EVERY);
            let lease_ends_at = self.lamp.borrow().ends_at();
            Timer::at(lease_ends_at.map_or(feed_at, |at| at.min(feed_at))).await;
        }
    }

    async fn hear(&self, request: Request) -> Answer {
        if self.lamp.borrow().to_keep(request).is_some() {
            let _waiting = self.work.begin();
            let mut memory = self.memory.lock().await;
            // Another link may have kept a higher one while this one waited for its turn.
            let to_keep = self.lamp.borrow().to_keep(request);
            if let Some(number) = to_keep {
                if let Err(error) = memory.keep(number).await {
                    log::warn!("after a loss of power old commands may be obeyed: {error}");
                }
                self.lamp.borrow_mut().kept(number);
            }
        }
        self.lamp.borrow_mut().hear(request, Instant::now())
    }
}

/// Whether the memory gets on with its work, the only thing that a request waits for.
#[derive(Debug, Default)]
struct Work {
    waiting: Cell<u32>,
    /// When the first of those that wait began, or one was last done.
    moved_at: Cell<Option<Instant>>,
}

impl Work {
    fn begin(&self) -> Waiting<'_> {
        if self.waiting.get() == 0 {
            self.moved_at.set(Some(Instant::now()));
        }
        self.waiting.set(self.waiting.get().saturating_add(1));
        Waiting(self)
    }

    fn is_stuck(&self, now: Instant) -> bool {
        let moved_at = self.moved_at.get().filter(|_| self.waiting.get() > 0);
        moved_at.is_some_and(|at| now.saturating_duration_since(at) > STUCK_MAX)
    }
}

/// One request that waits; gone also when the link that it came from is dropped.
struct Waiting<'a>(&'a Work);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
        self.0.moved_at.set(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests;
