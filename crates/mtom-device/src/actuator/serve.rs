//! One link of the actuator: bytes in, answers out, nothing that another link could feel.
//!
//! A read that has begun is never given up, because not every driver would keep its bytes. A write
//! that takes too long ends the link: whoever does not take an answer is gone.

use super::lamp::Answer;
use super::line::{Line, Parsed};
use super::{Actuator, Memory, Pin, VERSION};
use core::fmt::Write as _;
use core::future::pending;
use core::pin::pin;
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

impl<P: Pin, M: Memory> Actuator<P, M> {
    /// Serves a link until it ends.
    pub async fn serve(&self, mut rx: impl Read, mut tx: impl Write) -> Ended {
        let mut line = Line::new();
        let ended = self.converse(&mut line, &mut rx, &mut tx).await;
        if let Some(request) = line.close() {
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

    async fn converse(&self, line: &mut Line, rx: &mut impl Read, tx: &mut impl Write) -> Ended {
        let mut lapses = self.lamp.borrow().lapses();
        let mut bytes = [0; READ_LEN];
        loop {
            let read = {
                let mut read = pin!(rx.read(&mut bytes));
                loop {
                    match select(read.as_mut(), self.due(line)).await {
                        Either::First(read) => break read,
                        Either::Second(()) => {
                            if let Err(ended) = self.poll(line, &mut lapses, tx).await {
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
            if let Err(ended) = self.receive(bytes, line, &mut lapses, tx).await {
                return ended;
            }
        }
    }

    async fn receive(
        &self,
        bytes: &[u8],
        line: &mut Line,
        lapses: &mut u32,
        tx: &mut impl Write,
    ) -> Result<(), Ended> {
        // What comes after the end of the lease does not save it.
        self.report_lapse(lapses, tx).await?;
        let now = Instant::now();
        for &byte in bytes {
            if let Some(parsed) = line.take(byte, now) {
                self.answer(parsed, tx).await?;
            }
        }
        // A gateway that never pauses must not keep a bare byte waiting.
        self.poll(line, lapses, tx).await
    }

    /// Waits until there is something to do without any bytes.
    async fn due(&self, line: &Line) {
        let look_again_at = self.lamp.borrow().look_again_at(Instant::now());
        match [line.deadline(), look_again_at].into_iter().flatten().min() {
            Some(at) => Timer::at(at).await,
            None => pending().await,
        }
    }

    async fn poll(
        &self,
        line: &mut Line,
        lapses: &mut u32,
        tx: &mut impl Write,
    ) -> Result<(), Ended> {
        self.report_lapse(lapses, tx).await?;
        match line.poll(Instant::now()) {
            Some(parsed) => self.answer(parsed, tx).await,
            None => Ok(()),
        }
    }

    /// Unasked: the gateway, should it be there after all, learns of the change at once.
    async fn report_lapse(&self, seen: &mut u32, tx: &mut impl Write) -> Result<(), Ended> {
        let (lapses, state) = {
            let mut lamp = self.lamp.borrow_mut();
            lamp.poll(Instant::now());
            (lamp.lapses(), lamp.state())
        };
        if *seen == lapses {
            return Ok(());
        }
        *seen = lapses;
        self.send(state, tx).await
    }

    async fn answer(&self, parsed: Parsed, tx: &mut impl Write) -> Result<(), Ended> {
        match parsed {
            Ok(request) => {
                let answer = self.hear(request).await;
                self.send(answer, tx).await
            }
            Err(reason) => write(tx, Report::Refused { reason }).await,
        }
    }

    async fn send(&self, answer: Answer, tx: &mut impl Write) -> Result<(), Ended> {
        let report = match answer {
            Answer::Nothing => return Ok(()),
            Answer::Applied { led, number } => Report::Applied { led, number },
            Answer::State { led, number } => {
                Report::State { led, number, name: &self.name, version: VERSION }
            }
        };
        write(tx, report).await
    }
}

async fn write(tx: &mut impl Write, report: Report<'_>) -> Result<(), Ended> {
    let mut line = String::<{ LINE_LEN_MAX + 1 }>::new();
    // The longest report there is fits: its name and its version are short.
    writeln!(line, "{report}").map_err(|_| Ended::Broken)?;
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
