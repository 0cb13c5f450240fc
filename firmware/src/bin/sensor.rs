//! The sensor: a thermometer, a radio and a flash, with `mtom-device` between them.
//!
//! It knows no network and no broker: `mtom flash sensor` writes them beside this image.

#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::cell::RefCell;
use core::future::pending;
use embassy_futures::join::join5;
use embassy_net::StackResources;
use embassy_time::{Duration, Instant};
use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::clock::CpuClock;
use esp_hal::ram;
use esp_hal::rng::{Rng, Trng};
use esp_hal::timer::timg::TimerGroup;
use esp_hal::tsens::TemperatureSensor;
use esp_radio::wifi::{Interface, WifiController};
use esp_storage::FlashStorage;
use log::{LevelFilter, info};
use mtom_device::actuator::VERSION;
use mtom_device::board::{self, Log, Pulse, Secured, Tls, Told};
use mtom_device::clock::WallClock;
use mtom_device::flash::{Keep, Shared, layout};
use mtom_device::sensor::{Buffers, Identity, Sensor};
use mtom_device::sntp;
use mtom_firmware::chip::{self, ChipThermometer, ChipWatchdog};
use mtom_firmware::time::NetworkTime;
use mtom_firmware::wifi::{self, Broker};

esp_bootloader_esp_idf::esp_app_desc!();

/// Readings that fit into memory; those before them go to flash.
const RAM: usize = 64;

#[esp_rtos::main]
async fn main(_spawner: embassy_executor::Spawner) -> ! {
    esp_println::logger::init_logger(LevelFilter::Info);
    let parts = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    esp_rtos::start(TimerGroup::new(parts.TIMG0).timer0, parts.FROM_CPU_INTR0);
    info!("mtom sensor {VERSION}");

    let flash = RefCell::new(FlashStorage::new(parts.FLASH));
    let mut keep = Keep::new(Shared(&flash), layout::SETTINGS).expect("whole pages");
    let told = board::sensor_settings(&mut keep, chip::address()).await;
    let Told { settings, ca } = &told;
    let ring = board::ring(|| Shared(&flash), layout::RING).await;
    let watchdog = ChipWatchdog::start(parts.TIMG1);
    let thermometer = TemperatureSensor::new(parts.TSENS, Default::default());
    let mut thermometer = ChipThermometer(thermometer.expect("the thermometer starts"));

    let radio = WifiController::new(parts.WIFI, Default::default()).expect("the radio starts");
    // From here the radio's noise makes random numbers fit for secrets.
    let secrets = Trng::try_new().expect("the radio is on");
    let random = || Rng::new().random();
    let long = || u64::from(random()) << 32 | u64::from(random());
    let mut resources = StackResources::<5>::new();
    let dhcp = embassy_net::Config::dhcpv4(Default::default());
    let (stack, mut network) = embassy_net::new(Interface::station(), dhcp, &mut resources, long());

    let clock = WallClock::new();
    let tls = Tls { host: &settings.broker_host, ca, clock: &clock };
    let mut broker =
        Secured::new(Broker::new(stack, settings), settings.tls.then_some(tls), secrets);
    let pulse = Pulse::new(Duration::from_millis(settings.period_millis.into()), Instant::now());
    let identity = Identity { settings, boot: long(), version: VERSION };
    let sensor = Sensor::<_, _, _, RAM>::new(identity, &clock, ring, keep, Log(&pulse));
    let mut buffers = Buffers::default();
    let telling_time = async {
        if settings.ntp.is_empty() {
            return pending().await;
        }
        let mut server = NetworkTime::new(stack, &settings.ntp);
        sntp::run(&mut server, &clock, &mut { random }, &mut |event| board::log_time(&event)).await
    };
    join5(
        network.run(),
        wifi::stay_joined(radio, stack, settings, random),
        telling_time,
        sensor.run(&mut broker, &mut thermometer, &mut buffers, random, pending()),
        board::feed_while_alive(&pulse, watchdog),
    )
    .await
    .0
}
