//! What a device is told at its start, on UART0: the settings that `mtom flash` would have put beside
//! its image, in the same text, one `key=value` a line, and an empty line behind the last.
//!
//! One key more than flash has: `boot`, 16 hexadecimal digits, names this run of the device. QEMU's
//! chip has no source of randomness, and its counter begins at the same place each time.

use crate::log;
use core::str;
use embassy_time::Instant;
use embedded_hal_nb::serial::Read;
use mtom_device::settings::Settings;
use nb::block;

const TEXT_LEN_MAX: usize = 256;

/// What it was told.
pub struct Start {
    /// The settings; `id` is not empty.
    pub settings: Settings,
    /// Names this run of the device.
    pub boot: u64,
}

/// Waits for the empty line.
///
/// # Panics
/// When the settings cannot be used; the panic says why.
pub fn told(rx: &mut impl Read) -> Start {
    log::line(format_args!("settings, and an empty line:"));
    let mut text = [0; TEXT_LEN_MAX];
    let mut len = 0;
    let mut is_empty_line = true;
    loop {
        let Ok(byte) = block!(rx.read()) else { continue };
        // A terminal sends a carriage return for Enter.
        let byte = if byte == b'\r' { b'\n' } else { byte };
        if byte == b'\n' && is_empty_line {
            break;
        }
        is_empty_line = byte == b'\n';
        *text.get_mut(len).expect("settings of at most 256 bytes") = byte;
        len += 1;
    }
    let text = text.get(..len).unwrap_or_default();
    let mut settings = match Settings::parse(text) {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    };
    if settings.id.is_empty() {
        settings.set("id", "qemu").expect("an id");
    }
    // Not told: when the person at the keyboard was done, in microseconds, is random enough.
    let boot = boot(text).unwrap_or_else(|| Instant::now().as_micros());
    Start { settings, boot }
}

fn boot(text: &[u8]) -> Option<u64> {
    let mut lines = str::from_utf8(text).ok()?.lines();
    let digits = lines.find_map(|line| line.strip_prefix("boot="))?;
    u64::from_str_radix(digits, 16).ok()
}
