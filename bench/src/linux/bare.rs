//! The floor of a fan-out: one thread, one epoll, and for each message one write to each viewer, of the same bytes.
//!
//! No handshake, no queue, no task: what a socket does not take is owed in bytes, and epoll says when it takes more.

use super::floors::FRAME_TEXT;
use super::{mqtt, role};
use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const VIEWERS: Token = Token(usize::MAX);
const PUBLISHERS: Token = Token(usize::MAX - 1);
const PUBLISHER: Token = Token(usize::MAX - 2);
const EVENTS_MAX: usize = 4_096;
/// So often it looks whether it is dismissed.
const LOOK: Duration = Duration::from_millis(100);

/// The role: says both addresses, and serves until it is dismissed.
pub(crate) async fn play() -> Result<()> {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let looping = std::thread::spawn(move || Loop::new()?.run(&over));
    role::dismissed().await;
    is_over.store(true, Ordering::Release);
    looping.join().ok().context("the loop panicked")?
}

struct Loop {
    poll: Poll,
    viewers: TcpListener,
    publishers: TcpListener,
    publisher: Option<TcpStream>,
    /// Bytes behind the last whole packet.
    input: Vec<u8>,
    /// Each viewer, and how many bytes it is owed.
    shown: Vec<(TcpStream, usize)>,
    frame: Vec<u8>,
}

impl Loop {
    fn new() -> Result<Self> {
        let poll = Poll::new()?;
        let any = "127.0.0.1:0".parse()?;
        let (mut viewers, mut publishers) = (TcpListener::bind(any)?, TcpListener::bind(any)?);
        println!("{} {}", viewers.local_addr()?, publishers.local_addr()?);
        poll.registry().register(&mut viewers, VIEWERS, Interest::READABLE)?;
        poll.registry().register(&mut publishers, PUBLISHERS, Interest::READABLE)?;
        let frame = [&[0x81, u8::try_from(FRAME_TEXT.len())?], FRAME_TEXT.as_bytes()].concat();
        Ok(Self {
            poll,
            viewers,
            publishers,
            publisher: None,
            input: Vec::new(),
            shown: Vec::new(),
            frame,
        })
    }

    fn run(mut self, is_over: &AtomicBool) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !is_over.load(Ordering::Acquire) {
            self.poll.poll(&mut events, Some(LOOK))?;
            for event in &events {
                match event.token() {
                    VIEWERS => self.admit()?,
                    PUBLISHERS => self.publish()?,
                    PUBLISHER => {
                        for _ in 0..self.came()? {
                            self.show()?;
                        }
                    }
                    Token(viewer) => self.pay(viewer)?,
                }
            }
        }
        Ok(())
    }

    fn admit(&mut self) -> Result<()> {
        while let Some(mut stream) = taken(self.viewers.accept())? {
            stream.set_nodelay(true)?;
            let interests = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(self.shown.len()), interests)?;
            // As the live port: the last known reading comes at once.
            let owed = self.frame.len() - write(&mut stream, &self.frame)?;
            self.shown.push((stream, owed));
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<()> {
        while let Some(mut stream) = taken(self.publishers.accept())? {
            self.poll.registry().register(&mut stream, PUBLISHER, Interest::READABLE)?;
            self.publisher = Some(stream);
        }
        Ok(())
    }

    /// How many messages have come.
    fn came(&mut self) -> Result<usize> {
        let publisher = self.publisher.as_mut().context("it has come")?;
        let mut buffer = [0; 4096];
        loop {
            match publisher.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => self.input.extend(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let mut came = 0;
        let done = mqtt::walk(&self.input, |_, _| {
            came += 1;
            Ok(())
        })?;
        self.input.drain(..done);
        Ok(came)
    }

    /// One write to each.
    fn show(&mut self) -> Result<()> {
        for (stream, owed) in &mut self.shown {
            let written = if *owed > 0 { 0 } else { write(stream, &self.frame)? };
            *owed += self.frame.len() - written;
        }
        Ok(())
    }

    /// What it is owed, frame by frame.
    fn pay(&mut self, viewer: usize) -> Result<()> {
        let (stream, owed) = self.shown.get_mut(viewer).context("a known viewer")?;
        while *owed > 0 {
            let rest = (*owed - 1) % self.frame.len() + 1;
            let written = write(stream, &self.frame[self.frame.len() - rest..])?;
            *owed -= written;
            if written < rest {
                break;
            }
        }
        Ok(())
    }
}

/// How much of it the socket took. One that is gone takes everything.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    match stream.write(bytes) {
        Ok(len) => Ok(len),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error)
            if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
        {
            Ok(bytes.len())
        }
        Err(error) => Err(error.into()),
    }
}

/// A connection; `None`: no further one has come.
fn taken<A>(accepted: std::io::Result<(TcpStream, A)>) -> Result<Option<TcpStream>> {
    match accepted {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}
