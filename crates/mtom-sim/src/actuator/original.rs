//! An original device: `h` lights, `c` and `s` darken, nothing is ever answered (`wire.md` §1.5).

use embedded_io_async::Read;
use mtom_device::actuator::Pin;
use mtom_protocol::link::Led;
use std::cell::RefCell;

const READ_LEN: usize = 64;

pub(super) struct Original<P> {
    // Never borrowed across an await.
    led: RefCell<P>,
}

impl<P: Pin> Original<P> {
    pub(super) fn new(led: P) -> Self {
        Self { led: RefCell::new(led) }
    }

    pub(super) async fn serve(&self, mut rx: impl Read) {
        let mut bytes = [0; READ_LEN];
        while let Ok(len @ 1..) = rx.read(&mut bytes).await {
            for led in bytes.iter().take(len).copied().filter_map(Led::from_byte) {
                self.led.borrow_mut().set(led);
            }
        }
    }
}
