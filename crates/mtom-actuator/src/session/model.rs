//! A link's session as a value that a model checker can copy, compare and hash.
//!
//! Every step wakes a real session, lets it act and puts it to rest again; between steps its times
//! are counted from now, so that what behaves alike is alike. Lines come whole and writes succeed at
//! once, as in the pump when the link takes them.

use super::{Memory, Session, Speaks, Voice};
use crate::report::{Clock, Desired, Report, Version};
use crate::settings::{Drift, Settings};
use mtom_protocol::time::UnixMicros;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// One link: what outlives a connection, and the connection while there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkModel {
    applied: Option<Desired>,
    connection: Option<Rest>,
}

/// Milliseconds from now, negative in the past.
type Millis = i64;

/// All that a [`Session`] knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rest {
    speaks: RestSpeaks,
    identity: Option<Version>,
    desired: Option<Desired>,
    sent: Option<Desired>,
    unanswered: Vec<Desired>,
    device: Option<Desired>,
    ahead: Option<(u64, u64)>,
    said_at: Millis,
    overruled: Option<u64>,
    refused: bool,
    asked_again: bool,
    sent_at: Millis,
    bare_at: Option<Millis>,
    ack_wait: Duration,
    retry_at: Millis,
    refresh_at: Millis,
    ask_at: Option<Millis>,
    asked_at: Option<Millis>,
    noise_lines: u64,
    noise_reported: u64,
    noise_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum RestSpeaks {
    Unknown { until: Millis },
    Original,
    Second,
}

impl LinkModel {
    /// Whether there is a connection.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.connection.is_some()
    }

    /// A connection begins.
    pub fn connect(&mut self, settings: &Settings) -> Vec<Report> {
        let mut memory = Memory { applied: self.applied };
        let (rest, reports) =
            voiced(|voice| Rest::of(Session::new(settings, voice, &mut memory, now()), settings));
        *self = Self { applied: memory.applied, connection: Some(rest) };
        reports
    }

    /// The connection is gone.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// The newest desired state.
    pub fn desire(&mut self, settings: &Settings, desired: Desired) {
        self.act(settings, |session| session.desire(Some(desired)));
    }

    /// Writes what is right now: the bytes, if any, and what was reported.
    pub fn write(&mut self, settings: &Settings) -> (Option<Vec<u8>>, Vec<Report>) {
        let (bytes, reports) = self.act(settings, |session| {
            let frame = session.next(now())?;
            session.sent(frame, now());
            Some(session.bytes(frame))
        });
        (bytes.flatten(), reports)
    }

    /// Bytes came from the device: whole lines.
    pub fn receive(&mut self, settings: &Settings, lines: &[u8]) -> Vec<Report> {
        self.act(settings, |session| session.receive(lines, now())).1
    }

    /// Whether the connection is of no use any more.
    pub fn is_faulty(&mut self, settings: &Settings) -> bool {
        self.act(settings, |session| session.fault(now()).is_some()).0 == Some(true)
    }

    /// Time passes.
    pub fn pass(&mut self, settings: &Settings, span: Duration) {
        let Some(rest) = &mut self.connection else { return };
        let span = millis(span);
        let spans = [settings.refresh, settings.keep_alive, settings.answer_timeout];
        // What is so long ago that nothing counts from it any more is all the same.
        let floor = -millis(spans.into_iter().max().unwrap_or_default());
        let Rest {
            said_at,
            sent_at,
            bare_at,
            retry_at,
            refresh_at,
            ask_at,
            asked_at,
            noise_at,
            ..
        } = rest;
        let until = match &mut rest.speaks {
            RestSpeaks::Unknown { until } => Some(until),
            RestSpeaks::Original | RestSpeaks::Second => None,
        };
        let always = [sent_at, retry_at, refresh_at, noise_at].into_iter();
        let said_at = (settings.drift == Drift::Adopt).then_some(said_at);
        let perhaps = [said_at, until, bare_at.as_mut(), ask_at.as_mut(), asked_at.as_mut()];
        for at in always.chain(perhaps.into_iter().flatten()) {
            *at = (*at - span).max(floor);
        }
    }

    fn act<T>(
        &mut self,
        settings: &Settings,
        act: impl FnOnce(&mut Session<'_>) -> T,
    ) -> (Option<T>, Vec<Report>) {
        let Some(rest) = self.connection.take() else { return (None, Vec::new()) };
        let mut memory = Memory { applied: self.applied };
        let ((acted, rest), reports) = voiced(|voice| {
            let mut session = rest.wake(settings, voice, &mut memory);
            let acted = act(&mut session);
            (acted, Rest::of(session, settings))
        });
        *self = Self { applied: memory.applied, connection: Some(rest) };
        (Some(acted), reports)
    }
}

impl Rest {
    fn of(session: Session<'_>, settings: &Settings) -> Self {
        // Without `..`: a new field must be thought of here.
        let Session {
            settings: _,
            voice: _,
            memory: _,
            speaks,
            // Here nobody has a key: with one the session is the same, once the device is believed.
            talk: _,
            verdict: _,
            identity,
            desired,
            sent,
            unanswered,
            device,
            said_at,
            ahead,
            overruled,
            refused,
            asked_again,
            sent_at,
            bare_at,
            ack_wait,
            retry_at,
            refresh_at,
            ask_at,
            asked_at,
            lines: _,
            noise_lines,
            noise_reported,
            noise_at,
        } = session;
        let speaks = match speaks {
            Speaks::Unknown { until } => RestSpeaks::Unknown { until: from_now(until) },
            Speaks::Original => RestSpeaks::Original,
            Speaks::Second => RestSpeaks::Second,
        };
        Self {
            speaks,
            identity,
            desired,
            sent,
            unanswered,
            device,
            // Else it decides what is reported and nothing that is done.
            said_at: if settings.drift == Drift::Adopt { from_now(said_at) } else { 0 },
            ahead,
            overruled,
            refused,
            asked_again,
            sent_at: from_now(sent_at),
            bare_at: bare_at.map(from_now),
            ack_wait: ack_wait.min(settings.refresh),
            retry_at: from_now(retry_at),
            refresh_at: from_now(refresh_at),
            ask_at: ask_at.map(from_now),
            asked_at: asked_at.map(from_now),
            noise_lines,
            noise_reported,
            noise_at: from_now(noise_at),
        }
    }

    fn wake<'a>(
        self,
        settings: &'a Settings,
        voice: &'a Voice<'a>,
        memory: &'a mut Memory,
    ) -> Session<'a> {
        Session {
            speaks: match self.speaks {
                RestSpeaks::Unknown { until } => Speaks::Unknown { until: at(until) },
                RestSpeaks::Original => Speaks::Original,
                RestSpeaks::Second => Speaks::Second,
            },
            identity: self.identity,
            desired: self.desired,
            sent: self.sent,
            unanswered: self.unanswered,
            device: self.device,
            said_at: at(self.said_at),
            ahead: self.ahead,
            overruled: self.overruled,
            refused: self.refused,
            asked_again: self.asked_again,
            sent_at: at(self.sent_at),
            bare_at: self.bare_at.map(at),
            ack_wait: self.ack_wait,
            retry_at: at(self.retry_at),
            refresh_at: at(self.refresh_at),
            ask_at: self.ask_at.map(at),
            asked_at: self.asked_at.map(at),
            noise_lines: self.noise_lines,
            noise_reported: self.noise_reported,
            noise_at: at(self.noise_at),
            ..Session::new(settings, voice, memory, now())
        }
    }
}

/// What `act` did, and what it reported meanwhile.
fn voiced<T>(act: impl FnOnce(&Voice<'_>) -> T) -> (T, Vec<Report>) {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    let clock = CLOCK.get_or_init(|| Arc::new(|| UnixMicros(0)));
    let heard = Mutex::new(Vec::new());
    let report = |report| heard.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    let acted = act(&Voice { report: &report, clock, draw: || None });
    (acted, heard.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The moment that every step happens at, with room for a past.
fn now() -> Instant {
    static NOW: OnceLock<Instant> = OnceLock::new();
    *NOW.get_or_init(|| Instant::now() + Duration::from_secs(86_400))
}

fn millis(span: Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}

fn from_now(instant: Instant) -> Millis {
    if instant >= now() { millis(instant - now()) } else { -millis(now() - instant) }
}

fn at(from_now: Millis) -> Instant {
    let span = Duration::from_millis(from_now.unsigned_abs());
    if from_now >= 0 { now() + span } else { now() - span }
}
