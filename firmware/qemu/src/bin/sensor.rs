//! The sensor: UART1 is its way to the broker, its thermometer is made up.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::future::pending;
use embassy_futures::block_on;
use embassy_time::{Duration, with_timeout};
use embedded_hal_nb::serial;
use embedded_io_async::Read as _;
use mtom_device::clock::WallClock;
use mtom_device::outbox::NoRing;
use mtom_device::record::DeciCelsius;
use mtom_device::sensor::{
    Buffers, Connector, Event, Forgets, Identity, Sensor, Thermometer, Witness,
};
use mtom_qemu::board::Board;
use mtom_qemu::port::{Port, Receiver, Sender};
use mtom_qemu::{log, start};

/// How many readings fit into the chip's memory beside all else.
const RAM: usize = 64;
/// A line that says nothing for so long has nothing left of an earlier connection.
const QUIET: Duration = Duration::from_millis(100);
/// Up and down between these, a tenth of a degree each time, so that a rule at 25 °C has work.
const COLDEST: i16 = 240;
const HOTTEST: i16 = 260;

/// The other end of the wire is the broker.
struct Wire<R, W>(Port<R, W>);

impl<R: serial::Read, W: serial::Write> Connector for Wire<R, W> {
    type Io<'a>
        = &'a mut Port<R, W>
    where
        Self: 'a;
    type Error = Infallible;

    async fn connect(&mut self) -> Result<&mut Port<R, W>, Self::Error> {
        // What an earlier connection has left is no answer to this one.
        let mut bytes = [0; 8];
        while with_timeout(QUIET, self.0.read(&mut bytes)).await.is_ok() {}
        Ok(&mut self.0)
    }
}

/// Begins at the coldest.
struct Wave {
    next: i16,
    step: i16,
}

impl Thermometer for Wave {
    async fn read(&mut self) -> Result<DeciCelsius, &'static str> {
        let now = self.next;
        if now + self.step < COLDEST || now + self.step > HOTTEST {
            self.step = -self.step;
        }
        self.next += self.step;
        Ok(DeciCelsius(now))
    }
}

/// UART0 is told everything.
struct Log;

impl Witness for Log {
    fn saw(&mut self, event: &Event<'_>) {
        log::line(format_args!("{event}"));
    }
}

#[riscv_rt::entry]
fn main() -> ! {
    let mut board = Board::take();
    let start = start::told(&mut board.settings);
    let clock = WallClock::new();
    let identity = Identity {
        settings: &start.settings,
        boot: start.boot,
        version: env!("CARGO_PKG_VERSION"),
    };
    let sensor = Sensor::<_, _, _, RAM>::new(identity, &clock, NoRing, Forgets, Log);
    let mut wire = Wire(Port { rx: Receiver(board.link_rx), tx: Sender(board.link_tx) });
    let mut wave = Wave { next: COLDEST, step: 1 };
    let mut buffers = Buffers::default();
    // Spreads its attempts to connect; the chip has nothing better.
    let mut random = start.boot | 1;
    let random = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 32) as u32
    };
    block_on(sensor.run(&mut wire, &mut wave, &mut buffers, random, pending()));
    unreachable!("nobody tells it to stop");
}
