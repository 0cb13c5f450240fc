//! Moves bytes between a session and a stream until one of them ends.

use crate::report::Desired;
use crate::session::{Fault, Frame, Session};
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How much is read at once; what a device sends beyond waits in the operating system.
const READ_LEN: usize = 256;
/// The newest state still leaves after `stop`, when the link takes it within this.
const FAREWELL_MAX: Duration = Duration::from_millis(250);

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The caller wanted it so.
    Stopped,
    /// Reconnect. The reason is for people.
    Broken(String),
    /// Reconnect after the longest pause: nothing will be better before somebody has read the reason.
    Refused(String),
}

/// Runs one connection. A change of `desired` leads to the write call directly: no timer, no queue.
pub(crate) async fn pump<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    session: &mut Session<'_>,
    desired: &mut watch::Receiver<Option<Desired>>,
    write_timeout: Duration,
    stop: &CancellationToken,
) -> (S, End) {
    let (reader, writer) = split(stream);
    let mut pump = Pump { reader, writer, writing: None, write_timeout };
    let end = pump.run(session, desired, stop).await;
    session.end(Instant::now());
    (pump.reader.unsplit(pump.writer), end)
}

struct Pump<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    /// The one frame on its way. As long as no byte of it has left, a newer one takes its place.
    writing: Option<Writing>,
    write_timeout: Duration,
}

struct Writing {
    frame: Frame,
    bytes: Vec<u8>,
    done: usize,
    until: Instant,
}

impl<S: AsyncRead + AsyncWrite> Pump<S> {
    async fn run(
        &mut self,
        session: &mut Session<'_>,
        desired: &mut watch::Receiver<Option<Desired>>,
        stop: &CancellationToken,
    ) -> End {
        let mut buffer = [0; READ_LEN];
        loop {
            session.desire(*desired.borrow_and_update());
            let now = Instant::now();
            if let Some(Fault { reason, is_lasting }) = session.fault(now) {
                return if is_lasting { End::Refused(reason) } else { End::Broken(reason) };
            }
            self.choose(session, now);
            if self.writing.as_ref().is_some_and(|writing| writing.until <= now) {
                return End::Broken(format!("a write did not end within {:?}", self.write_timeout));
            }
            let due = self.writing.as_ref().map(|writing| writing.until);
            let due = [session.poll(now), due].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    session.desire(*desired.borrow_and_update());
                    self.farewell(session).await;
                    return End::Stopped;
                }
                written = write(&mut self.writer, self.writing.as_ref()) => match written {
                    Ok(0) => return End::Broken("the other end takes nothing any more".into()),
                    Ok(len) => self.advance(len, session),
                    Err(cause) => return End::Broken(format!("write failed: {cause}")),
                },
                () = changed(desired) => {}
                read = self.reader.read(&mut buffer) => match read {
                    Ok(0) => return End::Broken("closed by the other end".into()),
                    Ok(len) => session.receive(buffer.get(..len).unwrap_or_default(), Instant::now()),
                    Err(cause) => return End::Broken(format!("read failed: {cause}")),
                },
                () = wait(due) => {}
            }
        }
    }

    /// Takes the frame that is right now, unless one is half written.
    fn choose(&mut self, session: &mut Session<'_>, now: Instant) {
        if self.writing.as_ref().is_some_and(|writing| writing.done > 0) {
            return;
        }
        let frame = session.next(now);
        if frame == self.writing.as_ref().map(|writing| writing.frame) {
            return;
        }
        // A frame that replaces another one inherits its time: the link is no younger for it.
        let until = self.writing.as_ref().map_or(now + self.write_timeout, |old| old.until);
        self.writing =
            frame.map(|frame| Writing { frame, bytes: session.bytes(frame), done: 0, until });
    }

    fn advance(&mut self, len: usize, session: &mut Session<'_>) {
        let Some(writing) = &mut self.writing else { return };
        writing.done += len;
        if writing.done >= writing.bytes.len() {
            let frame = writing.frame;
            self.writing = None;
            session.sent(frame, Instant::now());
        }
    }

    /// Writes what is wanted last, if the link takes it at once.
    async fn farewell(&mut self, session: &mut Session<'_>) {
        let until = Instant::now() + FAREWELL_MAX.min(self.write_timeout);
        loop {
            self.choose(session, Instant::now());
            match &self.writing {
                Some(Writing { done: 0, frame: Frame::Ask | Frame::Hello(_), .. }) | None => return,
                Some(_) => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, write(&mut self.writer, self.writing.as_ref())).await {
                Ok(Ok(len)) if len > 0 => self.advance(len, session),
                _ => return,
            }
        }
    }
}

async fn write<S: AsyncWrite>(
    writer: &mut WriteHalf<S>,
    writing: Option<&Writing>,
) -> io::Result<usize> {
    match writing.and_then(|writing| writing.bytes.get(writing.done..)) {
        Some(rest) => writer.write(rest).await,
        None => pending().await,
    }
}

/// Only wakes: the loop takes the newest state on each turn.
pub(crate) async fn changed(desired: &mut watch::Receiver<Option<Desired>>) {
    // An error means that nobody can change it any more: the last state stays.
    if desired.changed().await.is_err() {
        pending::<()>().await;
    }
}

pub(crate) async fn wait(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
