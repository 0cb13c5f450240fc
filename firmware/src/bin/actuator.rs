//! The actuator: an LED, a radio, two serial ports and a flash, with `mtom-device` between them.
//!
//! It obeys Bluetooth, UART0 and USB at once. It works as it comes; `mtom flash actuator` gives it a
//! name, a lease and a safe state beside this image. The button that every board has beside its chip
//! (BOOT) turns the LED, or says that numbers which are compared are the same. The log stands between the answers,
//! on USB where a computer listens there, else on UART0; whoever reads answers passes over it.

#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::cell::RefCell;
use embassy_futures::join::join5;
use embassy_time::{Duration, Timer};
use esp_alloc as _;
use esp_backtrace as _;
use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Input, InputConfig, Output, OutputConfig, Pull};
use esp_hal::ram;
use esp_hal::system::software_reset;
use esp_hal::timer::timg::TimerGroup;
use esp_hal::uart::{self, Uart};
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;
use esp_radio::ble::controller::BleConnector;
use esp_storage::FlashStorage;
use log::{LevelFilter, error, info};
use mtom_device::actuator::{Actuator, VERSION};
use mtom_device::flash::{Keep, Shared, layout};
use mtom_device::{ble, board};
use mtom_firmware::chip::{self, Button, ChipWatchdog, Light};
use trouble_host::prelude::ExternalController;

esp_bootloader_esp_idf::esp_app_desc!();

/// Commands that the radio may have in hand.
const COMMANDS: usize = 20;
/// Before the chip starts again because its radio has failed; the serial ports work until then.
const RESTART: Duration = Duration::from_secs(10);

#[esp_rtos::main]
async fn main(_spawner: embassy_executor::Spawner) -> ! {
    esp_println::logger::init_logger(LevelFilter::Info);
    let parts = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let led = Light(Output::new(parts.GPIO8, Light::DARK, OutputConfig::default()));
    let button = Button(Input::new(parts.GPIO9, InputConfig::default().with_pull(Pull::Up)));
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_rtos::start(TimerGroup::new(parts.TIMG0).timer0, parts.FROM_CPU_INTR0);
    let watchdog = ChipWatchdog::start(parts.TIMG1);

    let flash = RefCell::new(FlashStorage::new(parts.FLASH));
    let mut keep = Keep::new(Shared(&flash), layout::SETTINGS).expect("whole pages");
    let settings = board::actuator_settings(&mut keep, chip::address()).await;
    let last_number = keep.last_number().await.unwrap_or_else(|fault| {
        error!("the last command's number is lost: {fault}");
        0
    });
    info!("mtom actuator {VERSION}, {}: Bluetooth, UART0, USB", settings.name);
    let actuator = Actuator::new(&settings, last_number, led, keep, chip::draw);

    #[cfg(feature = "esp32c3")]
    let (rx, tx) = (parts.GPIO20, parts.GPIO21);
    #[cfg(feature = "esp32c6")]
    let (rx, tx) = (parts.GPIO17, parts.GPIO16);
    let uart = Uart::new(parts.UART0, uart::Config::default()).expect("115200 baud");
    let (uart_rx, uart_tx) = uart.with_rx(rx).with_tx(tx).into_async().split();
    let (usb_rx, usb_tx) = UsbSerialJtag::new(parts.USB_DEVICE).into_async().split();
    let radio = BleConnector::new(parts.BT, Default::default()).expect("the radio starts");
    let radio = ExternalController::<_, COMMANDS>::new(radio);
    let bluetooth = async {
        let fault = ble::run(radio, None, None, &actuator).await;
        error!("Bluetooth has failed: {fault:?}");
        Timer::after(RESTART).await;
        software_reset()
    };
    join5(
        actuator.supervise(watchdog),
        actuator.attend(button),
        actuator.serve_always(uart_rx, uart_tx),
        actuator.serve_always(usb_rx, usb_tx),
        bluetooth,
    )
    .await
    .0
}
