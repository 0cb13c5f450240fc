//! The simulated sensor's way to the broker: real TCP, with faults done to the bytes on it.
//!
//! The device writes one MQTT packet at a time, so what is done to a message is done here, on its
//! packet, and the device's own code knows nothing of it.

use super::fault::{Faults, Spells, random};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use fastrand::Rng;
use mtom_device::sensor::Connector;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// A late message comes at most so late; a device takes a broker that needs 10 s for none.
const LATE_MAX: Duration = Duration::from_secs(3);

/// What was done to the message that went out last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Garbled,
    Doubled,
    Late,
}

/// What is wrong between one device and its broker; it outlives the device's runs.
pub(super) struct Trouble {
    faults: Faults,
    started: Instant,
    spells: RefCell<Option<Spells>>,
    rng: RefCell<Rng>,
    last: Cell<Option<Fate>>,
}

impl Trouble {
    pub(super) fn new(faults: &Faults, mut rng: Rng) -> Rc<Self> {
        let spells = faults.offline.map(|offline| Spells::new(offline, rng.fork()));
        Rc::new(Self {
            faults: faults.clone(),
            started: Instant::now(),
            spells: RefCell::new(spells),
            rng: RefCell::new(rng),
            last: Cell::new(None),
        })
    }

    /// What was done to the last message; asked once for each.
    pub(super) fn take_last(&self) -> Option<Fate> {
        self.last.take()
    }

    /// Whether the network is away, and when that changes next.
    fn offline(&self) -> (bool, Option<Instant>) {
        match self.spells.borrow_mut().as_mut() {
            Some(spells) => {
                let (away, changes) = spells.at(self.started.elapsed());
                (away, Some(self.started + changes))
            }
            None => (false, None),
        }
    }

    /// Decides what happens to the next message.
    fn fate(&self) -> Option<Fate> {
        let Faults { garbage, duplicate, late, .. } = self.faults;
        let drawn = self.rng.borrow_mut().f64();
        let fate = if drawn < garbage {
            Some(Fate::Garbled)
        } else if drawn < garbage + duplicate {
            Some(Fate::Doubled)
        } else if drawn < garbage + duplicate + late {
            Some(Fate::Late)
        } else {
            None
        };
        self.last.set(fate);
        fate
    }
}

/// Opens connections to one broker.
pub(super) struct Network {
    pub(super) host: String,
    pub(super) port: u16,
    /// Where readings go; other messages are left alone.
    pub(super) topic: Rc<str>,
    pub(super) trouble: Rc<Trouble>,
}

impl Connector for Network {
    type Io<'a> = Wire;
    type Error = io::Error;

    async fn connect(&mut self) -> Result<Wire, io::Error> {
        if self.trouble.offline().0 {
            return Err(io::Error::new(
                io::ErrorKind::NetworkUnreachable,
                "no network (simulated)",
            ));
        }
        // On the heap, for the moment that it takes.
        let tcp = Box::pin(TcpStream::connect((self.host.as_str(), self.port))).await?;
        tcp.set_nodelay(true)?;
        Ok(Wire {
            tcp,
            topic: Rc::clone(&self.topic),
            trouble: Rc::clone(&self.trouble),
            out: Vec::new(),
            held: Vec::new(),
        })
    }
}

/// One connection.
pub(super) struct Wire {
    tcp: TcpStream,
    topic: Rc<str>,
    trouble: Rc<Trouble>,
    /// Packets that are written with the next flush.
    out: Vec<u8>,
    /// Packets that come late, and when.
    held: Vec<(Instant, Vec<u8>)>,
}

impl Wire {
    /// One whole packet goes out, is changed, or is held back.
    fn take(&mut self, packet: &[u8]) {
        if !is_reading(packet, &self.topic) {
            self.out.extend_from_slice(packet);
            return;
        }
        match self.trouble.fate() {
            None => self.out.extend_from_slice(packet),
            Some(Fate::Garbled) => {
                let start = self.out.len();
                self.out.extend_from_slice(packet);
                let payload = start + packet.len() - payload_len(packet);
                let mut rng = self.trouble.rng.borrow_mut();
                self.out[payload..].fill_with(|| rng.u8(..));
            }
            Some(Fate::Doubled) => {
                self.out.extend_from_slice(packet);
                let again = self.out.len();
                self.out.extend_from_slice(packet);
                // The DUP flag [MQTT-3.3.1-1].
                self.out[again] |= 0x08;
            }
            Some(Fate::Late) => {
                let delay = random(&mut self.trouble.rng.borrow_mut(), LATE_MAX);
                self.held.push((Instant::now() + delay, packet.to_vec()));
            }
        }
    }

    async fn write_out(&mut self) -> Result<(), ErrorKind> {
        // Kept in step with what went out: dropped half way, the next call goes on from there.
        while !self.out.is_empty() {
            let len = self.tcp.write(&self.out).await.map_err(|error| kind(&error))?;
            self.out.drain(..len);
        }
        // Empty most of the time: a fleet shall not keep what one packet needed.
        self.out = Vec::new();
        Ok(())
    }

    /// Sends what was held back long enough; says when to look again.
    async fn release(&mut self) -> Result<Option<Instant>, ErrorKind> {
        let now = Instant::now();
        let (away, changes) = self.trouble.offline();
        if away {
            return Err(ErrorKind::ConnectionReset);
        }
        while let Some(due) = self.held.iter().position(|(at, _)| *at <= now) {
            let (_, packet) = self.held.swap_remove(due);
            self.out.extend_from_slice(&packet);
        }
        self.write_out().await?;
        Ok(self.held.iter().map(|(at, _)| *at).chain(changes).min())
    }
}

impl ErrorType for Wire {
    type Error = ErrorKind;
}

impl Read for Wire {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        loop {
            let Some(look_again) = self.release().await? else {
                return self.tcp.read(buffer).await.map_err(|error| kind(&error));
            };
            tokio::select! {
                read = self.tcp.read(buffer) => return read.map_err(|error| kind(&error)),
                () = sleep_until(look_again) => {}
            }
        }
    }
}

impl Write for Wire {
    async fn write(&mut self, packet: &[u8]) -> Result<usize, ErrorKind> {
        self.take(packet);
        Ok(packet.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.release().await.map(|_| ())
    }
}

fn kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
        io::ErrorKind::ConnectionAborted => ErrorKind::ConnectionAborted,
        _ => ErrorKind::Other,
    }
}

/// A PUBLISH on `topic`, whatever its flags [MQTT-5.0 3.3].
fn is_reading(packet: &[u8], topic: &str) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 3)
        && variable_header(packet)
            .and_then(|rest| rest.get(2..2 + topic.len()))
            .is_some_and(|found| found == topic.as_bytes())
}

/// What follows the fixed header.
fn variable_header(packet: &[u8]) -> Option<&[u8]> {
    let len_bytes = packet.get(1..)?.iter().take(4).take_while(|byte| **byte >= 0x80).count() + 1;
    packet.get(1 + len_bytes..)
}

/// The length of a QoS 1 reading's payload: the rest behind topic, packet id and properties.
fn payload_len(packet: &[u8]) -> usize {
    let rest = variable_header(packet).unwrap_or_default();
    let topic_len = rest.first_chunk().map_or(0, |len| usize::from(u16::from_be_bytes(*len)));
    let properties = 2 + topic_len + 2;
    let properties_len = rest.get(properties).map_or(0, |len| usize::from(*len));
    rest.len().saturating_sub(properties + 1 + properties_len)
}

#[cfg(test)]
mod tests;
