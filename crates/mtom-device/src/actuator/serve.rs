//! One link of the actuator: bytes in, answers out, nothing that another link could feel.
//!
//! A read that has begun is never given up, because not every driver would keep its bytes. A write
//! that takes too long ends the link: whoever does not take an answer is gone.

use super::lamp::Answer;
use super::line::{self, Line};
use super::talk::{Heard, Refusal, Talk};
use super::{Actuator, Memory, Pairing, Pin, VERSION};
use crate::flash::{Bond, Bonds, FlashError};
use core::fmt::{self, Write as _};
use core::future::{pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use heapless::String;
use mtom_protocol::link::{LINE_LEN_MAX, Report};

/// A gateway that does not take an answer for so long is gone.
pub const WRITE_MAX: Duration = Duration::from_secs(2);
/// Before a serial port that failed is read again.
pub const RETRY: Duration = Duration::from_millis(100);

const READ_LEN: usize = 64;

/// Why a link is served no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The other end closed it.
    Closed,
    /// It cannot be read or written any more.
    Broken,
    /// An answer was not taken within [`WRITE_MAX`].
    NotTaken,
}

/// What a link leads to: an actuator, or what stands between it and its links, as in a simulator.
#[allow(async_fn_in_trait, reason = "one executor thread on every target")]
pub trait Served {
    /// The name it is found under.
    fn name(&self) -> &str;

    /// Serves a link until it ends.
    async fn serve(&self, rx: impl Read, tx: impl Write) -> Ended;

    /// How it is paired over Bluetooth LE; `None`: it obeys anybody there.
    fn pairing(&self) -> Option<Pairing>;

    /// Whether its person says that the other end shows the same number; no, when nobody says so within
    /// [`COMPARE_WAIT`](super::COMPARE_WAIT).
    async fn is_same(&self) -> bool;

    /// Whom it was paired with.
    ///
    /// # Errors
    /// When the flash fails.
    async fn bonds(&self) -> Result<Bonds, FlashError>;

    /// Keeps whom it is paired with.
    ///
    /// # Errors
    /// When the flash fails: they are forgotten with the power then.
    async fn keep_bonds(&self, bonds: &[Bond]) -> Result<(), FlashError>;
}

impl<P: Pin, M: Memory> Served for Actuator<P, M> {
    fn name(&self) -> &str {
        Actuator::name(self)
    }

    async fn serve(&self, rx: impl Read, tx: impl Write) -> Ended {
        Actuator::serve(self, rx, tx).await
    }

    fn pairing(&self) -> Option<Pairing> {
        self.pairing
    }

    async fn is_same(&self) -> bool {
        self.question.is_yes().await
    }

    async fn bonds(&self) -> Result<Bonds, FlashError> {
        self.memory.lock().await.bonds().await
    }

    async fn keep_bonds(&self, bonds: &[Bond]) -> Result<(), FlashError> {
        self.memory.lock().await.keep_bonds(bonds).await
    }
}

/// What one link knows.
struct Link<'a> {
    line: Line,
    talk: Talk<'a>,
    /// The ends of leases that were said on it.
    lapses: u32,
}

impl<P: Pin, M: Memory> Actuator<P, M> {
    /// Serves a link until it ends.
    pub async fn serve(&self, mut rx: impl Read, mut tx: impl Write) -> Ended {
        let mut link = Link {
            line: Line::new(),
            talk: Talk::new(self.key.as_ref(), self.draw),
            lapses: self.lamp.borrow().lapses(),
        };
        let ended = self.converse(&mut link, &mut rx, &mut tx).await;
        if let Some(led) = link.line.close()
            && let Ok(Heard::Request(request)) = link.talk.take_bare(led)
        {
            self.hear(request).await;
        }
        ended
    }

    /// Serves a serial port, which is always there, for ever.
    pub async fn serve_always(&self, mut rx: impl Read, mut tx: impl Write) -> ! {
        loop {
            self.serve(&mut rx, &mut tx).await;
            Timer::after(RETRY).await;
        }
    }

    async fn converse(
        &self,
        link: &mut Link<'_>,
        rx: &mut impl Read,
        tx: &mut impl Write,
    ) -> Ended {
        let mut bytes = [0; READ_LEN];
        loop {
            let read = {
                let mut read = pin!(rx.read(&mut bytes));
                loop {
                    match select(read.as_mut(), self.due(&link.line, link.lapses)).await {
                        Either::First(read) => break read,
                        Either::Second(()) => {
                            if let Err(ended) = self.poll(link, tx).await {
                                return ended;
                            }
                        }
                    }
                }
            };
            let bytes = match read {
                Ok(0) => return Ended::Closed,
                Ok(len) => bytes.get(..len).unwrap_or_default(),
                Err(_) => return Ended::Broken,
            };
            if let Err(ended) = self.receive(bytes, link, tx).await {
                return ended;
            }
        }
    }

    async fn receive(
        &self,
        bytes: &[u8],
        link: &mut Link<'_>,
        tx: &mut impl Write,
    ) -> Result<(), Ended> {
        // What comes after the end of the lease does not save it.
        self.report_lapse(link, tx).await?;
        let now = Instant::now();
        for &byte in bytes {
            if let Some(ended) = link.line.take(byte, now) {
                let heard = understand(ended, &mut link.talk, now);
                self.answer(heard, &mut link.talk, tx).await?;
            }
        }
        // A gateway that never pauses must not keep a bare byte waiting.
        self.poll(link, tx).await
    }

    /// Waits until there is something to do without any bytes.
    async fn due(&self, line: &Line, lapses: u32) {
        let look_again_at = self.lamp.borrow().look_again_at(Instant::now());
        let in_time = async {
            match [line.deadline(), look_again_at].into_iter().flatten().min() {
                Some(at) => Timer::at(at).await,
                None => pending().await,
            }
        };
        let unasked = poll_fn(|context| {
            if self.lamp.borrow().lapses() != lapses {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().register(context.waker());
            Poll::Pending
        });
        select(in_time, unasked).await;
    }

    async fn poll(&self, link: &mut Link<'_>, tx: &mut impl Write) -> Result<(), Ended> {
        self.report_lapse(link, tx).await?;
        let now = Instant::now();
        match link.line.poll(now) {
            Some(ended) => {
                let heard = understand(ended, &mut link.talk, now);
                self.answer(heard, &mut link.talk, tx).await
            }
            None => Ok(()),
        }
    }

    /// Unasked: the gateway, should it be there after all, learns of the change at once.
    async fn report_lapse(&self, link: &mut Link<'_>, tx: &mut impl Write) -> Result<(), Ended> {
        let (lapses, state) = {
            let mut lamp = self.lamp.borrow_mut();
            lamp.poll(Instant::now());
            (lamp.lapses(), lamp.state())
        };
        if link.lapses == lapses {
            return Ok(());
        }
        link.lapses = lapses;
        self.send(state, &mut link.talk, tx).await
    }

    async fn answer(
        &self,
        heard: Result<Heard, Refusal>,
        talk: &mut Talk<'_>,
        tx: &mut impl Write,
    ) -> Result<(), Ended> {
        match heard {
            Ok(Heard::Request(request)) => {
                let answer = self.hear(request).await;
                self.send(answer, talk, tx).await
            }
            Ok(Heard::Hello(welcome)) => write(tx, |line| write!(line, "{welcome}")).await,
            // Who has lost the conversation could not believe a tag.
            Err(Refusal::Forged(forged)) => {
                let refused = Report::Refused { reason: forged.reason() };
                write(tx, |line| write!(line, "{refused}")).await
            }
            Err(Refusal::Senseless(reason)) => {
                write(tx, |line| talk.say(Report::Refused { reason }, line)).await
            }
        }
    }

    async fn send(
        &self,
        answer: Answer,
        talk: &mut Talk<'_>,
        tx: &mut impl Write,
    ) -> Result<(), Ended> {
        let report = match answer {
            Answer::Nothing => return Ok(()),
            Answer::Applied { led, number } => Report::Applied { led, number },
            Answer::State { led, number } => {
                Report::State { led, number, name: &self.name, version: VERSION }
            }
        };
        write(tx, |line| talk.say(report, line)).await
    }
}

/// What was said, as this link says it.
pub(super) fn understand(
    ended: line::Ended<'_>,
    talk: &mut Talk<'_>,
    now: Instant,
) -> Result<Heard, Refusal> {
    match ended {
        line::Ended::Line(line) => talk.take(line, now),
        line::Ended::Bare(led) => talk.take_bare(led),
        line::Ended::TooLong => Err(Refusal::Senseless("line too long")),
        line::Ended::Endless => Err(Refusal::Senseless("line without an end")),
    }
}

/// A line and its newline.
type Text = String<{ LINE_LEN_MAX + 1 }>;

/// Writes one line; none when there is nothing to say.
async fn write(
    tx: &mut impl Write,
    say: impl FnOnce(&mut Text) -> fmt::Result,
) -> Result<(), Ended> {
    let mut line = Text::new();
    // The longest report there is fits: its name and its version are short.
    say(&mut line).map_err(|_| Ended::Broken)?;
    if line.is_empty() {
        return Ok(());
    }
    line.push('\n').map_err(|_| Ended::Broken)?;
    let written = with_timeout(WRITE_MAX, async {
        tx.write_all(line.as_bytes()).await?;
        tx.flush().await
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Broken),
        Err(_) => Err(Ended::NotTaken),
    }
}

#[cfg(test)]
mod tests;
