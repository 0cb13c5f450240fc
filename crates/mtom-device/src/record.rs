//! One measurement on its way: what it was, when it was taken, and the key that makes it unique.

use mtom_protocol::time::UnixMicros;

/// A record in flash, in bytes.
pub const RECORD_LEN: usize = 24;

/// A temperature in tenths of a degree Celsius: the original's precision, and no floating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeciCelsius(pub i16);

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Names one run of the device, from power-on to power-off.
    pub boot: u64,
    /// Counts the readings of that run, from 0.
    pub seq: u32,
    /// What was measured.
    pub celsius: DeciCelsius,
    /// When.
    pub taken: Taken,
}

/// When something was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// At this time.
    At(UnixMicros),
    /// This long after the device started, in microseconds: its clock was not set.
    Uptime(u64),
}

/// The top bit of a time's word in flash tells the two kinds apart; no time is that far away.
const UPTIME: u64 = 1 << 63;

impl Record {
    /// As it stands in flash.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_LEN] {
        let taken = match self.taken {
            Taken::At(at) => u64::try_from(at.0).unwrap_or(0) & !UPTIME,
            Taken::Uptime(micros) => micros | UPTIME,
        };
        let mut bytes = [0; RECORD_LEN];
        let fields: [&[u8]; 4] = [
            &self.boot.to_le_bytes(),
            &taken.to_le_bytes(),
            &self.seq.to_le_bytes(),
            &self.celsius.0.to_le_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Reads what [`Record::to_bytes`] wrote; `None` when there are too few bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (boot, rest) = bytes.split_first_chunk()?;
        let (taken, rest) = rest.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let (celsius, _) = rest.split_first_chunk()?;
        let taken = u64::from_le_bytes(*taken);
        Some(Self {
            boot: u64::from_le_bytes(*boot),
            seq: u32::from_le_bytes(*seq),
            celsius: DeciCelsius(i16::from_le_bytes(*celsius)),
            taken: match i64::try_from(taken) {
                Ok(micros) => Taken::At(UnixMicros(micros)),
                Err(_) => Taken::Uptime(taken & !UPTIME),
            },
        })
    }
}

#[cfg(test)]
mod tests;
