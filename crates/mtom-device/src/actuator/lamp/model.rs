//! The LED's state machine as a value that a model checker can copy, compare and hash.
//!
//! Every step wakes a real lamp, lets it act and puts it to rest again; between steps its times are
//! counted from now, so that what behaves alike is alike. Its fields are open, so that a test can
//! break it.

use super::{Answer, Lamp};
use crate::actuator::{Pin, VERSION};
use core::fmt::Write as _;
use embassy_time::{Duration, Instant};
use heapless::String;
use mtom_protocol::link::{LINE_LEN_MAX, Led, Report, Request};

/// The moment that every step happens at, with room for a past.
const NOW: Instant = Instant::from_ticks(1 << 40);

/// A line without its newline.
pub type Line = String<LINE_LEN_MAX>;

/// One LED with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LampModel {
    /// What the pin was told last.
    pub pin: Led,
    /// What the lamp takes the LED for.
    pub led: Led,
    /// Where it returns to.
    pub safe: Led,
    /// How long it waits.
    pub lease_millis: u64,
    /// How long ago something was asked, at most the lease.
    pub silence_millis: u64,
    /// The last command applied.
    pub number: u64,
    /// The last number that counts as applied after a loss of power.
    pub kept: u64,
}

impl Pin for Led {
    fn set(&mut self, led: Led) {
        *self = led;
    }
}

impl LampModel {
    /// After power came, with the number that the flash holds.
    #[must_use]
    pub fn new(safe: Led, lease_millis: u64, kept: u64) -> Self {
        let lease = Some(Duration::from_millis(lease_millis));
        Self::of(&Lamp::new(safe, safe, lease, kept, NOW), lease_millis)
    }

    /// The power was away for a moment.
    pub fn restart(&mut self) {
        *self = Self::new(self.safe, self.lease_millis, self.kept);
    }

    /// Hears a line, whole and without its newline, and answers as `serve` does.
    pub fn hear(&mut self, line: &[u8]) -> Option<Line> {
        let Ok(request) = Request::parse(line) else {
            return text(Report::Refused { reason: "expected h N, c N or ?" });
        };
        let mut lamp = self.wake();
        if let Some(number) = lamp.to_keep(request) {
            lamp.kept(number);
        }
        let answer = lamp.hear(request, NOW);
        *self = Self::of(&lamp, self.lease_millis);
        said(answer)
    }

    /// Time passes; at the end of the lease the lamp says so.
    pub fn pass(&mut self, span_millis: u64) -> Option<Line> {
        self.silence_millis =
            self.silence_millis.saturating_add(span_millis).min(self.lease_millis);
        let mut lamp = self.wake();
        let lapses = lamp.lapses();
        lamp.poll(NOW);
        *self = Self::of(&lamp, self.lease_millis);
        if lamp.lapses() == lapses { None } else { said(lamp.state()) }
    }

    fn of(lamp: &Lamp<Led>, lease_millis: u64) -> Self {
        // Without `..`: a new field must be thought of here.
        let &Lamp { pin, led, safe, lease: _, heard_at, number, kept, lapses: _ } = lamp;
        let silence_millis = (NOW - heard_at).as_millis();
        Self { pin, led, safe, lease_millis, silence_millis, number, kept }
    }

    fn wake(self) -> Lamp<Led> {
        Lamp {
            pin: self.pin,
            led: self.led,
            safe: self.safe,
            lease: Some(Duration::from_millis(self.lease_millis)),
            heard_at: NOW - Duration::from_millis(self.silence_millis),
            number: self.number,
            kept: self.kept,
            lapses: 0,
        }
    }
}

fn said(answer: Answer) -> Option<Line> {
    match answer {
        Answer::Nothing => None,
        Answer::Applied { led, number } => text(Report::Applied { led, number }),
        Answer::State { led, number } => {
            text(Report::State { led, number, name: "TEMP_LED", version: VERSION })
        }
    }
}

fn text(report: Report<'_>) -> Option<Line> {
    let mut line = Line::new();
    write!(line, "{report}").ok().map(|()| line)
}
