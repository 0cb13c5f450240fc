//! What a reading looks like on its way: the original's text or JSON (`wire.md` §1.1 and §3).

use crate::record::{DeciCelsius, Record};
use core::fmt::{self, Write as _};
use heapless::String;
use jiff::Timestamp;
use mtom_protocol::time::UnixMicros;

/// The longest payload of a reading, in bytes.
pub const PAYLOAD_LEN_MAX: usize = 144;

/// `23.4 °C`
#[must_use]
pub fn text(celsius: DeciCelsius) -> String<PAYLOAD_LEN_MAX> {
    let mut payload = String::new();
    // Fits: at most 11 bytes.
    let _ = write!(payload, "{celsius} °C");
    payload
}

/// `{"temperature":23.4,"time":"2026-11-23T08:06:30.250Z","clock":"sntp","seq":7,"boot":"00c0ffee00c0ffee"}`
///
/// While the clock is not set, `time` is `null` and `clock` is `"unset"`.
#[must_use]
pub fn json(record: &Record, at: Option<UnixMicros>) -> String<PAYLOAD_LEN_MAX> {
    let mut payload = String::new();
    // Fits: every part has a longest form, and a test writes them all.
    let _ = write!(payload, "{{\"temperature\":{},\"time\":", record.celsius);
    let _ = match at.and_then(|at| Timestamp::from_microsecond(at.0).ok()) {
        Some(at) => write!(payload, "\"{at:.3}\",\"clock\":\"sntp\""),
        None => write!(payload, "null,\"clock\":\"unset\""),
    };
    let _ = write!(payload, ",\"seq\":{},\"boot\":\"{:016x}\"}}", record.seq, record.boot);
    payload
}

/// What stands beside a payload of format `text`, as the values of [`mtom_protocol::property`].
#[derive(Debug, PartialEq, Eq)]
pub struct Beside {
    /// RFC 3339; `None` while the clock is not set.
    pub time: Option<String<24>>,
    /// 16 hexadecimal digits.
    pub boot: String<16>,
    /// A whole number.
    pub seq: String<10>,
}

impl Beside {
    /// Time and key of `record`, which was taken `at`.
    #[must_use]
    pub fn of(record: &Record, at: Option<UnixMicros>) -> Self {
        let time = at.and_then(|at| Timestamp::from_microsecond(at.0).ok()).map(|at| {
            let mut text = String::new();
            // Fits: the years of a clock have four digits.
            let _ = write!(text, "{at:.3}");
            text
        });
        let (mut boot, mut seq) = (String::new(), String::new());
        let _ = write!(boot, "{:016x}", record.boot);
        let _ = write!(seq, "{}", record.seq);
        Self { time, boot, seq }
    }
}

/// `23.4`, always with its tenths.
impl fmt::Display for DeciCelsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests;
