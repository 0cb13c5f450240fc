//! One connection, without the connection: what to write now, what a line means, what is due when.
//!
//! Nothing is queued here. Whoever can write asks [`Session::next`] and gets the one frame that is
//! right at that moment, so an older state cannot leave after a newer one was wanted.

use crate::lines::Lines;
use crate::report::{Clock, Desired, Report, Trust, Version};
use crate::settings::{Drift, Protocol, Settings};
use mtom_protocol::link::keyed::{Draw, Forged, Hello};
use mtom_protocol::link::{self, Request};
use std::time::Duration;
use talk::{Heard, Talk, Verdict};
use tokio::time::Instant;

mod talk;

/// Commands that may be on their way without an answer. Full: a newer one waits for an answer or
/// for `ack_timeout`, so that a stalled link cannot fill with states that are long past.
const UNANSWERED_LEN_MAX: usize = 4;
/// A line right after a bare byte would be one word with it; a device ends that word after 50 ms.
const BARE_PAUSE: Duration = Duration::from_millis(100);
/// Between two reports of noise.
const NOISE_PAUSE: Duration = Duration::from_secs(1);

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// `# 0011…\n`
    Hello(Hello),
    /// `?\n`
    Ask,
    /// `h 42\n`
    Line(Desired),
    /// `h`
    Bare(Desired),
}

/// Why a connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// For people.
    pub(crate) reason: String,
    /// It will be so the next time too, unless somebody does something about it.
    pub(crate) is_lasting: bool,
}

/// Where reports go, and the clock that dates them.
pub(crate) struct Voice<'a> {
    pub(crate) report: &'a (dyn Fn(Report) + Send + Sync),
    pub(crate) clock: &'a Clock,
    /// The nonces of conversations with a key.
    pub(crate) draw: Draw,
}

/// What outlives a connection.
#[derive(Default)]
pub(crate) struct Memory {
    /// The last command that the device confirmed, so that it is reported once.
    pub(crate) applied: Option<Desired>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    /// Asked; nothing is sent until it answers or this is over.
    Unknown {
        until: Instant,
    },
    Original,
    Second,
}

/// One connection.
pub(crate) struct Session<'a> {
    settings: &'a Settings,
    voice: &'a Voice<'a>,
    memory: &'a mut Memory,
    speaks: Speaks,
    talk: Talk<'a>,
    /// What was found out about the device's key, when there is no way on.
    verdict: Option<Verdict>,
    identity: Option<Version>,
    desired: Option<Desired>,
    /// The last command written on this connection.
    sent: Option<Desired>,
    /// Commands on their way, oldest first; at most [`UNANSWERED_LEN_MAX`], the newest is `sent`.
    unanswered: Vec<Desired>,
    /// What the device said last, and when.
    device: Option<Desired>,
    said_at: Instant,
    /// Our number and the device's, when the device was found ahead.
    ahead: Option<(u64, u64)>,
    /// The command that somebody overruled by hand, where that stands.
    overruled: Option<u64>,
    refused: bool,
    asked_again: bool,
    /// When the last command was written, and how long it may stay without an answer.
    sent_at: Instant,
    /// When the last bare byte was written.
    bare_at: Option<Instant>,
    ack_wait: Duration,
    retry_at: Instant,
    refresh_at: Instant,
    ask_at: Option<Instant>,
    /// The question that waits for an answer.
    asked_at: Option<Instant>,
    lines: Lines,
    noise_lines: u64,
    noise_reported: u64,
    noise_at: Instant,
}

impl<'a> Session<'a> {
    /// A connection that began `now`.
    pub(crate) fn new(
        settings: &'a Settings,
        voice: &'a Voice<'a>,
        memory: &'a mut Memory,
        now: Instant,
    ) -> Self {
        let mut session = Self {
            settings,
            voice,
            memory,
            speaks: match settings.protocol {
                // Whoever has a key speaks it.
                Protocol::Auto if settings.key.is_some() => Speaks::Second,
                Protocol::Auto => Speaks::Unknown { until: now + settings.probe_timeout },
                Protocol::Original => Speaks::Original,
                Protocol::Second => Speaks::Second,
            },
            talk: Talk::new(settings, voice.draw, now),
            verdict: None,
            identity: None,
            desired: None,
            sent: None,
            unanswered: Vec::with_capacity(UNANSWERED_LEN_MAX),
            device: None,
            said_at: now,
            ahead: None,
            overruled: None,
            refused: false,
            asked_again: false,
            sent_at: now,
            bare_at: None,
            ack_wait: settings.ack_timeout,
            retry_at: now,
            refresh_at: now,
            ask_at: (settings.protocol != Protocol::Original).then_some(now),
            asked_at: None,
            lines: Lines::default(),
            noise_lines: 0,
            noise_reported: 0,
            noise_at: now,
        };
        if settings.protocol == Protocol::Original {
            session.identify(Version::Original);
        }
        session
    }

    /// The newest desired state.
    pub(crate) fn desire(&mut self, desired: Option<Desired>) {
        self.desired = desired;
    }

    /// What is right to write at `now`; the same until something changes.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Frame> {
        if matches!(self.speaks, Speaks::Unknown { until } if until <= now) {
            self.speaks = Speaks::Original;
            self.asked_at = None;
            self.ask_at = Some(now + self.first_refresh());
            self.identify(Version::Original);
        }
        if !self.talk.is_open() {
            return self.talk.hello(now).map(Frame::Hello);
        }
        if let Some(desired) = self.desired
            && self.command_at(desired).is_some_and(|at| at <= now)
        {
            return Some(match self.speaks {
                Speaks::Second => Frame::Line(desired),
                Speaks::Original | Speaks::Unknown { .. } => Frame::Bare(desired),
            });
        }
        (self.ask_at.is_some_and(|at| at <= now)).then_some(Frame::Ask)
    }

    /// The bytes of `frame` on the wire. Of a frame that is written, not of one that may be.
    pub(crate) fn bytes(&mut self, frame: Frame) -> Vec<u8> {
        match frame {
            Frame::Hello(hello) => format!("{hello}\n").into_bytes(),
            Frame::Ask => self.talk.line("?"),
            Frame::Line(Desired { led, number }) => {
                self.talk.line(&Request::Set { led, number }.to_string())
            }
            Frame::Bare(desired) => vec![desired.led.byte()],
        }
    }

    /// `frame` is in the operating system's hands.
    pub(crate) fn sent(&mut self, frame: Frame, now: Instant) {
        let command = match frame {
            Frame::Hello(hello) => return self.talk.said(hello, now),
            Frame::Ask => {
                self.asked_at = Some(now);
                // An original device is asked again at each refresh, for it may have been replaced;
                // one of the second version when its answer has come.
                self.ask_at =
                    (self.speaks == Speaks::Original).then(|| now + self.settings.refresh);
                return;
            }
            Frame::Line(desired) | Frame::Bare(desired) => desired,
        };
        // Only the same command again is a repetition; a new one starts over.
        self.ack_wait = if self.sent == Some(command) && !self.confirmed(command) {
            self.ack_wait.saturating_mul(2).min(self.settings.refresh)
        } else {
            self.settings.ack_timeout
        };
        let first = self.sent.is_none() && matches!(frame, Frame::Bare(_));
        self.refresh_at = now + if first { self.first_refresh() } else { self.settings.refresh };
        self.sent = Some(command);
        self.sent_at = now;
        self.retry_at = now + self.ack_wait;
        self.refused = false;
        if matches!(frame, Frame::Bare(_)) {
            self.bare_at = Some(now);
        } else {
            self.unanswered.retain(|other| *other != command);
            if self.unanswered.len() == UNANSWERED_LEN_MAX {
                self.unanswered.remove(0);
            }
            self.unanswered.push(command);
        }
        let Desired { led, number } = command;
        self.report(Report::Sent { led, number, at: (self.voice.clock)() });
    }

    /// What came from the device, in pieces of any size.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.settings.protocol == Protocol::Original {
            return;
        }
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(bytes, |line| self.line(line, now));
        self.lines = lines;
        if self.noise_at <= now {
            self.report_noise(now);
        }
    }

    /// Why the connection is of no use any more.
    pub(crate) fn fault(&mut self, now: Instant) -> Option<Fault> {
        if let Some(verdict) = self.verdict.or_else(|| self.talk.verdict(now)) {
            if let Some(trust) = verdict.trust() {
                self.report(Report::Trusted { trust });
            }
            let reason = verdict.reason(self.settings);
            return Some(Fault { reason, is_lasting: verdict.is_lasting() });
        }
        let is_silent = self.silent_at().is_some_and(|at| at <= now);
        is_silent.then(|| Fault {
            reason: format!("no answer for {:?}", self.settings.answer_timeout),
            is_lasting: false,
        })
    }

    /// Does what is due, and says when there will be something to do after `now`.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Instant> {
        if self.noise_at <= now {
            self.report_noise(now);
        }
        let probe = match self.speaks {
            Speaks::Unknown { until } => Some(until),
            Speaks::Original | Speaks::Second => None,
        };
        let noise = (self.noise_lines > self.noise_reported).then_some(self.noise_at);
        let command = self.desired.and_then(|desired| self.command_at(desired));
        // What is due already was given out by `next` and waits for its write.
        let due = [probe, noise, command, self.ask_at, self.silent_at()];
        due.into_iter().chain(self.talk.due()).flatten().filter(|at| *at > now).min()
    }

    /// The connection ended: says what was not said yet.
    pub(crate) fn end(&mut self, now: Instant) {
        self.report_noise(now);
    }

    /// When `desired` is to be written next.
    fn command_at(&self, desired: Desired) -> Option<Instant> {
        if self.overruled == Some(desired.number) {
            return None;
        }
        match self.speaks {
            Speaks::Unknown { .. } => None,
            Speaks::Original if self.sent == Some(desired) => Some(self.refresh_at),
            Speaks::Original => Some(self.sent_at),
            Speaks::Second => {
                let at = if self.sent != Some(desired) {
                    let full = self.unanswered.len() == UNANSWERED_LEN_MAX;
                    if full { self.retry_at } else { self.sent_at }
                } else if self.confirmed(desired) {
                    self.refresh_at
                } else {
                    self.retry_at
                };
                Some(self.bare_at.map_or(at, |bare_at| at.max(bare_at + BARE_PAUSE)))
            }
        }
    }

    /// The first refresh comes early, for the sake of boards that restart when they are connected to.
    fn first_refresh(&self) -> Duration {
        self.settings.first_refresh.min(self.settings.refresh)
    }

    fn confirmed(&self, desired: Desired) -> bool {
        self.device == Some(desired)
    }

    fn silent_at(&self) -> Option<Instant> {
        match self.speaks {
            Speaks::Second => self.asked_at.map(|at| at + self.settings.answer_timeout),
            Speaks::Original | Speaks::Unknown { .. } => None,
        }
    }

    fn line(&mut self, line: Option<&[u8]>, now: Instant) {
        if line.is_some_and(|line| line.is_empty() || line == b"\r") {
            return;
        }
        match line.map(|line| self.talk.hear(line)) {
            Some(Heard::Line(line)) => self.report_line(Some(line), now),
            Some(Heard::Welcome) => self.welcomed(now),
            Some(Heard::Lost) => {
                self.asked_at = None;
                self.talk.greet(self.settings, now);
            }
            Some(Heard::Forged) => self.noise_lines = self.noise_lines.saturating_add(1),
            None => self.report_line(None, now),
        }
    }

    /// The device has the key: everything begins here.
    fn welcomed(&mut self, now: Instant) {
        self.sent = None;
        self.unanswered.clear();
        self.retry_at = now;
        self.asked_at = None;
        self.ask_at = Some(now);
        self.report(Report::Trusted { trust: Trust::Authenticated });
    }

    /// A line of the device, or one that was too long.
    fn report_line(&mut self, line: Option<&[u8]>, now: Instant) {
        match line.and_then(|line| link::Report::parse(line).ok()) {
            Some(link::Report::Applied { led, number }) => {
                self.heard(now);
                self.says(Desired { led, number }, true, now);
            }
            Some(link::Report::State { led, number, name, version }) => {
                let (name, firmware) = (printable(name), printable(version));
                self.identify(Version::Second { name, firmware });
                self.heard(now);
                self.says(Desired { led, number }, false, now);
            }
            Some(link::Report::Refused { reason })
                if !self.talk.is_keyed() && Forged::of_reason(reason) == Some(Forged::Untagged) =>
            {
                self.verdict = Some(Verdict::KeyWanted);
            }
            // Any text may begin with an exclamation mark: it does not make a device a second one.
            Some(link::Report::Refused { reason }) if self.speaks == Speaks::Second => {
                self.heard(now);
                if !self.refused {
                    self.refused = true;
                    let number = self.sent.map_or(0, |sent| sent.number);
                    self.report(Report::Refused { number, reason: printable(reason) });
                }
            }
            Some(link::Report::Refused { .. }) | None => {
                // Or the question met the beginning of a line that an earlier connection left.
                if line.is_some_and(|line| line.starts_with(b"!")) && !self.asked_again {
                    self.asked_again = true;
                    self.ask_at = Some(now);
                }
                self.noise_lines = self.noise_lines.saturating_add(1);
            }
        }
    }

    /// A line that only a device of the second version sends.
    fn heard(&mut self, now: Instant) {
        self.asked_at = None;
        let is_known = matches!(self.identity, Some(Version::Second { .. }));
        // The answer to a command may come before the question was asked who it is.
        let pause = if is_known || !self.talk.is_keyed() {
            self.settings.keep_alive
        } else {
            Duration::ZERO
        };
        self.ask_at = Some(now + pause);
        if self.speaks != Speaks::Second {
            self.speaks = Speaks::Second;
            // Nothing was sent in this version yet, whatever bytes have left.
            self.sent = None;
            if !is_known {
                self.ask_at = Some(now);
            }
        }
    }

    fn says(&mut self, device: Desired, answers: bool, now: Instant) {
        let Desired { led, number } = device;
        let was = self.device.replace(device);
        let said_at = std::mem::replace(&mut self.said_at, now);
        let ours = self.unanswered.contains(&device) || self.desired == Some(device);
        // Commands are applied in order: what was sent before this one needs no answer any more.
        if let Some(at) = self.unanswered.iter().position(|sent| *sent == device) {
            self.unanswered.drain(..=at);
        }
        if was != Some(device) && !(answers && ours) {
            self.report(Report::State { led, number });
        }
        if ours && self.memory.applied != Some(device) {
            self.memory.applied = Some(device);
            self.report(Report::Applied { led, number, at: (self.voice.clock)() });
        }
        let Some(desired) = self.desired.filter(|desired| *desired != device) else { return };
        // After a longer silence it may be its lease that ended; with another number it has restarted.
        let is_close = now.duration_since(said_at) <= self.settings.keep_alive * 2;
        if was == Some(desired) && number == desired.number && is_close {
            let is_adopted = self.settings.drift == Drift::Adopt;
            self.report(Report::Drifted { led, number, is_adopted });
            if is_adopted {
                self.overruled = Some(desired.number);
                return;
            }
        }
        if self.overruled == Some(desired.number) {
            return;
        }
        if self.memory.applied == Some(desired) {
            // It was so and is not any more: at once, but not faster than one per `ack_timeout`.
            self.memory.applied = None;
            self.ack_wait = self.settings.ack_timeout;
            self.retry_at = now.max(self.sent_at + self.ack_wait);
        }
        let stuck = number > desired.number || (number == desired.number && led != desired.led);
        if stuck && self.ahead != Some((desired.number, number)) {
            self.ahead = Some((desired.number, number));
            self.report(Report::Ahead { led, number });
        }
    }

    fn identify(&mut self, version: Version) {
        if self.identity.as_ref() != Some(&version) {
            self.identity = Some(version.clone());
            self.report(Report::Identified { version });
        }
    }

    fn report_noise(&mut self, now: Instant) {
        if self.noise_lines > self.noise_reported {
            self.noise_reported = self.noise_lines;
            self.noise_at = now + NOISE_PAUSE;
            let lines = self.noise_lines;
            self.report(if self.talk.is_keyed() {
                Report::Forged { lines }
            } else {
                Report::Noise { lines }
            });
        }
    }

    fn report(&self, report: Report) {
        (self.voice.report)(report);
    }
}

/// A device's text without what could steer a terminal or break a log line.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(feature = "model")]
pub mod model;
#[cfg(test)]
mod tests;
