//! The chip's parts, each for its one purpose.

use crate::{clock, log};
use e310x_hal::DeviceResources;
use e310x_hal::clock::Clocks;
use e310x_hal::e310x::{Uart0, Uart1};
use e310x_hal::gpio::gpio0::{Pin16, Pin17, Pin18, Pin19, Pin23};
use e310x_hal::gpio::{IOF0, NoInvert, Output, Regular};
use e310x_hal::prelude::*;
use e310x_hal::serial::{Rx, Serial, Tx};
use mtom_device::actuator;
use mtom_protocol::link::Led;

/// What the original's devices speak at.
const BAUD: u32 = 115_200;
/// The low-frequency crystal of the board.
const CRYSTAL_HZ: u32 = 32_768;

/// UART0's sender: the log.
pub(crate) type LogTx = Tx<Uart0, Pin17<IOF0<NoInvert>>>;

/// The parts that a device is made of.
pub struct Board {
    /// UART0's receiver: where the settings come from.
    pub settings: Rx<Uart0, Pin16<IOF0<NoInvert>>>,
    /// UART1's receiver.
    pub link_rx: Rx<Uart1, Pin23<IOF0<NoInvert>>>,
    /// UART1's sender.
    pub link_tx: Tx<Uart1, Pin18<IOF0<NoInvert>>>,
    /// GPIO19, the green LED of the board.
    pub led: LedPin,
}

impl Board {
    /// Starts clock, serial ports and log.
    ///
    /// # Panics
    /// When called twice.
    pub fn take() -> Self {
        clock::start();
        let chip = DeviceResources::take().expect("the chip is taken once");
        let pins = chip.pins;
        let slow = chip.peripherals.AONCLK.constrain().use_external(CRYSTAL_HZ.hz());
        let clocks = Clocks::freeze(chip.peripherals.PRCI.constrain(), slow);
        let baud = BAUD.bps();
        let uart0 = (pins.pin17.into_iof0(), pins.pin16.into_iof0());
        let (log_tx, settings) = Serial::new(chip.peripherals.UART0, uart0, baud, clocks).split();
        log::start(log_tx);
        let uart1 = (pins.pin18.into_iof0(), pins.pin23.into_iof0());
        let (link_tx, link_rx) = Serial::new(chip.peripherals.UART1, uart1, baud, clocks).split();
        Self { settings, link_rx, link_tx, led: LedPin(pins.pin19.into_output()) }
    }
}

/// The LED; the log tells what the pin says after each change.
pub struct LedPin(Pin19<Output<Regular<NoInvert>>>);

impl actuator::Pin for LedPin {
    fn set(&mut self, led: Led) {
        // It cannot fail: it is one register.
        let _ = self.0.set_state((led == Led::On).into());
        let is_on = self.0.is_set_high().unwrap_or(false);
        log::line(format_args!("LED {}", if is_on { "on" } else { "off" }));
    }
}
