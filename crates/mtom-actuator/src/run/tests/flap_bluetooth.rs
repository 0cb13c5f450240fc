//! A thousand Bluetooth links that end in every way there is, most of them without a word. Whatever is
//! wanted while there is none, only the newest of it may ever arrive.

use super::stack::{Answer, Device, Log, Stack, Turn};
use super::{NOW, quick};
use crate::BluetoothId;
use crate::bluetooth::finder::Say;
use crate::opener::{Duplex, Opener, Search};
use crate::report::{Clock, Desired};
use crate::run::drive;
use crate::session::Voice;
use crate::settings::{Protocol, Settings};
use futures_util::future::{BoxFuture, FutureExt};
use mtom_protocol::link::{Led, Request};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const FLAPS: u64 = 1_000;
/// Of the paused clock.
const LIMIT: Duration = Duration::from_secs(100 * 3_600);
/// A line with it just fits into one write; after half of the flaps lines take two.
const FIRST_NUMBER: u64 = 99_999_999_999_998_800;

/// What the device saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Connections whose first command was not the newest one.
    late_first: u64,
    /// Commands that were older than the newest one when their connection began.
    stale: u64,
    /// Commands at all.
    commands: u64,
    /// The last one.
    last: u64,
}

/// A device that goes away in another way each time.
struct Flapping {
    desired: watch::Sender<Option<Desired>>,
    stop: CancellationToken,
    flaps: u64,
    number: u64,
    /// When this connection began.
    newest: u64,
    /// Commands of this connection.
    commands: u64,
    seen: Seen,
}

impl Flapping {
    fn want(&mut self) {
        self.number += 1;
        let (number, led) =
            (self.number, if self.number.is_multiple_of(2) { Led::Off } else { Led::On });
        self.desired.send_replace(Some(Desired { led, number }));
    }

    /// Which way this connection ends.
    fn way(&self) -> u64 {
        if self.flaps > FLAPS { u64::MAX } else { self.flaps % 7 }
    }

    fn judge(&mut self, number: u64) {
        self.commands += 1;
        self.seen.commands += 1;
        self.seen.stale += u64::from(number < self.newest);
        self.seen.late_first += u64::from(self.commands == 1 && number != self.newest);
        self.seen.last = number;
    }
}

impl Device for Flapping {
    fn connect(&mut self) -> Turn {
        self.flaps += 1;
        // All of this is wanted while there is no connection.
        for _ in 0..=self.flaps % 4 {
            self.want();
        }
        (self.newest, self.commands) = (self.number, 0);
        if self.way() == 0 { Turn::Hangs } else { Turn::Opens }
    }

    fn half(&mut self) -> Answer {
        let dies = match self.way() {
            2 => true,
            3 => self.commands > 0,
            _ => false,
        };
        if dies { Answer::Dies } else { Answer::Says(String::new()) }
    }

    fn line(&mut self, line: &str) -> Answer {
        if matches!(self.way(), 1 | 2) || (self.way() == 3 && self.commands > 0) {
            return Answer::Dies;
        }
        let Ok(Request::Set { led, number }) = Request::parse(line.as_bytes()) else {
            let last = self.seen.last;
            return if self.way() == 5 {
                Answer::Dies
            } else {
                Answer::Says(format!("= c {last} FLAP 1\n"))
            };
        };
        self.judge(number);
        match self.way() {
            6 => return Answer::Cuts,
            5 => return Answer::Dies,
            4 if self.commands > 1 => return Answer::Cuts,
            3 | 4 => self.want(),
            u64::MAX if number == self.number => self.stop.cancel(),
            _ => {}
        }
        Answer::Says(format!("{led} {number}\n"))
    }
}

type Way = Box<dyn Search>;

/// Drives a link through the flaps; `plant` may put something else in the place of what searches.
async fn flap(plant: impl FnOnce(Way) -> Way) -> Seen {
    let settings = Settings { protocol: Protocol::Second, ..quick("ble:C6:55:44:33:22:11") };
    let (desired, mut wanted) = watch::channel(None);
    let stop = CancellationToken::new();
    let (number, seen) = (FIRST_NUMBER, Seen::default());
    let (flaps, newest, commands) = (0, number, 0);
    let device = Flapping { desired, stop: stop.clone(), flaps, number, newest, commands, seen };
    let stack = Stack::new(device, settings.write_timeout, Log::default());
    let way = plant(Box::new(stack.finder(&settings)));
    let clock: Clock = Arc::new(|| NOW);
    let voice = Voice { report: &drop, clock: &clock, draw: || None };
    let opener = Opener::over(way, &settings);
    let driven = drive(opener, &settings, &mut wanted, &voice, &stop);
    timeout(LIMIT, driven).await.expect("it comes to its end");
    stack.device(|device| {
        assert_eq!(device.flaps, FLAPS + 1);
        device.seen
    })
}

#[tokio::test(start_paused = true)]
async fn a_thousand_flaps_bring_the_newest_state_first_and_nothing_stale() {
    let seen = flap(|way| way).await;
    assert!(seen.commands > FLAPS / 2, "{seen:?}");
    assert_eq!((seen.late_first, seen.stale), (0, 0), "{seen:?}");
}

/// The planted fault: one that does not let go of a device that is gone.
struct Clinging(Way);

impl Search for Clinging {
    fn open<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Box<dyn Duplex>, String>> {
        self.0.open(say)
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    fn judge(&mut self, was_useful: bool) {
        self.0.judge(was_useful);
    }

    fn remembered(&self) -> Option<&BluetoothId> {
        self.0.remembered()
    }
}

#[tokio::test(start_paused = true)]
async fn the_flaps_catch_an_opener_that_keeps_the_old_line() {
    let seen = flap(|way| Box::new(Clinging(way))).await;
    assert!(seen.stale > 0 && seen.late_first > 0, "{seen:?}");
}

/// The planted fault: one that writes over the next connection what the last one had not answered.
struct Repeating {
    way: Way,
    unanswered: Kept,
}

type Kept = Arc<Mutex<Vec<u8>>>;

impl Search for Repeating {
    fn open<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Box<dyn Duplex>, String>> {
        async move {
            let stream = self.way.open(say).await?;
            let again = std::mem::take(&mut *self.unanswered.lock().unwrap());
            let unanswered = Arc::clone(&self.unanswered);
            let stream: Box<dyn Duplex> = Box::new(Repeated { stream, again, unanswered });
            Ok(stream)
        }
        .boxed()
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        self.way.leave()
    }

    fn judge(&mut self, was_useful: bool) {
        self.way.judge(was_useful);
    }

    fn remembered(&self) -> Option<&BluetoothId> {
        self.way.remembered()
    }
}

struct Repeated {
    stream: Box<dyn Duplex>,
    again: Vec<u8>,
    unanswered: Kept,
}

impl AsyncWrite for Repeated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        while !this.again.is_empty() {
            let len = ready!(Pin::new(&mut this.stream).poll_write(context, &this.again))?;
            this.again.drain(..len);
        }
        let len = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        this.unanswered.lock().unwrap().extend(&bytes[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Repeated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if !buffer.filled().is_empty() {
            self.unanswered.lock().unwrap().clear();
        }
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_flaps_catch_a_pump_that_keeps_the_old_line() {
    let seen = flap(|way| Box::new(Repeating { way, unanswered: Kept::default() })).await;
    assert!(seen.stale > 0 && seen.late_first > 0, "{seen:?}");
}
