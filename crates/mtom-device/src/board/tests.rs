use super::{
    GRACE, Log, Pulse, REMIND, actuator_settings, feed_while_alive, id_of, ring, sensor_settings,
};
use crate::actuator::{FEED_EVERY, Watchdog};
use crate::flash::{Keep, Shared};
use crate::outbox::FlashRing as _;
use crate::record::{DeciCelsius, Record, Taken};
use crate::remote::Remote;
use crate::sensor::{Event, Witness as _};
use crate::settings::Settings;
use core::cell::{Cell, RefCell};
use core::ops::Range;
use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash,
};

const PERIOD: Duration = Duration::from_secs(2);
const RECORD: Record =
    Record { boot: 1, seq: 2, celsius: DeciCelsius(214), taken: Taken::Uptime(3) };

struct Counted<'a>(&'a Cell<u64>);

impl Watchdog for Counted<'_> {
    fn feed(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn on_a_paused_clock(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(mtom_time::run(test));
}

#[test]
fn a_device_without_an_id_is_named_after_its_address() {
    assert_eq!(id_of([0x0a, 0xb1, 0, 0xff, 9, 0x10]), "mtom-0ab100ff0910");
}

#[test]
fn a_loop_that_stands_still_is_dead_after_its_period_and_the_grace() {
    let pulse = Pulse::new(PERIOD, Instant::from_secs(10));
    let end = Instant::from_secs(10) + PERIOD + GRACE;
    assert!(pulse.is_alive(end));
    assert!(!pulse.is_alive(end + Duration::from_ticks(1)));
    pulse.beat(end);
    assert!(pulse.is_alive(end + PERIOD));
}

#[test]
fn a_watchdog_is_fed_until_the_loop_stands_still() {
    on_a_paused_clock(async {
        let pulse = Pulse::new(PERIOD, Instant::now());
        let fed = Cell::new(0);
        let feeding = feed_while_alive(&pulse, Counted(&fed));
        assert!(with_timeout(Duration::from_secs(600), feeding).await.is_err());
        let seconds = (PERIOD + GRACE).as_secs() / FEED_EVERY.as_secs();
        assert!((seconds..=seconds + 1).contains(&fed.get()), "fed {} times", fed.get());
    });
}

#[test]
fn each_measurement_is_a_sign_of_life_and_an_acknowledgement_is_none() {
    on_a_paused_clock(async {
        let pulse = Pulse::new(PERIOD, Instant::now());
        Timer::after(PERIOD + GRACE + PERIOD).await;
        Log(&pulse).saw(&Event::Acknowledged { record: &RECORD });
        assert!(!pulse.is_alive(Instant::now()));
        Log(&pulse).saw(&Event::Measured { record: &RECORD });
        assert!(pulse.is_alive(Instant::now()));
    });
}

#[test]
fn a_longer_period_that_comes_over_mqtt_does_not_look_like_death() {
    on_a_paused_clock(async {
        let pulse = Pulse::new(PERIOD, Instant::now());
        let hour = Settings { period_millis: 3_600_000, ..Settings::default() };
        let remote = Remote::of(&hour);
        Log(&pulse).saw(&Event::Settings { remote: &remote, refused: None });
        assert!(pulse.is_alive(Instant::now() + Duration::from_secs(3_600)));
    });
}

const PAGE: u32 = 4096;
const PAGES: Range<u32> = 0..4 * PAGE;
const ADDRESS: [u8; 6] = [0, 1, 2, 3, 4, 5];

/// A flash chip that works, or does not work at all.
struct Chip {
    bytes: Vec<u8>,
    is_broken: bool,
}

impl Chip {
    fn holding(byte: u8) -> RefCell<Self> {
        RefCell::new(Self { bytes: vec![byte; PAGES.end as usize], is_broken: false })
    }

    fn place(&mut self, from: u32, len: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        if self.is_broken {
            return Err(NorFlashErrorKind::Other);
        }
        self.bytes.get_mut(from as usize..from as usize + len).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(self.place(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.place(from, (to - from) as usize)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        for (place, byte) in self.place(offset, bytes.len())?.iter_mut().zip(bytes) {
            *place &= byte;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Chip {}

fn keep(chip: &RefCell<Chip>) -> Keep<Shared<'_, Chip>> {
    Keep::new(Shared(chip), PAGES).unwrap()
}

fn home() -> Settings {
    let mut settings = Settings::default();
    settings.set("wifi_ssid", "home").unwrap();
    settings.set("broker_host", "broker.lan").unwrap();
    settings
}

/// Whether a sensor still waits for settings after several reminders.
async fn waits(chip: &RefCell<Chip>) -> bool {
    with_timeout(REMIND * 4, sensor_settings(&mut keep(chip), ADDRESS)).await.is_err()
}

#[test]
fn a_sensor_without_settings_waits_for_them() {
    on_a_paused_clock(async {
        let chip = Chip::holding(0xff);
        let told = async {
            Timer::after(REMIND * 3).await;
            keep(&chip).set_settings(&home()).await.unwrap();
        };
        let (told, ()) = join(sensor_settings(&mut keep(&chip), ADDRESS), told).await;
        assert_eq!(told.settings, Settings { id: id_of(ADDRESS), ..home() });
        assert!(told.ca.is_empty());
    });
}

#[test]
fn a_sensor_waits_for_a_network_and_a_broker() {
    on_a_paused_clock(async {
        for key in ["wifi_ssid", "broker_host"] {
            let chip = Chip::holding(0xff);
            let mut settings = Settings::default();
            settings.set(key, "only_this").unwrap();
            keep(&chip).set_settings(&settings).await.unwrap();
            assert!(waits(&chip).await, "{key} alone");
        }
    });
}

#[test]
fn a_sensor_with_tls_waits_for_the_certificate() {
    on_a_paused_clock(async {
        let chip = Chip::holding(0xff);
        keep(&chip).set_settings(&Settings { tls: true, ..home() }).await.unwrap();
        assert!(waits(&chip).await);
        keep(&chip).set_ca(b"certificate").await.unwrap();
        assert_eq!(sensor_settings(&mut keep(&chip), ADDRESS).await.ca, b"certificate");
    });
}

#[test]
fn an_actuator_works_without_settings_and_without_a_flash() {
    on_a_paused_clock(async {
        let defaults = Settings { id: id_of(ADDRESS), ..Settings::default() };
        let chip = Chip::holding(0xff);
        assert_eq!(actuator_settings(&mut keep(&chip), ADDRESS).await, defaults);
        chip.borrow_mut().is_broken = true;
        assert_eq!(actuator_settings(&mut keep(&chip), ADDRESS).await, defaults);
    });
}

#[test]
fn a_ring_that_makes_no_sense_is_begun_anew() {
    on_a_paused_clock(async {
        for byte in [0x00, 0x5a, 0xff] {
            let chip = Chip::holding(byte);
            let mut ring = ring(|| Shared(&chip), PAGES).await.unwrap();
            assert_eq!(ring.len(), 0);
            ring.push(&RECORD).await.unwrap();
            assert_eq!(ring.peek(0).await, Ok(Some(RECORD)));
        }
    });
}

#[test]
fn a_broken_flash_is_a_device_without_a_ring() {
    on_a_paused_clock(async {
        let chip = Chip::holding(0xff);
        chip.borrow_mut().is_broken = true;
        let mut ring = ring(|| Shared(&chip), PAGES).await;
        assert!(ring.is_none());
        assert!(ring.push(&RECORD).await.is_err());
        assert_eq!((ring.len(), ring.peek(0).await, ring.pop().await), (0, Ok(None), Ok(())));
    });
}
