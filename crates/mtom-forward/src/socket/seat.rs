//! The TCP stream of one connection, and whose turn it is to write to it.
//!
//! A viewer that takes what it is shown is *swept*: one task writes to all of those, one after the other. One whose
//! socket does not take a write whole gets the turn back, with the rest, and so does one that is answered. Whoever
//! has the turn starts at a frame's border and leaves at one, so frames stay whole. The place of a viewer changes
//! under the same lock as its turn: what is pushed before the turn changes hands is seen by who gives it away, what
//! is pushed later by who has it then.

use super::ear::Ear;
use crate::ring::{Batch, Place};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

pub(crate) struct Seat {
    pub(super) tcp: TcpStream,
    pub(super) ear: Ear,
    // `std`: held for one write that does not wait, never across an await.
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    /// Where its viewer is; `None`: it is shown nothing.
    place: Option<Place>,
    /// It is the turn of who writes to all; else of the connection's own task.
    is_swept: bool,
    /// What did not fit of the last shared write; empty and without memory nearly always.
    rest: Vec<u8>,
    written: usize,
}

/// What is written to all who are at one place.
pub(crate) trait Show {
    /// What comes next at `place`.
    fn next(&mut self, place: Place) -> &Batch;
    /// The last one was taken over by a viewer.
    fn written(&mut self);
}

/// What came of writing to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// So many bytes went out.
    pub(crate) len: usize,
    /// It takes what it is shown, and there is more for it.
    pub(crate) more: bool,
}

impl Seat {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self { tcp, ear: Ear::new(), desk: Mutex::default() }
    }

    /// From now on it is shown what comes behind `place`. The turn is its own task's.
    pub(crate) fn sit_down(&self, place: Place) {
        self.desk().place = Some(place);
    }

    /// The turn is its own task's until that has shown everything. True: it was not before.
    pub(super) fn take_turn(&self) -> bool {
        std::mem::take(&mut self.desk().is_swept)
    }

    /// Writes one batch, where it is swept and there is one.
    pub(crate) fn sweep(&self, show: &mut impl Show) -> Swept {
        let mut desk = self.desk();
        let Desk { place: Some(place), is_swept: true, .. } = *desk else {
            return Swept::default();
        };
        let batch = show.next(place);
        let len = batch.bytes.len();
        if len == 0 {
            return Swept::default();
        }
        // What has failed its own task finds out.
        let taken = self.tcp.try_write(&batch.bytes).unwrap_or(0);
        let more = batch.more;
        if taken > 0 {
            desk.place = Some(batch.place);
            desk.rest.extend_from_slice(batch.bytes.get(taken..).unwrap_or_default());
            show.written();
        }
        if taken == len {
            return Swept { len, more };
        }
        desk.is_swept = false;
        drop(desk);
        self.ear.call();
        Swept { len: taken, more: false }
    }

    /// Writes the rest of a batch, or the next one, as far as the socket takes it. False: everything is shown, and
    /// the turn is given away.
    pub(crate) fn poll_share(
        &self,
        cx: &mut Context<'_>,
        show: &mut impl Show,
    ) -> Poll<io::Result<bool>> {
        let mut desk = self.desk();
        desk.is_swept = false;
        if !desk.rest.is_empty() {
            return self.poll_rest(&mut desk, cx).map_ok(|()| true);
        }
        let Some(place) = desk.place else { return Poll::Ready(Ok(false)) };
        let batch = show.next(place);
        if batch.bytes.is_empty() {
            desk.is_swept = true;
            return Poll::Ready(Ok(false));
        }
        let len = ready!(self.poll_some(cx, &batch.bytes))?;
        desk.place = Some(batch.place);
        desk.rest.extend_from_slice(batch.bytes.get(len..).unwrap_or_default());
        show.written();
        Poll::Ready(Ok(true))
    }

    /// Ready after any progress with the rest.
    fn poll_rest(&self, desk: &mut Desk, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let unwritten = desk.rest.get(desk.written..).unwrap_or_default();
        desk.written += ready!(self.poll_some(cx, unwritten))?;
        if desk.written >= desk.rest.len() {
            desk.rest = Vec::new();
            desk.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when no rest is left.
    pub(super) fn poll_no_rest(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut desk = self.desk();
        while !desk.rest.is_empty() {
            ready!(self.poll_rest(&mut desk, cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes some of these bytes, which are not none.
    pub(super) fn poll_some(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            match self.tcp.try_write(bytes) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            match self.tcp.try_read(buf.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(|len| buf.advance(len))),
            }
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that wait, and the memory that is taken for them.
    #[cfg(test)]
    pub(super) fn rest(&self) -> (usize, usize) {
        let desk = self.desk();
        (desk.rest.len() - desk.written, desk.rest.capacity())
    }
}
