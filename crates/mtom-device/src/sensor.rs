//! The sensor: measures every period and brings each reading to the broker, whatever happens between.
//!
//! ```text
//! thermometer ─▶ measure ─▶ outbox (memory, flash) ─▶ deliver ─▶ broker
//!                               ◀── acknowledged ──────┘
//! ```
//! Measuring never waits for the network. A reading leaves the outbox when the broker has
//! acknowledged it (QoS 1) and not before; a connection that ends sends again what was under way.
//! Attempts to connect go on for ever, further and further apart.
//!
//! Below `mtom/<id>/` the device speaks about itself: `status` (`online`, and `offline` as its last
//! will, retained), `state` (JSON, after the first acknowledgement and every minute), `set` (settings
//! for it, retained by whoever wants them) and `settings` (those in force, retained).
//!
//! What surprises: a device without a set clock publishes JSON with `"time":null`. The original's text
//! has no place for a time, so time and key stand beside it, as user properties of MQTT 5: a gateway of
//! ours reads them, everybody else sees the original's payload.

use crate::clock::WallClock;
use crate::flash::FlashError;
use crate::outbox::{FlashRing, Limits, Outbox};
use crate::record::{DeciCelsius, Record};
use crate::remote::Remote;
use crate::settings::Settings;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::pin::pin;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, TimeoutError, Timer};
use embedded_io_async::{Read, Write};

mod about;
mod connection;
mod deliver;
mod event;

pub use event::{Event, Lost};

/// How long a device that is told to stop goes on delivering.
pub const STOP_MAX: Duration = Duration::from_secs(2);

/// Where temperatures come from.
#[allow(async_fn_in_trait, reason = "one executor thread on every target")]
pub trait Thermometer {
    /// The temperature now.
    ///
    /// # Errors
    /// Why there is none, for the log.
    async fn read(&mut self) -> Result<DeciCelsius, &'static str>;
}

/// Opens a byte stream to the broker: joins the network, resolves its name, connects, starts TLS.
#[allow(async_fn_in_trait, reason = "one executor thread on every target")]
pub trait Connector {
    /// The stream; closed when dropped.
    type Io<'a>: Read + Write
    where
        Self: 'a;
    /// Why there is none; its text goes to the log.
    type Error: fmt::Display;

    /// Ready when an attempt makes sense: there is a network. Without one nothing is tried, and the
    /// first attempt on a new one comes at once.
    async fn ready(&mut self) {}

    /// A new stream. Given up after 15 s.
    async fn connect(&mut self) -> Result<Self::Io<'_>, Self::Error>;
}

/// Keeps settings that came over MQTT.
#[allow(async_fn_in_trait, reason = "one executor thread on every target")]
pub trait Keeper {
    /// Keeps `settings` with `remote` in them over a loss of power: the old ones or these, never neither.
    ///
    /// # Errors
    /// When the flash fails.
    async fn keep(&mut self, settings: &Settings, remote: &Remote) -> Result<(), FlashError>;
}

/// A device that forgets what came over MQTT; the broker retains it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgets;

impl Keeper for Forgets {
    async fn keep(&mut self, _settings: &Settings, _remote: &Remote) -> Result<(), FlashError> {
        Ok(())
    }
}

/// Sees what the device does: the log on a chip, the journal of a simulator.
pub trait Witness {
    /// Something happened.
    fn saw(&mut self, event: &Event<'_>);
}

/// Memory for MQTT packets.
pub trait Memory {
    /// Room for one packet that comes in, and for those going out that are not acknowledged. With less
    /// than [`Buffers`] has, fewer readings are under way at once where names are long.
    fn packets(&mut self) -> (&mut [u8], &mut [u8]);
}

/// Memory for every packet at its longest.
#[derive(Debug)]
pub struct Buffers {
    rx: [u8; connection::RX_LEN],
    tx: [u8; connection::TX_LEN],
}

impl Default for Buffers {
    fn default() -> Self {
        Self { rx: [0; connection::RX_LEN], tx: [0; connection::TX_LEN] }
    }
}

impl Memory for Buffers {
    fn packets(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.rx, &mut self.tx)
    }
}

/// Which device it is and which run of it.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The settings it was started with; `id` must not be empty.
    pub settings: &'a Settings,
    /// Random, another one for each start: with `seq` it makes every reading unique.
    pub boot: u64,
    /// The firmware's version.
    pub version: &'a str,
}

/// The sensor. `RAM` readings fit into its memory.
pub struct Sensor<'a, R, K, W, const RAM: usize> {
    identity: Identity<'a>,
    clock: &'a WallClock,
    /// What a message on `set` can change; the rest stays as it was at the start.
    remote: RefCell<Remote>,
    outbox: Mutex<NoopRawMutex, Outbox<R, RAM>>,
    keeper: Mutex<NoopRawMutex, K>,
    witness: RefCell<W>,
    /// There is something to send, or a reason to look.
    wake: Signal<NoopRawMutex, ()>,
    period_changed: Signal<NoopRawMutex, ()>,
    stopping: Cell<bool>,
    next_seq: Cell<u32>,
    acknowledged: Cell<u64>,
    last: Cell<Option<DeciCelsius>>,
}

impl<'a, R, K, W, const RAM: usize> Sensor<'a, R, K, W, RAM>
where
    R: FlashRing,
    K: Keeper,
    W: Witness,
{
    /// A sensor that takes up what `ring` still holds.
    pub fn new(
        identity: Identity<'a>,
        clock: &'a WallClock,
        ring: R,
        keeper: K,
        witness: W,
    ) -> Self {
        let settings = identity.settings;
        let limits = Limits { ram: usize::from(settings.ram), when_full: settings.when_full };
        Self {
            identity,
            clock,
            remote: RefCell::new(Remote::of(settings)),
            outbox: Mutex::new(Outbox::new(ring, limits)),
            keeper: Mutex::new(keeper),
            witness: RefCell::new(witness),
            wake: Signal::new(),
            period_changed: Signal::new(),
            stopping: Cell::new(false),
            next_seq: Cell::new(0),
            acknowledged: Cell::new(0),
            last: Cell::new(None),
        }
    }

    /// Measures and delivers until `stop` is ready; then delivers what waits, for at most
    /// [`STOP_MAX`], and says good-bye. A device gives a `stop` that is never ready.
    pub async fn run<C: Connector, T: Thermometer>(
        &self,
        connector: &mut C,
        thermometer: &mut T,
        memory: &mut impl Memory,
        random: impl FnMut() -> u32,
        stop: impl Future<Output = ()>,
    ) {
        // Pinned where they are made: a future that is moved into another stands in memory twice.
        let delivering = pin!(self.deliver(connector, memory, random));
        let ending = pin!(async {
            select(pin!(stop), pin!(self.measure(thermometer))).await;
            self.stopping.set(true);
            self.wake.signal(());
            Timer::after(STOP_MAX).await;
        });
        select(delivering, ending).await;
    }

    /// What a loss of power would lose now: what waits in memory and is not acknowledged.
    pub fn each_in_memory(&self, mut each: impl FnMut(&Record)) {
        // Locked only while something is pushed or sent; then there is nobody who could ask.
        if let Ok(outbox) = self.outbox.try_lock() {
            outbox.in_memory().for_each(&mut each);
        }
    }

    /// Takes a reading every period; one that a slow flash has made late is left out, not made up for.
    async fn measure<T: Thermometer>(&self, thermometer: &mut T) {
        let mut due = Instant::now();
        loop {
            match thermometer.read().await {
                Ok(celsius) => self.measured(celsius).await,
                Err(reason) => self.saw(&Event::NoReading { reason }),
            }
            due += self.period();
            while due < Instant::now() {
                due += self.period();
            }
            if let Either::Second(()) = select(Timer::at(due), self.period_changed.wait()).await {
                due = Instant::now();
            }
        }
    }

    async fn measured(&self, celsius: DeciCelsius) {
        let seq = self.next_seq.get();
        self.next_seq.set(seq.wrapping_add(1));
        let taken = self.clock.taken(Instant::now());
        let record = Record { boot: self.identity.boot, seq, celsius, taken };
        self.saw(&Event::Measured { record: &record });
        let mut outbox = self.outbox.lock().await;
        outbox.push(record, &mut |record| self.saw(&Event::GivenUp { record })).await;
        drop(outbox);
        self.wake.signal(());
    }

    fn period(&self) -> Duration {
        Duration::from_millis(u64::from(self.remote.borrow().period_millis))
    }

    fn saw(&self, event: &Event<'_>) {
        self.witness.borrow_mut().saw(event);
    }
}

/// What the end of a time limit means here.
fn timed_out(_: TimeoutError) -> Lost {
    Lost::TimedOut
}

#[cfg(test)]
mod tests;
