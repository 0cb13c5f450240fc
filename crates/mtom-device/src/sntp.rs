//! Keeps the [`WallClock`] right by asking a time server (SNTP, RFC 4330).
//!
//! It asks at once, after a failure again later and later, after an answer every hour, with jitter. An
//! answer counts when it is one to this very question: its time stamp is random, so that nobody who
//! does not see it can answer it, and what else arrives is passed over. A server that is not
//! synchronised itself, that refuses, or that names a time at which no device ran, changes nothing.
//! A jump is applied and told. Who answers is not proven: SNTP has no signatures.

use crate::backoff::Backoff;
use crate::clock::{Implausible, WallClock};
use core::net::SocketAddr;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use mtom_protocol::time::UnixMicros;
use sntpc::{
    NtpContext, NtpTimestampGenerator, NtpUdpSocket, sntp_process_response, sntp_send_request,
};

/// How long an answer may take.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The time between two questions, less jitter, once there was an answer.
pub const PERIOD: Duration = Duration::from_secs(60 * 60);
/// The first time between two questions without an answer; with jitter never below the 15 s of RFC 4330 10.
const RETRY_MIN: Duration = Duration::from_secs(30);

/// Where the time comes from.
#[allow(async_fn_in_trait, reason = "one executor thread on every target")]
pub trait TimeServer {
    /// A socket for one question and its answer.
    type Socket<'a>: NtpUdpSocket
    where
        Self: 'a;

    /// Waits for the network, finds the server's address and opens a socket, on a port of its own.
    ///
    /// # Errors
    /// Why not, for the log.
    async fn open(&mut self) -> Result<(Self::Socket<'_>, SocketAddr), &'static str>;
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The clock was set.
    Set {
        /// To this time.
        at: UnixMicros,
        /// By how many microseconds it jumped; `None` when it was not set before.
        jump_micros: Option<i64>,
    },
    /// The clock goes on as it was.
    Failed(NoTime),
}

/// Why a question brought no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTime {
    /// It could not be asked.
    #[error("no way to the time server: {0}")]
    NoWay(&'static str),
    /// It said nothing that counts.
    #[error("the time server does not answer")]
    NoAnswer,
    /// It asks to be left alone; it is, for [`PERIOD`].
    #[error("the time server refuses to answer")]
    Refuses,
    /// It does not know the time itself.
    #[error("the time server is not synchronised")]
    NotSynchronised,
    /// No answer of a time server.
    #[error("what the time server answers is no time: expected SNTP version 4, mode server")]
    NotSntp,
    /// A time at which no device ran.
    #[error("the time server is wrong: {0}")]
    Implausible(#[from] Implausible),
}

/// Sets `clock` for ever; `told` hears of every question.
pub async fn run(
    server: &mut impl TimeServer,
    clock: &WallClock,
    random: &mut impl FnMut() -> u32,
    told: &mut impl FnMut(Event),
) -> ! {
    let mut retry = Backoff::new(RETRY_MIN, PERIOD);
    loop {
        let outcome = ask(server, clock, random).await;
        told(outcome.unwrap_or_else(Event::Failed));
        let wait = match outcome {
            Ok(_) | Err(NoTime::Refuses) => {
                retry.reset();
                Backoff::new(PERIOD, PERIOD).next_delay(random())
            }
            Err(_) => retry.next_delay(random()),
        };
        Timer::after(wait).await;
    }
}

/// One question.
async fn ask(
    server: &mut impl TimeServer,
    clock: &WallClock,
    random: &mut impl FnMut() -> u32,
) -> Result<Event, NoTime> {
    let (socket, address) = server.open().await.map_err(NoTime::NoWay)?;
    let stamps = Stamps::new(random);
    let answer = async {
        let context = NtpContext::new(stamps);
        let sent = sntp_send_request(address, &socket, context).await?;
        loop {
            match sntp_process_response(address, &socket, context, sent).await {
                // Not the answer, which may still come.
                Err(
                    sntpc::Error::IncorrectOriginTimestamp
                    | sntpc::Error::ResponseAddressMismatch
                    | sntpc::Error::IncorrectPayload,
                ) => {}
                other => return other,
            }
        }
    };
    let answer = with_timeout(ANSWER_MAX, answer).await.map_err(|_| NoTime::NoAnswer)?;
    let offset_micros = answer.map_err(meaning)?.offset;
    let now = Instant::now();
    let at = UnixMicros(stamps.at(now).saturating_add(offset_micros));
    let was_set = clock.is_set();
    let jump_micros = clock.set(at, now)?;
    Ok(Event::Set { at, jump_micros: was_set.then_some(jump_micros) })
}

fn meaning(error: sntpc::Error) -> NoTime {
    use sntpc::Error;
    match error {
        Error::KissOfDeath(_) => NoTime::Refuses,
        Error::Network => NoTime::NoWay("the socket failed"),
        Error::UnsynchronizedClock
        | Error::IncorrectStratumHeaders
        | Error::ExcessiveRootDistance
        | Error::BackwardReferenceTimestamp => NoTime::NotSynchronised,
        _ => NoTime::NotSntp,
    }
}

/// The clock that questions are stamped with: right in its speed, random in its time.
#[derive(Clone, Copy, Debug)]
struct Stamps {
    /// Microseconds since 1970 when the device started, as far as this clock knows.
    started_at: u64,
    now: u64,
}

impl Stamps {
    /// Within six months after 2024-01-01, so that a true time is less than 68 years away: further
    /// apart, the 32 bits of NTP are ambiguous.
    fn new(random: &mut impl FnMut() -> u32) -> Self {
        let seconds = 1_704_067_200 + u64::from(random() >> 8);
        let micros = u64::from(random()) % 1_000_000;
        Self { started_at: seconds * 1_000_000 + micros, now: 0 }
    }

    /// Its microseconds since 1970.
    fn at(&self, now: Instant) -> i64 {
        i64::try_from(self.started_at.saturating_add(now.as_micros())).unwrap_or(i64::MAX)
    }
}

impl NtpTimestampGenerator for Stamps {
    fn init(&mut self) {
        self.now = self.started_at.saturating_add(Instant::now().as_micros());
    }

    fn timestamp_sec(&self) -> u64 {
        self.now / 1_000_000
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        u32::try_from(self.now % 1_000_000).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
