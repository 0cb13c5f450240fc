//! What every board does the same way: tells its log what happens, names itself, waits to be told
//! its settings, and lets its watchdog see whether it still works.
//!
//! What surprises: a sensor without settings is no error of the chip. It says what to do about it
//! again and again, because nobody looks at a log in the second in which it starts.

use crate::actuator::{FEED_EVERY, Watchdog};
use crate::flash::{CA_LEN_MAX, FlashError, Keep, Ring};
use crate::outbox::{FlashRing, PushError};
use crate::record::Record;
use crate::sensor::{Event, Witness};
use crate::settings::{Settings, SettingsError};
use crate::sntp;
use core::cell::Cell;
use core::fmt::{self, Write as _};
use core::ops::Range;
use embassy_time::{Duration, Instant, Timer};
use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlash};
use heapless::{String, Vec};
use log::{debug, info, warn};

#[cfg(feature = "tls")]
mod secured;
#[cfg(feature = "tls")]
pub use secured::{Secure, Secured, SecuredError, Tls};

/// How often a device without settings says so.
pub const REMIND: Duration = Duration::from_secs(5);
/// How late a sign of life may come; a flash that erases a block and a handshake take seconds.
pub const GRACE: Duration = Duration::from_secs(30);

/// `mtom-` and the hardware address: a device that was not given an `id` has one all the same.
#[must_use]
pub fn id_of(address: [u8; 6]) -> String<32> {
    let mut id = String::new();
    // Fits: 17 bytes.
    let _ = id.push_str("mtom-");
    for byte in address {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// What a sensor was told beside its image.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its settings, `id` among them.
    pub settings: Settings,
    /// The certificate of the broker's CA, as DER; empty without TLS.
    pub ca: Vec<u8, CA_LEN_MAX>,
}

/// What a sensor was told, as soon as it can work with that.
pub async fn sensor_settings<F: NorFlash>(keep: &mut Keep<F>, address: [u8; 6]) -> Told {
    loop {
        match told(keep).await {
            Ok(told) => return Told { settings: named(told.settings, address), ..told },
            Err(lack) => warn!("{lack}; run: {}", lack.how()),
        }
        Timer::after(REMIND).await;
    }
}

async fn told<F: NorFlash>(keep: &mut Keep<F>) -> Result<Told, Lack> {
    let settings = keep.settings().await?.ok_or(Lack::Settings)?.map_err(Lack::Bad)?;
    if settings.wifi_ssid.is_empty() || settings.broker_host.is_empty() {
        return Err(Lack::Network);
    }
    let mut ca = Vec::new();
    if settings.tls {
        let mut buffer = [0; CA_LEN_MAX];
        let der = keep.ca(&mut buffer).await?.ok_or(Lack::Ca)?;
        // Fits: it came out of a buffer of that size.
        let _ = ca.extend_from_slice(der);
    }
    Ok(Told { settings, ca })
}

/// The readings that wait in `range`; `None` when that part of the flash is beyond help.
///
/// What stands there and makes no sense is erased: a sensor that starts is worth more than readings
/// that nobody can read.
pub async fn ring<F: MultiwriteNorFlash>(
    flash: impl Fn() -> F,
    range: Range<u32>,
) -> Option<Ring<F>> {
    if let Ok(ring) = Ring::open(flash(), range.clone()).await {
        info!("{} readings wait in the flash", ring.len());
        return Some(ring);
    }
    warn!("the readings in the flash cannot be read: erasing them");
    let erased = flash().erase(range.start, range.end).await.is_ok();
    let ring = if erased { Ring::open(flash(), range).await.ok() } else { None };
    if ring.is_none() {
        warn!("the flash cannot be used: readings wait in memory alone");
    }
    ring
}

/// `None` is a device without flash to spare.
impl<R: FlashRing> FlashRing for Option<R> {
    fn len(&self) -> usize {
        self.as_ref().map_or(0, FlashRing::len)
    }

    async fn push(&mut self, record: &Record) -> Result<(), PushError> {
        match self {
            Some(ring) => ring.push(record).await,
            None => Err(PushError::Full),
        }
    }

    async fn peek(&mut self, index: usize) -> Result<Option<Record>, FlashError> {
        match self {
            Some(ring) => ring.peek(index).await,
            None => Ok(None),
        }
    }

    async fn pop(&mut self) -> Result<(), FlashError> {
        match self {
            Some(ring) => ring.pop().await,
            None => Ok(()),
        }
    }
}

/// The settings of an actuator; the defaults are good enough to be found and obeyed.
pub async fn actuator_settings<F: NorFlash>(keep: &mut Keep<F>, address: [u8; 6]) -> Settings {
    let lack = match keep.settings().await {
        Ok(Some(Ok(settings))) => return named(settings, address),
        Ok(Some(Err(error))) => Lack::Bad(error),
        Ok(None) => Lack::Settings,
        Err(error) => Lack::Flash(error),
    };
    warn!("{lack}: the defaults are used; to change them run: mtom flash actuator");
    named(Settings::default(), address)
}

fn named(mut settings: Settings, address: [u8; 6]) -> Settings {
    if settings.id.is_empty() {
        settings.id = id_of(address);
    }
    settings
}

/// What a device cannot start without.
enum Lack {
    Settings,
    Network,
    Ca,
    Bad(SettingsError),
    Flash(FlashError),
}

impl Lack {
    /// What to type.
    fn how(&self) -> &'static str {
        match self {
            Self::Ca => {
                "mtom flash sensor --wifi-ssid <network> --broker mqtts://<name> --broker-ca <file>"
            }
            _ => "mtom flash sensor --wifi-ssid <network> --broker <name>",
        }
    }
}

impl From<FlashError> for Lack {
    fn from(error: FlashError) -> Self {
        Self::Flash(error)
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("no settings in the flash"),
            Self::Network => f.write_str("no network or no broker in the settings"),
            Self::Ca => f.write_str("TLS needs the certificate of the broker's CA in the flash"),
            Self::Bad(error) => write!(f, "the settings cannot be used: {error}"),
            Self::Flash(error) => write!(f, "no settings: {error}"),
        }
    }
}

/// Signs of life of a loop that comes round at least once in a period.
#[derive(Debug)]
pub struct Pulse {
    period: Cell<Duration>,
    last_at: Cell<Instant>,
}

impl Pulse {
    /// Alive `now`, and expected again within `period`.
    #[must_use]
    pub const fn new(period: Duration, now: Instant) -> Self {
        Self { period: Cell::new(period), last_at: Cell::new(now) }
    }

    /// The loop came round.
    pub fn beat(&self, now: Instant) {
        self.last_at.set(now);
    }

    /// The loop comes round once in `period` from now on.
    pub fn set_period(&self, period: Duration, now: Instant) {
        self.period.set(period);
        self.beat(now);
    }

    /// Whether the last sign of life is young enough.
    #[must_use]
    pub fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_at.get()) <= self.period.get() + GRACE
    }
}

/// Feeds `watchdog` for as long as `pulse` is alive; then the watchdog starts the chip again.
pub async fn feed_while_alive(pulse: &Pulse, mut watchdog: impl Watchdog) -> ! {
    loop {
        if pulse.is_alive(Instant::now()) {
            watchdog.feed();
        }
        Timer::after(FEED_EVERY).await;
    }
}

/// Tells the log what a sensor does, and the watchdog that it does something.
#[derive(Debug)]
pub struct Log<'a>(pub &'a Pulse);

impl Witness for Log<'_> {
    fn saw(&mut self, event: &Event<'_>) {
        match event {
            Event::Measured { .. } | Event::NoReading { .. } => self.0.beat(Instant::now()),
            Event::Settings { remote, refused: None } => {
                let period = Duration::from_millis(u64::from(remote.period_millis));
                self.0.set_period(period, Instant::now());
            }
            _ => {}
        }
        match event {
            Event::Lost { .. }
            | Event::NoReading { .. }
            | Event::GivenUp { .. }
            | Event::Refused { .. }
            | Event::Settings { refused: Some(_), .. } => warn!("{event}"),
            // The acknowledgement follows, or the reason why not.
            Event::Sent { .. } => debug!("{event}"),
            _ => info!("{event}"),
        }
    }
}

/// Tells the log what a time server said.
pub fn log_time(event: &sntp::Event) {
    match event {
        sntp::Event::Set { at, jump_micros: None } => {
            info!("time: {} s since 1970", at.0 / 1_000_000);
        }
        sntp::Event::Set { jump_micros: Some(jump), .. } => {
            info!("time: the clock was {} ms off", jump / 1_000);
        }
        sntp::Event::Failed(reason) => warn!("no time: {reason}"),
    }
}

#[cfg(test)]
mod tests;
