//! Keeps the communication log readable when much arrives.

use crate::view::LogEvent;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

/// Lines about readings that one second may add to the log; the rest is counted.
pub(super) const LOG_LINES_PER_SECOND: u32 = 20;

/// Lets so many log lines through in a second and counts the rest.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    second: i64,
    passed: u32,
    skipped: u64,
}

impl Quiet {
    /// The lines that pass, and how many were skipped in the second before.
    pub(super) fn pass(
        &mut self,
        lines: impl Iterator<Item = LogEvent>,
        now: UnixMicros,
    ) -> (Vec<LogEvent>, u64) {
        let second = now.millis().div_euclid(1_000);
        let mut skipped = 0;
        if second != self.second {
            skipped = std::mem::take(&mut self.skipped);
            (self.second, self.passed) = (second, 0);
        }
        let mut through = Vec::new();
        for line in lines {
            if self.passed < LOG_LINES_PER_SECOND {
                self.passed += 1;
                through.push(line);
            } else {
                self.skipped += 1;
            }
        }
        (through, skipped)
    }
}

/// What the log says of a reading.
pub(super) fn stored_line(stored: &StoredReading) -> LogEvent {
    LogEvent::Stored {
        id: stored.id,
        device: Arc::clone(&stored.reading.device),
        quantity: Arc::clone(&stored.reading.quantity),
        value: stored.reading.value,
        unit: stored.reading.unit.symbol(),
    }
}
