//! The log: one line on UART0 for each thing that happened, and the last words of a panic.

use crate::board::LogTx;
use core::cell::RefCell;
use core::fmt::{self, Write as _};
use core::panic::PanicInfo;
use critical_section::Mutex;
use embedded_hal_nb::serial::Write as _;
use nb::block;

static LOG: Mutex<RefCell<Option<LogTx>>> = Mutex::new(RefCell::new(None));

/// Lines go to `tx` from now on.
pub(crate) fn start(tx: LogTx) {
    critical_section::with(|cs| LOG.replace(cs, Some(tx)));
}

/// Writes a line; waits until the last byte is on its way.
pub fn line(text: fmt::Arguments<'_>) {
    critical_section::with(|cs| {
        if let Ok(mut log) = LOG.borrow(cs).try_borrow_mut()
            && let Some(tx) = log.as_mut()
        {
            // The port does not fail.
            let _ = writeln!(Text(tx), "{text}");
        }
    });
}

struct Text<'a>(&'a mut LogTx);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().try_for_each(|byte| block!(self.0.write(byte)).map_err(|_| fmt::Error))
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    line(format_args!("{info}"));
    loop {
        core::hint::spin_loop();
    }
}
