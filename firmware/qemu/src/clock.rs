//! The chip's counter as the clock of `embassy-time`.
//!
//! Nobody is woken: `block_on` asks every future again and again, so a timer that is due is seen at
//! once. A chip that must save power would sleep instead; an emulator has none to save.

use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;
use e310x_hal::core::CLINT;
use embassy_time_driver::{Driver, TICK_HZ};

/// The chip's own rate, and QEMU's since 8.1.
const SLOW_HZ: u32 = 32_768;
/// QEMU's rate before 8.1.
const FAST_HZ: u32 = 10_000_000;
/// How often the counter is looked at to tell the two apart.
const LOOKS: u32 = 256;

struct Counter {
    hz: AtomicU32,
}

embassy_time_driver::time_driver_impl!(static COUNTER: Counter = Counter { hz: AtomicU32::new(SLOW_HZ) });

/// Finds out how fast the counter runs. To be called before anybody asks for the time.
pub(crate) fn start() {
    // The slow one stands still for several looks, the fast one for none; a host that is busy
    // disturbs a few looks and not half of them.
    let mut before = count();
    let mut changes: u32 = 0;
    for _ in 0..LOOKS {
        let now = count();
        changes += u32::from(now != before);
        before = now;
    }
    let hz = if changes > LOOKS / 2 { FAST_HZ } else { SLOW_HZ };
    COUNTER.hz.store(hz, Ordering::Relaxed);
}

/// The counter is 64 bits wide and read in two halves: two readings that are close are right.
fn count() -> u64 {
    let mtime = CLINT::mtimer().mtime;
    let mut before = mtime.read();
    loop {
        let now = mtime.read();
        if now.wrapping_sub(before) < u64::from(u32::MAX / 2) {
            return now;
        }
        before = now;
    }
}

impl Driver for Counter {
    fn now(&self) -> u64 {
        let hz = u64::from(self.hz.load(Ordering::Relaxed));
        let count = count();
        // In two parts, because the product of all of it would overflow within days.
        count / hz * TICK_HZ + count % hz * TICK_HZ / hz
    }

    fn schedule_wake(&self, _at: u64, _waker: &Waker) {}
}
