//! How lines are said on one connection: as they are, or with the device's key
//! ([`mtom_protocol::link::keyed`]).
//!
//! With a key nothing is said before the device has shown that it has the same, and nothing is believed
//! that it does not vouch for. A conversation that the device has lost, because it started again, is
//! begun anew; what is refused meanwhile says so, and nobody vouches for that either: it leads to
//! another hello and to nothing else.

use crate::report::Trust;
use crate::settings::Settings;
use mtom_protocol::link::keyed::{Draw, Forged, Hello, Key, Seal};
use mtom_protocol::link::{LINE_LEN_MAX, LineError, Report};
use std::time::Duration;
use tokio::time::Instant;

/// Between two hellos of one greeting, doubled each time.
const HELLO_PAUSE: Duration = Duration::from_millis(500);

/// What a line is.
pub(super) enum Heard<'a> {
    /// The device says so.
    Line(&'a [u8]),
    /// A conversation has begun.
    Welcome,
    /// The device knows nothing of this conversation.
    Lost,
    /// Nobody vouches for it.
    Forged,
}

/// Why a device is not talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It never answers.
    Silent,
    /// It answers, and has no key.
    NoKey,
    /// It has another one.
    WrongKey,
    /// It has one, and we have none.
    KeyWanted,
    /// It has no random numbers.
    NoNonce,
    /// We have none.
    NoOwnNonce,
}

/// One connection's.
pub(super) struct Talk<'a> {
    /// Ours, where there is one.
    key: Option<(&'a Key, Draw)>,
    state: State,
}

enum State {
    /// There is no key.
    Open,
    Greeting(Greeting),
    Sealed(Seal),
}

struct Greeting {
    /// What is said next; `None`: there are no random numbers.
    next: Option<Hello>,
    next_at: Instant,
    pause: Duration,
    /// What was said, newest last. An answer to any but the newest comes too late: its conversation has
    /// ended with the next hello.
    said: Vec<Hello>,
    until: Instant,
    /// What is to be thought if no answer is right until then.
    verdict: Verdict,
}

impl<'a> Talk<'a> {
    pub(super) fn new(settings: &'a Settings, draw: Draw, now: Instant) -> Self {
        let key = settings.key.as_ref().map(|key| (key, draw));
        let mut talk = Self { key, state: State::Open };
        talk.greet(settings, now);
        talk
    }

    /// Begins a conversation, where there is a key for it.
    pub(super) fn greet(&mut self, settings: &Settings, now: Instant) {
        if let Some((_, draw)) = self.key {
            self.state = State::Greeting(Greeting {
                next: draw().map(Hello),
                next_at: now,
                pause: HELLO_PAUSE,
                said: Vec::new(),
                until: now + settings.answer_timeout,
                verdict: Verdict::Silent,
            });
        }
    }

    pub(super) fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Whether something can be said but hello.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Greeting(_))
    }

    /// The hello that is right at `now`.
    pub(super) fn hello(&self, now: Instant) -> Option<Hello> {
        match &self.state {
            State::Greeting(greeting) if greeting.next_at <= now => greeting.next,
            _ => None,
        }
    }

    pub(super) fn said(&mut self, hello: Hello, now: Instant) {
        let (State::Greeting(greeting), Some((_, draw))) = (&mut self.state, self.key) else {
            return;
        };
        greeting.said.push(hello);
        // Never twice the same: an answer to this one could be said again to the next.
        greeting.next = draw().map(Hello);
        greeting.next_at = now + greeting.pause;
        greeting.pause = greeting.pause.saturating_mul(2);
    }

    /// When there will be something to do.
    pub(super) fn due(&self) -> [Option<Instant>; 2] {
        match &self.state {
            State::Greeting(Greeting { next_at, until, .. }) => [Some(*next_at), Some(*until)],
            State::Open | State::Sealed(_) => [None, None],
        }
    }

    /// What is to be thought of a device that has not said the right thing until `now`.
    pub(super) fn verdict(&self, now: Instant) -> Option<Verdict> {
        match &self.state {
            State::Greeting(greeting) if greeting.next.is_none() => Some(Verdict::NoOwnNonce),
            State::Greeting(greeting) if greeting.until <= now => Some(greeting.verdict),
            _ => None,
        }
    }

    /// The bytes of `text`, a line without its newline.
    pub(super) fn line(&mut self, text: &str) -> Vec<u8> {
        let mut line = String::with_capacity(LINE_LEN_MAX + 1);
        match &mut self.state {
            // After 2^32 lines nothing is written any more, and the silence begins a new conversation.
            State::Sealed(seal) => drop(seal.seal(text, &mut line)),
            State::Open | State::Greeting(_) => line.push_str(text),
        }
        line.push('\n');
        line.into_bytes()
    }

    /// Takes a whole line, without its newline.
    pub(super) fn hear<'l>(&mut self, line: &'l [u8]) -> Heard<'l> {
        let Some((key, _)) = self.key else { return Heard::Line(line) };
        match &mut self.state {
            State::Open => Heard::Line(line),
            State::Sealed(seal) => match seal.open(line) {
                Ok(text) => Heard::Line(text),
                Err(_) if is_lost(line) => Heard::Lost,
                Err(_) => Heard::Forged,
            },
            State::Greeting(greeting) => {
                let Some((newest, older)) = greeting.said.split_last() else {
                    return Heard::Forged;
                };
                match Seal::welcomed(key, *newest, line) {
                    Ok(seal) => {
                        self.state = State::Sealed(seal);
                        return Heard::Welcome;
                    }
                    Err(Forged::WrongTag) => {
                        let is_late =
                            older.iter().any(|old| Seal::welcomed(key, *old, line).is_ok());
                        if !is_late {
                            greeting.verdict = Verdict::WrongKey;
                        }
                    }
                    Err(_) => {
                        if let Some(verdict) = refused(line)
                            && greeting.verdict == Verdict::Silent
                        {
                            greeting.verdict = verdict;
                        }
                    }
                }
                Heard::Forged
            }
        }
    }
}

/// Whether a device says with `line` that it knows nothing of a conversation.
fn is_lost(line: &[u8]) -> bool {
    match Report::parse(line) {
        Ok(Report::Refused { reason }) => matches!(
            Forged::of_reason(reason),
            Some(Forged::WrongTag | Forged::NoConversation | Forged::Untagged | Forged::NoKey)
        ),
        _ => false,
    }
}

/// What a device shows that answers a hello so.
fn refused(line: &[u8]) -> Option<Verdict> {
    match Report::parse(line) {
        Ok(Report::Refused { reason }) => match Forged::of_reason(reason) {
            Some(Forged::NoNonce) => Some(Verdict::NoNonce),
            // What an earlier connection has left, or our own that is older than the hello.
            Some(Forged::Untagged | Forged::WrongTag | Forged::Old | Forged::NoConversation) => {
                None
            }
            // Its firmware is older than keys, or it was given none.
            Some(Forged::NoKey) | None => Some(Verdict::NoKey),
        },
        Ok(_) => Some(Verdict::NoKey),
        Err(LineError::TooLong | LineError::NotAscii | LineError::NotARequest) => None,
        Err(LineError::NotAReport) => None,
    }
}

impl Verdict {
    /// What it says about whether the device is believed; `None`: nothing.
    pub(super) fn trust(self) -> Option<Trust> {
        match self {
            Self::NoKey => Some(Trust::Unauthenticated),
            Self::WrongKey | Self::KeyWanted => Some(Trust::WrongKey),
            Self::Silent | Self::NoNonce | Self::NoOwnNonce => None,
        }
    }

    /// Whether it stays so until somebody does something.
    pub(super) fn is_lasting(self) -> bool {
        self.trust().is_some()
    }

    /// For people: what it is and what to do about it.
    pub(super) fn reason(self, settings: &Settings) -> String {
        let wait = settings.answer_timeout;
        match self {
            Self::Silent => format!(
                "no answer for {wait:?}; an original device has no key, and is driven without key_file"
            ),
            Self::NoKey => {
                "unauthenticated: the device has no key; give it this one with mtom flash \
                            actuator --key-file, or take key_file away"
                    .into()
            }
            Self::WrongKey => {
                "wrong key: the device has another one; name that with key_file, or give \
                               it this one with mtom flash actuator --key-file"
                    .into()
            }
            Self::KeyWanted => {
                "wrong key: the device has a key, and this actuator none; name it with key_file"
                    .into()
            }
            Self::NoNonce => "the device has no random numbers yet".into(),
            Self::NoOwnNonce => "this system gives no random numbers".into(),
        }
    }
}
