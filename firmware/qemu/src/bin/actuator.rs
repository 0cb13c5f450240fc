//! The actuator: UART1 is its link, GPIO19 its LED.

#![no_std]
#![no_main]

use embassy_futures::block_on;
use embassy_futures::join::join;
use mtom_device::actuator::{Actuator, Forgetful, Watchdog};
use mtom_qemu::board::Board;
use mtom_qemu::port::{Receiver, Sender};
use mtom_qemu::start;

/// QEMU's chip restarts by no watchdog.
struct NoWatchdog;

impl Watchdog for NoWatchdog {
    fn feed(&mut self) {}
}

#[riscv_rt::entry]
fn main() -> ! {
    let mut board = Board::take();
    let start = start::told(&mut board.settings);
    // Its chip has no random numbers, so with a key it would obey nobody.
    let actuator = Actuator::new(&start.settings, 0, board.led, Forgetful, || None);
    let link = actuator.serve_always(Receiver(board.link_rx), Sender(board.link_tx));
    block_on(join(link, actuator.supervise(NoWatchdog))).0
}
