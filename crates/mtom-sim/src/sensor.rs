//! Simulated sensors: the firmware's own code over real TCP, one or thousands on one thread.
//!
//! Each has its temperatures, its faults and its flash from the seed, so that a run can be made
//! again; only the names of the runs (`boot`) differ, or the second would be all duplicates.

use embassy_time::Instant as DeviceTime;
use fastrand::Rng;
use mtom_device::clock::WallClock;
use mtom_device::flash::{self, FlashError, Ring};
use mtom_device::outbox::{FlashRing, NoRing};
use mtom_device::record::DeciCelsius;
use mtom_device::sensor::{Event, Forgets, Identity, Memory, Sensor, Thermometer};
use mtom_device::settings::{Format, Settings as DeviceSettings, SettingsError};
use mtom_protocol::time::UnixMicros;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

mod chip;
pub mod fault;
mod giveway;
pub mod hand;
pub mod journal;
pub mod profile;
mod wire;
mod witness;

use chip::Chip;
use fault::Faults;
use giveway::GiveWay;
use hand::Hand;
use journal::Journal;
use profile::{Profile, Weather};
use wire::{Network, Trouble};
use witness::Witness;
pub use witness::{Count, Totals};

/// How many readings fit into the memory of one.
pub const RAM_LEN: usize = 8;
/// The smallest flash: two pages.
pub const FLASH_LEN_MIN: usize = 8 * 1_024;
/// How long a simulated sensor keeps silent after a real device was heard.
pub const SILENT_FOR: Duration = Duration::from_secs(30);
/// How often the journal is brought to its file.
const FLUSH: Duration = Duration::from_millis(200);

/// Which sensors to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The broker's host.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// MQTT client id of the only one; of several, the part before `-1`, `-2`, ….
    pub id: String,
    /// Where the first one publishes; the second adds `sim2` before the last level, and so on.
    pub topic: String,
    /// What a reading looks like.
    pub format: Format,
    /// How many there are.
    pub count: u32,
    /// How often each one measures.
    pub period: Duration,
    /// How the temperature goes.
    pub profile: Profile,
    /// What decides temperatures and faults.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// How many readings wait in memory before the oldest go to flash; at most [`RAM_LEN`].
    pub ram: u16,
    /// Flash for readings in bytes, at least [`FLASH_LEN_MIN`]; 0 for none.
    pub flash_len: usize,
    /// Keep silent while another device publishes on the same topic.
    pub gives_way: bool,
    /// Holds the first one at a temperature.
    pub hand: Hand,
}

/// What the sensors of one thread share.
struct Shared<N, S> {
    settings: Settings,
    /// Where nothing is to go wrong, one for all.
    untroubled: Option<Rc<Trouble>>,
    journal: Option<Journal>,
    totals: Totals,
    now: N,
    say: S,
}

/// Sensors that can be started: their settings are right.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    #[allow(clippy::vec_box, reason = "each is half a kibibyte and moves into its device's task")]
    devices: Vec<Box<DeviceSettings>>,
}

impl Fleet {
    /// Looks at the settings of each device.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let devices =
            (0..settings.count).map(|index| device_settings(&settings, index).map(Box::new));
        Ok(Self { devices: devices.collect::<Result<_, _>>()?, settings })
    }

    /// Measures and publishes until `stop`, then delivers what waits for a moment more. Must run
    /// inside [`mtom_time::run`] and a `LocalSet`.
    ///
    /// `say` hears everything that happens, with the topic of the device it happens to.
    ///
    /// # Errors
    /// When the journal could not be written whole.
    pub async fn run(
        self,
        journal: Option<Journal>,
        totals: Totals,
        now: impl Fn() -> UnixMicros + 'static,
        say: impl Fn(&str, &Event<'_>) + 'static,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        let Self { settings, devices } = self;
        let untroubled = (settings.faults == Faults::default())
            .then(|| Trouble::new(&settings.faults, Rng::with_seed(settings.seed)));
        let shared = Rc::new(Shared { settings, untroubled, journal, totals, now, say });
        let mut tasks = JoinSet::new();
        for (index, device) in (0..).zip(devices) {
            // Each future once, on the heap: a fleet is thousands of them.
            tasks.spawn_local(live(index, device, Rc::clone(&shared), stop.clone()));
        }
        let mut flush = tokio::time::interval(FLUSH);
        loop {
            tokio::select! {
                ended = tasks.join_next() => if ended.is_none() { break },
                _ = flush.tick(), if shared.journal.is_some() => {
                    shared.journal.iter().for_each(Journal::flush);
                }
            }
        }
        match Rc::into_inner(shared).and_then(|shared| shared.journal) {
            Some(journal) => journal.close(),
            None => Ok(()),
        }
    }
}

/// One device from its first start to the end, through all of its runs.
async fn live<N, S>(
    index: u32,
    device: Box<DeviceSettings>,
    shared: Rc<Shared<N, S>>,
    stop: CancellationToken,
) where
    N: Fn() -> UnixMicros,
    S: Fn(&str, &Event<'_>),
{
    let settings = &shared.settings;
    // Spread over one period, so that a fleet does not measure in one instant.
    let wait = settings.period.mul_f64(f64::from(index) / f64::from(settings.count.max(1)));
    if stop.run_until_cancelled(sleep(wait)).await.is_none() {
        return;
    }
    let mut rng = Rng::with_seed(settings.seed.wrapping_add(u64::from(index)));
    let own = rng.fork();
    let trouble = match &shared.untroubled {
        Some(untroubled) => Rc::clone(untroubled),
        None => Trouble::new(&settings.faults, own),
    };
    let mut life = Life {
        network: Network {
            host: settings.host.clone(),
            port: settings.port,
            topic: device.topic.as_str().into(),
            trouble: Rc::clone(&trouble),
        },
        weather: Sky {
            weather: Weather::new(settings.profile.clone(), rng.fork()),
            started: Instant::now(),
            give_way: settings.gives_way.then(GiveWay::default),
            hand: (index == 0).then(|| settings.hand.clone()),
        },
        packets: Packets { rx: [0; 256], tx: [0; 768] },
        rng,
        trouble,
        device: &device,
        shared: &shared,
        stop: &stop,
    };
    if settings.flash_len == 0 {
        while life.run(NoRing).await {}
        return;
    }
    // On the heap: a fleet without flash shall not have the room for it.
    Box::pin(with_flash(life)).await;
}

async fn with_flash<N, S>(mut life: Life<'_, N, S>)
where
    N: Fn() -> UnixMicros,
    S: Fn(&str, &Event<'_>),
{
    let len = life.shared.settings.flash_len;
    let chip = RefCell::new(Chip::new(len));
    let range = 0..u32::try_from(len).unwrap_or(u32::MAX).next_multiple_of(4_096);
    while life.run(opened(&chip, range.clone()).await).await {}
}

async fn opened(chip: &RefCell<Chip>, range: std::ops::Range<u32>) -> impl FlashRing {
    let ring: Result<_, FlashError> = Ring::open(flash::Shared(chip), range).await;
    // Its size was looked at before, and memory does not break.
    ring.expect("a flash in memory can be read")
}

/// What a device keeps from one run to the next, and the world around it.
struct Life<'a, N, S> {
    network: Network,
    weather: Sky,
    packets: Packets,
    rng: Rng,
    trouble: Rc<Trouble>,
    device: &'a DeviceSettings,
    shared: &'a Shared<N, S>,
    stop: &'a CancellationToken,
}

impl<N, S> Life<'_, N, S>
where
    N: Fn() -> UnixMicros,
    S: Fn(&str, &Event<'_>),
{
    /// One run, from power-on to power-off; false when it was the last.
    async fn run<R: FlashRing>(&mut self, ring: R) -> bool {
        let Shared { settings, journal, totals, now, say, .. } = self.shared;
        let clock = WallClock::new();
        let wrong_by = settings.faults.skew_micros;
        // A clock that is wrong by decades stays unset, as on the device.
        let _ = clock.set(UnixMicros(now().0.saturating_add(wrong_by)), DeviceTime::now());
        let boot = fastrand::u64(..);
        let version = env!("CARGO_PKG_VERSION");
        let identity = Identity { settings: self.device, boot, version };
        let witness = Witness {
            device: self.device,
            journal: journal.as_ref(),
            totals,
            now,
            say,
            trouble: &self.trouble,
            give_way: self.weather.give_way.clone(),
        };
        let sensor = Sensor::<_, _, _, RAM_LEN>::new(identity, &clock, ring, Forgets, witness);
        let ends = settings.faults.reboot.map(|every| fault::run_of(every, &mut self.rng));
        let power_cut = async {
            match ends {
                Some(after) => sleep_until(Instant::now() + after).await,
                None => std::future::pending().await,
            }
        };
        let rng = &mut self.rng;
        let heard = pin!(giveway::listen(self.weather.give_way.clone(), settings, self.device));
        // Pinned where it is made: moved, it would stand in memory twice.
        let alive = pin!(sensor.run(
            &mut self.network,
            &mut self.weather,
            &mut self.packets,
            || rng.u32(..),
            self.stop.cancelled(),
        ));
        tokio::select! {
            () = alive => false,
            () = power_cut => {
                sensor.each_in_memory(|record| {
                    totals.add(Count::Lost);
                    let journal = journal.iter();
                    journal.for_each(|each| each.reading(now(), &self.device.id, "lost", record, None));
                });
                journal.iter().for_each(|each| each.happened(now(), &self.device.id, "rebooted"));
                true
            }
            never = heard => never,
        }
    }
}

/// Less than a board has, because a fleet is thousands: with long names fewer readings are under way.
struct Packets {
    rx: [u8; 256],
    tx: [u8; 768],
}

impl Memory for Packets {
    fn packets(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.rx, &mut self.tx)
    }
}

/// The temperature around one device.
struct Sky {
    weather: Weather,
    started: Instant,
    give_way: Option<GiveWay>,
    hand: Option<Hand>,
}

impl Thermometer for Sky {
    async fn read(&mut self) -> Result<DeciCelsius, &'static str> {
        if self.give_way.as_ref().is_some_and(GiveWay::is_silent) {
            return Err("another device publishes here");
        }
        // The weather goes on, whoever holds the thermometer.
        let weather = self.weather.celsius(self.started.elapsed());
        let held = self.hand.as_ref().and_then(Hand::celsius);
        let tenths = (held.unwrap_or(weather) * 10.0).round();
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a float saturates, and profiles stay within"
        )]
        Ok(DeciCelsius(tenths as i16))
    }
}

fn device_settings(fleet: &Settings, index: u32) -> Result<DeviceSettings, SettingsError> {
    let mut device = DeviceSettings::default();
    let mut id = fleet.id.clone();
    if fleet.count > 1 {
        let _ = write!(id, "-{}", index.saturating_add(1));
    }
    device.set("id", &id)?;
    device.set("broker_host", &fleet.host)?;
    device.set("broker_port", &fleet.port.to_string())?;
    device.set("topic", &topic(&fleet.topic, index))?;
    device.set("period_millis", &fleet.period.as_millis().to_string())?;
    device.set("ram", &fleet.ram.to_string())?;
    device.format = fleet.format;
    Ok(device)
}

/// `Environ/Temperature`, then `Environ/sim2/Temperature` and so on.
fn topic(first: &str, index: u32) -> String {
    match (index, first.rsplit_once('/')) {
        (0, _) => first.to_owned(),
        (_, Some((device, quantity))) => format!("{device}/sim{}/{quantity}", index + 1),
        (_, None) => format!("{first}{}", index + 1),
    }
}

#[cfg(test)]
mod tests;
