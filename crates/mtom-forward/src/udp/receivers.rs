//! Who gets readings by UDP, how far each of them is, and what those who ask are answered.
//!
//! No sockets: datagrams come in and go out as bytes. An address that has not proved itself is answered with a
//! cookie or not at all, and never with more bytes than came from it.

use super::cookie::{Cookies, Secret};
use super::words::{Answer, Opening, Request, write_reading};
use super::{HOST_MAX, LEASE, SILENCE, STRAIN, STRANGERS_MAX, Tally};
use crate::feed::Feed;
use crate::follow::connected_again;
use crate::lines::{self, Wrong};
use crate::owners::Hold;
use crate::recent::Room;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// What one gets before it is the next one's turn.
const PIECE: Room = Room { bytes: 8 * 1024, lines: 32, looks: 512 };

struct Receiver {
    address: SocketAddr,
    wants: lines::Request,
    /// It was sent everything up to this id, or does not want it.
    until: u64,
    /// The number of its last datagram; those that were lost here count too.
    seq: u64,
    /// `None`: by configuration, for ever.
    lease_end: Option<Instant>,
    /// It is a controller.
    hold: Option<Hold>,
}

impl Receiver {
    /// It may be gone: it has not asked for long.
    fn is_silent(&self, now: Instant) -> bool {
        self.lease_end.is_some_and(|end| end.saturating_duration_since(now) < LEASE - SILENCE)
    }
}

/// A datagram for one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) to: SocketAddr,
    /// It did not ask for it: the configuration names it.
    pub(crate) is_target: bool,
    pub(crate) bytes: &'a [u8],
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The system took it.
    Sent,
    /// The system did not take it at once.
    NoRoom,
    /// The system takes none like this.
    Failed,
}

/// All of them, each in its turn.
pub(crate) struct Receivers {
    feed: Feed,
    tally: Arc<Tally>,
    cookies: Cookies,
    subscribers_max: usize,
    /// Targets and subscribers.
    all: Vec<Receiver>,
    /// Whose turn it is.
    turn: usize,
    /// How many in succession lacked nothing. All of them: there is nothing to send.
    content: usize,
    /// Until then nothing is sent to those who may be gone.
    strained_until: Instant,
    /// How many that have proved nothing asked since then.
    strangers: (Instant, u32),
    /// No lease ends before.
    lease_end: Option<Instant>,
    datagram: Vec<u8>,
}

impl Receivers {
    /// They get what comes from now on.
    pub(crate) fn new(
        feed: Feed,
        secret: Secret,
        targets: &[SocketAddr],
        subscribers_max: usize,
        now: Instant,
    ) -> Self {
        let until = feed.newest();
        let target = |address: &SocketAddr| Receiver {
            address: *address,
            wants: lines::Request::default(),
            until,
            seq: 0,
            lease_end: None,
            hold: None,
        };
        Self {
            tally: feed.udp_tally(),
            feed,
            cookies: Cookies::new(secret, now),
            subscribers_max,
            all: targets.iter().map(target).collect(),
            turn: 0,
            content: 0,
            strained_until: now,
            strangers: (now, 0),
            lease_end: None,
            datagram: Vec::new(),
        }
    }

    /// What `from` is answered; `None`: nothing.
    pub(crate) fn hear(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        now: Instant,
    ) -> Option<Vec<u8>> {
        let answer = self.answer(datagram, from, now);
        if answer.is_none() {
            self.tally.unanswered.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    fn answer(&mut self, datagram: &[u8], from: SocketAddr, now: Instant) -> Option<Vec<u8>> {
        let opening = Opening::parse(datagram)?;
        let fresh = self.cookies.of(from, now);
        if !opening.cookie.is_some_and(|cookie| self.cookies.prove(&cookie, from, now)) {
            // Whoever it is: the readings of others must not be drawn upon an address that never asked.
            let answer = Answer { cookie: Some(&fresh), ..Answer::default() }.told();
            return (answer.len() <= datagram.len() && self.may_answer(now)).then_some(answer);
        }
        let answer = match Request::parse(datagram) {
            Err(wrong) => Err(wrong),
            Ok(Request::Unsubscribe) => {
                let sent = self.forget(from, now);
                Ok(Answer { sent: Some(sent), ..Answer::default() }.told())
            }
            Ok(Request::Subscribe(wants)) => {
                let gateway = wants.status.then(|| self.feed.status());
                self.subscribe(from, wants, now).map(|sent| {
                    let (sent, cookie) = (Some(sent), Some(fresh.as_str()));
                    Answer { subscribed: LEASE.as_secs(), sent, cookie, gateway }.told()
                })
            }
        };
        Some(answer.unwrap_or_else(|wrong| wrong.line()))
    }

    /// Whether one more that has proved nothing is answered. What is sent to an address that is not there takes the room
    /// of those that are, for seconds; where there is none left already it is few.
    fn may_answer(&mut self, now: Instant) -> bool {
        if now.duration_since(self.strangers.0) >= Duration::from_secs(1) {
            self.strangers = (now, 0);
        }
        self.strangers.1 += 1;
        let is_strained = now < self.strained_until;
        self.strangers.1 <= if is_strained { STRANGERS_MAX / 10 } else { STRANGERS_MAX }
    }

    /// How many it was sent already.
    fn subscribe(
        &mut self,
        address: SocketAddr,
        wants: lines::Request,
        now: Instant,
    ) -> Result<u64, Wrong> {
        let lease_end = now + LEASE;
        if let Some(known) = self.all.iter_mut().find(|receiver| receiver.address == address) {
            if known.lease_end.is_none() {
                let error = "this address gets every reading already";
                let next = "it is one of forward.udp.targets: ask from another port";
                return Err(Wrong::new(error, next));
            }
            if known.hold.as_ref().is_some_and(Hold::is_replaced) {
                self.forget(address, now);
                return Err(connected_again());
            }
            let mut before = None;
            if known.wants.controller != wants.controller {
                let hold = hold(&self.feed, &wants, address, now)?;
                before = std::mem::replace(&mut known.hold, hold);
            }
            known.wants = wants;
            known.lease_end = Some(lease_end);
            let sent = known.seq;
            self.let_go(before, now);
            return Ok(sent);
        }
        let of_host = |receiver: &&Receiver| {
            receiver.lease_end.is_some() && receiver.address.ip() == address.ip()
        };
        if self.subscribers() >= self.subscribers_max
            || self.all.iter().filter(of_host).count() >= HOST_MAX
        {
            self.tally.refused.fetch_add(1, Ordering::Relaxed);
            let next = "try again in a minute, or ask by TCP (forward.tcp.listen)";
            return Err(Wrong::new("every place is taken", next));
        }
        let hold = hold(&self.feed, &wants, address, now)?;
        let (until, lease_end) = (self.feed.newest(), Some(lease_end));
        self.all.push(Receiver { address, wants, until, seq: 0, lease_end, hold });
        self.lease_end = self.lease_end.or(lease_end);
        self.changed();
        Ok(0)
    }

    /// How many it was sent.
    fn forget(&mut self, address: SocketAddr, now: Instant) -> u64 {
        let is_it =
            |receiver: &Receiver| receiver.address == address && receiver.lease_end.is_some();
        let Some(at) = self.all.iter().position(is_it) else { return 0 };
        let Receiver { seq, hold, .. } = self.all.remove(at);
        self.let_go(hold, now);
        self.changed();
        seq
    }

    /// When the next lease may end.
    pub(crate) const fn lease_end(&self) -> Option<Instant> {
        self.lease_end
    }

    /// Forgets those whose lease has ended.
    pub(crate) fn expire(&mut self, now: Instant) {
        let is_over = |receiver: &mut Receiver| receiver.lease_end.is_some_and(|end| end <= now);
        let over: Vec<_> = self.all.extract_if(.., is_over).collect();
        // It has gone when it was heard of last.
        let gone_at = now.checked_sub(LEASE).unwrap_or(now);
        for Receiver { hold, .. } in over {
            self.let_go(hold, gone_at);
        }
        self.lease_end = self.all.iter().filter_map(|receiver| receiver.lease_end).min();
        self.changed();
    }

    fn let_go(&self, hold: Option<Hold>, now: Instant) {
        if let Some(hold) = hold {
            hold.leave((self.feed.origin().now)(), now);
        }
    }

    fn changed(&mut self) {
        let count = self.subscribers() as u64;
        self.tally.subscribers.send_if_modified(|told| std::mem::replace(told, count) != count);
        // Their order is another one.
        self.rung();
    }

    fn subscribers(&self) -> usize {
        self.all.iter().filter(|receiver| receiver.lease_end.is_some()).count()
    }

    /// There may be something for each of them.
    pub(crate) const fn rung(&mut self) {
        self.content = 0;
    }

    /// Nobody lacks anything.
    pub(crate) fn is_content(&self) -> bool {
        self.content >= self.all.len()
    }

    /// Has the next one in turn sent what it lacks, as far as a piece goes; how many datagrams that were. What `send`
    /// does not get rid of at once is lost, because waiting for one would be waiting for all.
    pub(crate) fn serve_next(
        &mut self,
        now: Instant,
        mut send: impl FnMut(Outgoing<'_>) -> Fate,
    ) -> usize {
        if self.all.is_empty() {
            return 0;
        }
        self.turn = (self.turn + 1) % self.all.len();
        let Some(receiver) = self.all.get_mut(self.turn) else { return 0 };
        let (piece, newest) = self.feed.recent(receiver.until, &receiver.wants, PIECE);
        let Some(piece) = piece else {
            // Each may have been wanted or not: a receiver shall not count less than it has lost.
            let passed = newest - receiver.until;
            receiver.seq += passed;
            receiver.until = newest;
            self.tally.passed_over.fetch_add(passed, Ordering::Relaxed);
            self.content = 0;
            return 0;
        };
        if piece.until == receiver.until {
            self.content += 1;
            return 0;
        }
        self.content = 0;
        receiver.until = piece.until;
        if now < self.strained_until && receiver.is_silent(now) {
            let lost = piece.ids.len() as u64;
            receiver.seq += lost;
            self.tally.dropped.fetch_add(lost, Ordering::Relaxed);
            return 0;
        }
        let is_target = receiver.lease_end.is_none();
        let mut count = 0;
        // No line has another end within.
        let lines = piece.bytes.split_inclusive(|byte| *byte == b'\n');
        for (line, id) in lines.zip(piece.ids) {
            count += 1;
            receiver.seq += 1;
            write_reading(&mut self.datagram, receiver.seq, line);
            let bytes = self.datagram.as_slice();
            let fate = send(Outgoing { to: receiver.address, is_target, bytes });
            if fate == Fate::Sent {
                self.tally.sent.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            if fate == Fate::NoRoom && !is_target {
                self.strained_until = now + STRAIN;
            }
            // The rest goes on its next turn, when the system has sent some of what it holds.
            receiver.until = id;
            break;
        }
        count
    }

    /// The last word for each subscriber: that no more comes, and how many came.
    pub(crate) fn farewell(&mut self, mut send: impl FnMut(Outgoing<'_>) -> Fate) {
        for receiver in self.all.drain(..).filter(|receiver| receiver.lease_end.is_some()) {
            let answer = Answer { sent: Some(receiver.seq), ..Answer::default() }.told();
            send(Outgoing { to: receiver.address, is_target: false, bytes: &answer });
        }
        self.changed();
    }
}

/// What a controller drives from now on.
fn hold(
    feed: &Feed,
    wants: &lines::Request,
    address: SocketAddr,
    now: Instant,
) -> Result<Option<Hold>, Wrong> {
    let Some(claim) = &wants.controller else { return Ok(None) };
    feed.claim(claim, address.ip(), now).map(Some)
}

#[cfg(test)]
mod tests;
